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

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

struct clock {
	uint64_t base_ns, base_tsc;
	uint64_t multiplier; /* ns per cycle, 32.32 fixed point */
};

static inline void clock_start(struct clock *clock)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	clock->base_tsc = rte_rdtsc();
	clock->base_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	clock->multiplier = (NS_PER_S << 32) / rte_get_tsc_hz();
}

static inline uint64_t clock_now(const struct clock *clock)
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
