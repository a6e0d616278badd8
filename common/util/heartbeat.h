/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The heartbeat of a datapath process: a small shared file with one counter per worker, which that worker moves at
 * every turn (also while idle, at least ten times a second). Whoever watches maps it read-only: a counter that stands
 * still is a worker that hangs. REST is not asked, because a process can answer REST while its datapath stands.
 */
#ifndef SLUICE_UTIL_HEARTBEAT_H
#define SLUICE_UTIL_HEARTBEAT_H

#include <stdint.h>

enum { HEARTBEAT_MAGIC = 0x534c4842, HEARTBEAT_VERSION = 1, HEARTBEAT_WORKERS_MAX = 63 };

struct heartbeat_line {
	uint64_t turns;  /* written by its worker alone */
	uint32_t thread; /* the worker's thread, as its own process numbers it; 0: not said */
	uint32_t unused;
	uint64_t reserved[6];
};

struct heartbeat {
	uint32_t magic, version, workers, pid;
	uint64_t generation; /* of the configuration that workers run */
	uint64_t reserved[5];
	struct heartbeat_line line[HEARTBEAT_WORKERS_MAX];
};

/* Creates (or takes over) the file and maps it writable; NULL with errno. */
struct heartbeat *heartbeat_create(const char *path, unsigned workers);
/* Maps an existing one read-only; NULL with errno (EPROTO: not a heartbeat of this version). */
const struct heartbeat *heartbeat_open(const char *path);
void heartbeat_close(const struct heartbeat *heartbeat);

static inline void heartbeat_turn(struct heartbeat_line *line)
{
	__atomic_store_n(&line->turns, line->turns + 1, __ATOMIC_RELAXED);
}

static inline uint64_t heartbeat_turns(const struct heartbeat *heartbeat, unsigned worker)
{
	return __atomic_load_n(&heartbeat->line[worker].turns, __ATOMIC_RELAXED);
}

#endif
