/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The session table of one worker: buckets of one cache line (eight 16-bit signatures, eight references, an overflow
 * link), sessions in a pool that may lie in a memory file. One thread uses it, without locks; other threads ask that
 * worker by message. Inserts do not fail below 95 % load. Created when the engine starts, freed when it stops.
 * Works without EAL.
 */
#ifndef SLUICE_FLOW_TABLE_H
#define SLUICE_FLOW_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/session.h"

struct rte_mbuf;
struct errors;
struct flow_table;

struct flow_timeouts {
	uint32_t seconds[SESSION_CLASSES];
};
extern const struct flow_timeouts flow_default_timeouts;

struct flow_options {
	const char *file;    /* memory file (created, or opened again); NULL: anonymous memory */
	uint32_t sessions_v4; /* capacities */
	uint32_t sessions_v6;
	uint32_t slot_bytes; /* slot area of each session, rounded up to 64 */
	uint32_t hash_seed;  /* random in production */
	uint32_t max_half_open_percent; /* 25 */
};

/* Creates the table; NULL with errors added (memory, file). Where the file holds a table of the same geometry, its sessions are found
 * again: buckets and lists are rebuilt, torn and nonsensical records dropped and counted. Another geometry starts empty. */
struct flow_table *flow_table_new(const struct flow_options *options, struct errors *errors);
void flow_table_free(struct flow_table *table);

/* Hash of a tuple, symmetric in nothing: each direction has its own. */
uint32_t flow_hash(const struct flow_table *table, const struct tuple *t);

/* Looks up n (<= 64) parsed packets: sets pkt->hash, pkt->session (NULL: a miss), pkt->dir. Bit i of the result: a hit.
 * Packets whose bit in `which` is clear are left alone. */
uint64_t flow_lookup(struct flow_table *table, struct rte_mbuf **m, unsigned n, uint64_t which);

/* Looks one tuple up; NULL, or the session and its direction. */
struct session *flow_find(struct flow_table *table, const struct tuple *t, int *direction);

enum flow_result {
	FLOW_OK,
	FLOW_FULL,      /* no room, and no half-open session old enough (above 1 s) to evict */
	FLOW_CLASH,     /* one of the two keys exists already */
	FLOW_HALF_OPEN, /* the share of half-open sessions is used up and none is old enough to evict */
};

/* Reserves a session for an originator's tuple: a record with its slots zeroed and key 0 set, not yet findable.
 * `now` in milliseconds. Follow with flow_commit() or flow_abandon(). */
enum flow_result flow_reserve(struct flow_table *table, const struct tuple *forward, uint32_t now, struct session **s);

/* Makes it findable by both keys; `reverse` is the tuple of an answer as it will come in (the exit tuple, reversed); NULL for
 * SESSION_ONEWAY. On FLOW_CLASH nothing is changed and the record is still reserved. */
enum flow_result flow_commit(struct flow_table *table, struct session *s, const struct tuple *reverse);
void flow_abandon(struct flow_table *table, struct session *s);

/* Unlinks and frees a session. The caller has told the functions before. */
void flow_remove(struct flow_table *table, struct session *s);

/* Accounts one packet and moves the session along: last seen, counters, TCP tracking with window check, class. Returns false
 * where the packet is not acceptable (out of window, or not legal in this state): then nothing was changed but the
 * counter *reason (enum flow_invalid). ICMP errors refresh nothing. `tracked` false: accounting only. */
enum flow_invalid {
	FLOW_VALID,
	FLOW_TCP_WINDOW,
	FLOW_TCP_STATE,
	FLOW_INVALIDS
};
enum flow_invalid flow_touch(struct flow_table *table, struct session *s, struct rte_mbuf *m, uint32_t now);

/* Expires at most `budget` sessions whose time is over, oldest first within each class: `close` is called before each is
 * freed (may be NULL; answers false to keep a session that holds packets). Returns how many. */
typedef bool flow_close_fn(void *context, struct session *s);
unsigned flow_expire(struct flow_table *table, const struct flow_timeouts *timeouts, uint32_t now, unsigned budget,
		     flow_close_fn *close, void *context);
/* Called before a half-open session is evicted for room; set once at start. */
void flow_on_evict(struct flow_table *table, flow_close_fn *close, void *context);

/* Walks the pool from *cursor over at most `budget` records, calling `visit` for each live session; sets *cursor to 0 at the
 * end. visit may remove the session. */
typedef void flow_visit_fn(void *context, struct session *s);
void flow_walk(struct flow_table *table, uint64_t *cursor, unsigned budget, flow_visit_fn *visit, void *context);

struct flow_stats {
	uint32_t live, half_open, capacity_v4, capacity_v6, used_v4, used_v6;
	uint64_t opened, closed, expired, evicted, clashes, full, half_open_refused, torn, memory_bytes;
	uint32_t per_class[SESSION_CLASSES];
};
void flow_stats(const struct flow_table *table, struct flow_stats *stats);

/* Stable id of a session for REST and logs, unique within the process for the session's life. */
uint64_t flow_id(const struct flow_table *table, const struct session *s);

#endif
