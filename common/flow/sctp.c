/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SCTP tracking, see sctp.h for the rules. Pure but for the session that is given; the worker that owns the session calls it.
 */
#include "flow/sctp.h"

#include "packet/sctp.h"

const char *const sctp_state_names[SCTP_STATES] = {
	[SCTP_NONE] = "none",
	[SCTP_OPENING] = "opening",
	[SCTP_ESTABLISHED] = "established",
	[SCTP_SHUTTING] = "shutting-down",
	[SCTP_ENDED] = "ended",
};

/* One packet on its way through the rules: what it found, what it leaves behind if it is valid. */
struct step {
	struct sctp_side side[2]; /* the session's, to be written back */
	uint8_t state;
	uint8_t dir;
	uint32_t tag; /* that the packet carries, host order */
	bool learns;  /* tags may be learnt from packets that do not choose them */
};

/* An answer to an INIT on a live association, in the handshake of the restart. */
static bool is_restart(const struct step *t)
{
	uint32_t fresh = t->side[t->dir].fresh;

	return fresh != 0 && t->tag == fresh;
}

/* The tag chosen by this packet's sender, which the other direction will carry. */
static void choose(struct step *t, uint32_t initiate)
{
	struct sctp_side *other = &t->side[!t->dir];

	if (t->state >= SCTP_ESTABLISHED) {
		other->fresh = initiate;
		return;
	}
	other->tag = initiate;
	t->state = SCTP_OPENING;
}

/* Both sides have brought new tags. */
static void end_restart(struct step *t)
{
	if (!t->side[0].fresh || !t->side[1].fresh)
		return;
	for (unsigned i = 0; i < 2; i++)
		t->side[i] = (struct sctp_side){ .tag = t->side[i].fresh };
	t->state = SCTP_ESTABLISHED;
}

static void shutting(struct step *t)
{
	if (t->state != SCTP_ENDED)
		t->state = SCTP_SHUTTING;
}

/* What one chunk does; the tag is right. */
static void chunk(struct step *t, const uint8_t *at)
{
	switch (at[0]) {
	case SCTP_INIT:
		choose(t, sctp_initiate_tag(at));
		break;
	case SCTP_INIT_ACK:
		if (t->state < SCTP_ESTABLISHED || is_restart(t))
			choose(t, sctp_initiate_tag(at));
		break;
	case SCTP_COOKIE_ACK:
		if (t->state == SCTP_OPENING)
			t->state = SCTP_ESTABLISHED;
		else if (is_restart(t))
			end_restart(t);
		break;
	case SCTP_SHUTDOWN:
	case SCTP_SHUTDOWN_ACK:
		shutting(t);
		break;
	case SCTP_ABORT:
	case SCTP_SHUTDOWN_COMPLETE:
		/* One that answers the handshake of a restart ends that alone. */
		if (is_restart(t))
			t->side[0].fresh = t->side[1].fresh = 0;
		else
			t->state = SCTP_ENDED;
		break;
	default:
		break;
	}
}

/* RFC 9260, section 8.5.1, B and C: the sender knows no association, and gives back what it was sent. */
static bool is_reflected(const struct step *t, const uint8_t *at)
{
	if (at[0] != SCTP_ABORT && at[0] != SCTP_SHUTDOWN_COMPLETE)
		return false;
	return at[1] & SCTP_TAG_REFLECTED && t->tag == t->side[!t->dir].tag;
}

/* Whether the packet that begins with this chunk may carry its tag. */
static bool tag_ok(struct step *t, const uint8_t *at)
{
	struct sctp_side *own = &t->side[t->dir];

	if (at[0] == SCTP_INIT || is_reflected(t, at) || is_restart(t))
		return true;
	if (own->tag == 0 && t->learns) {
		own->tag = t->tag;
		return true;
	}
	return own->tag != 0 && t->tag == own->tag;
}

/* Of a session that began in the middle, or with a heartbeat: both sides have spoken. */
static void picked_up(struct step *t)
{
	if (t->state <= SCTP_OPENING && t->learns && t->side[0].tag && t->side[1].tag)
		t->state = SCTP_ESTABLISHED;
	else if (t->state == SCTP_NONE)
		t->state = SCTP_OPENING;
}

static bool is_plain(uint8_t type)
{
	return type == SCTP_DATA || type == SCTP_SACK;
}

static bool crc_ok(struct rte_mbuf *m, const struct rte_sctp_hdr *sctp)
{
	return pkt_of(m)->flags & PKT_FRAGMENT || sctp->cksum == sctp_crc(m);
}

static void begin(const struct session *s, const struct pkt *p, const struct rte_sctp_hdr *sctp,
                  struct step *t)
{
	memcpy(t->side, s->sctp, sizeof(t->side));
	t->state = s->tcp_state[0];
	t->dir = p->dir;
	t->tag = rte_be_to_cpu_32(sctp->tag);
	t->learns = s->flags & (SESSION_MIDSTREAM | SESSION_ONEWAY) || s->tcp_scale[0];
}

/* tcp_scale[0] says that the session began with a heartbeat. */
static void commit(struct session *s, const struct step *t, bool heartbeat)
{
	memcpy(s->sctp, t->side, sizeof(t->side));
	s->tcp_state[0] = t->state;
	if (heartbeat)
		s->tcp_scale[0] = 1;
}

static enum session_class class_of(uint8_t state)
{
	if (state >= SCTP_SHUTTING)
		return CLASS_SCTP_CLOSING;
	return state == SCTP_ESTABLISHED ? CLASS_SCTP_ESTABLISHED : CLASS_SCTP_OPENING;
}

enum flow_invalid sctp_track(struct session *s, struct rte_mbuf *m, enum session_class *klass)
{
	const struct pkt *p = pkt_of(m);
	const struct rte_sctp_hdr *sctp = pkt_at(m, p->l4);
	struct sctp_walk walk = { (const uint8_t *)(sctp + 1), pkt_at(m, RTE_MIN(p->end, m->data_len)), 0 };
	uint8_t first = walk.at[0];
	bool heartbeat = s->tcp_state[0] == SCTP_NONE && first == SCTP_HEARTBEAT;
	struct step t;

	begin(s, p, sctp, &t);
	t.learns |= heartbeat;
	if (t.state == SCTP_NONE && first != SCTP_INIT && !t.learns)
		return FLOW_SCTP_STATE;
	if (!is_plain(first) && !crc_ok(m, sctp))
		return FLOW_SCTP_CHECKSUM;
	if (t.state == SCTP_ENDED && first == SCTP_INIT)
		return FLOW_REOPEN;
	if (!tag_ok(&t, walk.at))
		return FLOW_SCTP_TAG;
	for (unsigned i = 0; i < SCTP_CHUNKS_MAX && sctp_chunk(&walk); i++) {
		chunk(&t, walk.at);
		sctp_next(&walk);
	}
	picked_up(&t);
	commit(s, &t, heartbeat);
	*klass = class_of(t.state);
	return FLOW_VALID;
}
