/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions on links. Worker thread. */
#include "runtime/change/transfer_link.h"

#include <unistd.h>

#include <rte_pause.h>

#include "runtime/change/join.h"
#include "runtime/change/segments.h"
#include "runtime/change/takeover.h"

enum { TRIES = 2000, NAP_US = 20, INSIST_NS = 500 * 1000 * 1000, CLOCKS_DIFFER_MS = 10 };

/* --- sending --- */

unsigned transfer_insist(struct worker *w, uint16_t number, struct rte_mbuf **m, unsigned n)
{
	struct port *port = w->engine->ports[number].port;
	bool mute = w->mute >> number & 1;
	uint64_t until = clock_now(&w->engine->clock) + INSIST_NS;
	unsigned sent = 0;

	for (unsigned i = 0;; i++) {
		unsigned now = port->ops->tx(port, w->id, m + sent, (uint16_t)(n - sent));

		sent += now;
		if (sent == n || mute)
			return sent;
		if (now)
			until = clock_now(&w->engine->clock) + INSIST_NS;
		else if (!port_up(port) || clock_now(&w->engine->clock) > until)
			break;
		worker_beat(w);
		if (i < TRIES)
			rte_pause();
		else
			usleep(NAP_US); /* the other end may share this core */
	}
	w->mute |= UINT64_C(1) << number;
	return sent;
}

bool transfer_send(struct worker *w, uint16_t number, const struct transfer_frame *frame)
{
	struct rte_mbuf *m = w->mute >> number & 1 ? NULL : nf_mbuf(w);
	uint64_t bytes;

	if (!m) {
		w->counters[C_TRANSFER_LOST]++;
		return false;
	}
	transfer_encode(m, frame);
	if (w->id >= w->engine->ports[number].port->tx_queues) {
		transmit(w, number, m);
		return true;
	}
	transmit_flush(w);
	bytes = rte_pktmbuf_pkt_len(m); /* the port's, once it has taken it */
	if (transfer_insist(w, number, &m, 1)) {
		w->counters[C_SENT]++;
		w->counters[C_SENT_BYTES] += bytes;
		return true;
	}
	w->counters[C_TRANSFER_LOST]++;
	worker_drop(w, m, C_PORT_BUSY);
	return false;
}

void transfer_put_slot(struct transfer *t, const struct nf *nf, struct session *s)
{
	t->size = nf->klass->slot.size;
	t->version = nf->klass->slot.version;
	snprintf(t->kind, sizeof(t->kind), "%s", nf->klass->name);
	if (t->size)
		memcpy(t->slot, nf_slot(nf, s), t->size);
	t->known = true;
}

bool transfer_fits(const struct transfer *t, const struct nf *nf)
{
	return t->known && strncmp(t->kind, nf->klass->name, sizeof(t->kind) - 1) == 0 &&
	       t->size == nf->klass->slot.size && t->version == nf->klass->slot.version;
}

/* --- answering --- */

/* An answer that the link has no room for waits for another turn: whoever asked may be waiting for us to read. */
static void reply(struct worker *w, uint16_t number, const struct transfer_frame *frame)
{
	struct replies *r = &w->replies;
	struct rte_mbuf *m = r->tail - r->head < REPLIES_MAX ? nf_mbuf(w) : NULL;

	if (!m) {
		w->counters[C_TRANSFER_LOST]++;
		return;
	}
	transfer_encode(m, frame);
	pkt_of(m)->adjacency = number;
	r->m[r->tail++ % REPLIES_MAX] = m;
}

unsigned transfer_reply_turn(struct worker *w)
{
	struct replies *r = &w->replies;
	unsigned done = 0;

	if (likely(r->head == r->tail))
		return 0;
	transmit_flush(w); /* behind what was made of the packets before, ... */
	handoff_flush(w);  /* ... also by way of other workers */
	for (; r->head != r->tail; r->head++, done++) {
		struct rte_mbuf *m = r->m[r->head % REPLIES_MAX];
		uint16_t number = (uint16_t)pkt_of(m)->adjacency;
		struct port *port = w->engine->ports[number].port;
		uint64_t bytes = rte_pktmbuf_pkt_len(m);

		if (w->snapshot->ports[number].role == PORT_UNUSED || w->id >= port->tx_queues) {
			transmit(w, number, m);
			continue;
		}
		if (port->ops->tx(port, w->id, &m, 1) == 1) {
			w->counters[C_SENT]++;
			w->counters[C_SENT_BYTES] += bytes;
			continue;
		}
		if (port_up(port))
			break;
		worker_drop(w, m, C_PORT_BUSY); /* nobody is there any more */
	}
	return done;
}

/* Whether it crosses the function, or turns round at it: other ends, and what a server has not answered yet, are of no use elsewhere. */
static bool may_leave(struct session *s, const struct nf *nf)
{
	for (unsigned i = 0; i < 2; i++)
		if (s->key[i].zone & EMITTED_ZONE && s->key[i].zone != nf_zone(nf))
			return false;
	return !(s->flags & SESSION_ONEWAY) &&
	       !(s->flags & SESSION_SHIFTED && session_shift(s)->flags & SHIFT_WAITING);
}

static void describe(struct worker *w, struct session *s, const struct nf *nf, struct transfer *t)
{
	session_tuple(s, 0, &t->before);
	session_tuple(s, 1, &t->behind);
	t->behind = tuple_reverse(&t->behind);
	t->before.zone = t->behind.zone = 0;
	flow_carry_out(s, w->now_ms, &t->carry);
	t->begins = s->key[0].zone == nf_zone(nf);
	t->ends = s->key[1].zone == nf_zone(nf);
	if (s->flags & SESSION_SHIFTED)
		t->shift = *session_shift(s);
	t->walk = s->flags & SESSION_WALK ? 1 : 0;
	if (w->engine->layouts[s->layout] >> nf->id & 1)
		transfer_put_slot(t, nf, s);
}

/* What is known of the session whose packets come in by this link with this tuple. */
static void answer(struct worker *w, const struct path *path, uint16_t number, const struct tuple *asked)
{
	const struct nf *nf = path->count == 1 ? path->positions[0].nf : NULL;
	struct transfer_frame frame = { .kind = TRANSFER_NONE, .session.before = *asked };
	struct tuple key = *asked;
	struct session *s;
	int direction;

	key.zone = w->snapshot->ports[number].zone;
	s = nf ? flow_find(w->table, &key, &direction) : NULL;
	if (s && s->path == path->id && may_leave(s, nf)) {
		frame.kind = TRANSFER_SESSION;
		describe(w, s, nf, &frame.session);
		number = path->ends[!frame.session.walk];
	}
	reply(w, number, &frame);
}

/* --- messages --- */

/* The path that a link serves; a session may come by either of its ends. */
static const struct path *path_of(struct worker *w, uint16_t number)
{
	for (unsigned i = 0; i < w->snapshot->path_count; i++) {
		const struct path *path = w->snapshot->paths[i];

		if (path && (path->ends[0] == number || path->ends[1] == number))
			return path;
	}
	return NULL;
}

static void message_frame(struct transfer_frame *frame, const struct nf *nf, const struct nf_message *message)
{
	*frame = (struct transfer_frame){ .kind = TRANSFER_MESSAGE };
	snprintf(frame->session.kind, sizeof(frame->session.kind), "%s", nf->klass->name);
	static_assert(sizeof(*message) == sizeof(frame->session.slot), "it fits");
	memcpy(frame->session.slot, message, sizeof(*message));
}

bool nf_serves_hop(const struct nf *nf, unsigned worker_id)
{
	return nf->engine->workers[worker_id]->snapshot->edge_mode == EDGE_LINK;
}

/* The path of this process that has the function alone; NULL: there is none. */
static const struct path *path_with(const struct snapshot *s, const struct nf *nf)
{
	for (unsigned i = 0; i < s->path_count; i++)
		if (s->paths[i] && s->paths[i]->count == 1 && s->paths[i]->positions[0].nf == nf)
			return s->paths[i];
	return NULL;
}

bool nf_tell(const struct nf *nf, unsigned worker_id, const struct nf_message *message)
{
	struct worker *w = nf->engine->workers[worker_id];
	const struct path *path = path_with(w->snapshot, nf);
	struct transfer_frame frame;

	if (!path || w->replies.tail - w->replies.head > REPLIES_MAX / 2 ||
	    !port_up(w->engine->ports[path->ends[0]].port))
		return false;
	message_frame(&frame, nf, message);
	reply(w, path->ends[0], &frame);
	return true;
}

void transfer_send_ahead(struct worker *w, const struct position *hop, const struct session *s)
{
	const struct nf *nf = hop->shadow;
	struct nf_message message = { { 0 } };
	struct transfer_frame frame;

	if (!nf->klass->ahead || !nf->klass->ahead(nf, hop->snapshot, s, &message))
		return;
	message_frame(&frame, nf, &message);
	for (unsigned side = 0; side < 2; side++)
		transfer_send(w, hop->link[side], &frame);
}

static void hear(struct worker *w, uint16_t number, const struct position *p, const struct transfer *t)
{
	const struct nf *nf = p->nf ? p->nf : p->shadow;
	struct nf_message message, answer;
	struct transfer_frame frame;

	if (!nf || !nf->klass->hear || strncmp(t->kind, nf->klass->name, sizeof(t->kind) - 1) != 0)
		return;
	memcpy(&message, t->slot, sizeof(message));
	if (!nf->klass->hear(nf, p->snapshot, &message, &answer, w->now))
		return;
	message_frame(&frame, nf, &answer);
	reply(w, number, &frame);
}

/* The hop of this process that has a link; NULL: none. */
static const struct position *hop_of(const struct worker *w, uint16_t number)
{
	for (unsigned i = 0; i < w->snapshot->path_count; i++) {
		const struct path *path = w->snapshot->paths[i];

		for (unsigned k = 0; path && k < path->count; k++)
			if (!path->positions[k].nf &&
			    (path->positions[k].link[0] == number || path->positions[k].link[1] == number))
				return &path->positions[k];
	}
	return NULL;
}

/* At the worker that it comes to: ahead of what comes behind it. */
static void take_message(struct worker *w, uint16_t number, const struct transfer *t)
{
	bool link = w->snapshot->ports[number].role == PORT_LINK;
	const struct path *path = link ? NULL : path_of(w, number);
	const struct position *p = link                       ? hop_of(w, number)
	                           : path && path->count == 1 ? &path->positions[0]
	                                                      : NULL;

	if (p)
		hear(w, number, p, t);
}

static void echo(struct worker *w, const struct path *path, uint16_t number, uint16_t round)
{
	const struct transfer_frame frame = { .kind = TRANSFER_ECHO, .senders = w->workers, .round = round };

	reply(w, path->ends[path->ends[0] == number], &frame);
}

/* --- receiving --- */

static void taken(struct worker *w, struct rte_mbuf *m)
{
	w->counters[C_TRANSFERS]++;
	rte_pktmbuf_free(m);
}

/* Copies slots of the functions that the session's giver knew, and has these take back what they hold. The set of those that did; *well: none
 * refused. */
static uint64_t fill(struct worker *w, struct session *s, const struct path *path,
                     const struct segment *segment, const struct transfer *t, bool *well)
{
	uint64_t has = 0;

	*well = true;
	for (int i = segment->first; i != segment->end && *well; i += segment->walk ? -1 : 1) {
		const struct position *p = &path->positions[i];

		if (!transfer_fits(t, p->nf))
			continue;
		if (t->size)
			memcpy(nf_slot(p->nf, s), t->slot, t->size);
		*well = !p->nf->klass->adopt || p->nf->klass->adopt(p->nf, p->snapshot, s, w->id);
		has |= (uint64_t)*well << p->nf->id;
	}
	return has;
}

/* Gives back what functions have taken for a session that will not be. */
static void undo(struct worker *w, struct session *s, uint64_t has)
{
	for (; has; has &= has - 1)
		session_leave(w, s, (unsigned)__builtin_ctzll(has));
	flow_abandon(w->table, s);
}

/* Zone in which a session's packets, or their answers, come in: by a link, or from the function at which it begins (ends). */
static uint8_t zone_at(const struct path *path, bool at_function, uint8_t zone)
{
	return at_function && path->count && path->positions[0].nf ? nf_zone(path->positions[0].nf) : zone;
}

static bool take_in(struct worker *w, const struct path *path, uint8_t bucket, const struct transfer *t)
{
	const struct segment *segment = segment_at(path, t->walk, t->walk ? path->count - 1 : 0);
	struct tuple forward = t->before, answer = tuple_reverse(t->known ? &t->behind : &t->before);
	struct session *s;
	uint64_t has;
	bool well;

	forward.zone = zone_at(path, t->begins, segment->entry_zone);
	answer.zone = zone_at(path, t->ends, segment->answer_zone);
	if (flow_carry_in(w->table, &forward, &t->carry, w->now_ms, &s) != FLOW_OK)
		return false;
	s->path = path->id;
	s->layout = segment->layout;
	s->bucket = bucket;
	s->entry_ports = path->ends[t->walk] | 0xffff0000u;
	s->flags |= (t->walk ? SESSION_WALK : 0) |
	            (t->known && !tuple_equal(&t->before, &t->behind) ? SESSION_REWRITTEN : 0);
	if (s->flags & SESSION_SHIFTED)
		*session_shift(s) = t->shift;
	has = fill(w, s, path, segment, t, &well);
	s->layout = segment_layout(segment, has);
	if (well && session_join(w, s, path, segment, has) &&
	    flow_commit(w->table, s, s->flags & SESSION_ONEWAY ? NULL : &answer) == FLOW_OK)
		return true;
	undo(w, s, has);
	return false;
}

/* Whether a session with this key is here and as recent; an older one, of packets that came with the same addresses before, goes. */
static bool here_already(struct worker *w, const struct tuple *forward, const struct flow_carry *carry)
{
	int direction;
	struct session *s = flow_find(w->table, forward, &direction);

	if (!s)
		return false;
	if (time_after32(w->now_ms - carry->idle, s->last_seen) <= CLOCKS_DIFFER_MS)
		return true;
	session_close(w, s);
	return false;
}

static void take_session(struct worker *w, const struct path *path, struct rte_mbuf *m,
                         const struct transfer *t)
{
	struct tuple forward = t->before;

	forward.zone = zone_at(path, t->begins, w->snapshot->ports[path->ends[t->walk]].zone);
	if (here_already(w, &forward, &t->carry) || take_in(w, path, pkt_of(m)->bucket, t))
		taken(w, m);
	else
		worker_drop(w, m, C_TRANSFER_REFUSED);
}

void transfer_owned(struct worker *w, struct rte_mbuf *m)
{
	uint16_t number = pkt_of(m)->in_port;
	const struct path *path = path_of(w, number);
	struct transfer_frame frame;

	if (!path || !transfer_decode(m, &frame)) {
		worker_drop(w, m, C_TRANSFER_REFUSED);
		return;
	}
	if (frame.kind == TRANSFER_SESSION) {
		take_session(w, path, m, &frame.session);
		return;
	}
	if (frame.kind == TRANSFER_ASK)
		answer(w, path, number, &frame.session.before);
	else
		echo(w, path, number, frame.round);
	taken(w, m);
}

static void to_worker(struct worker *w, unsigned owner, struct rte_mbuf *m)
{
	if (owner == w->id)
		transfer_owned(w, m);
	else
		handoff(w, owner, m, STAGE_TRANSFER);
}

/* To the worker that owns packets like those of the session: of one that is sent, by the end that they come in by; of one that is
 * asked for, by this link. */
static void to_owner(struct worker *w, const struct path *path, uint16_t number, struct rte_mbuf *m,
                     const struct transfer_frame *frame)
{
	const struct transfer *t = &frame->session;
	bool asked = frame->kind == TRANSFER_ASK;
	const struct snapshot_port *port = &w->snapshot->ports[asked ? number : path->ends[t->walk]];
	struct pkt *p = pkt_of(m);
	struct tuple first = t->before;

	p->zone = port->zone;
	first.zone = asked ? port->zone : zone_at(path, t->begins, port->zone);
	p->bucket = (uint8_t)owner_of_session(w->snapshot, path, t->walk, &first);
	to_worker(w, w->workers > 1 ? w->snapshot->bucket_worker[p->bucket] : w->id, m);
}

/* Each worker answers behind what was handed to it before; where one is asked for (`senders`), the one that it came to. */
static void to_each(struct worker *w, uint16_t number, struct rte_mbuf *m, const struct transfer_frame *frame)
{
	for (unsigned i = 0; frame->senders != 1 && i < w->workers; i++) {
		struct rte_mbuf *copy = i == w->id ? NULL : nf_mbuf(w);

		if (!copy)
			continue;
		transfer_encode(copy, frame);
		pkt_of(copy)->in_port = number;
		to_worker(w, i, copy);
	}
	to_worker(w, w->id, m);
}

void transfer_receive(struct worker *w, uint16_t number, struct rte_mbuf *m)
{
	const struct path *path;
	struct transfer_frame frame;

	if (!transfer_decode(m, &frame)) {
		worker_drop(w, m, C_TRANSFER_REFUSED);
		return;
	}
	pkt_of(m)->in_port = number;
	if (frame.kind == TRANSFER_MESSAGE) {
		take_message(w, number, &frame.session);
		taken(w, m);
		return;
	}
	if (w->snapshot->ports[number].role == PORT_LINK) {
		if (frame.kind == TRANSFER_ECHO)
			slices_echo(w->engine, number, &frame);
		else
			takeover_receive(w->engine->takeover, number, &frame);
		taken(w, m);
		return;
	}
	path = path_of(w, number);
	if (path && (frame.kind == TRANSFER_SESSION || frame.kind == TRANSFER_ASK))
		to_owner(w, path, number, m, &frame);
	else if (path && frame.kind == TRANSFER_PROBE)
		to_each(w, number, m, &frame);
	else
		worker_drop(w, m, C_TRANSFER_REFUSED);
}
