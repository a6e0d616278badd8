/* SPDX-License-Identifier: BSD-3-Clause */
/* Every packet: the session's slot says how it is rewritten. Direction 0 goes to the backend. Worker thread. */
#include "flow/tcp.h"
#include "lb/checks.h"

/* Packets that the quick way serves: whole, TCP or UDP, and not about another packet. */
static bool is_quick(const struct pkt *p)
{
	return !(p->flags & (PKT_FRAGMENT | PKT_LATER | PKT_ICMP_ERROR | PKT_ICMP_QUERY | PKT_MULTICAST)) &&
	       (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP);
}

static void set_ports(struct rte_mbuf *m, uint16_t sport, uint16_t dport, uint16_t delta)
{
	struct pkt *p = pkt_of(m);
	uint16_t *l4 = pkt_at(m, p->l4);

	l4[0] = p->sport = sport;
	l4[1] = p->dport = dport;
	edit4_checksum(p, (uint8_t *)l4, delta);
}

/* Both addresses of an IPv4 header, whose sum changes by `delta`. */
static void set_addresses(struct rte_mbuf *m, uint32_t source, uint32_t destination, uint16_t delta)
{
	struct rte_ipv4_hdr *ip = pkt_ip4(m);

	ip->src_addr = source;
	ip->dst_addr = destination;
	ip->hdr_checksum = checksum_update(ip->hdr_checksum, delta);
}

static void quick4(struct rte_mbuf *m, const struct lb_slot4 *slot, bool toward)
{
	if (toward) {
		set_addresses(m, slot->source, slot->backend, slot->l3_delta);
		set_ports(m, slot->source_port, slot->backend_port, slot->l4_delta);
	} else {
		set_addresses(m, slot->vip, slot->client, (uint16_t)~slot->l3_delta);
		set_ports(m, slot->vip_port, slot->client_port, (uint16_t)~slot->l4_delta);
	}
}

static void quick6(struct rte_mbuf *m, const struct lb_ends *e, uint16_t delta, bool toward)
{
	struct rte_ipv6_hdr *ip = pkt_ip6(m);

	memcpy(ip->src_addr, toward ? e->source.bytes : e->vip.bytes, 16);
	memcpy(ip->dst_addr, toward ? e->backend.bytes : e->client.bytes, 16);
	set_ports(m, toward ? e->source_port : e->vip_port, toward ? e->backend_port : e->client_port,
	          toward ? delta : (uint16_t)~delta);
}

static void set_src(struct rte_mbuf *m, const union ipaddr *address)
{
	if (pkt_of(m)->flags & PKT_V4)
		pkt_set_src4(m, address->v4);
	else
		pkt_set_src6(m, address->bytes);
}

static void set_dst(struct rte_mbuf *m, const union ipaddr *address)
{
	if (pkt_of(m)->flags & PKT_V4)
		pkt_set_dst4(m, address->v4);
	else
		pkt_set_dst6(m, address->bytes);
}

static void set_inner(struct rte_mbuf *m, const union ipaddr *src, uint16_t sport, const union ipaddr *dst,
                      uint16_t dport)
{
	if (pkt_of(m)->flags & PKT_V4) {
		pkt_inner_set_src4(m, src->v4, sport);
		pkt_inner_set_dst4(m, dst->v4, dport);
	} else {
		pkt_inner_set_src6(m, src->bytes, sport);
		pkt_inner_set_dst6(m, dst->bytes, dport);
	}
}

static bool is_from(struct rte_mbuf *m, const union ipaddr *address)
{
	if (pkt_of(m)->flags & PKT_V4)
		return pkt_ip4(m)->src_addr == address->v4;
	return memcmp(pkt_ip6(m)->src_addr, address->bytes, 16) == 0;
}

/* An error is about a packet that went the other way, as it was behind us, and must tell of it as it was before. The outer source is translated
 * only if it is the translated host's: routers on the way speak for themselves. */
static void error(struct rte_mbuf *m, const struct lb_ends *e, bool toward)
{
	if (toward) {
		bool client = is_from(m, &e->client);

		set_inner(m, &e->backend, e->backend_port, &e->source, e->source_port);
		set_dst(m, &e->backend);
		if (client)
			set_src(m, &e->source);
	} else {
		bool backend = is_from(m, &e->backend);

		set_inner(m, &e->client, e->client_port, &e->vip, e->vip_port);
		set_dst(m, &e->client);
		if (backend)
			set_src(m, &e->vip);
	}
}

/* Fragments, queries, protocols without ports. */
static void general(struct rte_mbuf *m, const struct lb_ends *e, bool toward)
{
	const struct pkt *p = pkt_of(m);
	bool query = p->flags & PKT_ICMP_QUERY;

	set_src(m, toward ? &e->source : &e->vip);
	set_dst(m, toward ? &e->backend : &e->client);
	if (query) {
		pkt_set_sport(m, toward ? e->source_port : e->client_port);
	} else if (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP) {
		pkt_set_sport(m, toward ? e->source_port : e->vip_port);
		pkt_set_dport(m, toward ? e->backend_port : e->client_port);
	}
}

static void translate(const struct lb_live *live, struct rte_mbuf *m, const struct lb_slot *slot, bool toward)
{
	const struct pkt *p = pkt_of(m);
	uint8_t family = p->flags & PKT_V4 ? FAMILY_V4 : FAMILY_V6;
	struct lb_ends ends;

	if (likely(family == FAMILY_V4 && is_quick(p))) {
		quick4(m, &slot->v4, toward);
		return;
	}
	lb_slot_ends(live, slot, family, &ends);
	if (is_quick(p))
		quick6(m, &ends, slot->v6.l4_delta, toward);
	else if (p->flags & PKT_ICMP_ERROR)
		error(m, &ends, toward);
	else
		general(m, &ends, toward);
}

/* The backend failed, and its sessions are to end: the sender of this packet is told, and the session is judged anew with its next. */
static void fail(struct batch *b, unsigned i)
{
	struct pkt *p = batch_pkt(b, i);

	if (p->proto == IPPROTO_TCP && !(p->flags & PKT_ICMP_ERROR))
		nf_reject(b->worker, b->path, b->position, b->walk, b->m[i], NF_REJECT_RESET);
	p->session->generation--;
	batch_drop(b, i, LB_BACKEND_FAILED);
}

/* Of one direction (direct return) nothing is known of the other. */
static bool is_over(const struct session *s)
{
	if (s->klass == CLASS_SCTP_CLOSING)
		return true;
	return s->klass == CLASS_TCP_CLOSING && s->tcp_state[0] >= TCP_FIN_SENT &&
	       (s->flags & SESSION_ONEWAY || s->tcp_state[1] >= TCP_FIN_SENT);
}

/* What is kept of a session that is over is for stragglers: it counts no more. */
static void look_whether_over(struct pool *pool, unsigned worker_id, const struct session *s,
                              struct lb_slot *slot)
{
	if (slot->flags & SLOT_OVER || !is_over(s))
		return;
	slot->flags |= SLOT_OVER;
	pool_over(pool, worker_id, slot->backend);
}

void lb_process(const struct nf *nf, const void *snapshot, struct batch *b)
{
	const struct lb_config *config = snapshot;
	struct pool *pool = config->live->pool;
	struct pool_use *uses = pool->worker[b->worker_id]->backends;
	struct lb_leaving leaving = { .count = 0 };

	nf_prefetch_slots(nf, b);
	for (unsigned i = 0; i < b->count; i++) {
		struct pkt *p = batch_pkt(b, i);
		struct lb_slot *slot;
		struct pool_use *use;

		if (unlikely(!p->session)) {
			lb_stateless(config, b, i, &leaving);
			continue;
		}
		slot = nf_slot(nf, p->session);
		use = &uses[slot->backend];
		if (unlikely(!(slot->flags & SLOT_ACTIVE))) {
			if (slot->flags & SLOT_CHECK)
				lb_checks_process(config->live, b, i);
			continue;
		}
		if (unlikely(pool_state_of(pool, slot->backend) & POOL_RESET)) {
			fail(b, i);
			continue;
		}
		if (unlikely(p->session->klass == CLASS_TCP_CLOSING ||
		             p->session->klass == CLASS_SCTP_CLOSING))
			look_whether_over(pool, b->worker_id, p->session, slot);
		use->packets[p->dir]++;
		use->bytes[p->dir] += (uint16_t)(p->end - p->l3);
		if (slot->flags & SLOT_AWAY)
			lb_away_send(config, b, i, slot, &leaving);
		else
			translate(config->live, b->m[i], slot, p->dir == 0);
	}
	nf_leave(b, leaving.m, leaving.count);
}

static void grant(const struct nf *nf, const struct lb_config *config, uint64_t now)
{
	for (uint32_t left = config->sources; left; left &= left - 1)
		source_pool_grant(nf, config->live->sources[__builtin_ctz(left)], config->live->asked, now);
}

uint64_t lb_tick(const struct nf *nf, const void *snapshot, unsigned worker_id, uint64_t now)
{
	const struct lb_config *config = snapshot;
	uint64_t checks = lb_checks_tick(nf, config, worker_id, now),
	         other = now + (worker_id == 0 && config->sources ? 1000000 : 500000000);

	config->live->workers[worker_id].now = lb_seconds(now);
	if (worker_id == 0)
		grant(nf, config, now);
	return checks < other ? checks : other;
}
