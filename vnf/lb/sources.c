/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Live pools of sources for full NAT: which are there, which configurations name them. One is what it is named, its addresses and its ports; if one of
 * these changes it is another, and the sessions of the old one are closed as they are reviewed. One that no configuration names is freed at once if
 * no port of it was ever taken, else when its place is needed and all have come back. Control side.
 */
#include <stdlib.h>
#include <string.h>

#include "lb/lb.h"

static bool same(const struct lb_source *a, const struct lb_source *b)
{
	return strcmp(a->name, b->name) == 0 && a->family == b->family && a->range_count == b->range_count &&
	       a->first_port == b->first_port && a->last_port == b->last_port &&
	       memcmp(&a->prefix, &b->prefix, sizeof(a->prefix)) == 0 &&
	       memcmp(a->ranges, b->ranges, a->range_count * sizeof(*a->ranges)) == 0;
}

void lb_source_free(struct lb_live *live, unsigned number)
{
	if (!live->sources[number])
		return;
	ports_free(live->sources[number]->ports);
	free(live->sources[number]);
	live->sources[number] = NULL;
}

static bool drained(const struct lb_source *source)
{
	struct ports_stats stats;

	for (unsigned bucket = 0; bucket < PORTS_BUCKETS; bucket++) {
		ports_stats(source->ports, bucket, &stats);
		for (unsigned space = 0; space < PORTS_SPACES; space++)
			if (stats.used[space])
				return false;
	}
	return true;
}

static void between_turns(const struct nf *nf, unsigned worker_id, uint64_t now, void *argument)
{
	(void)nf;
	(void)worker_id;
	(void)now;
	(void)argument;
}

void lb_settle(void *nf)
{
	nf_on_workers(nf, between_turns, NULL);
}

/* Nobody takes a port of a source that is not named, but a worker may be in the middle of giving the last one back. */
static void free_drained(struct nf *nf, struct lb_live *live)
{
	uint32_t found = 0;

	for (unsigned i = 0; i < LB_SOURCES_MAX; i++)
		if (live->sources[i] && !live->sources[i]->snapshots && drained(live->sources[i]))
			found |= 1u << i;
	if (found)
		lb_settle(nf);
	for (unsigned i = 0; i < LB_SOURCES_MAX; i++)
		if (found >> i & 1)
			lb_source_free(live, i);
}

static int free_place(const struct lb_live *live)
{
	for (int i = 0; i < LB_SOURCES_MAX; i++)
		if (!live->sources[i])
			return i;
	return -1;
}

static int new_source(struct lb_live *live, int at, const struct conf *item, const struct lb_source *wanted,
                      struct errors *errors)
{
	struct ports_options options = { wanted->ranges, wanted->range_count, wanted->first_port,
		                         wanted->last_port };
	struct lb_source *source = malloc(sizeof(*source));

	if (!source) {
		conf_error(errors, item, "no-memory", "not enough memory for the sources");
		return -1;
	}
	*source = *wanted;
	source->snapshots = 1;
	source->ports = ports_new(&options, errors);
	if (source->ports) {
		live->sources[at] = source;
		return at;
	}
	free(source);
	return -1;
}

int lb_source_hold(struct nf *nf, const struct conf *item, const struct lb_source *wanted,
                   struct errors *errors)
{
	struct lb_live *live = nf->live;
	int at;

	for (int i = 0; i < LB_SOURCES_MAX; i++) {
		if (live->sources[i] && same(live->sources[i], wanted)) {
			live->sources[i]->snapshots++;
			return i;
		}
	}
	at = free_place(live);
	if (at < 0) {
		free_drained(nf, live);
		at = free_place(live);
	}
	if (at >= 0)
		return new_source(live, at, item, wanted, errors);
	conf_error(errors, item, "too-many-sources",
	           "%d pools of sources are configured or still have sessions; try again when those of old "
	           "ones have ended",
	           LB_SOURCES_MAX);
	return -1;
}

void lb_sources_drop(struct lb_live *live, uint32_t sources)
{
	for (unsigned i = 0; i < LB_SOURCES_MAX; i++)
		if (sources >> i & 1 && --live->sources[i]->snapshots == 0 &&
		    !__atomic_load_n(&live->sources[i]->used, __ATOMIC_RELAXED))
			lb_source_free(live, i);
}
