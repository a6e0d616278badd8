/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lookup of a vector of packets, in three passes so that the memory of all is on its way before any is waited
 * for: keys, hashes and bucket lines; signatures and session lines; keys of the sessions. Owned by the
 * table's worker.
 */
#include "flow/table_private.h"

#include "packet/pkt.h"

/* What the passes hand on, on the stack: of the packets that are looked up together, in their order. */
struct vector {
	unsigned count;
	uint64_t which; /* their numbers among the caller's */
	struct pkt *pkt[FLOW_BURST];
	struct session_key key[FLOW_BURST];
	const uint8_t *addresses[FLOW_BURST]; /* IPv6: source and destination, 32 bytes */
	const struct flow_bucket *bucket[FLOW_BURST];
	struct session *session[FLOW_BURST]; /* candidate */
	uint32_t reference[FLOW_BURST];      /* of the candidate */
	struct tuple inner[FLOW_BURST];      /* of ICMP errors alone */
};

uint32_t flow_hash(const struct flow_table *table, const struct tuple *t)
{
	struct session_key key;

	flow_key(table, t, &key);
	return flow_key_hash(table, &key);
}

struct session *flow_find(struct flow_table *table, const struct tuple *t, int *direction)
{
	struct session_key key;
	uint32_t reference;

	flow_key(table, t, &key);
	reference = index_find(table, &key, t->src.bytes);
	if (reference == SESSION_NONE)
		return NULL;
	*direction = (int)(reference & 1);
	return flow_session(table, reference >> 1);
}

/* Fills the key of a packet and returns its hash. */
static inline uint32_t key_of_packet(const struct flow_table *t, struct rte_mbuf *m, struct session_key *key,
                                     const uint8_t **addresses)
{
	const struct pkt *p = pkt_of(m);
	uint64_t words[2];

	words[1] = pkt_tuple_rest(p);
	if (likely(p->flags & PKT_V4)) {
		memcpy(words, (const uint8_t *)pkt_ip4(m) + offsetof(struct rte_ipv4_hdr, src_addr), 8);
	} else {
		*addresses = pkt_ip6(m)->src_addr;
		words[0] = flow_digest6(t, *addresses) | (uint64_t)flow_digest6(t, *addresses + 16) << 32;
	}
	memcpy(key, words, sizeof(words));
	return flow_words_hash(t, words[0], words[1]);
}

/* An ICMP error is found by the packet that it carries. */
static uint32_t key_of_inner(const struct flow_table *t, struct rte_mbuf *m, struct tuple *inner,
                             struct session_key *key, const uint8_t **addresses)
{
	pkt_tuple(m, inner);
	flow_key(t, inner, key);
	*addresses = inner->src.bytes;
	return flow_key_hash(t, key);
}

static inline void make_keys(struct flow_table *t, struct rte_mbuf **m, uint64_t which, struct vector *v)
{
	unsigned n = 0;

	v->which = which;
	for (; which; which &= which - 1) {
		struct rte_mbuf *one = m[__builtin_ctzll(which)];
		struct pkt *p = pkt_of(one);
		uint32_t hash = unlikely(p->flags & PKT_ICMP_ERROR)
		                        ? key_of_inner(t, one, &v->inner[n], &v->key[n], &v->addresses[n])
		                        : key_of_packet(t, one, &v->key[n], &v->addresses[n]);

		p->hash = hash;
		v->pkt[n] = p;
		v->bucket[n] = &t->buckets[bucket_of(t, hash)];
		__builtin_prefetch(v->bucket[n++]);
	}
	v->count = n;
}

/* The first session of each bucket that may be the one. */
static inline void find_candidates(const struct flow_table *t, struct vector *v)
{
	for (unsigned i = 0; i < v->count; i++) {
		const struct flow_bucket *b = v->bucket[i];
		unsigned match = bucket_match(b, signature_of(v->pkt[i]->hash));
		struct session *s;

		v->session[i] = NULL;
		if (unlikely(!match))
			continue;
		v->reference[i] = b->reference[__builtin_ctz(match)];
		s = v->session[i] = flow_session(t, v->reference[i] >> 1);
		__builtin_prefetch(s, 1);
		if (v->pkt[i]->flags & PKT_V6)
			__builtin_prefetch(session_v6(s));
	}
}

/* Not the first candidate: whatever else the chain holds. */
static struct session *search_on(struct flow_table *t, const struct vector *v, unsigned i,
                                 uint32_t *reference)
{
	*reference = index_find_hashed(t, &v->key[i], v->pkt[i]->hash, v->addresses[i]);
	return *reference == SESSION_NONE ? NULL : flow_session(t, *reference >> 1);
}

static inline bool settle(struct flow_table *t, const struct vector *v, unsigned i)
{
	struct session *s = v->session[i];
	uint32_t reference = v->reference[i];
	struct pkt *p = v->pkt[i];

	if (unlikely(!s || !session_matches(s, reference & 1, &v->key[i], v->addresses[i])))
		s = search_on(t, v, i, &reference);
	p->session = s;
	p->dir = s ? reference & 1 : 0;
	/* Line 1 is for flow_touch(). Asked for here and not with line 0, it does not hold up the lines that lookup waits for. */
	if (likely(s != NULL))
		__builtin_prefetch((uint8_t *)s + 64, 1);
	return s != NULL;
}

uint64_t flow_lookup(struct flow_table *table, struct rte_mbuf **m, unsigned n, uint64_t which)
{
	struct vector v;
	uint64_t found = 0;

	which &= n < FLOW_BURST ? (1ULL << n) - 1 : UINT64_MAX;
	make_keys(table, m, which, &v);
	find_candidates(table, &v);
	for (unsigned i = 0; i < v.count; i++)
		found |= (uint64_t)settle(table, &v, i) << i;
	return _pdep_u64(found, v.which);
}
