/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Readers and writers of network values. inet_pton() does the addresses: it is strict where we want it strict
 * (four decimal parts without leading zeros). Holds no data; any thread.
 */
#include "util/net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool ip_addr_parse(const char *text, struct ip_addr *address)
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	memset(address, 0, sizeof(*address));
	address->family = family == AF_INET6 ? 6 : 4;
	return inet_pton(family, text, address->bytes) == 1;
}

/* A decimal number without sign, space or leading zero, up to `max`; `end` is set behind it. */
static bool number_parse(const char *text, unsigned max, unsigned *value, const char **end)
{
	const char *p = text;
	unsigned sum = 0;

	while (*p >= '0' && *p <= '9') {
		sum = sum * 10 + (unsigned)(*p++ - '0');
		if (sum > max)
			return false;
	}
	*value = sum;
	*end = p;
	return p > text && (text[0] != '0' || p == text + 1);
}

/* Splits address/length; without a slash the length is the whole address, and `slash` tells. */
static bool split_prefix(const char *text, struct ip_prefix *prefix, bool *slash)
{
	char address[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	const char *end;
	unsigned bits;

	*slash = text[length] == '/';
	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (!ip_addr_parse(address, &prefix->address))
		return false;
	bits = ip_addr_bits(&prefix->address);
	if (*slash && (!number_parse(text + length + 1, bits, &bits, &end) || *end))
		return false;
	prefix->length = (uint8_t)bits;
	return true;
}

bool ip_prefix_parse(const char *text, struct ip_prefix *prefix)
{
	bool slash;

	if (!split_prefix(text, prefix, &slash))
		return false;
	struct ip_prefix network = *prefix;
	ip_prefix_mask(&network);
	return ip_addr_equal(&network.address, &prefix->address);
}

bool ip_interface_parse(const char *text, struct ip_prefix *interface)
{
	bool slash;

	return split_prefix(text, interface, &slash) && slash;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool mac_parse(const char *text, struct mac_addr *mac)
{
	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool port_range_parse(const char *text, uint16_t *first, uint16_t *last)
{
	unsigned low, high;
	const char *end;

	if (!number_parse(text, UINT16_MAX, &low, &end))
		return false;
	high = low;
	if (*end == '-' && !number_parse(end + 1, UINT16_MAX, &high, &end))
		return false;
	*first = (uint16_t)low;
	*last = (uint16_t)high;
	return *end == '\0' && low <= high;
}

int ip_addr_format(const struct ip_addr *address, char *text, size_t size)
{
	char buffer[INET6_ADDRSTRLEN];

	inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, buffer, sizeof(buffer));
	return snprintf(text, size, "%s", buffer);
}

int ip_prefix_format(const struct ip_prefix *prefix, char *text, size_t size)
{
	char buffer[INET6_ADDRSTRLEN];

	ip_addr_format(&prefix->address, buffer, sizeof(buffer));
	return snprintf(text, size, "%s/%u", buffer, prefix->length);
}

int mac_format(const struct mac_addr *mac, char *text, size_t size)
{
	const uint8_t *b = mac->bytes;

	return snprintf(text, size, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

void ip_prefix_mask(struct ip_prefix *prefix)
{
	for (unsigned i = 0; i < sizeof(prefix->address.bytes); i++) {
		unsigned from = i * 8;
		if (prefix->length <= from)
			prefix->address.bytes[i] = 0;
		else if (prefix->length < from + 8)
			prefix->address.bytes[i] &= (uint8_t)(0xff << (from + 8 - prefix->length));
	}
}

bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool ip_prefix_holds(const struct ip_prefix *prefix, const struct ip_addr *address)
{
	struct ip_prefix network = { .address = *address, .length = prefix->length };
	struct ip_prefix masked = *prefix;

	ip_prefix_mask(&network);
	ip_prefix_mask(&masked);
	return ip_addr_equal(&network.address, &masked.address);
}

/* --- names --- */

static bool is_label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

static bool is_label(const char *label, size_t length)
{
	if (!length || length > 63 || label[0] == '-' || label[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_label_byte(label[i]))
			return false;
	return true;
}

static bool is_number(const char *label, size_t length)
{
	return strspn(label, "0123456789") >= length;
}

bool host_name_valid(const char *text)
{
	size_t left = strlen(text);

	if (left && text[left - 1] == '.')
		left--;
	if (!left || left > 253)
		return false;
	for (;;) {
		const char *dot = memchr(text, '.', left);
		size_t length = dot ? (size_t)(dot - text) : left;

		if (!is_label(text, length))
			return false;
		if (!dot)
			return !is_number(
			        text,
			        length); /* no top-level domain is one: it is an address, or half of one */
		text += length + 1;
		left -= length + 1;
	}
}
