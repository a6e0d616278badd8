/* SPDX-License-Identifier: BSD-3-Clause */
/* See helper_nat.h. One thread. */
#include "helper_nat.h"

#include <arpa/inet.h>

#include "nat/nat_class.h"

uint32_t ip(const char *text)
{
	uint32_t address;

	assert_int_equal(inet_pton(AF_INET, text, &address), 1);
	return address;
}

void bench_start(struct bench *b, const char *file, const char *config)
{
	bench_begin(b, &nat_class, file);
	bench_reload(b, config);
}

struct session *bench_open(struct bench *b, int walk, const struct flow *f)
{
	return bench_open_in(b, walk, walk ? BENCH_WAN : BENCH_LAN, f);
}

struct session *bench_open_hairpin(struct bench *b, const struct flow *f)
{
	return bench_open_in(b, INWARD, nf_zone(&b->nf), f);
}

const struct nat_slot *bench_slot(const struct bench *b, const struct session *s)
{
	return nf_slot(&b->nf, (struct session *)(uintptr_t)s);
}

uint32_t bench_ports_used(const struct bench *b)
{
	const struct nat_config *config = b->config;
	struct ports_stats stats;
	uint32_t used = 0;

	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++) {
		for (unsigned k = 0; config->pools >> p & 1 && k < PORTS_BUCKETS; k++) {
			ports_stats(config->live->pools[p]->ports, k, &stats);
			used += stats.used[PORTS_TCP] + stats.used[PORTS_UDP] + stats.used[PORTS_ICMP];
		}
	}
	return used;
}

uint32_t bench_mappings(const struct bench *b)
{
	const struct nat_config *config = b->config;

	return mappings_used(config->live->workers[0]);
}

void expect_outside(const struct bench *b, const struct session *s, const char *address, uint16_t port)
{
	assert_non_null(s);
	assert_int_equal(bench_slot(b, s)->out.address, ip(address));
	if (port)
		assert_int_equal(ntohs(bench_slot(b, s)->out.port), port);
}

void expect_inside(const struct bench *b, const struct session *s, const char *address, uint16_t port)
{
	assert_non_null(s);
	assert_int_equal(bench_slot(b, s)->in.address, ip(address));
	if (port)
		assert_int_equal(ntohs(bench_slot(b, s)->in.port), port);
}
