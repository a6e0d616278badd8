/* SPDX-License-Identifier: BSD-3-Clause */
/* See helper_lb.h. One thread. */
#include "helper_lb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb/lb_class.h"

static uint64_t bench_clock(const void *bench)
{
	return ((const struct bench *)bench)->now;
}

void bench_start(struct bench *b, const char *file, const char *config)
{
	struct lb_live *live;

	bench_begin(b, &lb_class, file);
	live = b->nf.live;
	live->pool->clock = bench_clock;
	live->pool->clock_context = b;
	bench_reload(b, config);
}

struct session *bench_open(struct bench *b, const struct flow *f)
{
	struct session *s = bench_known(b, BENCH_WAN, f);
	struct tuple answer;

	if (!s)
		s = bench_open_in(b, 1, BENCH_WAN, f);
	if (s) { /* answers are the same worker's */
		session_tuple(s, 1, &answer);
		assert_int_equal((uint8_t)lb_owner(&b->nf, b->config, &answer, 0), s->bucket);
	}
	return s;
}

bool bench_process(struct bench *b, struct session *s, int direction, struct rte_mbuf *m)
{
	pkt_of(m)->dir = (uint8_t)direction;
	return bench_pass(b, s, !direction, m);
}

unsigned bench_backend(const struct bench *b, const struct session *s)
{
	const struct lb_config *config = b->config;
	const struct lb_slot *slot = nf_slot(&b->nf, (struct session *)(uintptr_t)s);
	const struct lb_backend *backend = NULL;

	for (unsigned i = 0; !backend && i < config->service_count; i++)
		backend = lb_backend_of(&config->services[i], slot->backend);
	return backend ? (unsigned)atoi(backend->name + 1) : 0;
}

void bench_spread(struct bench *b, const char *vip, unsigned n, unsigned *counts, unsigned backends)
{
	char source[32];

	memset(counts, 0, (backends + 1) * sizeof(*counts));
	for (unsigned i = 0; i < n; i++) {
		struct flow f = { IPPROTO_UDP, source, (uint16_t)(1024 + i % 50000), vip, 80 };
		struct session *s;
		unsigned number;

		snprintf(source, sizeof(source), "10.0.%u.%u", i / 250, i % 250 + 1);
		s = bench_open(b, &f);
		number = s ? bench_backend(b, s) : 0;
		assert_true(number <= backends);
		counts[number]++;
	}
}

const struct lb_backend *bench_named(const struct bench *b, const char *name)
{
	const struct lb_config *config = b->config;

	for (unsigned i = 0; i < config->service_count; i++)
		for (unsigned k = 0; k < config->services[i].backend_count; k++)
			if (strcmp(config->services[i].backends[k].name, name) == 0)
				return &config->services[i].backends[k];
	fail_msg("no backend %s", name);
	return NULL;
}

void bench_health(struct bench *b, const char *name, bool up)
{
	const struct lb_backend *backend = bench_named(b, name);
	struct pool *pool = ((const struct lb_live *)b->nf.live)->pool;

	pool->backends[backend->id].checked = true;
	pool_backend_state(pool, backend->id, up, up ? "connected" : "refused");
}

uint32_t bench_sessions(const struct bench *b, const char *name)
{
	return pool_sessions(((const struct lb_live *)b->nf.live)->pool, bench_named(b, name)->id);
}
