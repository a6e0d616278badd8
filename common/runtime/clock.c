/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's clock, set and kept. See clock.h. */
#include "runtime/clock.h"

enum {
	AHEAD = 10,       /* a new rate holds after one part in so many of a second */
	CATCH_UP_S = 8,   /* what the clock is wrong by is made good in so many seconds ... */
	SLEW_MOST = 1000, /* ... but it never goes faster or slower by more than so many parts of LITTLE */
	LITTLE = 100000,
};

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void clock_set(struct engine_clock *clock, uint64_t tsc, uint64_t ns, uint64_t hz)
{
	clock->hz = hz;
	clock->nominal = (UINT64_C(1000000000) << 32) / hz;
	for (unsigned i = 0; i < CLOCK_RATES; i++)
		clock->rates[i] = (struct clock_rate){ ns, tsc, clock->nominal };
	atomic_init(&clock->last, 0);
}

void clock_start(struct engine_clock *clock)
{
	clock_set(clock, rte_rdtsc(), monotonic_ns(), rte_get_tsc_hz());
}

/* The multiplier that makes good what the clock lacks (below 0: has too much). */
static uint64_t slewed(const struct engine_clock *clock, int64_t lacks_ns)
{
	const int64_t most = (int64_t)(clock->nominal * SLEW_MOST / LITTLE);
	__int128 slew = (__int128)lacks_ns * (int64_t)clock->nominal / (CATCH_UP_S * INT64_C(1000000000));

	return clock->nominal + (uint64_t)(slew > most ? most : slew < -most ? -most : (int64_t)slew);
}

/* The next rate, which nobody uses yet: from which moment on it is to hold; 0: it is not its turn, for the last one does not hold yet. */
static uint64_t prepare(struct engine_clock *clock, uint64_t tsc, uint64_t ns)
{
	uint32_t last = atomic_load_explicit(&clock->last, memory_order_relaxed);
	uint64_t from = tsc + clock->hz / AHEAD;

	if ((int64_t)(tsc - clock->rates[last % CLOCK_RATES].base_tsc) < 0)
		return 0;
	clock->rates[(last + 1) % CLOCK_RATES] = (struct clock_rate){
		.base_ns = clock_at(clock, from),
		.base_tsc = from,
		.multiplier = slewed(clock, (int64_t)(ns - clock_at(clock, tsc))),
	};
	return from;
}

static void publish(struct engine_clock *clock)
{
	atomic_fetch_add_explicit(&clock->last, 1, memory_order_release);
}

void clock_adjust(struct engine_clock *clock, uint64_t tsc, uint64_t ns)
{
	if (prepare(clock, tsc, ns))
		publish(clock);
}

void clock_keep(struct engine_clock *clock)
{
	uint64_t before = rte_rdtsc(), ns = monotonic_ns(), after = rte_rdtsc();
	uint64_t from;

	/* Whoever was held up meanwhile does not know what time it was. */
	if (after - before > clock->hz / 1000)
		return;
	from = prepare(clock, before, ns);
	/* ... or comes too late: some may have read a time by the former rate that is later than the new one says. */
	if (from && (int64_t)(from - rte_rdtsc()) > (int64_t)(clock->hz / AHEAD / 2))
		publish(clock);
}
