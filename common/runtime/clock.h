/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's clock: nanoseconds of CLOCK_MONOTONIC, told from the TSC, so that a successor process on the same host goes on where its
 * predecessor stopped. Functions never read it: time is an argument.
 *
 * The TSC's rate is known to a quarter of a per cent at worst, which is minutes a day: more than most sessions may be idle. So the control thread
 * compares the clock with CLOCK_MONOTONIC once a second (clock_keep) and gives it another rate, which holds from a moment
 * in the near future on: every worker changes over at the same one, and no time is ever before one that was read earlier. Read by every worker
 * once a turn.
 */
#ifndef SLUICE_RUNTIME_CLOCK_H
#define SLUICE_RUNTIME_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include <rte_cycles.h>

enum { NS_PER_MS = 1000000, CLOCK_RATES = 4 };

/* Holds from base_tsc on, when it is base_ns. */
struct clock_rate {
	uint64_t base_ns, base_tsc;
	uint64_t multiplier; /* ns per cycle, 32.32 fixed point */
};

struct engine_clock {
	_Atomic uint32_t last;                /* number of the last rate; it and the one before are in use */
	struct clock_rate rates[CLOCK_RATES]; /* by number */
	uint64_t hz, nominal; /* as the TSC's rate is said to be, and the multiplier of that */
};

/* Sets the clock to `ns` at a moment of a TSC of that rate. Control thread, before any other reads it. */
void clock_set(struct engine_clock *clock, uint64_t tsc, uint64_t ns, uint64_t hz);
/* The same to now. */
void clock_start(struct engine_clock *clock);

/* It is `ns` now: lets the clock go faster or slower, by one per cent at most, until it says so, too. About once a second. Control thread. */
void clock_adjust(struct engine_clock *clock, uint64_t tsc, uint64_t ns);
/* The same by CLOCK_MONOTONIC. */
void clock_keep(struct engine_clock *clock);

static inline uint64_t clock_rate_at(const struct clock_rate *rate, uint64_t tsc)
{
	int64_t cycles = (int64_t)(tsc - rate->base_tsc);

	return rate->base_ns + (uint64_t)(((__int128)cycles * (int64_t)rate->multiplier) >> 32);
}

/* The time at a moment of the TSC, which is now or will be soon. Any thread. */
static inline uint64_t clock_at(const struct engine_clock *clock, uint64_t tsc)
{
	uint32_t number = atomic_load_explicit(&clock->last, memory_order_acquire), read;
	uint64_t ns;

	do {
		const struct clock_rate *rate = &clock->rates[number % CLOCK_RATES];

		if ((int64_t)(tsc - rate->base_tsc) < 0)
			rate = &clock->rates[(number - 1) % CLOCK_RATES];
		ns = clock_rate_at(rate, tsc);
		atomic_thread_fence(memory_order_acquire);
		read = number;
		number = atomic_load_explicit(&clock->last, memory_order_relaxed);
	} while (__builtin_expect(read != number, 0));
	return ns;
}

static inline uint64_t clock_now(const struct engine_clock *clock)
{
	return clock_at(clock, rte_rdtsc());
}

/* The session table's 32-bit milliseconds. */
static inline uint32_t clock_ms(uint64_t now)
{
	return (uint32_t)(now / NS_PER_MS);
}

#endif
