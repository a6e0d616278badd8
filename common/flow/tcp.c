/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP tracking beyond the quick path: openings, closings, resets, strays; see tcp.h for the rules. Pure but
 * for the session that is given; the worker that owns the session calls it.
 */
#include "flow/tcp.h"

const char *const tcp_side_state_names[] = {
	[TCP_NONE] = "none",         [TCP_SYN_SENT] = "syn-sent",   [TCP_ESTABLISHED] = "established",
	[TCP_FIN_SENT] = "fin-sent", [TCP_FIN_ACKED] = "fin-acked", [TCP_RESET] = "reset",
};

const char *const flow_invalid_names[FLOW_INVALIDS] = {
	[FLOW_VALID] = "valid",
	[FLOW_TCP_WINDOW] = "tcp-window",
	[FLOW_TCP_STATE] = "tcp-state",
	[FLOW_SCTP_TAG] = "sctp-tag",
	[FLOW_TCP_CHECKSUM] = "tcp-checksum",
	[FLOW_SCTP_STATE] = "sctp-state",
	[FLOW_SCTP_CHECKSUM] = "sctp-checksum",
	[FLOW_WITHHELD] = "withheld",
	[FLOW_REOPEN] = "reopen",
};

/* One segment, read once. */
struct segment {
	uint32_t seq, end, ack;
	uint32_t window; /* as written */
	uint8_t flags;
	uint8_t scale; /* as in tcp_scale[]: TCP_SCALING and the scale if it carries the option */
	uint8_t dir;
	bool whole; /* not a fragment: `end` is its true end */
};

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_SCALE = 3 };

/* RFC 7323, section 2: the option counts in SYN segments only, and above 14 means 14. */
static uint8_t read_scale(const uint8_t *option, const uint8_t *end)
{
	while (option < end && *option != OPTION_END) {
		if (*option == OPTION_NOP) {
			option++;
			continue;
		}
		if (end - option < 2 || option[1] < 2 || option[1] > end - option)
			return 0;
		if (*option == OPTION_SCALE && option[1] == 3)
			return TCP_SCALING | (option[2] < TCP_MAX_SCALE ? option[2] : TCP_MAX_SCALE);
		option += option[1];
	}
	return 0;
}

static void read_segment(struct rte_mbuf *m, struct segment *g)
{
	const struct pkt *p = pkt_of(m);
	const struct rte_tcp_hdr *tcp = pkt_at(m, p->l4);
	const uint8_t *begin = (const uint8_t *)tcp;
	uint32_t header = (uint32_t)(tcp->data_off >> 4) * 4, length = (uint32_t)(p->end - p->l4);

	g->flags = p->tcp_flags;
	g->dir = p->dir;
	g->whole = !(p->flags & PKT_FRAGMENT);
	g->seq = rte_be_to_cpu_32(tcp->sent_seq);
	g->end = g->seq + (length > header ? length - header : 0) + !!(g->flags & RTE_TCP_SYN_FLAG) +
	         !!(g->flags & RTE_TCP_FIN_FLAG);
	g->ack = rte_be_to_cpu_32(tcp->recv_ack);
	g->window = rte_be_to_cpu_16(tcp->rx_win);
	g->scale = 0;
	if ((g->flags & RTE_TCP_SYN_FLAG) && header > sizeof(*tcp) && header <= length)
		g->scale = read_scale(begin + sizeof(*tcp), begin + header);
}

/* SYN, ACK, RST of a segment, for switches. */
static unsigned kind_of(const struct segment *g)
{
	return g->flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_RST_FLAG);
}

/* A window as bytes; those of SYN segments are never scaled. */
static uint32_t window_of(const struct session *s, const struct segment *g)
{
	if (g->flags & RTE_TCP_SYN_FLAG)
		return g->window;
	return g->window << (s->tcp_scale[g->dir] & TCP_SCALE_MASK);
}

static bool is_over(const struct session *s)
{
	return s->tcp_state[0] >= TCP_FIN_SENT && s->tcp_state[1] >= TCP_FIN_SENT;
}

static void set_reset(struct session *s)
{
	s->tcp_state[0] = s->tcp_state[1] = TCP_RESET;
}

/* A side's SYN: its numbers begin here. max_end marks its first byte behind the SYN until there is an
 * acknowledgement. */
static void begin_side(struct session *s, const struct segment *g)
{
	s->tcp[g->dir] = (struct tcp_side){
		.end = g->end,
		.max_end = g->seq + 1,
		.max_win = g->window ? g->window : 1,
	};
	s->tcp_state[g->dir] = TCP_SYN_SENT;
	s->tcp_scale[g->dir] = g->scale;
}

/* Windows are scaled only if both sides said so (RFC 7323, section 2.2). */
static void agree_on_scaling(struct session *s)
{
	if (s->tcp_scale[0] & s->tcp_scale[1] & TCP_SCALING)
		return;
	s->tcp_scale[0] &= (uint8_t)~TCP_SCALE_MASK;
	s->tcp_scale[1] &= (uint8_t)~TCP_SCALE_MASK;
}

/* States after an accepted segment with ACK. */
static void move_states(struct session *s, const struct segment *g)
{
	uint8_t *from = &s->tcp_state[g->dir], *to = &s->tcp_state[g->dir ^ 1];

	if (*to == TCP_SYN_SENT)
		*to = TCP_ESTABLISHED;
	else if (*to == TCP_FIN_SENT && g->ack == s->tcp[g->dir ^ 1].end)
		*to = TCP_FIN_ACKED;
	if ((g->flags & RTE_TCP_FIN_FLAG) && *from < TCP_FIN_SENT)
		*from = TCP_FIN_SENT;
}

/* The ordinary segment, with ACK, when both sides have spoken. */
static enum flow_invalid segment(struct session *s, const struct segment *g)
{
	struct tcp_side *from = &s->tcp[g->dir], *to = &s->tcp[g->dir ^ 1];
	bool loose = s->tcp_scale[g->dir ^ 1] & TCP_LOOSE;

	if (!tcp_in_window(from, to, g->seq, g->end))
		return FLOW_TCP_WINDOW;
	if (s->tcp_state[g->dir] >= TCP_FIN_SENT && time_after32(g->end, from->end) > 0)
		return FLOW_TCP_WINDOW;
	if (loose && time_after32(g->ack, to->end) > 0 && time_after32(g->ack, to->max_end) <= 0)
		to->end = g->ack;
	if (!tcp_ack_in_window(from, to, g->ack))
		return FLOW_TCP_WINDOW;
	if (!g->whole)
		s->tcp_scale[g->dir] |= TCP_LOOSE;
	tcp_advance(from, to, g->end, g->ack, window_of(s, g));
	move_states(s, g);
	return FLOW_VALID;
}

/* RFC 5961, section 3: only the exact number resets; others in the window are for the receiver to judge. */
static enum flow_invalid reset(struct session *s, const struct segment *g, bool *doubtful)
{
	if (!tcp_in_window(&s->tcp[g->dir], &s->tcp[g->dir ^ 1], g->seq, g->seq))
		return FLOW_TCP_WINDOW;
	if (g->seq == s->tcp[g->dir].end)
		set_reset(s);
	else
		*doubtful = true;
	return FLOW_VALID;
}

/* The originator's very first segment. */
static enum flow_invalid first_segment(struct session *s, const struct segment *g)
{
	unsigned to = g->dir ^ 1;

	if (kind_of(g) == RTE_TCP_SYN_FLAG) {
		begin_side(s, g);
		return FLOW_VALID;
	}
	if (!(s->flags & SESSION_MIDSTREAM) || kind_of(g) != RTE_TCP_ACK_FLAG)
		return FLOW_TCP_STATE;
	s->tcp_scale[0] = s->tcp_scale[1] = TCP_MAX_SCALE;
	s->tcp[g->dir] = (struct tcp_side){ g->end, g->end, window_of(s, g) | 1 };
	s->tcp[to] = (struct tcp_side){ g->ack, g->ack + window_of(s, g), 1 };
	s->tcp_state[g->dir] = g->flags & RTE_TCP_FIN_FLAG ? TCP_FIN_SENT : TCP_ESTABLISHED;
	return FLOW_VALID;
}

/* A SYN ACK: the answering side's numbers begin here. */
static void begin_answer(struct session *s, const struct segment *g)
{
	struct tcp_side *asked = &s->tcp[g->dir ^ 1];

	begin_side(s, g);
	agree_on_scaling(s);
	/* The SYN's own window already allows data behind the answer. */
	s->tcp[g->dir].max_end = g->end + asked->max_win;
	tcp_advance(&s->tcp[g->dir], asked, g->end, g->ack, g->window);
	s->tcp_state[g->dir ^ 1] = TCP_ESTABLISHED;
}

/* Another SYN ACK before the first one was acknowledged. */
static enum flow_invalid answer_again(struct session *s, const struct segment *g)
{
	if (!tcp_ack_in_window(&s->tcp[g->dir], &s->tcp[g->dir ^ 1], g->ack))
		return FLOW_TCP_WINDOW;
	begin_answer(s, g);
	return FLOW_VALID;
}

/* An answer to a SYN, by the side that has not spoken yet. */
static enum flow_invalid answer(struct session *s, const struct segment *g)
{
	struct tcp_side *asked = &s->tcp[g->dir ^ 1];
	/* Data may ride on a SYN (RFC 7413), and need not be acknowledged with it. */
	bool fits = time_after32(g->ack, asked->max_end) >= 0 && time_after32(g->ack, asked->end) <= 0;

	switch (kind_of(g)) {
	case RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG:
		if (!fits)
			return FLOW_TCP_WINDOW;
		set_reset(s);
		return FLOW_VALID;
	case RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG:
		if (!fits)
			return FLOW_TCP_WINDOW;
		begin_answer(s, g);
		return FLOW_VALID;
	case RTE_TCP_SYN_FLAG:
		/* Simultaneous open. */
		begin_side(s, g);
		agree_on_scaling(s);
		return FLOW_VALID;
	case RTE_TCP_ACK_FLAG:
		if (g->end != g->seq)
			return FLOW_TCP_STATE;
		s->tcp[g->dir].end = g->ack;
		s->tcp_scale[g->dir] |= TCP_CHALLENGED;
		return FLOW_VALID;
	default:
		return FLOW_TCP_STATE;
	}
}

/* The first segment of the answering side of a session that was picked up midstream. */
static enum flow_invalid midstream_answer(struct session *s, const struct segment *g)
{
	struct tcp_side *from = &s->tcp[g->dir], *to = &s->tcp[g->dir ^ 1];

	if (kind_of(g) & RTE_TCP_RST_FLAG) {
		if (g->seq != from->end)
			return FLOW_TCP_WINDOW;
		set_reset(s);
		return FLOW_VALID;
	}
	if (kind_of(g) != RTE_TCP_ACK_FLAG)
		return FLOW_TCP_STATE;
	from->end = g->end;
	if (time_after32(g->end, from->max_end) > 0)
		from->max_end = g->end;
	if (time_after32(g->ack, to->end) > 0)
		to->end = g->ack;
	tcp_advance(from, to, g->end, g->ack, window_of(s, g));
	s->tcp_state[g->dir] = TCP_ESTABLISHED;
	move_states(s, g);
	return FLOW_VALID;
}

/* The originator again, before there was an answer. */
static enum flow_invalid unanswered(struct session *s, const struct segment *g)
{
	unsigned to = g->dir ^ 1;

	if (kind_of(g) == RTE_TCP_SYN_FLAG) {
		/* Sent again, or begun anew with other numbers: nobody holds it to the old ones yet. */
		begin_side(s, g);
		return FLOW_VALID;
	}
	if (kind_of(g) & RTE_TCP_RST_FLAG) {
		if (g->seq == s->tcp[g->dir].end)
			set_reset(s);
		else if (!(s->tcp_scale[to] & TCP_CHALLENGED) || g->seq != s->tcp[to].end)
			return FLOW_TCP_WINDOW;
		return FLOW_VALID;
	}
	if (!(s->flags & SESSION_MIDSTREAM) || s->tcp_state[g->dir] < TCP_ESTABLISHED ||
	    kind_of(g) != RTE_TCP_ACK_FLAG)
		return FLOW_TCP_STATE;
	tcp_advance(&s->tcp[g->dir], &s->tcp[to], g->end, g->ack, window_of(s, g));
	if (g->flags & RTE_TCP_FIN_FLAG)
		s->tcp_state[g->dir] = TCP_FIN_SENT;
	return FLOW_VALID;
}

static enum flow_invalid track(struct session *s, const struct segment *g, bool *doubtful)
{
	uint8_t from = s->tcp_state[g->dir], to = s->tcp_state[g->dir ^ 1];

	if (from == TCP_NONE && to == TCP_NONE)
		return first_segment(s, g);
	if (from == TCP_NONE)
		return to == TCP_SYN_SENT ? answer(s, g) : midstream_answer(s, g);
	if (to == TCP_NONE)
		return unanswered(s, g);
	if (kind_of(g) == RTE_TCP_SYN_FLAG)
		return is_over(s) ? FLOW_REOPEN : FLOW_VALID;
	if (kind_of(g) & RTE_TCP_RST_FLAG)
		return reset(s, g, doubtful);
	if (kind_of(g) == (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG) && from == TCP_SYN_SENT &&
	    to == TCP_ESTABLISHED)
		return answer_again(s, g);
	return kind_of(g) & RTE_TCP_ACK_FLAG ? segment(s, g) : FLOW_TCP_STATE;
}

/* One direction only: no numbers to compare, only the flags that its sender shows. */
static enum flow_invalid track_oneway(struct session *s, const struct segment *g)
{
	uint8_t *state = &s->tcp_state[g->dir];

	if (kind_of(g) == RTE_TCP_SYN_FLAG) {
		if (*state >= TCP_FIN_SENT)
			return FLOW_REOPEN;
		if (*state == TCP_NONE)
			*state = TCP_SYN_SENT;
		return FLOW_VALID;
	}
	if (*state == TCP_NONE && !(s->flags & SESSION_MIDSTREAM))
		return FLOW_TCP_STATE;
	if (g->flags & RTE_TCP_RST_FLAG)
		*state = TCP_RESET;
	else if ((g->flags & RTE_TCP_FIN_FLAG) && *state < TCP_FIN_SENT)
		*state = TCP_FIN_SENT;
	else if (*state < TCP_ESTABLISHED)
		*state = TCP_ESTABLISHED;
	return FLOW_VALID;
}

static enum session_class class_of_states(const struct session *s)
{
	uint8_t a = s->tcp_state[0], b = s->flags & SESSION_ONEWAY ? a : s->tcp_state[1];

	if (a >= TCP_FIN_SENT || b >= TCP_FIN_SENT)
		return CLASS_TCP_CLOSING;
	return a == TCP_ESTABLISHED && b == TCP_ESTABLISHED ? CLASS_TCP_ESTABLISHED : CLASS_TCP_OPENING;
}

/* A segment by which a connection begins has no past. */
static void note(struct session *s, const struct segment *g, const struct tcp_look *look, uint32_t before,
                 bool first)
{
	const struct tcp_seen seen = {
		.seq = g->seq,
		.end = g->end,
		.ack = g->ack,
		.before = before,
		.now = look->now,
		.dir = g->dir,
		.flags = g->flags,
		.first = first,
		.timing = look->timing,
	};

	if (first && s->tcp_state[g->dir ^ 1] == TCP_NONE)
		*look->quality = (struct tcp_quality){ 0 };
	if (g->whole)
		quality_note(look->quality, look->totals, s, &seen);
}

enum flow_invalid tcp_track(struct session *s, struct rte_mbuf *m, const struct tcp_look *look,
                            enum session_class *klass)
{
	struct segment g;
	bool doubtful = false, first;
	uint32_t before;
	enum flow_invalid verdict;

	read_segment(m, &g);
	first = s->tcp_state[g.dir] == TCP_NONE;
	before = s->tcp[g.dir].end;
	verdict = s->flags & SESSION_ONEWAY ? track_oneway(s, &g) : track(s, &g, &doubtful);
	*klass = doubtful ? CLASS_TCP_CLOSING : class_of_states(s);
	if (verdict == FLOW_VALID && !(s->flags & SESSION_ONEWAY))
		note(s, &g, look, before, first);
	return verdict;
}
