/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses of ours that somebody else says are his (RFC 5227, section 2.4; RFC 4861 for IPv6): counted, and remembered for whoever tells people. Worker 0.
 */
#include "edge/private.h"

static bool is_of(const struct edge_conflict *c, uint16_t port, uint8_t family, const union ipaddr *address)
{
	return c->packets && c->port == port && c->family == family && ipaddr_equal(&c->address, address);
}

/* That of the address, else the one that was heard of the longest ago. */
static struct edge_conflict *find(struct edge_worker *ew, uint16_t port, uint8_t family,
                                  const union ipaddr *address)
{
	struct edge_conflict *oldest = &ew->conflicts[0];

	for (unsigned i = 0; i < EDGE_CONFLICTS; i++) {
		struct edge_conflict *c = &ew->conflicts[i];

		if (is_of(c, port, family, address))
			return c;
		if (c->heard < oldest->heard)
			oldest = c;
	}
	*oldest = (struct edge_conflict){ .address = *address, .port = port, .family = family };
	return oldest;
}

void conflict_look(struct edge_worker *ew, const struct edge_table *table, uint16_t port, uint8_t family,
                   const union ipaddr *address, const uint8_t *mac, uint64_t now)
{
	if (memcmp(mac, table->ports[port].mac, 6) == 0 || !table_answers(table, port, family, address))
		return;
	struct edge_conflict *c = find(ew, port, family, address);

	c->packets++;
	c->heard = now;
	memcpy(c->mac, mac, 6);
	edge_count(ew, EDGE_C_CONFLICT);
}

void edge_conflicts(const struct edge_worker *ew, struct edge_conflict into[EDGE_CONFLICTS])
{
	memcpy(into, ew->conflicts, sizeof(ew->conflicts));
}

json_t *edge_conflict_text(const struct edge_conflict *conflict, const char *port)
{
	struct ip_addr address = ip_addr_of(conflict->family, &conflict->address);
	char ip[NET_TEXT], hardware[NET_TEXT];
	struct mac_addr mac;

	memcpy(mac.bytes, conflict->mac, 6);
	ip_addr_format(&address, ip, sizeof(ip));
	mac_format(&mac, hardware, sizeof(hardware));
	return json_pack("{s:s,s:s,s:s,s:I}", "address", ip, "mac", hardware, "port", port, "packets",
	                 (json_int_t)conflict->packets);
}
