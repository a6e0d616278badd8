/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SCTP on the wire (RFC 9260): the chunks of a packet and its CRC32c. Works on one packet, on the thread that holds it; keeps
 * nothing.
 */
#ifndef SLUICE_PACKET_SCTP_H
#define SLUICE_PACKET_SCTP_H

#include <rte_sctp.h>

#include "packet/pkt.h"

enum sctp_chunk_type {
	SCTP_DATA = 0,
	SCTP_INIT = 1,
	SCTP_INIT_ACK = 2,
	SCTP_SACK = 3,
	SCTP_HEARTBEAT = 4,
	SCTP_HEARTBEAT_ACK = 5,
	SCTP_ABORT = 6,
	SCTP_SHUTDOWN = 7,
	SCTP_SHUTDOWN_ACK = 8,
	SCTP_ERROR = 9,
	SCTP_COOKIE_ECHO = 10,
	SCTP_COOKIE_ACK = 11,
	SCTP_SHUTDOWN_COMPLETE = 14,
};

enum {
	SCTP_CHUNK_HEADER = 4,
	SCTP_INIT_LENGTH = 20, /* of INIT and INIT ACK without parameters */
	SCTP_TAG_REFLECTED =
	        1, /* T bit of ABORT and SHUTDOWN COMPLETE: the tag is the one the other side uses */
	SCTP_CHUNKS_MAX = 64, /* that are looked at; data may be behind them */
};

/* Places of the chunks of one packet: begin with .at behind the common header. */
struct sctp_walk {
	const uint8_t *at, *end;
	uint16_t length; /* of the chunk at `at`, its header included; set by sctp_chunk() */
};

/* True: a whole chunk (or, cut by a fragment's or segment's end, its header) is at walk->at. */
static inline bool sctp_chunk(struct sctp_walk *walk)
{
	if (walk->end - walk->at < SCTP_CHUNK_HEADER)
		return false;
	walk->length = (uint16_t)(walk->at[2] << 8 | walk->at[3]);
	return walk->length >= SCTP_CHUNK_HEADER;
}

/* On to the next one; chunks begin at multiples of four bytes. */
static inline void sctp_next(struct sctp_walk *walk)
{
	uint32_t step = ((uint32_t)walk->length + 3) & ~3U;

	walk->at = step < (uint32_t)(walk->end - walk->at) ? walk->at + step : walk->end;
}

/* Initiate tag of an INIT or INIT ACK chunk, host order. */
static inline uint32_t sctp_initiate_tag(const uint8_t *chunk)
{
	return (uint32_t)chunk[4] << 24 | (uint32_t)chunk[5] << 16 | (uint32_t)chunk[6] << 8 | chunk[7];
}

/* Those that stand alone in a packet (RFC 9260, section 6.10). */
static inline bool sctp_stands_alone(uint8_t type)
{
	return type == SCTP_INIT || type == SCTP_INIT_ACK || type == SCTP_SHUTDOWN_COMPLETE;
}

/* CRC32c of a whole packet as its checksum field should hold it (network order); covers all segments. */
uint32_t sctp_crc(struct rte_mbuf *m);

#endif
