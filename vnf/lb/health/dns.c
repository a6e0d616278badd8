/* SPDX-License-Identifier: BSD-3-Clause */
/* Queries and answers of DNS (RFC 1035); names and records are c-ares's business. Pure. */
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdio.h>
#include <string.h>

#include "lb/health/checker.h"

enum { DNS_HEADER = 12, ADDRESSES = 64, PAYLOAD = 1232 };

static const char *const rcodes[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED" };

static const char *rcode_name(unsigned rcode)
{
	return rcode < sizeof(rcodes) / sizeof(*rcodes) ? rcodes[rcode] : "another code";
}

unsigned dns_query(const struct health_check *check, uint16_t id, uint8_t *out, unsigned size)
{
	unsigned char *query;
	int length;

	if (ares_create_query(check->name, C_IN, check->type, id, 1, &query, &length, PAYLOAD) !=
	    ARES_SUCCESS)
		return 0;
	if ((unsigned)length > size)
		length = 0;
	memcpy(out, query, (size_t)length);
	ares_free_string(query);
	return (unsigned)length;
}

bool dns_is_answer(uint16_t id, const uint8_t *bytes, unsigned length)
{
	return length >= DNS_HEADER && (bytes[0] << 8 | bytes[1]) == id && bytes[2] & 0x80;
}

static bool has4(const struct ip_addr *wanted, const uint8_t *bytes, unsigned length)
{
	struct ares_addrttl list[ADDRESSES];
	int n = ADDRESSES;

	if (ares_parse_a_reply(bytes, (int)length, NULL, list, &n) != ARES_SUCCESS)
		return false;
	for (int i = 0; i < n; i++)
		if (memcmp(&list[i].ipaddr, wanted->bytes, 4) == 0)
			return true;
	return false;
}

static bool has6(const struct ip_addr *wanted, const uint8_t *bytes, unsigned length)
{
	struct ares_addr6ttl list[ADDRESSES];
	int n = ADDRESSES;

	if (ares_parse_aaaa_reply(bytes, (int)length, NULL, list, &n) != ARES_SUCCESS)
		return false;
	for (int i = 0; i < n; i++)
		if (memcmp(&list[i].ip6addr, wanted->bytes, 16) == 0)
			return true;
	return false;
}

bool dns_judge(const struct health_check *check, const uint8_t *bytes, unsigned length, char why[HEALTH_WHY])
{
	unsigned rcode = bytes[3] & 15;
	const struct ip_addr *wanted = &check->answer;
	char text[NET_TEXT];

	if (rcode != check->rcode) {
		snprintf(why, HEALTH_WHY, "%s, %s expected", rcode_name(rcode), rcode_name(check->rcode));
		return false;
	}
	snprintf(why, HEALTH_WHY, "%s", rcode_name(rcode));
	if (!wanted->family ||
	    (wanted->family == 4 ? has4(wanted, bytes, length) : has6(wanted, bytes, length)))
		return true;
	ip_addr_format(wanted, text, sizeof(text));
	snprintf(why, HEALTH_WHY, "%s, but %s is not in the answer", rcode_name(rcode), text);
	return false;
}
