/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's clock: nanoseconds of CLOCK_MONOTONIC, told from the TSC, so that a successor process on the same host goes on where its
 * predecessor stopped. Set up once by the control thread; read by every worker once a turn. Functions never read it: time is an argument.
 */
#ifndef SLUICE_RUNTIME_CLOCK_H
#define SLUICE_RUNTIME_CLOCK_H

#include <stdint.h>
#include <time.h>

#include <rte_cycles.h>

enum { NS_PER_MS = 1000000 };

struct engine_clock {
	uint64_t base_ns, base_tsc;
	uint64_t multiplier; /* ns per cycle, 32.32 fixed point */
};

static inline void clock_start(struct engine_clock *clock)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	clock->base_tsc = rte_rdtsc();
	clock->base_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
	clock->multiplier = (UINT64_C(1000000000) << 32) / rte_get_tsc_hz();
}

static inline uint64_t clock_now(const struct engine_clock *clock)
{
	uint64_t cycles = rte_rdtsc() - clock->base_tsc;

	return clock->base_ns + (uint64_t)(((unsigned __int128)cycles * clock->multiplier) >> 32);
}

/* The session table's 32-bit milliseconds. */
static inline uint32_t clock_ms(uint64_t now)
{
	return (uint32_t)(now / NS_PER_MS);
}

#endif
