/* SPDX-License-Identifier: BSD-3-Clause */
/* Trace, on the worker: marking packets and writing down their steps. See trace.h. */
#include "runtime/look/trace.h"

#include <time.h>

#include "flow/session.h"
#include "runtime/worker.h"

/* The mark of a frame on a link: locally administered, two letters, the trace's token, the packet's number. It is the frame's source address, which means nothing
 * there; or in a transparent service, whose frames keep their addresses, what stands behind its packet, and is taken off by who receives it while
 * the trace goes on. */
static const uint8_t mark_prefix[3] = { 0x0e, 'S', 'L' };

enum { SERIAL_BITS = 11, SERIAL_MAX = (1 << SERIAL_BITS) - 1, MAC_SOURCE = 6, MARK = 6 };

static uint64_t wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static uint16_t number_of(struct rte_mbuf *m)
{
	return pkt_of(m)->flags & PKT_TRACE ? pkt_of(m)->trace : 0;
}

/* The next free record, filled in as far as it is the same for all; NULL: there is none. */
static struct trace_record *record_begin(struct worker *w, uint16_t number, enum trace_step step)
{
	struct trace_buffer *t = w->trace;
	uint32_t count = atomic_load_explicit(&t->count, memory_order_relaxed);
	struct trace_record *r = &t->records[count];

	if (count == t->size) {
		atomic_store_explicit(&t->lost, atomic_load_explicit(&t->lost, memory_order_relaxed) + 1,
		                      memory_order_relaxed);
		return NULL;
	}
	memset(r, 0, sizeof(*r));
	r->time = wall();
	r->packet = number;
	r->step = (uint8_t)step;
	r->worker = (uint8_t)w->id;
	return r;
}

static void record_end(struct worker *w)
{
	atomic_store_explicit(&w->trace->count,
	                      atomic_load_explicit(&w->trace->count, memory_order_relaxed) + 1,
	                      memory_order_release);
}

static void copy_name(struct trace_record *r, const char *name)
{
	snprintf(r->name, sizeof(r->name), "%s", name ? name : "");
}

static void look_ip4(struct rte_mbuf *m, struct trace_look *look)
{
	const struct rte_ipv4_hdr *ip = pkt_ip4(m);

	look->family = FAMILY_V4;
	look->src.v4 = ip->src_addr;
	look->dst.v4 = ip->dst_addr;
	look->ttl = ip->time_to_live;
	look->dscp = ip->type_of_service >> 2;
}

static void look_ip6(struct rte_mbuf *m, struct trace_look *look)
{
	const struct rte_ipv6_hdr *ip = pkt_ip6(m);

	look->family = FAMILY_V6;
	memcpy(look->src.bytes, ip->src_addr, sizeof(look->src.bytes));
	memcpy(look->dst.bytes, ip->dst_addr, sizeof(look->dst.bytes));
	look->ttl = ip->hop_limits;
	look->dscp = (rte_be_to_cpu_32(ip->vtc_flow) >> 22) & 0x3f;
}

static void look_at(struct rte_mbuf *m, struct trace_look *look)
{
	const struct pkt *p = pkt_of(m);

	memset(look, 0, sizeof(*look));
	look->length = (uint16_t)rte_pktmbuf_pkt_len(m);
	memcpy(look->mac, rte_pktmbuf_mtod(m, const uint8_t *), sizeof(look->mac));
	if (p->flags & PKT_V4)
		look_ip4(m, look);
	else if (p->flags & PKT_V6)
		look_ip6(m, look);
	else
		return;
	look->proto = pkt_own_proto(p);
	look->tcp_flags = p->tcp_flags;
	look->icmp_type = p->icmp_type;
	look->icmp_code = p->icmp_code;
	look->fragment = (p->flags & PKT_FRAGMENT) != 0;
	if (!(p->flags & PKT_ICMP_ERROR)) {
		look->sport = p->sport;
		look->dport = p->dport;
	}
}

static void step(struct worker *w, struct rte_mbuf *m, enum trace_step kind, const char *name,
                 const char *reason, const char *by)
{
	struct trace_record *r = record_begin(w, number_of(m), kind);

	if (!r)
		return;
	copy_name(r, name);
	r->reason = reason;
	r->by = by;
	r->walk = pkt_of(m)->walk;
	look_at(m, &r->before);
	record_end(w);
}

void trace_step(struct worker *w, struct rte_mbuf *m, enum trace_step kind, const char *name,
                const char *reason, const char *by)
{
	if (number_of(m))
		step(w, m, kind, name, reason, by);
}

static struct trace_flow *flow_of(const struct worker *w, const struct session *s)
{
	return &w->trace->flows[((uintptr_t)s >> 6) % TRACE_FLOWS];
}

static void remember(const struct worker *w, const struct session *s)
{
	*flow_of(w, s) = (struct trace_flow){ s, s->sequence };
}

static bool remembered(const struct worker *w, const struct session *s)
{
	const struct trace_flow *flow = flow_of(w, s);

	return flow->session == s && flow->sequence == s->sequence;
}

void trace_opened(struct worker *w, struct rte_mbuf *m, const char *path)
{
	if (!number_of(m))
		return;
	remember(w, pkt_of(m)->session);
	step(w, m, STEP_OPENED, path, NULL, NULL);
}

void trace_inherit(struct rte_mbuf *to, const struct rte_mbuf *from)
{
	const struct pkt *p = (const struct pkt *)(from + 1);

	pkt_of(to)->trace = p->trace;
	pkt_of(to)->flags |= p->flags & PKT_TRACE;
}

static void mark(struct worker *w, struct rte_mbuf *m, uint16_t number)
{
	pkt_of(m)->trace = number;
	pkt_of(m)->flags |= PKT_TRACE;
	step(w, m, STEP_RECEIVED, w->engine->ports[pkt_of(m)->in_port].as, NULL, NULL);
}

static void mark_new(struct worker *w, struct rte_mbuf *m)
{
	w->trace->left--;
	atomic_store_explicit(&w->trace->marked,
	                      atomic_load_explicit(&w->trace->marked, memory_order_relaxed) + 1,
	                      memory_order_relaxed);
	mark(w, m, (uint16_t)(w->id << SERIAL_BITS | (w->trace->next++ & SERIAL_MAX)));
}

/* Whether frames at this port may carry numbers: it is a link, to a process behind a hop or from the one before it. */
static bool carries(const struct worker *w, uint16_t port)
{
	return w->snapshot->ports[port].role == PORT_LINK ||
	       (w->trace->follow && w->snapshot->edge_mode == EDGE_LINK);
}

/* The number that a mark says; 0: it is none of this trace. */
static uint16_t number_in(const struct worker *w, const uint8_t *at)
{
	if (memcmp(at, mark_prefix, sizeof(mark_prefix)) != 0 || at[3] != w->trace->token)
		return 0;
	return (uint16_t)(at[4] << 8 | at[5]);
}

/* Behind the packet, never within it. */
static uint16_t number_behind(const struct worker *w, struct rte_mbuf *m)
{
	uint16_t number;

	if (m->nb_segs != 1 || m->data_len < pkt_of(m)->end + MARK)
		return 0;
	number = number_in(w, rte_pktmbuf_mtod_offset(m, const uint8_t *, m->data_len - MARK));
	if (number)
		rte_pktmbuf_trim(m, MARK);
	return number;
}

/* The number that a frame carries; 0: none. */
static uint16_t carried(struct worker *w, struct rte_mbuf *m, enum pkt_malformed kind)
{
	bool transparent = w->snapshot->edge_mode == EDGE_TRANSPARENT,
	     either = w->snapshot->edge_mode == EDGE_LINK;
	uint16_t number = 0;

	if ((transparent || either) && kind == PKT_OK)
		number = number_behind(w, m);
	if (number)
		atomic_store_explicit(w->trace->behind, true, memory_order_relaxed);
	else if (!transparent)
		number = number_in(w, rte_pktmbuf_mtod_offset(m, const uint8_t *, MAC_SOURCE));
	return number;
}

/* Of a packet that the parser refused nothing is known but its port: it is meant where nothing else is asked. */
static bool meant(const struct worker *w, uint16_t port, struct rte_mbuf *m, enum pkt_malformed kind)
{
	const struct sift *sift = &w->trace->sift;

	if (!w->trace->left)
		return false;
	if (kind != PKT_OK)
		return !sift->rules.count && (sift->port == SIFT_ANY_PORT || sift->port == port);
	return sift_packet(sift, m);
}

void trace_received(struct worker *w, uint16_t port, struct rte_mbuf **m, const enum pkt_malformed *kinds,
                    unsigned n)
{
	bool link = carries(w, port);

	for (unsigned i = 0; i < n; i++) {
		uint16_t number = link ? carried(w, m[i], kinds[i]) : 0;

		pkt_of(m[i])->in_port = port;
		if (kinds[i] != PKT_OK) /* its headers mean nothing */
			pkt_of(m[i])->flags &= (uint16_t) ~(PKT_V4 | PKT_V6);
		if (number)
			mark(w, m[i], number);
		else if (!link && meant(w, port, m[i], kinds[i]))
			mark_new(w, m[i]);
	}
}

/* An answer to a translated address is no match by its own; but marked packets went the other way, or the beginning of its session matches. */
static bool answers(const struct worker *w, struct rte_mbuf *m)
{
	const struct sift *sift = &w->trace->sift;
	struct tuple t;

	if (sift->one_way || !w->trace->left || w->snapshot->ports[pkt_of(m)->in_port].role == PORT_LINK)
		return false;
	if (remembered(w, pkt_of(m)->session))
		return true;
	if (sift->port != SIFT_ANY_PORT)
		return false;
	session_tuple(pkt_of(m)->session, 0, &t);
	return sift_tuple(sift, m, &t);
}

void trace_lookup(struct worker *w, struct rte_mbuf **m, unsigned n, uint64_t hits)
{
	for (unsigned i = 0; i < n; i++) {
		bool hit = hits >> i & 1;
		const struct path *path = hit ? w->snapshot->paths[pkt_of(m[i])->session->path] : NULL;

		if (!number_of(m[i]) && hit && pkt_of(m[i])->dir == 1 && answers(w, m[i]))
			mark_new(w, m[i]);
		if (number_of(m[i]) && hit)
			remember(w, pkt_of(m[i])->session);
		trace_step(w, m[i], hit ? STEP_HIT : STEP_MISS, path ? path->name : NULL, NULL, NULL);
	}
}

void trace_before(const struct batch *b, struct trace_batch *t)
{
	for (unsigned i = 0; i < b->count; i++) {
		t->numbers[i] = number_of(b->m[i]);
		if (t->numbers[i])
			look_at(b->m[i], &t->looks[i]);
	}
}

static void after_one(struct worker *w, const struct position *p, const struct batch *b, unsigned i,
                      const struct trace_batch *t)
{
	bool acted = b->acted >> i & 1;
	struct trace_record *r = record_begin(w, t->numbers[i], STEP_FUNCTION);

	if (!r)
		return;
	copy_name(r, p->name);
	r->by = p->nf->klass->name;
	r->walk = b->walk;
	r->verdict = acted ? b->verdict[i] : VERDICT_PASS;
	r->before = t->looks[i];
	if (r->verdict == VERDICT_DROP)
		r->reason = p->nf->klass->counters[b->reason[i]].name;
	else if (r->verdict == VERDICT_PASS)
		look_at(b->m[i], &r->after);
	record_end(w);
}

void trace_after(struct worker *w, const struct position *p, const struct batch *b,
                 const struct trace_batch *t)
{
	for (unsigned i = 0; i < b->count; i++)
		if (t->numbers[i])
			after_one(w, p, b, i, t);
}

void trace_hop(struct worker *w, const struct position *p, const struct batch *b, bool up)
{
	for (unsigned i = 0; i < b->count; i++)
		trace_step(w, b->m[i], up ? STEP_HOP : STEP_BYPASSED, p->name, NULL, NULL);
}

static void write_mark(const struct worker *w, struct rte_mbuf *m)
{
	bool behind = w->snapshot->edge_mode == EDGE_TRANSPARENT ||
	              atomic_load_explicit(w->trace->behind, memory_order_relaxed);
	uint8_t *at = behind ? (uint8_t *)rte_pktmbuf_append(m, MARK)
	                     : rte_pktmbuf_mtod_offset(m, uint8_t *, MAC_SOURCE);

	if (!at) /* no room behind it: it goes on without */
		return;
	memcpy(at, mark_prefix, sizeof(mark_prefix));
	at[3] = w->trace->token;
	at[4] = (uint8_t)(pkt_of(m)->trace >> 8);
	at[5] = (uint8_t)pkt_of(m)->trace;
}

void trace_sent(struct worker *w, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	bool link = carries(w, port);

	for (unsigned i = 0; i < n; i++) {
		if (!number_of(m[i]))
			continue;
		if (link)
			write_mark(w, m[i]);
		step(w, m[i], STEP_SENT, w->engine->ports[port].as, NULL, NULL);
	}
}
