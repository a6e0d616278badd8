/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What ports.c and ports_withheld.c share: the memory of a pool. Who writes what is said in ports.h and at each member.
 */
#ifndef SLUICE_FLOW_PORTS_PRIVATE_H
#define SLUICE_FLOW_PORTS_PRIVATE_H

#include "flow/ports.h"

#define NO_BLOCK PORTS_NO_BLOCK

/* Of a block of the reserve. Whoever changes it has taken it from BLOCK_FREE or BLOCK_KEPT first. */
enum block_state {
	BLOCK_FREE,
	BLOCK_TAKEN, /* for a moment: its owner is being written */
	BLOCK_KEPT,  /* a bucket's, which does not use it here (yet) */
	BLOCK_GIVEN, /* the bucket uses it */
};

/* Generations of lists begin above these. */
enum { GENERATION_STALE, GENERATION_NONE };

/* One cache line, written by the worker that owns its bucket. */
struct block {
	uint64_t used[PORTS_SPACES]; /* bit p: port p of the block is taken, or beyond the pool's last port */
	uint32_t next[PORTS_SPACES], previous[PORTS_SPACES]; /* ring of the bucket's blocks with room */
	int32_t bucket;                                      /* that has it in use; -1: none */
	uint32_t holds; /* something of it is withheld: see there; else that line need not be read */
} __attribute__((aligned(64)));

struct bucket {
	uint32_t ring[PORTS_SPACES]; /* where the next search begins; NO_BLOCK: nothing free */
	uint32_t used[PORTS_SPACES], available[PORTS_SPACES];
	uint32_t blocks;
	uint32_t
	        generation; /* of the list that is withheld now: GENERATION_STALE, GENERATION_NONE, or a list's */
	uint32_t withheld;  /* first block of which something is withheld; NO_BLOCK: none */
	uint32_t mailbox;   /* granted block + 1; the live thread fills it, the worker empties it */
	uint8_t wants;      /* the worker writes it, the live thread reads it */
	uint32_t kept_from; /* where the live thread looks for the next block that is kept for it; relaxed */
	uint32_t drawn;     /* the last block that was drawn for another process; NO_BLOCK: none; atomic */
} __attribute__((aligned(64)));

/* What is withheld of a block. Apart from struct block, for most blocks never need it. The bucket's. */
struct withheld_block {
	uint64_t bits[PORTS_SPACES];
	uint32_t next; /* of the bucket's blocks of which something is withheld */
};

struct ports {
	unsigned ranges;
	uint32_t addresses, per_address, blocks, dealt; /* blocks below `dealt` are static */
	uint16_t first, last;
	uint32_t reserve_next;     /* where the search for a block of the reserve begins; relaxed */
	uint32_t reserve_left;     /* atomic */
	uint32_t kept;             /* blocks that are BLOCK_KEPT; atomic */
	struct ports_range *range; /* host order */
	uint8_t *owner;            /* of each block: the only thing that every worker reads */
	uint8_t *state;            /* of each block of the reserve: enum block_state; atomic */
	struct block *block;
	struct withheld_block *withheld; /* of each block */
	uint32_t generations;            /* of lists made so far; the control side's */
	struct bucket bucket[PORTS_BUCKETS];
};

/* Block of an address and port, or NO_BLOCK. Any thread. */
uint32_t ports_block(const struct ports *pool, uint32_t address, uint16_t port);

/* Puts a block into use by a bucket. */
void ports_join(struct ports *pool, unsigned bucket, uint32_t number);
/* Makes a block of the reserve, or one that is kept for the bucket, the bucket's to use. False: it is none of these. The bucket's worker. */
bool ports_take(struct ports *pool, unsigned bucket, uint32_t number);

/* After the free ports of a block of this bucket changed from `before`: its counts and its ring follow. */
void ports_settle(struct ports *pool, unsigned bucket, unsigned space, uint32_t number, uint64_t before);

/* Asks for a grant, or stops asking. */
void ports_weigh(struct bucket *k);

/* Makes what is withheld of the bucket's blocks what the list says; does nothing if it is that already. */
void ports_withhold(struct ports *pool, unsigned bucket, const struct ports_withheld *list);

/* Whether a bucket has a block in use. The owner is asked first: a block of another bucket is another
 * worker's memory. */
static inline bool ports_holds(const struct ports *pool, unsigned bucket, uint32_t number)
{
	return __atomic_load_n(&pool->owner[number], __ATOMIC_RELAXED) == bucket &&
	       pool->block[number].bucket == (int32_t)bucket;
}

static inline uint64_t ports_free_bits(const struct ports *pool, uint32_t number, unsigned space)
{
	const struct block *b = &pool->block[number];

	return ~(b->holds ? b->used[space] | pool->withheld[number].bits[space] : b->used[space]);
}

#endif
