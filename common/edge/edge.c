/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The live state of the edge and its workers' parts: made, switched to a new snapshot, ticked, freed. The control thread makes
 * and frees; everything else is on the worker's thread.
 */
#include <stdlib.h>

#include <rte_random.h>

#include "edge/private.h"

enum { ERRORS_A_SECOND = 1000, ERRORS_AT_ONCE = 100 };

struct edge *edge_new(unsigned workers, struct errors *errors)
{
	struct edge *edge = NULL;

	if (posix_memalign((void **)&edge, 64, sizeof(*edge)) != 0)
		edge = NULL;
	if (edge) {
		memset(edge, 0, sizeof(*edge));
		edge->worker_count = workers;
		edge->first_generation = (uint8_t)rte_rand();
		edge->workers = calloc(workers, sizeof(struct edge_worker *));
	}
	if (edge && edge->workers && neighbours_new(edge))
		return edge;
	errors_add(errors, NULL, "no-memory", NULL, 0, "no memory for the neighbour table");
	edge_free(edge);
	return NULL;
}

void edge_free(struct edge *edge)
{
	if (!edge)
		return;
	neighbours_free(edge);
	free(edge->workers);
	free(edge);
}

struct edge_worker *edge_worker_new(struct edge *edge, unsigned worker_id, const struct edge_ops *ops,
                                    void *context, struct errors *errors)
{
	struct edge_worker *ew = calloc(1, sizeof(*ew));

	if (!ew || !(ew->used = calloc(ADJACENCIES, 1)) || !holds_new(ew)) {
		errors_add(errors, NULL, "no-memory", NULL, 0, "no memory for the edge of worker %u",
		           worker_id);
		if (ew)
			free(ew->used);
		free(ew);
		return NULL;
	}
	ew->edge = edge;
	ew->id = worker_id;
	ew->ops = ops;
	ew->context = context;
	ew->epoch_seen = __atomic_load_n(&edge->epoch, __ATOMIC_ACQUIRE);
	token_bucket_init(&ew->error_rate, ERRORS_A_SECOND, ERRORS_AT_ONCE);
	__atomic_store_n(&edge->workers[worker_id], ew, __ATOMIC_RELEASE);
	return ew;
}

void edge_worker_free(struct edge_worker *ew)
{
	if (!ew)
		return;
	__atomic_store_n(&ew->edge->workers[ew->id], NULL, __ATOMIC_RELEASE);
	holds_free(ew);
	gather_free(ew);
	free(ew->used);
	free(ew);
}

uint64_t *edge_worker_counters(struct edge_worker *ew)
{
	return ew->counters;
}

void edge_worker_switch(struct edge_worker *ew, const struct edge_table *table, uint64_t now)
{
	if (ew->id == 0) {
		neighbours_switch(ew, table);
		neighbours_recall(ew, table, now);
	}
	holds_reroute(ew, table, now);
}

uint64_t edge_tick(struct edge_worker *ew, const struct edge_table *table, uint64_t now)
{
	uint64_t next = UINT64_MAX, other;
	uint64_t epoch = __atomic_load_n(&ew->edge->epoch, __ATOMIC_ACQUIRE);

	/* Between two calls a worker has no adjacency in its hands: entries retired so far are free of it. */
	__atomic_store_n(&ew->epoch_seen, epoch, __ATOMIC_RELEASE);
	if (ew->id == 0)
		next = neighbours_tick(ew, table, now);
	other = holds_tick(ew, table, now);
	next = other < next ? other : next;
	other = gather_tick(ew, now);
	return other < next ? other : next;
}

/* Whether a port's neighbours know from an earlier table that an address is at this MAC. */
static bool is_told(const struct edge_table *before, const struct edge_table *table, uint16_t port,
                    uint8_t family, const union ipaddr *address)
{
	return before && before->mode == EDGE_ROUTED &&
	       memcmp(before->ports[port].mac, table->ports[port].mac, 6) == 0 &&
	       table_answers(before, port, family, address);
}

static void announce(struct edge_worker *ew, const struct edge_table *before, const struct edge_table *table,
                     uint16_t port, const struct ip_addr *ip)
{
	union ipaddr address = ipaddr_of(ip);

	if (is_told(before, table, port, ip->family, &address))
		return;
	if (ip->family == FAMILY_V4)
		arp_announce(ew, table, port, address.v4);
	else
		nd_announce(ew, table, port, &address);
}

/* What a port has that it had not in `before` (NULL: all of it). The addresses of a link are those of the service's edge. */
static void announce_port(struct edge_worker *ew, const struct edge_table *before,
                          const struct edge_table *table, uint16_t port)
{
	const struct edge_port *p = &table->ports[port];

	if (table->mode != EDGE_ROUTED)
		return;
	for (unsigned i = 0; i < p->address_count; i++)
		announce(ew, before, table, port, &p->addresses[i].address);
	for (unsigned i = 0; i < table->claim_count; i++) {
		const struct edge_claim *claim = &table->claims[i];
		struct ip_addr address = ip_addr_of(claim->family, &claim->address);

		/* Of a claimed prefix the hosts are asked for one by one. */
		if (claim->port == port && claim->length == (claim->family == FAMILY_V4 ? 32 : 128))
			announce(ew, before, table, port, &address);
	}
}

void edge_announce(struct edge_worker *ew, const struct edge_table *table, uint16_t port)
{
	announce_port(ew, NULL, table, port);
}

void edge_announce_news(struct edge_worker *ew, const struct edge_table *before,
                        const struct edge_table *table)
{
	for (uint16_t port = 0; port < EDGE_PORTS_MAX; port++)
		if (before->ports[port].present && table->ports[port].present)
			announce_port(ew, before, table, port);
}
