/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reserve of a pool: blocks that no bucket has by configuration. One that is dealt to a bucket is kept for it, until the bucket's worker takes it into use: no other
 * thread does that. No block goes back: what was dealt stays its bucket's.
 */
#include "flow/ports_private.h"

enum { LOOK_BUDGET = 65536 /* blocks looked at in one call */ };

/* Of bucket.drawn: a thread is drawing. */
#define DRAWING (NO_BLOCK - 1)

static uint8_t state_of(const struct ports *pool, uint32_t number)
{
	return __atomic_load_n(&pool->state[number], __ATOMIC_ACQUIRE);
}

static bool in_reserve(const struct ports *pool, uint32_t number)
{
	return number >= pool->dealt && number < pool->blocks;
}

static unsigned owner_of(const struct ports *pool, uint32_t number)
{
	return __atomic_load_n(&pool->owner[number], __ATOMIC_RELAXED);
}

/* From one state to another, with its bucket written in between; false: it was in another. */
static bool change(struct ports *pool, unsigned bucket, uint32_t number, uint8_t from, uint8_t to)
{
	if (!__atomic_compare_exchange_n(&pool->state[number], &from, BLOCK_TAKEN, false, __ATOMIC_ACQ_REL,
	                                 __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&pool->owner[number], (uint8_t)bucket, __ATOMIC_RELAXED);
	if (from == BLOCK_FREE)
		__atomic_fetch_sub(&pool->reserve_left, 1, __ATOMIC_RELAXED);
	if (from == BLOCK_KEPT)
		__atomic_fetch_sub(&pool->kept, 1, __ATOMIC_RELAXED);
	if (to == BLOCK_KEPT)
		__atomic_fetch_add(&pool->kept, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&pool->state[number], to, __ATOMIC_RELEASE);
	return true;
}

static bool kept_for(const struct ports *pool, unsigned bucket, uint32_t number)
{
	return state_of(pool, number) == BLOCK_KEPT && owner_of(pool, number) == bucket;
}

bool ports_take(struct ports *pool, unsigned bucket, uint32_t number)
{
	if (!in_reserve(pool, number))
		return false;
	if (kept_for(pool, bucket, number))
		return change(pool, bucket, number, BLOCK_KEPT, BLOCK_GIVEN);
	return change(pool, bucket, number, BLOCK_FREE, BLOCK_GIVEN);
}

/* A block out of the reserve; NO_BLOCK: it is used up. */
static uint32_t draw_new(struct ports *pool, unsigned bucket)
{
	uint32_t at = __atomic_load_n(&pool->reserve_next, __ATOMIC_RELAXED);

	for (; at < pool->blocks; at++) {
		if (state_of(pool, at) == BLOCK_FREE && change(pool, bucket, at, BLOCK_FREE, BLOCK_KEPT))
			break;
	}
	__atomic_store_n(&pool->reserve_next, at, __ATOMIC_RELAXED);
	return at < pool->blocks ? at : NO_BLOCK;
}

static uint32_t look_end(const struct ports *pool, uint32_t from)
{
	return pool->blocks - from < LOOK_BUDGET ? pool->blocks : from + LOOK_BUDGET;
}

/* --- in this process --- */

static bool mailbox_empty(const struct bucket *k)
{
	return __atomic_load_n(&k->mailbox, __ATOMIC_ACQUIRE) == 0;
}

static void post(struct bucket *k, uint32_t number)
{
	__atomic_store_n(&k->mailbox, number + 1, __ATOMIC_RELEASE);
}

bool ports_wants(const struct ports *pool, unsigned bucket)
{
	return __atomic_load_n(&pool->bucket[bucket].wants, __ATOMIC_RELAXED);
}

bool ports_granted(const struct ports *pool, unsigned bucket)
{
	return !mailbox_empty(&pool->bucket[bucket]);
}

bool ports_mail(struct ports *pool, unsigned bucket, uint32_t block)
{
	struct bucket *k = &pool->bucket[bucket];

	if (!mailbox_empty(k) || !in_reserve(pool, block) || !kept_for(pool, bucket, block))
		return false;
	post(k, block);
	return true;
}

/* One that is kept for the bucket; *all: it has looked at all. */
static bool grant_kept(struct ports *pool, unsigned bucket, bool *all)
{
	struct bucket *k = &pool->bucket[bucket];
	uint32_t at = __atomic_load_n(&k->kept_from, __ATOMIC_RELAXED), end;

	*all = true;
	if (!__atomic_load_n(&pool->kept, __ATOMIC_RELAXED) || !in_reserve(pool, at))
		return false;
	for (end = look_end(pool, at); at < end && !ports_mail(pool, bucket, at); at++)
		;
	__atomic_store_n(&k->kept_from, at, __ATOMIC_RELAXED);
	*all = at == pool->blocks;
	return at < end;
}

bool ports_grant(struct ports *pool, unsigned bucket)
{
	struct bucket *k = &pool->bucket[bucket];
	uint32_t number;
	bool all;

	if (!mailbox_empty(k))
		return false;
	if (grant_kept(pool, bucket, &all))
		return true;
	number = all ? draw_new(pool, bucket) : NO_BLOCK;
	if (number == NO_BLOCK)
		return false;
	post(k, number);
	return true;
}

void ports_adopt(struct ports *pool, unsigned bucket)
{
	struct bucket *k = &pool->bucket[bucket];
	uint32_t letter = __atomic_load_n(&k->mailbox, __ATOMIC_ACQUIRE);

	if (!letter)
		return;
	if (ports_take(pool, bucket, letter - 1)) {
		ports_join(pool, bucket, letter - 1);
		ports_weigh(k);
	}
	__atomic_store_n(&k->mailbox, 0, __ATOMIC_RELEASE);
}

/* --- between processes --- */

/* Something may be kept for the bucket. */
static void look_again(struct ports *pool, unsigned bucket)
{
	__atomic_store_n(&pool->bucket[bucket].kept_from, pool->dealt, __ATOMIC_RELAXED);
}

bool ports_undealt(const struct ports *pool, uint32_t address, uint16_t port)
{
	uint32_t number = ports_block(pool, address, port);

	return in_reserve(pool, number) && state_of(pool, number) == BLOCK_FREE;
}

uint32_t ports_reserve_block(const struct ports *pool, uint32_t address, uint16_t port)
{
	uint32_t number = ports_block(pool, address, port);

	return in_reserve(pool, number) ? number : NO_BLOCK;
}

bool ports_block_bucket(const struct ports *pool, uint32_t block, uint8_t *bucket)
{
	if (!in_reserve(pool, block) || state_of(pool, block) < BLOCK_KEPT)
		return false;
	*bucket = (uint8_t)owner_of(pool, block);
	return true;
}

uint32_t ports_next_given(const struct ports *pool, uint32_t *from, uint8_t *bucket)
{
	uint32_t at = *from < pool->dealt ? pool->dealt : *from, end = at;

	if (at < pool->blocks)
		end = look_end(pool, at);
	for (; at < end; at++) {
		if (state_of(pool, at) == BLOCK_GIVEN) {
			*bucket = (uint8_t)owner_of(pool, at);
			*from = at + 1;
			return at;
		}
	}
	*from = at < pool->blocks ? at : NO_BLOCK;
	return NO_BLOCK;
}

static bool dealt_to(const struct ports *pool, unsigned bucket, uint32_t number)
{
	return state_of(pool, number) >= BLOCK_KEPT && owner_of(pool, number) == bucket;
}

/* What *from is for one who has heard of all blocks of the bucket, this one the last that was drawn for it. */
static uint32_t behind(const struct ports *pool, uint32_t drawn)
{
	return pool->blocks + 1 + drawn;
}

/* Draws a block after this one; one thread at a time: others are to ask again. */
static uint32_t draw_after(struct ports *pool, unsigned bucket, uint32_t last, uint32_t *from)
{
	struct bucket *k = &pool->bucket[bucket];
	uint32_t number;

	if (last == DRAWING || !__atomic_compare_exchange_n(&k->drawn, &last, DRAWING, false,
	                                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return NO_BLOCK;
	number = draw_new(pool, bucket);
	look_again(pool, bucket);
	__atomic_store_n(&k->drawn, number == NO_BLOCK ? last : number, __ATOMIC_RELEASE);
	*from = number == NO_BLOCK ? NO_BLOCK : behind(pool, number);
	return number;
}

/* A block out of the reserve, for one who has heard of all others. The last one that was drawn is named until it has been heard of, however often that is asked: no
 * answer that is lost or late costs a block. If it has become another bucket's since, it is not. */
static uint32_t deal_new(struct ports *pool, unsigned bucket, uint32_t *from)
{
	uint32_t last = __atomic_load_n(&pool->bucket[bucket].drawn, __ATOMIC_ACQUIRE);

	if (!in_reserve(pool, last) || *from == behind(pool, last) || !dealt_to(pool, bucket, last))
		return draw_after(pool, bucket, last, from);
	*from = behind(pool, last);
	return last;
}

uint32_t ports_deal(struct ports *pool, unsigned bucket, uint32_t *from)
{
	uint32_t at = *from < pool->dealt ? pool->dealt : *from, end;

	if (at >= pool->blocks)
		return deal_new(pool, bucket, from);
	end = look_end(pool, at);
	while (at < end && !dealt_to(pool, bucket, at))
		at++;
	*from = at < end ? at + 1 : at;
	if (at < end)
		return at;
	return at < pool->blocks ? NO_BLOCK : deal_new(pool, bucket, from);
}

uint32_t ports_deal_anew(const struct ports *pool, uint32_t from)
{
	return from < pool->blocks ? from : pool->blocks;
}

bool ports_keep(struct ports *pool, unsigned bucket, uint32_t block)
{
	if (!in_reserve(pool, block))
		return false;
	if (!kept_for(pool, bucket, block) && !change(pool, bucket, block, BLOCK_FREE, BLOCK_KEPT))
		change(pool, bucket, block, BLOCK_KEPT, BLOCK_KEPT);
	look_again(pool, bucket);
	return dealt_to(pool, bucket, block);
}
