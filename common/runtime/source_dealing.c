/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who is given blocks of a pool's reserve. Where the function works for a path of its own process: the buckets that run low. Where it serves a hop of another process, that one
 * (the dealer) knows the pool by the function's shadow, deals the blocks of both, and is asked:
 *
 *	WANTED  a bucket runs low; how much of what is its own it has heard of already
 *	DEALT   a block, which the dealer keeps for the bucket; or none (yet)
 *	GIVEN   a block that a bucket has in use, to a dealer that has begun anew; also ahead of a session that moves
 *	GREETS  is the dealer still the same?
 *	SAME    which one it is: an answer to that
 *
 * Any of these may be lost: what is not answered is asked again. A dealer that never answers is of a build that does not deal: blocks are dealt here then.
 * Workers; the function's worker 0 asks.
 */
#include "runtime/source_pool.h"

#include <assert.h>
#include <string.h>

enum { WANTED = 1, DEALT, GIVEN, GREETS, SAME };
enum { MESSAGES = 32 /* in a turn */ };

static const uint64_t CLAIMS_END_NS = 500000000, /* after the last one no more are expected */
        AGAIN_NS = 20000000, EMPTY_NS = 1000000000, GREET_NS = 1000000000, SILENT_NS = 10000000000;

struct deal_message {
	uint8_t what, bucket;
	uint16_t spare;
	uint32_t pool; /* its identity */
	uint32_t block, from, life;
	uint32_t more[3];
};
static_assert(sizeof(struct deal_message) == sizeof(struct nf_message), "a message");

#define GET(place)        __atomic_load_n(&(place), __ATOMIC_RELAXED)
#define SET(place, value) __atomic_store_n(&(place), value, __ATOMIC_RELAXED)

/* --- asking --- */

static bool tell(const struct nf *nf, const struct source_pool *pool, struct deal_message message)
{
	struct nf_message raw;

	message.pool = pool->identity;
	memcpy(&raw, &message, sizeof(raw));
	return nf_tell(nf, 0, &raw);
}

/* Hands over what was dealt to the bucket. Only here an answer counts as heard, by its `from`: one that was lost, or overwritten by an older one, is given again to what is asked
 * next. Answers whether a block was handed over. */
static bool hand_over(struct source_pool *pool, unsigned bucket)
{
	struct source_dealing *d = &pool->dealing;
	uint64_t answer;

	if (ports_granted(pool->ports, bucket))
		return false;
	answer = __atomic_exchange_n(&d->bucket[bucket].answer, 0, __ATOMIC_ACQUIRE);
	if (!answer)
		return false;
	d->bucket[bucket].from = (uint32_t)(answer >> 32);
	return ports_mail(pool->ports, bucket, (uint32_t)answer);
}

/* A bucket that runs low: what was dealt to it is handed over, or more is asked for. Answers whether a message went. */
static bool provide(const struct nf *nf, struct source_pool *pool, unsigned bucket, uint64_t now)
{
	struct source_dealing *d = &pool->dealing;

	if (hand_over(pool, bucket))
		return false;
	if (now < GET(d->bucket[bucket].ask_at))
		return false;
	SET(d->bucket[bucket].ask_at, now + AGAIN_NS);
	return tell(nf, pool,
	            (struct deal_message){
	                    .what = WANTED, .bucket = (uint8_t)bucket, .from = d->bucket[bucket].from });
}

/* Of a dealer that has begun anew: what the last one drew does not count, nor what it answered. */
static void meet_dealer(struct source_pool *pool)
{
	struct source_dealing *d = &pool->dealing;

	d->told = GET(d->dealer);
	d->tell_from = 0;
	for (unsigned bucket = 0; bucket < PORTS_BUCKETS; bucket++) {
		d->bucket[bucket].from = ports_deal_anew(pool->ports, d->bucket[bucket].from);
		SET(d->bucket[bucket].answer, 0);
	}
}

/* A dealer that has begun anew is told of all blocks that are in use here. */
static unsigned tell_given(const struct nf *nf, struct source_pool *pool)
{
	struct source_dealing *d = &pool->dealing;
	unsigned told = 0;
	uint8_t bucket;

	if (d->told != GET(d->dealer))
		meet_dealer(pool);
	while (d->tell_from != PORTS_NO_BLOCK && told < MESSAGES) {
		uint32_t before = d->tell_from, block = ports_next_given(pool->ports, &d->tell_from, &bucket);

		if (block == PORTS_NO_BLOCK)
			break;
		if (!tell(nf, pool,
		          (struct deal_message){ .what = GIVEN, .bucket = bucket, .block = block })) {
			d->tell_from = before;
			break;
		}
		told++;
	}
	return told;
}

static void greet(const struct nf *nf, struct source_pool *pool, uint64_t now)
{
	struct ports_stats stats;

	if (now < pool->dealing.greet_at)
		return;
	pool->dealing.greet_at = now + GREET_NS;
	ports_stats(pool->ports, 0, &stats);
	if (stats.reserve < stats.undealt)
		tell(nf, pool, (struct deal_message){ .what = GREETS });
}

/* Whether the dealer has been silent for so long that there is none. */
static bool no_dealer(struct source_pool *pool, uint64_t now)
{
	struct source_dealing *d = &pool->dealing;
	uint32_t answers = GET(d->answers);

	if (answers != d->seen)
		d->silent_since = 0;
	d->seen = answers;
	return d->silent_since && now - d->silent_since > SILENT_NS;
}

static void ask(const struct nf *nf, struct source_pool *pool, const uint8_t *asked, uint64_t now)
{
	unsigned messages = tell_given(nf, pool), before = messages;
	bool alone = no_dealer(pool, now);

	for (unsigned bucket = 0; messages < MESSAGES && bucket < PORTS_BUCKETS; bucket++) {
		if (!__atomic_load_n(&asked[bucket], __ATOMIC_RELAXED) || !ports_wants(pool->ports, bucket) ||
		    ports_granted(pool->ports, bucket))
			continue;
		if (alone && ports_grant(pool->ports, bucket))
			SET(pool->dealing.dealer, 0); /* one that answers yet has to be told */
		messages += provide(nf, pool, bucket, now);
	}
	greet(nf, pool, now);
	if (messages > before && !pool->dealing.silent_since)
		pool->dealing.silent_since = now;
}

/* --- dealing here --- */

static void grant(struct source_pool *pool, const uint8_t *asked, uint64_t now)
{
	if (GET(pool->claimed)) {
		SET(pool->claimed, 0);
		pool->grants_at = now + CLAIMS_END_NS;
	}
	for (unsigned bucket = 0; now >= pool->grants_at && bucket < PORTS_BUCKETS; bucket++)
		if (__atomic_load_n(&asked[bucket], __ATOMIC_RELAXED) && ports_wants(pool->ports, bucket))
			ports_grant(pool->ports, bucket);
}

void source_pool_grant(const struct nf *nf, struct source_pool *pool, const uint8_t *asked, uint64_t now)
{
	if (nf_serves_hop(nf, 0))
		ask(nf, pool, asked, now);
	else
		grant(pool, asked, now);
}

/* --- hearing --- */

static void deal(struct source_pool *pool, const struct deal_message *m, struct deal_message *answer)
{
	answer->what = DEALT;
	answer->from = m->from;
	answer->block = ports_deal(pool->ports, m->bucket, &answer->from);
}

/* A block that is another bucket's here, which the dealer did not know: it is told, and asked for another one. */
static bool dealt(struct source_pool *pool, const struct deal_message *m, struct deal_message *answer,
                  uint64_t now)
{
	struct source_dealing *d = &pool->dealing;
	bool kept = m->block != PORTS_NO_BLOCK && ports_keep(pool->ports, m->bucket, m->block);

	__atomic_store_n(&d->bucket[m->bucket].answer, (uint64_t)m->from << 32 | m->block, __ATOMIC_RELEASE);
	SET(d->bucket[m->bucket].ask_at, m->from == PORTS_NO_BLOCK ? now + EMPTY_NS : 0);
	if (kept || m->block == PORTS_NO_BLOCK)
		return false;
	*answer = (struct deal_message){ .what = GIVEN, .pool = pool->identity, .block = m->block };
	return ports_block_bucket(pool->ports, m->block, &answer->bucket);
}

static bool hear(struct source_pool *pool, const struct deal_message *m, struct deal_message *answer,
                 uint64_t now)
{
	*answer = (struct deal_message){
		.what = SAME, .bucket = m->bucket, .pool = pool->identity, .life = pool->life
	};
	switch (m->what) {
	case WANTED:
		deal(pool, m, answer);
		return true;
	case GREETS:
		return true;
	case GIVEN:
		ports_keep(pool->ports, m->bucket, m->block);
		return false;
	case DEALT:
	case SAME:
		SET(pool->dealing.dealer, m->life);
		__atomic_fetch_add(&pool->dealing.answers, 1, __ATOMIC_RELAXED);
		return m->what == DEALT && dealt(pool, m, answer, now);
	default:
		return false;
	}
}

bool source_pools_hear(struct source_pool *const *pools, uint32_t set, const struct nf_message *message,
                       struct nf_message *answer, uint64_t now)
{
	struct deal_message m, said;
	bool answers;

	memcpy(&m, message, sizeof(m));
	for (; set; set &= set - 1) {
		struct source_pool *pool = pools[__builtin_ctz(set)];

		if (pool->identity != m.pool)
			continue;
		answers = hear(pool, &m, &said, now);
		memcpy(answer, &said, sizeof(*answer));
		return answers;
	}
	return false;
}

void source_pool_recall(const struct source_pool *pool, uint32_t address, uint16_t port, unsigned bucket)
{
	uint32_t block = ports_reserve_block(pool->ports, address, port);

	if (block != PORTS_NO_BLOCK)
		ports_keep(pool->ports, bucket, block);
}

bool source_pool_ahead(const struct source_pool *pool, uint32_t address, uint16_t port,
                       struct nf_message *message)
{
	struct deal_message m = { .what = GIVEN, .pool = pool->identity };

	m.block = ports_reserve_block(pool->ports, address, port);
	if (m.block == PORTS_NO_BLOCK || !ports_block_bucket(pool->ports, m.block, &m.bucket))
		return false;
	memcpy(message, &m, sizeof(*message));
	return true;
}
