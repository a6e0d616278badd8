/* SPDX-License-Identifier: BSD-3-Clause */
/* From a port to a session: parse, fragments, owner, lookup; hits run along their paths, misses are classified. Worker thread. */
#include <rte_ether.h>

#include "flow/touch.h"
#include "runtime/change/transfer_link.h"
#include "runtime/look/watch.h"
#include "runtime/worker.h"

enum { GROUPS_MAX = 8 };

/* Hits, or misses, of one burst, sorted by where they go on; packets of one flow always fall into the same group, in order. What comes in by one entry goes on
 * at one position of a path and walk. */
struct group {
	const struct path *path;
	int16_t position;
	uint8_t walk;
	uint8_t count;
	struct rte_mbuf *m[BATCH_MAX];
};

struct groups {
	unsigned count;
	bool misses;
	struct group *last; /* to which was added last; NULL: none yet */
	struct group list[GROUPS_MAX];
};

static void groups_init(struct groups *groups, bool misses)
{
	groups->count = 0;
	groups->misses = misses;
	groups->last = NULL;
}

static void groups_run(struct worker *w, struct groups *groups)
{
	for (unsigned i = 0; i < groups->count; i++) {
		struct group *g = &groups->list[i];
		struct entry at = { g->path, g->position, g->walk };

		if (groups->misses)
			open_misses(w, &at, g->m, g->count);
		else
			path_run(w, g->path, g->walk, g->position, g->m, g->count);
	}
	groups_init(groups, groups->misses);
}

/* The group of a path and walk, a new one if need be. */
static struct group *groups_find(struct worker *w, struct groups *groups, const struct entry *entry,
                                 const struct path *path, int walk)
{
	struct group *g;

	for (unsigned i = 0; i < groups->count; i++) {
		g = &groups->list[i];
		if (g->path == path && g->walk == walk)
			return g;
	}
	if (groups->count == GROUPS_MAX)
		groups_run(w, groups);
	g = &groups->list[groups->count++];
	g->path = path;
	g->walk = (uint8_t)walk;
	g->position = entry->path ? entry->position : (int16_t)(walk ? path->count - 1 : 0);
	g->count = 0;
	return g;
}

static inline void groups_add(struct worker *w, struct groups *groups, const struct entry *entry,
                              const struct path *path, int walk, struct rte_mbuf *m)
{
	struct group *g = groups->last;

	if (unlikely(!g || g->path != path || g->walk != walk))
		g = groups->last = groups_find(w, groups, entry, path, walk);
	g->m[g->count++] = m;
}

/* The path of a hit, its session brought up to date; NULL: it is no hit any more, for the session was closed or went to another segment. */
static const struct path *hit_path(struct worker *w, struct session *s)
{
	const struct path *path = w->snapshot->paths[s->path];

	if (likely(path && s->generation == path->generation))
		return path;
	return session_refresh(w, s, path) == REFRESH_DONE ? path : NULL;
}

/* A hit, as far as its group. False: the session was closed, by a changed configuration or by a new SYN that asks for it to
 * be opened again; its packets are misses now. */
static inline bool run_hit(struct worker *w, const struct entry *entry, struct groups *groups,
                           struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);
	const struct path *path = hit_path(w, p->session);
	enum flow_invalid invalid;
	int walk;

	if (unlikely(!path))
		return false;
	invalid = unlikely(w->watch & WATCH_SAMPLE && !(p->session->flags & SESSION_SHIFTED))
	                  ? flow_touch_timed(w->table, p->session, m, w->now_ms)
	                  : session_touch(w, p->session, m);
	if (unlikely(invalid == FLOW_REOPEN)) {
		groups_run(w, groups); /* what came before it in this burst */
		session_close(w, p->session);
		return false;
	}
	if (unlikely(invalid != FLOW_VALID)) {
		worker_drop(w, m, invalid_counter[invalid]);
		return true;
	}
	__builtin_prefetch(session_slot(p->session, 0), 1); /* for the functions, as far as one line goes */
	walk = (p->session->flags & SESSION_WALK ? 1 : 0) ^ p->dir;
	if (likely(!entry->path || (entry->path == path && entry->walk == walk)))
		groups_add(w, groups, entry, path, walk, m);
	else
		worker_drop(w, m, C_STRAY);
	return true;
}

/* Whether a path may take a packet from this end: the far end is where the destination is, or a function on it claims it. */
static bool path_leads(const struct path *path, int walk, const struct edge_decision *decision)
{
	if (walk && !path->symmetric)
		return false;
	if (decision->claim_owner != 0xffff)
		return path->nf_set >> decision->claim_owner & 1;
	return decision->egress == EDGE_NO_PORT || decision->egress == path->ends[!walk];
}

static const struct candidate *find_candidate(struct worker *w, struct rte_mbuf *m,
                                              const struct edge_decision *decision)
{
	const struct snapshot_port *port = &w->snapshot->ports[pkt_of(m)->in_port];
	struct tuple t;

	pkt_tuple(m, &t);
	for (unsigned i = 0; i < port->candidates; i++) {
		const struct candidate *c = &w->snapshot->candidates[port->first_candidate + i];

		if (path_leads(c->path, c->walk, decision) && nfp_match(&c->path->match, m, &t, c->walk))
			return c;
	}
	return NULL;
}

/* A miss from an outside port: the edge says whether it is for us; if not, which path takes it. */
static void classify_miss(struct worker *w, const struct entry *entry, struct groups *groups,
                          struct rte_mbuf *m)
{
	struct edge_decision decision = { EDGE_NO_PORT, 0xffff };
	const struct candidate *c;

	if (edge_input(w->edge, w->edge_table, m, w->now, &decision) == EDGE_DONE)
		return;
	c = find_candidate(w, m, &decision);
	if (unlikely(w->trace != NULL) && c)
		trace_step(w, m, STEP_PATH, c->path->name, NULL, NULL);
	if (c)
		groups_add(w, groups, entry, c->path, c->walk, m);
	else if (w->snapshot->pass_unmatched && w->snapshot->edge_mode != EDGE_LINK)
		edge_output(w->edge, w->edge_table, &m, 1, EDGE_NO_PORT, w->now);
	else
		worker_drop(w, m, C_NO_PATH);
}

static void run_misses(struct worker *w, const struct entry *entry, struct groups *groups,
                       struct rte_mbuf **m, unsigned n)
{
	if (entry->path) {
		open_misses(w, entry, m, n);
		return;
	}
	groups_init(groups, true);
	for (unsigned i = 0; i < n; i++)
		classify_miss(w, entry, groups, m[i]);
	groups_run(w, groups);
}

/* Sessions were closed, or got other keys: packets from m[from] on are looked up again. */
static uint64_t look_again(struct worker *w, struct rte_mbuf **m, unsigned from, unsigned n, uint64_t hits)
{
	uint64_t left = (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) & ~((UINT64_C(1) << from) - 1);

	return (hits & ~left) | flow_lookup(w->table, m, n, left);
}

void ingress_lookup(struct worker *w, const struct entry *entry, struct rte_mbuf **m, unsigned n)
{
	uint64_t all = n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
	uint64_t hits = flow_lookup(w->table, m, n, all);
	struct rte_mbuf *missed[BATCH_MAX];
	unsigned misses = 0;
	struct groups groups;

	groups_init(&groups, false);
	if (unlikely(w->watch & WATCH_TRACE))
		trace_lookup(w, m, n, hits);
	for (unsigned i = 0; i < n; i++) {
		while (likely(hits >> i & 1) && unlikely(!run_hit(w, entry, &groups, m[i])))
			hits = look_again(w, m, i, n, hits);
		if (unlikely(!(hits >> i & 1)))
			missed[misses++] = m[i];
	}
	groups_run(w, &groups);
	if (misses)
		run_misses(w, entry, &groups, missed, misses);
}

static void run_owned(struct worker *w, const struct snapshot_port *port, struct rte_mbuf **m, unsigned n)
{
	struct entry entry = { port->role == PORT_LINK ? port->path : NULL, port->position, port->walk };

	if (port->role == PORT_LINK && !port->look_up)
		path_run(w, port->path, port->walk, port->position, m, n);
	else
		ingress_lookup(w, &entry, m, n);
}

void ingress_owned_here(struct worker *w, uint16_t number, struct rte_mbuf **m, unsigned n)
{
	const struct snapshot_port *port = &w->snapshot->ports[number];

	if (port->role != PORT_UNUSED) {
		run_owned(w, port, m, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		worker_drop(w, m[i], C_STRAY);
}

void ingress_handed(struct worker *w, uint16_t number, struct rte_mbuf **m, unsigned n)
{
	if (unlikely(w->slice.next))
		slices_owned(w, number, m, n);
	else
		ingress_owned_here(w, number, m, n);
}

/* Packets whose headers are known, from one port: to their owners, and those of this worker on to the lookup. */
static void ingress_owned(struct worker *w, const struct snapshot_port *port, struct rte_mbuf **m, unsigned n)
{
	if (unlikely(w->slice.next)) {
		slices_ingress(w, port, m, n);
		return;
	}
	if (w->workers > 1) {
		owner_buckets(port, m, n);
		n = handoff_burst(w, m, n);
	}
	if (n)
		run_owned(w, port, m, n);
}

void ingress_bypassed(struct worker *w, uint16_t link, struct rte_mbuf **m, unsigned n)
{
	const struct snapshot_port *port = &w->snapshot->ports[link];

	for (unsigned i = 0; i < n; i++) {
		struct pkt *p = pkt_of(m[i]);

		p->in_port = link;
		p->zone = port->zone;
		p->session = NULL;
	}
	ingress_owned(w, port, m, n);
}

/* A fragment at the worker that gathers its datagram: what may go on now goes on. */
static void ingress_fragment(struct worker *w, struct rte_mbuf *m)
{
	const struct snapshot_port *port = &w->snapshot->ports[pkt_of(m)->in_port];
	struct rte_mbuf *out[FRAG_OUT];
	unsigned n = 0;
	enum frag_result result;

	if (unlikely(port->role == PORT_UNUSED &&
	             w->slice.next)) /* a link that only that has: its owners are asked */
		port = &w->slice.next->ports[pkt_of(m)->in_port];
	result = frag_input(w->frags, m, w->now, out, &n);
	if (result == FRAG_HOLD)
		return;
	if (result != FRAG_PASS) {
		for (unsigned i = 0; i < n; i++)
			worker_drop(w, out[i], C_FRAGMENT + result);
		return;
	}
	for (unsigned i = 0; i < n; i += BATCH_MAX)
		ingress_owned(w, port, out + i, n - i < BATCH_MAX ? n - i : BATCH_MAX);
}

static void ingress_first(struct worker *w, struct rte_mbuf *m)
{
	unsigned owner = w->workers > 1 ? w->snapshot->bucket_worker[owner_of_fragment(m)] : w->id;

	if (unlikely(w->trace != NULL))
		trace_step(w, m, STEP_FRAGMENT, NULL, NULL, NULL);
	if (owner == w->id)
		ingress_fragment(w, m);
	else
		handoff(w, owner, m, STAGE_INGRESS);
}

static void ingress_control(struct worker *w, struct rte_mbuf *m)
{
	if (w->snapshot->edge_mode == EDGE_LINK)
		worker_drop(w, m, C_MALFORMED + PKT_NOT_IP);
	else if (w->id == 0 || w->snapshot->edge_mode == EDGE_TRANSPARENT)
		edge_control(w->edge, w->edge_table, m, w->now);
	else
		handoff(w, 0, m, STAGE_CONTROL);
}

/* What a plain packet must show to go on. */
struct admission {
	uint64_t mac,
	        mac_mask; /* of the first eight bytes of its frame; nothing is asked where the mask is 0 */
	uint8_t least_ttl;
};

static struct admission admission_of(const struct snapshot_port *port)
{
	struct admission a = { 0 };

	if (!port->check_mac)
		return a;
	memcpy(&a.mac, port->mac, sizeof(port->mac));
	memset(&a.mac_mask, 0xff, sizeof(port->mac));
	a.least_ttl = 2;
	return a;
}

static bool mac_is(struct rte_mbuf *m, const struct admission *a)
{
	uint64_t mac;

	memcpy(&mac, rte_pktmbuf_mtod(m, const void *), sizeof(mac));
	return !((mac ^ a->mac) & a->mac_mask);
}

static bool admitted(struct rte_mbuf *plain, const struct admission *a)
{
	const struct rte_ipv4_hdr *ip = pkt_at(plain, RTE_ETHER_HDR_LEN);

	return mac_is(plain, a) && ip->time_to_live >= a->least_ttl;
}

/* The same of IPv6, of packets with options or tags, of other protocols. */
static bool ordinary(struct rte_mbuf *m, enum pkt_malformed kind, const struct admission *a)
{
	const struct pkt *p = pkt_of(m);

	return kind == PKT_OK && !(p->flags & (PKT_FRAGMENT | PKT_MULTICAST)) && p->proto != IPPROTO_ICMPV6 &&
	       mac_is(m, a) && pkt_ttl(m) >= a->least_ttl;
}

/* What is not a plain packet for a session: refused, control, of another's MAC, or at the end of its TTL. True: it was dealt with. */
static bool ingress_special(struct worker *w, const struct snapshot_port *port,
                            const struct admission *admission, struct rte_mbuf *m, enum pkt_malformed kind)
{
	struct edge_decision decision;
	struct pkt *p = pkt_of(m);

	if (kind != PKT_OK && kind != PKT_NOT_IP) {
		worker_drop(w, m, C_MALFORMED + kind);
		return true;
	}
	if (kind == PKT_NOT_IP && (port->role == PORT_LINK || w->snapshot->edge_mode == EDGE_LINK) &&
	    transfer_is(m)) {
		transfer_receive(w, p->in_port, m);
		return true;
	}
	if (port->role == PORT_OUTSIDE && edge_is_control(m)) {
		ingress_control(w, m);
		return true;
	}
	if (kind == PKT_NOT_IP) {
		worker_drop(w, m, C_MALFORMED + PKT_NOT_IP);
		return true;
	}
	if (!(p->flags & PKT_MULTICAST) && !mac_is(m, admission)) {
		worker_drop(w, m, C_NOT_FOR_ME);
		return true;
	}
	if (port->check_mac && pkt_ttl(m) <= 1 && !(p->flags & PKT_FRAGMENT) &&
	    edge_input(w->edge, w->edge_table, m, w->now, &decision) == EDGE_DONE)
		return true;
	if (p->flags & PKT_FRAGMENT) {
		ingress_first(w, m);
		return true;
	}
	return false;
}

/* What all packets of a port begin with. */
struct stamp {
	uint16_t in_port;
	uint16_t vlan_mask; /* what of a tag is in the key */
	uint8_t zone;
};

static struct stamp stamp_of(const struct snapshot_port *port, uint16_t number)
{
	return (struct stamp){ number, port->vlans ? 0xfff : 0, port->zone };
}

static inline void prepare(struct pkt *p, struct stamp stamp)
{
	p->in_port = stamp.in_port;
	p->zone = stamp.zone;
	p->key_vlan = p->vlan[0] & stamp.vlan_mask;
	p->session = NULL;
	p->turns = 0;
	p->mark = 0;
	p->walk = 0;
	p->path = 0;
	p->position = 0;
}

void ingress_burst(struct worker *w, uint16_t number, struct rte_mbuf **m, unsigned n)
{
	const struct snapshot_port *port = &w->snapshot->ports[number];
	const struct admission admission = admission_of(port);
	const struct stamp stamp = stamp_of(port, number);
	enum pkt_malformed kinds[BATCH_MAX];
	struct rte_mbuf *go[BATCH_MAX];
	unsigned kept = 0;
	uint64_t plain;

	plain = pkt_parse_burst(m, kinds, n, port->role == PORT_OUTSIDE ? PARSE_VERIFY_IP_CHECKSUM : 0);
	if (unlikely(w->watch))
		watch_received(w, number, m, kinds, n);
	for (unsigned i = 0; i < n; i++) {
		prepare(pkt_of(m[i]), stamp);
		if (unlikely(kinds[i] == PKT_NOT_IP && kept && transfer_is(m[i]))) {
			ingress_owned(w, port, go, kept); /* it says something of what came before it */
			kept = 0;
		}
		if (likely(plain >> i & 1 && admitted(m[i], &admission)) ||
		    ordinary(m[i], kinds[i], &admission) ||
		    !ingress_special(w, port, &admission, m[i], kinds[i]))
			go[kept++] = m[i];
	}
	if (kept)
		ingress_owned(w, port, go, kept);
}

/* An emitted packet is a new one: its headers are read again, its owner may be another worker. */
static void ingress_emitted(struct worker *w, struct rte_mbuf *m, const struct path *path)
{
	struct pkt *p = pkt_of(m);
	struct entry entry = { path, (int16_t)p->position, p->walk };
	enum pkt_malformed kind;
	uint16_t traced;
	struct tuple t;
	unsigned owner;

	traced = p->flags & PKT_TRACE;
	p->flags = 0;
	kind = pkt_parse(m, 0);
	p->flags |= traced;
	if (kind != PKT_OK) {
		worker_drop(w, m, C_MALFORMED + kind);
		return;
	}
	pkt_tuple(m, &t);
	p->bucket = (uint8_t)owner_of_session(w->snapshot, path, p->walk, &t);
	owner = w->snapshot->bucket_worker[p->bucket];
	if (owner != w->id)
		handoff(w, owner, m, STAGE_EMITTED);
	else
		ingress_lookup(w, &entry, &m, 1);
}

void ingress_staged(struct worker *w, struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);
	const struct path *path = w->snapshot->paths[p->path];

	switch ((enum stage)p->stage) {
	case STAGE_CONTROL:
		ingress_control(w, m);
		return;
	case STAGE_TRANSMIT:
		transmit(w, (uint16_t)p->adjacency, m);
		return;
	case STAGE_TRANSFER:
		transfer_owned(w, m);
		return;
	case STAGE_INGRESS:
		ingress_fragment(w, m);
		return;
	case STAGE_LOOKUP:
		ingress_handed(w, p->in_port, &m, 1);
		return;
	case STAGE_EMITTED:
		if (path)
			ingress_emitted(w, m, path);
		else
			worker_drop(w, m, C_STRAY);
		return;
	case STAGE_TURNED:
		path = slices_of(w, p->session)->paths[p->path];
		if (path)
			path_run(w, path, p->walk, (int16_t)p->position, &m, 1);
		else
			worker_drop(w, m, C_STRAY);
		return;
	}
}
