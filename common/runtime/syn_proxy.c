/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SYN proxy: SYNs are answered in the server's name and forgotten (flow/cookie.h); the client's acknowledgement becomes the SYN that was withheld and opens
 * the session; when the server answers, the client learns the window and the numbers of both are translated from then on (flow/shift.h). The answer's window
 * is 0, so that nothing comes before there is a server to take it. A SYN that the server does not answer is sent again, a few times, by the clock or by what
 * the client asks; then the client is reset. Worker thread.
 */
#include "packet/originate.h"
#include "packet/reset.h"
#include "runtime/change/segments.h"
#include "runtime/worker.h"

enum {
	SEQ = 4,
	ACK = 8,
	MSS4 = 1460,
	MSS6 = 1440,
	AGAIN_MS = 1000,
	TRIES = 4,
	WINDOW_MAX = UINT16_MAX,
	STAMP_SCALE = 0xf, /* in our time stamps: the client's window scale */
	STAMP_SACK = 0x10, /* and whether it understands SACK */
	STAMP_BITS = 0x1f,
	KINDS = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_RST_FLAG,
	SYN_ACK = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG,
	RST_ACK = RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG,
};

/* --- cookies --- */

static uint32_t second_of(const struct worker *w)
{
	return (uint32_t)(w->now / 1000000000) + 1;
}

static void cookie_given(struct worker *w)
{
	if (atomic_load_explicit(&w->engine->cookie_last, memory_order_relaxed) != second_of(w))
		atomic_store_explicit(&w->engine->cookie_last, second_of(w), memory_order_relaxed);
}

/* While none is out there nobody can acknowledge one. */
static bool cookies_are_out(const struct worker *w)
{
	uint32_t last = atomic_load_explicit(&w->engine->cookie_last, memory_order_relaxed);

	return last && second_of(w) - last <= COOKIE_LIFE_MS / 1000 + 1;
}

/* Our answer's time stamp keeps what nobody else does. */
static uint32_t stamp_of(const struct worker *w, const struct tcp_options *client)
{
	return (w->now_ms & ~(uint32_t)STAMP_BITS) | client->scale |
	       (client->sack_permitted ? STAMP_SACK : 0);
}

static uint16_t mss_for(const struct pkt *p, const struct tcp_options *client)
{
	uint16_t ours = p->flags & PKT_V4 ? MSS4 : MSS6;

	return client->mss && client->mss < ours ? client->mss : ours;
}

void syn_proxy_ask(struct worker *w, const struct path *path, int walk, unsigned position, struct rte_mbuf *m)
{
	struct tcp_fields answer = { .flags = SYN_ACK, .scale = TCP_NO_SCALE };
	struct tcp_options client;
	struct tuple t;
	uint32_t isn;

	if (!tcp_editable(m) || !originate_answerable(m)) {
		worker_drop(w, m, C_SYN_UNFIT);
		return;
	}
	pkt_tuple(m, &t);
	tcp_options_read(m, &client);
	isn = tcp_word(m, SEQ);
	answer.seq = cookie_make(&w->engine->cookie_key, &t, isn, client.mss, w->now_ms);
	answer.ack = isn + 1;
	answer.mss = mss_for(pkt_of(m), &client);
	if (client.stamp) {
		answer.stamped = true;
		answer.stamp = stamp_of(w, &client);
		answer.echo = tcp_word(m, client.stamp);
		answer.sack_permitted = client.sack_permitted;
		if (client.scale != TCP_NO_SCALE)
			answer.scale = SHIFT_SCALE;
	}
	if (!tcp_rewrite(m, &answer)) {
		worker_drop(w, m, C_SYN_UNFIT);
		return;
	}
	tcp_turn(m);
	cookie_given(w);
	w->counters[C_SYN_COOKIES]++;
	if (unlikely(w->trace != NULL))
		trace_step(w, m, STEP_ANSWERED, path->positions[position].name, NULL, NULL);
	emit_home(w, path, walk, pkt_of(m)->in_port, m);
}

/* --- the SYN that was withheld --- */

/* A window written by one scale, as bytes, as far as they can be written without. */
static uint16_t unscaled(uint16_t window, uint8_t scale)
{
	uint32_t bytes = (uint32_t)window << (scale == TCP_NO_SCALE ? 0 : scale);

	return (uint16_t)(bytes < WINDOW_MAX ? bytes : WINDOW_MAX);
}

static struct tcp_fields syn_of(const struct tcp_shift *shift, uint32_t isn)
{
	return (struct tcp_fields){
		.seq = isn,
		.flags = RTE_TCP_SYN_FLAG,
		.window = unscaled(shift->window, shift->client_scale),
		.mss = cookie_mss(shift->size),
		.scale = shift->client_scale,
		.sack_permitted = shift->flags & SHIFT_SACK,
		.stamped = shift->flags & SHIFT_STAMPED,
		.stamp = shift->client_stamp,
	};
}

static void learn_options(struct rte_mbuf *m, struct tcp_shift *shift)
{
	struct tcp_options options;

	tcp_options_read(m, &options);
	if (!options.stamp)
		return;
	shift->client_stamp = tcp_word(m, options.stamp);
	shift->stamp = tcp_word(m, options.stamp + 4);
	shift->flags |= SHIFT_STAMPED | (shift->stamp & STAMP_SACK ? SHIFT_SACK : 0);
	shift->client_scale = shift->stamp & STAMP_SCALE;
}

bool syn_proxy_proof(struct worker *w, struct rte_mbuf *m, struct tcp_shift *shift)
{
	const unsigned all = KINDS | RTE_TCP_FIN_FLAG;
	struct tcp_fields syn;
	struct tuple t;
	uint8_t size;

	if ((pkt_of(m)->tcp_flags & all) != RTE_TCP_ACK_FLAG || !tcp_editable(m) || !cookies_are_out(w))
		return false;
	pkt_tuple(m, &t);
	if (!cookie_check(&w->engine->cookie_key, &t, tcp_word(m, SEQ) - 1, tcp_word(m, ACK) - 1, w->now_ms,
	                  &size))
		return false;
	*shift = (struct tcp_shift){
		.seq = tcp_word(m, ACK) - 1,
		.window = rte_be_to_cpu_16(((struct rte_tcp_hdr *)pkt_at(m, pkt_of(m)->l4))->rx_win),
		.flags = SHIFT_WAITING,
		.size = size & 7,
		.client_scale = TCP_NO_SCALE,
		.server_scale = TCP_NO_SCALE,
	};
	learn_options(m, shift);
	syn = syn_of(shift, tcp_word(m, SEQ) - 1);
	if (!tcp_rewrite(m, &syn))
		return false;
	w->counters[C_SYN_PROVEN]++;
	return true;
}

static bool is_waiting(const struct session *s, const struct tcp_shift *shift)
{
	return shift->flags & SHIFT_WAITING && s->tcp_state[0] == TCP_SYN_SENT;
}

static void wait_for(struct worker *w, uint64_t session, uint32_t tries)
{
	struct syn_wait *wait = &w->syn_waits[w->syn_tail % SYN_WAITS];

	if (w->syn_tail - w->syn_head == SYN_WAITS)
		return; /* the client asks, too */
	*wait = (struct syn_wait){ session, w->now_ms + AGAIN_MS, tries };
	w->syn_tail++;
}

void syn_proxy_begin(struct worker *w, struct session *s)
{
	wait_for(w, flow_id(w->table, s), 0);
}

/* --- segments of our own --- */

/* A segment in the name of one end of a session, as it would come in; NULL: none can be made. */
static struct rte_mbuf *segment_of_end(struct worker *w, struct session *s, bool server,
                                       const struct tcp_fields *fields)
{
	struct rte_mbuf *m = nf_mbuf(w);
	struct tuple t;

	session_tuple(s, 0, &t);
	if (server)
		t = tuple_reverse(&t);
	if (m && !tcp_build(m, &t, fields)) {
		w->counters[C_ORIGINATED]--;
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (m) {
		pkt_of(m)->in_port = (uint16_t)s->entry_ports;
		pkt_of(m)->zone = s->key[0].zone;
		pkt_of(m)->key_vlan = s->key[0].vlan;
		pkt_of(m)->bucket = s->bucket;
	}
	return m;
}

/* Goes along the session's path as if the client had sent it. */
static void send_to_server(struct worker *w, struct session *s, struct rte_mbuf *m)
{
	const struct path *path = slices_of(w, s)->paths[s->path];
	int walk = s->flags & SESSION_WALK ? 1 : 0;
	const struct segment *segment = path ? segment_of(path, walk, s->key[0].zone, s->key[1].zone) : NULL;

	if (segment)
		nf_emit(w, path, segment->first, walk, m, s);
	else
		worker_drop(w, m, C_STRAY);
}

static void ask_again(struct worker *w, struct session *s, const struct tcp_shift *shift)
{
	struct tcp_fields syn = syn_of(shift, s->tcp[0].end - 1);
	struct rte_mbuf *m = segment_of_end(w, s, false, &syn);

	if (m)
		send_to_server(w, s, m);
}

static void reset_client(struct worker *w, struct session *s, const struct tcp_shift *shift)
{
	const struct path *path = slices_of(w, s)->paths[s->path];
	struct tcp_fields reset = {
		.seq = shift->seq + 1, .ack = s->tcp[0].end, .flags = RST_ACK, .scale = TCP_NO_SCALE
	};
	struct rte_mbuf *m = path ? segment_of_end(w, s, true, &reset) : NULL;

	if (!m)
		return;
	pkt_of(m)->flags |= PKT_ORIGINATED;
	emit_home(w, path, s->flags & SESSION_WALK ? 1 : 0, pkt_of(m)->in_port, m);
}

void syn_proxy_tick(struct worker *w)
{
	for (; w->syn_head != w->syn_tail; w->syn_head++) {
		const struct syn_wait wait = w->syn_waits[w->syn_head % SYN_WAITS];
		struct session *s;

		if (time_after32(wait.due, w->now_ms) > 0)
			return;
		s = flow_by_id(w->table, wait.session);
		if (!s || !(s->flags & SESSION_SHIFTED) || !is_waiting(s, session_shift(s)))
			continue;
		if (wait.tries < TRIES) {
			ask_again(w, s, session_shift(s));
			wait_for(w, wait.session, wait.tries + 1);
		} else {
			reset_client(w, s, session_shift(s));
			session_close(w, s);
		}
	}
}

/* --- the server's answer --- */

/* The acknowledgement that the server waits for; the client has given it long ago. */
static void acknowledge(struct worker *w, struct session *s, const struct tcp_shift *shift, uint32_t cookie,
                        uint32_t stamp)
{
	struct tcp_fields ack = {
		.seq = s->tcp[0].end,
		.ack = cookie + 1,
		.flags = RTE_TCP_ACK_FLAG,
		.window = shift->window,
		.scale = TCP_NO_SCALE,
		.stamped = shift->flags & SHIFT_STAMPED,
		.stamp = shift->client_stamp,
		.echo = stamp,
	};
	struct rte_mbuf *m = segment_of_end(w, s, false, &ack);

	if (!m)
		return; /* the client's next segment will do */
	flow_touch(w->table, s, m, w->now_ms);
	shift_to_server(shift, m);
	send_to_server(w, s, m);
}

/* The translation is known from here on. */
static void translate_from(struct session *s, struct tcp_shift *shift, uint32_t number, uint32_t stamp,
                           const struct tcp_options *server)
{
	session_write_begin(s);
	shift->seq -= number;
	if (shift->flags & SHIFT_STAMPED && server->stamp) {
		shift->stamp -= stamp;
		shift->flags |= SHIFT_BOTH_STAMPED;
	}
	shift->server_scale = server->scale & 0xf;
	shift->flags &= (uint8_t)~SHIFT_WAITING;
	session_write_end(s);
}

/* SYN ACK: as the client would see it to tracking, and then the window that the client waits for. */
static enum flow_invalid answered(struct worker *w, struct session *s, struct tcp_shift *shift,
                                  struct rte_mbuf *m)
{
	uint32_t cookie = shift->seq, stamp = shift->stamp, number = tcp_word(m, SEQ), server_stamp;
	bool scaling = shift->client_scale != TCP_NO_SCALE;
	struct tcp_fields seen = {
		.seq = cookie,
		.ack = tcp_word(m, ACK),
		.flags = SYN_ACK,
		.window = rte_be_to_cpu_16(((struct rte_tcp_hdr *)pkt_at(m, pkt_of(m)->l4))->rx_win),
		.scale = scaling ? SHIFT_SCALE : TCP_NO_SCALE,
		.stamped = shift->flags & SHIFT_STAMPED,
		.stamp = stamp,
		.echo = shift->client_stamp,
	};
	struct tcp_options server;
	enum flow_invalid invalid;

	tcp_options_read(m, &server);
	server_stamp = server.stamp ? tcp_word(m, server.stamp) : 0;
	if (seen.ack != s->tcp[0].end || !tcp_rewrite(m, &seen))
		return FLOW_TCP_STATE;
	invalid = flow_touch(w->table, s, m, w->now_ms);
	if (invalid != FLOW_VALID)
		return invalid;
	translate_from(s, shift, number, server_stamp, &server);
	seen.seq = cookie + 1;
	seen.flags = RTE_TCP_ACK_FLAG;
	seen.window = (uint16_t)(seen.window >> (scaling ? SHIFT_SCALE : 0));
	seen.scale = TCP_NO_SCALE;
	tcp_rewrite(m, &seen);
	acknowledge(w, s, shift, cookie, stamp);
	return FLOW_VALID;
}

/* The server wants no connection. */
static enum flow_invalid refused(struct worker *w, struct session *s, struct tcp_shift *shift,
                                 struct rte_mbuf *m)
{
	struct tcp_fields reset = {
		.seq = shift->seq + 1, .ack = tcp_word(m, ACK), .flags = RST_ACK, .scale = TCP_NO_SCALE
	};
	static const struct tcp_options none = { .scale = TCP_NO_SCALE };
	uint32_t number = tcp_word(m, SEQ);
	enum flow_invalid invalid = flow_touch(w->table, s, m, w->now_ms);

	if (invalid != FLOW_VALID)
		return invalid;
	translate_from(s, shift, number, 0, &none);
	return tcp_rewrite(m, &reset) ? FLOW_VALID : FLOW_TCP_STATE;
}

/* The server still has an older connection of this name: it is told that this is over, and asked again in a while. */
static enum flow_invalid challenged(struct worker *w, struct session *s, struct rte_mbuf *m)
{
	const struct path *path = slices_of(w, s)->paths[s->path];
	int walk = s->flags & SESSION_WALK ? 1 : 0;
	struct rte_mbuf *reset = path ? nf_mbuf(w) : NULL;

	if (reset && reset_build(reset, m)) {
		emit_home(w, path, !walk, pkt_of(m)->in_port, reset);
	} else if (reset) {
		w->counters[C_ORIGINATED]--;
		rte_pktmbuf_free(reset);
	}
	return FLOW_WITHHELD;
}

/* The client gives up: the server hears of it by the number alone. */
static enum flow_invalid given_up(struct worker *w, struct session *s, struct rte_mbuf *m)
{
	struct tcp_fields reset = { .seq = tcp_word(m, SEQ),
		                    .flags = RTE_TCP_RST_FLAG,
		                    .scale = TCP_NO_SCALE };
	enum flow_invalid invalid = flow_touch(w->table, s, m, w->now_ms);

	if (invalid == FLOW_VALID && !tcp_rewrite(m, &reset))
		return FLOW_TCP_STATE;
	return invalid;
}

/* The client probes the window that is closed: if the server is slow, it is asked again. */
static enum flow_invalid probed(struct worker *w, struct session *s, const struct tcp_shift *shift,
                                struct rte_mbuf *m)
{
	struct tcp_fields syn = syn_of(shift, s->tcp[0].end - 1);

	if (w->now_ms - s->last_seen < AGAIN_MS || !tcp_rewrite(m, &syn))
		return FLOW_WITHHELD;
	return flow_touch(w->table, s, m, w->now_ms);
}

static enum flow_invalid waiting(struct worker *w, struct session *s, struct tcp_shift *shift,
                                 struct rte_mbuf *m)
{
	unsigned kind = pkt_of(m)->tcp_flags & KINDS;

	if (!tcp_editable(m))
		return FLOW_WITHHELD;
	if (pkt_of(m)->dir) {
		if (kind == SYN_ACK)
			return answered(w, s, shift, m);
		if (kind == RST_ACK)
			return refused(w, s, shift, m);
		return kind == RTE_TCP_ACK_FLAG ? challenged(w, s, m) : FLOW_TCP_STATE;
	}
	if (kind & RTE_TCP_RST_FLAG)
		return given_up(w, s, m);
	if (kind == RTE_TCP_SYN_FLAG)
		return tcp_word(m, SEQ) + 1 == s->tcp[0].end ? FLOW_WITHHELD : FLOW_REOPEN;
	return probed(w, s, shift, m);
}

enum flow_invalid syn_proxy_touch(struct worker *w, struct session *s, struct rte_mbuf *m)
{
	struct tcp_shift *shift = session_shift(s);
	const struct pkt *p = pkt_of(m);
	enum flow_invalid invalid;

	if (p->flags & PKT_LATER || (p->flags & PKT_ICMP_ERROR && shift->flags & SHIFT_WAITING))
		return flow_touch(w->table, s, m, w->now_ms);
	if (shift->flags & SHIFT_WAITING)
		return waiting(w, s, shift, m);
	if (p->dir)
		shift_to_client(shift, m);
	invalid = flow_touch(w->table, s, m, w->now_ms);
	if (invalid == FLOW_VALID && !p->dir)
		shift_to_server(shift, m);
	return invalid;
}
