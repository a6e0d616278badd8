/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port blocks of a NAT pool: every address is cut into blocks of 64 ports, every block belongs to one of 256
 * owner buckets. Half of all blocks are dealt out by configuration alone (block b to bucket b mod 256), so
 * that any process that knows the configuration knows them; the rest is a reserve, handed to buckets that run
 * low.
 *
 * Who owns what: a bucket (its blocks, their bitmaps, its counters) belongs to the worker that owns the
 * bucket, without locks. Which bucket a block belongs to is read by all, a byte a block, relaxed; it is written by whoever took
 * the block out of the reserve. A grant travels to the worker through a one-place mailbox, which the live thread fills.
 * A pool may be known in two processes, of which one deals blocks for both (ports_deal): in each a block that a bucket has in the other is kept for it. The pool lives as long as its configuration; after a restart it is filled again from the sessions,
 * by ports_claim().
 *
 * TCP ports, UDP ports and ICMP identifiers are three separate spaces. IPv4. Addresses and ports in network
 * order.
 */
#ifndef SLUICE_FLOW_PORTS_H
#define SLUICE_FLOW_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ports;
struct ports_withheld;
struct errors;

enum { PORTS_BUCKETS = 256, PORTS_BLOCK = 64, PORTS_LOW_WATER = 32 };
#define PORTS_NO_BLOCK UINT32_MAX

enum ports_space { PORTS_TCP, PORTS_UDP, PORTS_ICMP, PORTS_SPACES };

/* Addresses first..last, both included, network order. */
struct ports_range {
	uint32_t first, last;
};

struct ports_options {
	const struct ports_range *ranges; /* must not overlap; copied */
	unsigned count;
	uint16_t first, last; /* ports, host order; both 0: 1024-65535 */
};

/* Creates a pool; NULL with errors added. At most 2^20 addresses. Any thread, before workers use it. */
struct ports *ports_new(const struct ports_options *options, struct errors *errors);
void ports_free(struct ports *pool);

/* The bucket that a block belongs to, or -1 where the address or the port is not the pool's. A block still in
 * the reserve answers its number mod 256: nothing is mapped there, so whoever gets the packet refuses it. Any
 * thread. O(ranges). */
int ports_owner(const struct ports *pool, uint32_t address, uint16_t port);

/* Ports of an address that are given to nobody (static forwardings, listening sockets of the box). */
struct ports_hold {
	uint32_t address;     /* network order */
	uint16_t first, last; /* host order */
	uint8_t space;        /* enum ports_space */
};

/* A list of them for a pool; what is not the pool's is left out. Immutable: workers pass it with each request,
 * and each bucket takes it over with its first request. NULL: no memory. The control side, one thread at a time;
 * freed by it when no worker passes it any more. The newest list that a bucket has seen counts. */
struct ports_withheld *ports_withheld_new(struct ports *pool, const struct ports_hold *holds, size_t count);
void ports_withheld_free(struct ports_withheld *list);

enum ports_flag {
	PORTS_PARITY = 1 << 0,   /* even for even, odd for odd, if one is nearby (RFC 4787, 4.2.2) */
	PORTS_PRESERVE = 1 << 1, /* the preferred port itself if it is free and the bucket's */
	PORTS_ADDRESS = 1 << 2,  /* the given address if nearby (paired pooling, RFC 4787 REQ-2) */
};

struct ports_request {
	enum ports_space space;
	unsigned flags;     /* enum ports_flag; each is a preference, not a condition */
	uint32_t address;   /* preferred address */
	uint16_t preferred; /* preferred port: for PORTS_PRESERVE and PORTS_PARITY */
	uint32_t seed;      /* random: where the search begins (RFC 6056) */
	const struct ports_withheld
	        *withheld; /* what the present configuration gives to nobody; NULL: nothing */
};

/* Takes a free port of the bucket; false: none left in this space. The owning worker. Bounded work. */
bool ports_allocate(struct ports *pool, unsigned bucket, const struct ports_request *request,
                    uint32_t *address, uint16_t *port);

/* Asks for the memory that the release of a port will need. */
void ports_prefetch(const struct ports *pool, uint32_t address, uint16_t port);
/* Gives a port back; false (and nothing done) where it was not taken by this bucket. The owning worker. */
bool ports_release(struct ports *pool, unsigned bucket, enum ports_space space, uint32_t address,
                   uint16_t port);

/* Takes one given port, as found in a session; a block from the reserve is given to the bucket along with it.
 * False: taken already, another bucket's, or not the pool's. What is withheld is not looked at: that is the
 * caller's. The bucket's worker, or whoever is alone. */
bool ports_claim(struct ports *pool, unsigned bucket, enum ports_space space, uint32_t address,
                 uint16_t port);

/* Whether the bucket runs low and asks for a grant. Any thread. */
bool ports_wants(const struct ports *pool, unsigned bucket);

/* Whether a grant waits for the bucket: it needs no other. Any thread. */
bool ports_granted(const struct ports *pool, unsigned bucket);

/* Hands a block to the bucket, which finds it at its next allocation: one that is kept for it, else one of the reserve. False: the reserve is
 * used up, the last grant has not been fetched yet, or it has not looked at all blocks yet: to be called again. The live thread alone. */
bool ports_grant(struct ports *pool, unsigned bucket);

/* Blocks of the reserve, by number. Whether the block of this port is still in it. Any thread. */
bool ports_undealt(const struct ports *pool, uint32_t address, uint16_t port);
/* The block of a port; PORTS_NO_BLOCK: it never was one of the reserve. Any thread. */
uint32_t ports_reserve_block(const struct ports *pool, uint32_t address, uint16_t port);
/* The bucket that such a block was dealt to; false: to none. Any thread. */
bool ports_block_bucket(const struct ports *pool, uint32_t block, uint8_t *bucket);
/* The first block from *from on that was dealt to any bucket and is in use; PORTS_NO_BLOCK: none of the next (*from moves on), or, *from being as large as it is, none at all. */
uint32_t ports_next_given(const struct ports *pool, uint32_t *from, uint8_t *bucket);
/* Deals for another process: the bucket's first block from *from on; if there is none, one out of the reserve. *from (at first 0) becomes what one who has this answer asks with next; who asks
 * with the same as before, for it has none, is named the same block, not one more. PORTS_NO_BLOCK: to be asked again, or, *from being PORTS_NO_BLOCK, there is none any
 * more. The block is kept for the bucket. Any thread. */
uint32_t ports_deal(struct ports *pool, unsigned bucket, uint32_t *from);
/* What `from` is for a dealer that has begun anew: what the last one had drawn is nothing to it. Any thread. */
uint32_t ports_deal_anew(const struct ports *pool, uint32_t from);
/* Another process has dealt this block to the bucket, or uses it for it: it is kept for it. False: it is none of the reserve, or another bucket's in use here. Any thread. */
bool ports_keep(struct ports *pool, unsigned bucket, uint32_t block);
/* Hands a block that is kept for the bucket to it. False: it is not, or the last grant has not been fetched yet. The live thread alone. */
bool ports_mail(struct ports *pool, unsigned bucket, uint32_t block);

/* Fetches a grant that waits, without allocating. The owning worker; ports_allocate() does it by itself. */
void ports_adopt(struct ports *pool, unsigned bucket);

struct ports_stats {
	uint32_t blocks, undealt,
	        reserve; /* of the pool; those that no bucket has by configuration; left in the reserve */
	uint32_t bucket_blocks;                               /* of the bucket */
	uint32_t used[PORTS_SPACES], available[PORTS_SPACES]; /* of the bucket */
};
/* Any thread; the owning worker reads exact numbers (but of the reserve), others what was true a moment ago. */
void ports_stats(const struct ports *pool, unsigned bucket, struct ports_stats *stats);

#endif
