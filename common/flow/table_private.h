/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the session table: its memory layout, shared by the files of this folder and its tests, and by
 * nobody else. Owned by the worker whose table it is.
 *
 * The region: one header page, then buckets, overflow buckets, IPv4 records, IPv6 records. Only records and
 * the header outlive the process in a meaningful way; buckets are rebuilt.
 * A session is named by its index: 0.. for IPv4, behind those the IPv6 ones. A reference is index << 1 |
 * direction.
 */
#ifndef SLUICE_FLOW_TABLE_PRIVATE_H
#define SLUICE_FLOW_TABLE_PRIVATE_H

#include <immintrin.h>

#include "flow/region.h"
#include "flow/session.h"
#include "flow/table.h"
#include "flow/tcp.h"

enum {
	BUCKET_SLOTS = 8,
	BUCKET_FILL = 5, /* entries a bucket when every session is used: 7 % of buckets overflow then */
	FLOW_BURST = 64,
	TABLE_HEADER = 4096,
	TABLE_VERSION = 2,
	FAMILIES = 2,
	LIST_STEPS = 16, /* waiting lists of each class: list k waits (k + 1) sixteenths of the timeout */
	LISTS = SESSION_CLASSES * FAMILIES * LIST_STEPS,
	HALF_OPEN_AGE = 1000, /* milliseconds of silence before a half-open session may be evicted */
};

/* Indexes from here on name lists, not sessions: a list is a ring that begins with its own node. */
#define LIST_BASE         0xffff0000U
#define FLOW_MAX_SESSIONS 0x40000000U

/* One cache line: eight signatures that one instruction compares, and what they refer to. */
struct flow_bucket {
	uint16_t signature[BUCKET_SLOTS]; /* 0: empty */
	uint32_t reference[BUCKET_SLOTS];
	uint32_t overflow; /* number of the next bucket of the chain, or of the free list; 0: none */
	uint32_t unused[3];
};
static_assert(sizeof(struct flow_bucket) == 64, "one cache line");

/* First page of the region. All but `fresh` is the geometry, which must be equal for the sessions to be found
 * again. */
struct flow_header {
	uint8_t magic[8];
	uint32_t version;
	uint32_t record_bytes;
	uint32_t capacity[FAMILIES];
	uint32_t slot_bytes;
	uint32_t buckets, overflows;
	uint32_t seed;
	uint64_t bytes;
	uint32_t fresh[FAMILIES]; /* records below this were used at some time */
};
static_assert(sizeof(struct flow_header) == 56, "no padding: headers are compared as bytes");
static_assert(sizeof(struct flow_header) <= TABLE_HEADER, "one page");

/* Records of one family. */
struct flow_pool {
	uint8_t *base;
	uint32_t stride;
	uint32_t first; /* index of its first record */
	uint32_t capacity;
	uint32_t *fresh;
	uint32_t free; /* list through session.next, or SESSION_NONE */
	uint32_t used;
	uint32_t half_open, half_open_limit;
};

/* The node of a ring of sessions, oldest first. `due_from` repeats the first one's queue time. */
struct flow_list {
	uint32_t next, previous;
	uint32_t due_from;
};

struct flow_table {
	struct flow_bucket *buckets; /* and the overflow buckets behind them */
	uint64_t secret[4];
	uint32_t bucket_count;
	uint32_t seed;
	struct flow_pool pool[FAMILIES];
	struct flow_header *header;
	struct region region;
	uint32_t overflow_free; /* list through flow_bucket.overflow; 0: empty */
	uint32_t overflow_fresh, overflow_end;
	flow_close_fn *evict;
	void *evict_context;
	uint32_t swept_at;           /* the millisecond whose expiry is done ... */
	unsigned sweep;              /* ... or the list where it goes on */
	struct tcp_quality *quality; /* by index */
	struct tcp_totals *totals;   /* by path; the owner's */
	uint32_t totals_count;
	uint32_t now_us;
	bool verify_tcp;
	bool timing;
	struct flow_stats counters;
	struct flow_list list[LISTS];
};

/* Mixes two words, each with a secret of its own, by one long multiplication. */
static inline uint64_t flow_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The multiplication makes collisions depend on the seed (those of a CRC alone do not, whatever its start
 * value: whoever knows the polynomial could aim at one bucket); the CRC spreads all 64 bits over the 32 that
 * are kept. */
static inline uint32_t flow_words_hash(const struct flow_table *t, uint64_t addresses, uint64_t rest)
{
	return (uint32_t)_mm_crc32_u64(t->seed, flow_mix(addresses ^ t->secret[0], rest ^ t->secret[1]));
}

static inline uint32_t flow_key_hash(const struct flow_table *t, const struct session_key *key)
{
	uint64_t words[2];

	memcpy(words, key, sizeof(words));
	return flow_words_hash(t, words[0], words[1]);
}

/* What stands in a key for an IPv6 address. */
static inline uint32_t flow_digest6(const struct flow_table *t, const uint8_t *address)
{
	uint64_t words[2];

	memcpy(words, address, sizeof(words));
	return (uint32_t)_mm_crc32_u64(t->seed, flow_mix(words[0] ^ t->secret[2], words[1] ^ t->secret[3]));
}

static inline uint32_t bucket_of(const struct flow_table *t, uint32_t hash)
{
	return (uint32_t)(((uint64_t)hash * t->bucket_count) >> 32);
}

/* The bucket comes from the upper bits of the hash, the signature from the lower. */
static inline uint16_t signature_of(uint32_t hash)
{
	uint16_t signature = (uint16_t)hash;

	return signature ? signature : 1;
}

/* Bit i: slot i has the signature. */
static inline unsigned bucket_match(const struct flow_bucket *b, uint16_t signature)
{
	__m128i all = _mm_load_si128((const __m128i *)b->signature);
	__m128i equal = _mm_cmpeq_epi16(all, _mm_set1_epi16((short)signature));

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128()));
}

static inline struct session *flow_session(const struct flow_table *t, uint32_t index)
{
	const struct flow_pool *v4 = &t->pool[0], *v6 = &t->pool[1];

	/* The first of IPv4 is number 0. */
	if (likely(index < v6->first))
		return (struct session *)(v4->base + (uint64_t)index * v4->stride);
	return (struct session *)(v6->base + (uint64_t)(index - v6->first) * v6->stride);
}

static inline unsigned session_family(const struct session *s)
{
	return (s->flags & SESSION_V6) != 0;
}

static inline uint32_t flow_index(const struct flow_table *t, const struct session *s)
{
	const struct flow_pool *pool = &t->pool[session_family(s)];

	/* Strides are multiples of a line; a 32-bit division is half as dear as a 64-bit one. */
	return pool->first +
	       (uint32_t)((uint64_t)((const uint8_t *)s - pool->base) / 64) / (pool->stride / 64);
}

static inline bool key_equal(const struct session_key *a, const struct session_key *b)
{
	__m128i difference =
	        _mm_xor_si128(_mm_loadu_si128((const __m128i *)a), _mm_loadu_si128((const __m128i *)b));

	return _mm_testz_si128(difference, difference);
}

/* Whether a session has this key in this direction; addresses: source and destination of an IPv6 key, 32
 * bytes. */
static inline bool session_matches(struct session *s, unsigned direction, const struct session_key *key,
                                   const uint8_t *addresses)
{
	if (!key_equal(&s->key[direction], key))
		return false;
	return key->family != FAMILY_V6 || memcmp(&session_v6(s)->address[2 * direction], addresses, 32) == 0;
}

static inline bool class_half_open(unsigned klass)
{
	return klass == CLASS_TCP_OPENING || klass == CLASS_UDP_OPENING || klass == CLASS_SCTP_OPENING ||
	       klass == CLASS_ICMP_OPENING;
}

#define KEY_TUPLE_PLACE(member) \
	(offsetof(struct session_key, member) - 8 == offsetof(struct tuple, member) - TUPLE_REST)
static_assert(KEY_TUPLE_PLACE(sport) && KEY_TUPLE_PLACE(dport) && KEY_TUPLE_PLACE(zone) &&
                      KEY_TUPLE_PLACE(proto) && sizeof(struct session_key) == 16,
              "the second half of a key is tuple_rest()");

/* Fills a key from a tuple. */
void flow_key(const struct flow_table *t, const struct tuple *tuple, struct session_key *key);

/* index.c: references by key. index_find answers a reference or SESSION_NONE; index_insert false when no
 * bucket is left. */
uint32_t index_find(const struct flow_table *t, const struct session_key *key, const uint8_t *addresses);
uint32_t index_find_hashed(const struct flow_table *t, const struct session_key *key, uint32_t hash,
                           const uint8_t *addresses);
bool index_insert(struct flow_table *t, const struct session_key *key, uint32_t reference);
void index_remove(struct flow_table *t, const struct session_key *key, uint32_t reference);
/* Both keys of a session; FLOW_OK, FLOW_CLASH or FLOW_FULL, and then nothing is left behind. */
enum flow_result index_add_session(struct flow_table *t, struct session *s);

/* table.c: flow_reserve() for a session of this class. */
enum flow_result table_reserve(struct flow_table *table, const struct tuple *forward,
                               enum session_class klass, uint32_t now, struct session **session);

/* The geometry of a table of these options; whether what was found is of it: seed and fill are the file's own. */
void flow_plan(const struct flow_options *o, struct flow_header *plan);
bool flow_same_geometry(const struct flow_header *found, const struct flow_header *planned);

/* lists.c: the rings of sessions that wait for their time. */
void lists_init(struct flow_table *t);
void list_append(struct flow_table *t, struct session *s, unsigned step, uint32_t when);
void list_unlink(struct flow_table *t, struct session *s);
/* Changes the class of a listed session, which begins its wait anew. */
void list_change_class(struct flow_table *t, struct session *s, enum session_class klass, uint32_t now);

/* expire.c: evicts the oldest half-open session of a family; false where none is old enough. */
bool flow_evict(struct flow_table *t, unsigned family, uint32_t now);
/* Evicts a TCP session that is over, of that family; false: none was found. */
bool flow_evict_over(struct flow_table *t, unsigned family, uint32_t now);

/* recover.c: finds the sessions of a predecessor in the region; now: of flow_options. */
void flow_recover(struct flow_table *t, uint32_t now);

/* records.c: takes a record from a pool (NULL: none left), gives one back, whether it is findable. */
struct session *record_take(struct flow_table *t, unsigned family);
void record_give(struct flow_table *t, struct session *s);
static inline bool record_live(const struct session *s)
{
	return s->key[0].family != 0 && (s->sequence & 1) == 0;
}

#endif
