/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The texts of network values: addresses, prefixes, MACs, port ranges. One reader of each, so that the check
 * of a configuration and the compiler behind it can never disagree. Pure functions; any thread. Readers take
 * the whole text or answer false; they accept no white space, no leading zeros (RFC 6943, section 3.1.1), no
 * zone identifiers.
 */
#ifndef SLUICE_UTIL_NET_H
#define SLUICE_UTIL_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip_addr {
	uint8_t family;    /* 4 or 6 */
	uint8_t bytes[16]; /* network order; the first four for IPv4, the rest 0 */
};

struct ip_prefix {
	struct ip_addr address;
	uint8_t length; /* in bits */
};

struct mac_addr {
	uint8_t bytes[6];
};

/* Long enough for any of the texts below. */
#define NET_TEXT 64

bool ip_addr_parse(const char *text, struct ip_addr *address);
/* `address/length`, or an address alone for a host; host bits must be 0. */
bool ip_prefix_parse(const char *text, struct ip_prefix *prefix);
/* `address/length` with host bits: an address on a port. The length is not optional. */
bool ip_interface_parse(const char *text, struct ip_prefix *interface);
bool mac_parse(const char *text, struct mac_addr *mac);
/* "80" or "1000-2000" in host order, first <= last; 0 is a port like others. */
bool port_range_parse(const char *text, uint16_t *first, uint16_t *last);

/* A name that DNS can be asked for: labels of 1 to 63 letters, digits, hyphens (neither first nor last) and underscores, at most 253 bytes, perhaps with a dot at
 * the end (RFC 1035, 1123; underscores are those of RFC 8552). Texts of addresses are none. */
bool host_name_valid(const char *text);

/* Writers: canonical text (RFC 5952 for IPv6), return as snprintf. ip_prefix_format always writes the length.
 */
int ip_addr_format(const struct ip_addr *address, char *text, size_t size);
int ip_prefix_format(const struct ip_prefix *prefix, char *text, size_t size);
int mac_format(const struct mac_addr *mac, char *text, size_t size);

/* Clears the bits beyond the length: the network of an interface address. */
void ip_prefix_mask(struct ip_prefix *prefix);
bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b);
/* Whether the address lies in the prefix (same family and same leading bits). */
bool ip_prefix_holds(const struct ip_prefix *prefix, const struct ip_addr *address);
/* Number of bits of an address: 32 or 128. */
static inline unsigned ip_addr_bits(const struct ip_addr *address)
{
	return address->family == 4 ? 32 : 128;
}

#endif
