/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The general parser's SCTP part: the common header and the chain of chunks, as far as they are in the first segment and the
 * first fragment. Works on one packet, on the thread that holds it.
 */
#include <netinet/in.h>

#include "packet/parse_private.h"
#include "packet/sctp.h"

/* What a chunk must be like among `before` others. RFC 9260: sections 3.3.2, 3.3.3 (no initiate tag of 0), 6.10. */
static bool chunk_ok(const struct sctp_walk *walk, unsigned before)
{
	uint8_t type = walk->at[0];
	bool begins = type == SCTP_INIT || type == SCTP_INIT_ACK;

	if (before && sctp_stands_alone(type))
		return false;
	if (!begins)
		return true;
	return walk->length >= SCTP_INIT_LENGTH && walk->end - walk->at >= SCTP_INIT_LENGTH &&
	       sctp_initiate_tag(walk->at) != 0;
}

/* The chain; `cut`: what it ends with may lie elsewhere. */
static bool chunks_ok(struct sctp_walk walk, bool cut)
{
	bool alone = false;

	for (unsigned i = 0; i < SCTP_CHUNKS_MAX && walk.at < walk.end; i++) {
		if (!sctp_chunk(&walk))
			return cut && walk.end - walk.at < SCTP_CHUNK_HEADER && i > 0;
		if (alone || !chunk_ok(&walk, i))
			return false;
		if (!cut && walk.length > walk.end - walk.at)
			return false;
		alone = sctp_stands_alone(walk.at[0]);
		sctp_next(&walk);
	}
	return true;
}

enum pkt_malformed parse_sctp(struct parse *c)
{
	struct pkt *p = c->p;
	const uint8_t *sctp = c->frame + p->l4;
	uint16_t room = parse_room(c);
	struct sctp_walk walk = { sctp + sizeof(struct rte_sctp_hdr), c->frame + room, 0 };
	uint32_t tag;

	if ((uint32_t)p->l4 + sizeof(struct rte_sctp_hdr) + SCTP_CHUNK_HEADER > room)
		return p->flags & PKT_FRAGMENT ? PKT_BAD_FRAGMENT : PKT_SHORT_TRANSPORT;
	p->sport = raw16_at(sctp);
	p->dport = raw16_at(sctp + 2);
	p->sctp_chunk = walk.at[0];
	memcpy(&tag, sctp + 4, sizeof(tag));
	/* RFC 9260, section 8.5.1: a tag of 0 is INIT's alone, and INIT has no other. */
	if (p->sport == 0 || p->dport == 0 || (tag == 0) != (p->sctp_chunk == SCTP_INIT))
		return PKT_BAD_TRANSPORT;
	return chunks_ok(walk, p->flags & PKT_FRAGMENT || room < p->end) ? PKT_OK : PKT_BAD_TRANSPORT;
}
