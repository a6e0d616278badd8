/* SPDX-License-Identifier: BSD-3-Clause */
/* What a NAT holds for its sessions. See fuzz_import.c. */
#include "import_holds.h"
#include "nat/nat.h"

unsigned import_nat_holds(const void *snapshot)
{
	const struct nat_config *config = snapshot;
	struct ports_stats stats;
	unsigned used = mappings_used(config->live->workers[0]);

	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++)
		for (unsigned k = 0; config->pools >> p & 1 && k < PORTS_BUCKETS; k++) {
			ports_stats(config->live->pools[p]->ports, k, &stats);
			used += stats.used[PORTS_TCP] + stats.used[PORTS_UDP] + stats.used[PORTS_ICMP];
		}
	return used;
}

unsigned import_nat_pool(const void *snapshot)
{
	const struct nat_config *config = snapshot;

	return config->live->pools[__builtin_ctz(config->pools)]->identity;
}
