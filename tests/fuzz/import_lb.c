/* SPDX-License-Identifier: BSD-3-Clause */
/* What a load balancer holds for its sessions. See fuzz_import.c. */
#include "import_holds.h"
#include "lb/lb.h"

unsigned import_lb_holds(const void *snapshot)
{
	const struct lb_config *config = snapshot;
	struct ports_stats stats;
	unsigned used = 0;

	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++)
		for (unsigned k = 0; config->sources >> p & 1 && k < PORTS_BUCKETS; k++) {
			ports_stats(config->live->sources[p]->ports, k, &stats);
			used += stats.used[PORTS_TCP] + stats.used[PORTS_UDP] + stats.used[PORTS_ICMP];
		}
	for (unsigned id = 0; id < POOL_SERVICES_MAX; id++)
		used += pool_service_sessions(config->live->pool, id) +
		        pool_service_open_sessions(config->live->pool, id);
	return used;
}

unsigned import_lb_pool(const void *snapshot)
{
	const struct lb_config *config = snapshot;

	return config->live->sources[__builtin_ctz(config->sources)]->identity;
}
