/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lookup of a vector of packets, in three passes so that the memory of all is on its way before any is waited
 * for: keys, hashes and bucket lines; signatures and session lines; keys of the sessions. Owned by the
 * table's worker.
 */
#include "flow/table_private.h"

#include "packet/pkt.h"

/* What the passes hand on, on the stack; i counts the packets that are looked up. */
struct vector {
	struct session_key key[FLOW_BURST];
	const uint8_t *addresses[FLOW_BURST]; /* IPv6: source and destination, 32 bytes */
	struct session *session[FLOW_BURST];  /* candidate */
	uint32_t reference[FLOW_BURST];       /* of the candidate, or SESSION_NONE */
	uint8_t packet[FLOW_BURST];
	uint64_t more; /* bit i: the chain holds further candidates */
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

/* The second half of a key as one number. Built in a register: bytes that are stored one by one and loaded as
 * a word at once cost more than all the rest of a lookup. */
static inline uint64_t rest_of_key(const struct pkt *p, uint8_t family)
{
	return (uint64_t)p->sport | (uint64_t)p->dport << 16 | (uint64_t)p->zone << 32 |
	       (uint64_t)p->proto << 40 | (uint64_t)p->key_vlan << 48 | (uint64_t)family << 60;
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && offsetof(struct session_key, dport) == 10 &&
                      offsetof(struct session_key, zone) == 12 && offsetof(struct session_key, proto) == 13 &&
                      sizeof(struct session_key) == 16,
              "rest_of_key() follows struct session_key");

/* Fills the key of a packet and returns its hash. */
static inline uint32_t key_of_packet(const struct flow_table *t, struct rte_mbuf *m, struct session_key *key,
                                     const uint8_t **addresses)
{
	const struct pkt *p = pkt_of(m);
	uint64_t words[2];

	if (likely(p->flags & PKT_V4)) {
		memcpy(words, (const uint8_t *)pkt_ip4(m) + offsetof(struct rte_ipv4_hdr, src_addr), 8);
		words[1] = rest_of_key(p, FAMILY_V4);
	} else {
		*addresses = pkt_ip6(m)->src_addr;
		words[0] = flow_digest6(t, *addresses) | (uint64_t)flow_digest6(t, *addresses + 16) << 32;
		words[1] = rest_of_key(p, FAMILY_V6);
	}
	memcpy(key, words, sizeof(words));
	return flow_words_hash(t, words[0], words[1]);
}

/* An ICMP error is found by the packet that it carries: rare enough to be looked up alone. */
static bool find_by_inner(struct flow_table *t, struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);
	struct tuple tuple;
	int direction = 0;

	pkt_tuple(m, &tuple);
	p->hash = flow_hash(t, &tuple);
	p->flags |= PKT_HASHED;
	p->session = flow_find(t, &tuple, &direction);
	p->dir = (uint8_t)direction;
	return p->session != NULL;
}

/* Returns how many packets go into the next passes; *hits already has the ICMP errors found. */
static inline unsigned make_keys(struct flow_table *t, struct rte_mbuf **m, uint64_t which, struct vector *v,
                                 uint64_t *hits)
{
	unsigned n = 0;

	for (; which; which &= which - 1) {
		unsigned at = (unsigned)__builtin_ctzll(which);
		struct pkt *p = pkt_of(m[at]);

		if (unlikely(p->flags & PKT_ICMP_ERROR)) {
			*hits |= (uint64_t)find_by_inner(t, m[at]) << at;
			continue;
		}
		p->hash = key_of_packet(t, m[at], &v->key[n], &v->addresses[n]);
		p->flags |= PKT_HASHED;
		v->packet[n++] = (uint8_t)at;
		__builtin_prefetch(&t->buckets[bucket_of(t, p->hash)]);
	}
	return n;
}

static inline void find_candidates(struct flow_table *t, struct rte_mbuf **m, unsigned n, struct vector *v)
{
	v->more = 0;
	for (unsigned i = 0; i < n; i++) {
		uint32_t hash = pkt_of(m[v->packet[i]])->hash;
		const struct flow_bucket *b = &t->buckets[bucket_of(t, hash)];
		unsigned match = bucket_match(b, signature_of(hash));
		struct session *s;

		v->more |= (uint64_t)((match & (match - 1)) != 0 || b->overflow) << i;
		v->session[i] = NULL;
		if (!match)
			continue;
		v->reference[i] = b->reference[__builtin_ctz(match)];
		s = v->session[i] = flow_session(t, v->reference[i] >> 1);
		__builtin_prefetch(s, 1);
		if (v->key[i].family == FAMILY_V6)
			__builtin_prefetch(session_v6(s));
	}
}

/* The first candidate, or whatever else the chain holds. */
static inline bool settle(struct flow_table *t, struct pkt *p, const struct vector *v, unsigned i)
{
	struct session *s = v->session[i];
	uint32_t reference = v->reference[i];

	if (unlikely(!s || !session_matches(s, reference & 1, &v->key[i], v->addresses[i]))) {
		reference = SESSION_NONE;
		if (v->more >> i & 1)
			reference = index_find_hashed(t, &v->key[i], p->hash, v->addresses[i]);
		s = reference == SESSION_NONE ? NULL : flow_session(t, reference >> 1);
	}
	p->session = s;
	p->dir = s ? reference & 1 : 0;
	/* Line 1 is for flow_touch(). Asked for here and not with line 0, it does not hold up the lines that
	 * lookup waits for. */
	if (likely(s != NULL))
		__builtin_prefetch((uint8_t *)s + 64, 1);
	return s != NULL;
}

uint64_t flow_lookup(struct flow_table *table, struct rte_mbuf **m, unsigned n, uint64_t which)
{
	struct vector v;
	uint64_t hits = 0;

	which &= n < FLOW_BURST ? (1ULL << n) - 1 : UINT64_MAX;
	n = make_keys(table, m, which, &v, &hits);
	find_candidates(table, m, n, &v);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = v.packet[i];

		hits |= (uint64_t)settle(table, pkt_of(m[at]), &v, i) << at;
	}
	return hits;
}
