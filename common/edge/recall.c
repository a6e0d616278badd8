/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbours from process to process: a successor in the same place knows at once whom its predecessor could reach, so that the packets which waited for it do not wait
 * for ARP and ND as well. They are known as if heard of (STALE, RFC 4861, 7.3.2): used at once, and asked soon. The control thread saves, when workers
 * have stopped, and reads, before they begin; worker 0 takes them up with the first table that has ports.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/private.h"

enum { RECORD_VERSION = 1 };

struct neighbour_record {
	union ipaddr address;
	uint16_t port;
	uint8_t family, version, mac[6];
	uint8_t none[6];
};

static_assert(sizeof(struct neighbour_record) == 32, "alike in every build");

static bool read_one(const struct edge *edge, uint32_t index, struct neighbour_record *record)
{
	const struct adjacency *a = &edge->adjacencies[index];

	if (!a->id || a->usable != a->id || a->failed)
		return false;
	*record = (struct neighbour_record){
		.address = a->address, .port = a->port, .family = a->family, .version = RECORD_VERSION
	};
	memcpy(record->mac, a->header, sizeof(record->mac));
	return true;
}

int edge_neighbours_save(const struct edge *edge)
{
	struct neighbour_record *all = calloc(ADJACENCIES, sizeof(*all));
	int fd = all ? memfd_create("neighbours", MFD_CLOEXEC) : -1;
	size_t count = 0;

	for (uint32_t i = 1; fd >= 0 && i < ADJACENCIES; i++)
		count += read_one(edge, i, &all[count]);
	if (fd >= 0 && write(fd, all, count * sizeof(*all)) != (ssize_t)(count * sizeof(*all))) {
		close(fd);
		fd = -1;
	}
	free(all);
	return fd;
}

void edge_neighbours_recall(struct edge *edge, int fd)
{
	struct neighbour_record *all = calloc(ADJACENCIES, sizeof(*all));
	ssize_t got = all ? pread(fd, all, ADJACENCIES * sizeof(*all), 0) : -1;

	free(edge->recalled);
	edge->recalled = all;
	edge->recalled_count = got > 0 ? (unsigned)((size_t)got / sizeof(*all)) : 0;
}

/* Whom this table can have as a neighbour, too. */
static void recall(struct edge_worker *ew, const struct edge_table *table,
                   const struct neighbour_record *record, uint64_t now)
{
	struct neighbour_news news = { .key = { record->address, record->port, record->family },
		                       .has_mac = true,
		                       .may_add = true };

	if (record->version != RECORD_VERSION ||
	    (record->family != FAMILY_V4 && record->family != FAMILY_V6) || (record->mac[0] & 1) ||
	    !table_on_link(table, record->port, record->family, &record->address))
		return;
	memcpy(news.mac, record->mac, sizeof(news.mac));
	neighbour_learn(ew, table, &news, now);
}

void neighbours_recall(struct edge_worker *ew, const struct edge_table *table, uint64_t now)
{
	struct edge *edge = ew->edge;
	bool any = false;

	for (unsigned i = 0; i < EDGE_PORTS_MAX; i++)
		any |= table->ports[i].present;
	for (unsigned i = 0; any && i < edge->recalled_count; i++)
		recall(ew, table, &edge->recalled[i], now);
	if (any)
		edge->recalled_count = 0;
}
