/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP headers read and written as a whole: options of a segment, a segment that becomes another one, a segment turned round to its sender. On the
 * thread that holds the packet.
 */
#ifndef SLUICE_PACKET_TCP_EDIT_H
#define SLUICE_PACKET_TCP_EDIT_H

#include "packet/pkt.h"

enum { TCP_NO_SCALE = 15 }; /* no window scale option; real ones go to 14 (RFC 7323) */

/* The options that Sluice knows; offsets count from the TCP header, 0: the option is not there. */
struct tcp_options {
	uint16_t mss;   /* 0: none */
	uint16_t stamp; /* offset of TSval; TSecr follows it */
	uint16_t sack;  /* offset of the first SACK block */
	uint8_t sacks;  /* how many blocks */
	uint8_t scale;  /* at most 14, or TCP_NO_SCALE */
	bool sack_permitted;
};

/* Reads the options of a parsed TCP packet that is no later fragment. Stops at the first that is malformed. */
void tcp_options_read(struct rte_mbuf *m, struct tcp_options *options);

/* A 32-bit word of the header at any offset, host order; the setter keeps the checksum true. */
uint32_t tcp_word(struct rte_mbuf *m, uint16_t offset);
void tcp_set_word(struct rte_mbuf *m, uint16_t offset, uint32_t value);
void tcp_set_window(struct rte_mbuf *m, uint16_t window);

/* What a segment without data says; host order. */
struct tcp_fields {
	uint32_t seq, ack;
	uint32_t stamp, echo; /* with `stamped` */
	uint16_t window;
	uint16_t mss; /* 0: no option */
	uint8_t flags;
	uint8_t scale; /* TCP_NO_SCALE: no option */
	bool sack_permitted, stamped;
};

/* Whether a parsed packet is a whole TCP segment in one mbuf without IP options or extension headers, so that the next two can be done to it. */
bool tcp_editable(struct rte_mbuf *m);
/* The packet becomes a segment of these fields with the same addresses and ports and without data; IP length, checksums and struct pkt follow. False: no room
 * behind the header in the mbuf, or not editable; nothing is changed. */
bool tcp_rewrite(struct rte_mbuf *m, const struct tcp_fields *fields);
/* Addresses of frame and packet, and ports, change places; the packet is one of ours (PKT_ORIGINATED, a full hop count, no TOS). The TCP checksum does not
 * mind, that of IPv4 is made true. */
void tcp_turn(struct rte_mbuf *m);

/* Bytes that an IP packet with a segment of these fields has. */
uint16_t tcp_length(const struct tcp_fields *fields, uint8_t family);
/* Makes a segment from one end of a tuple to the other in an empty mbuf, with an empty link header; parsed. False: no room. */
bool tcp_build(struct rte_mbuf *m, const struct tuple *tuple, const struct tcp_fields *fields);

#endif
