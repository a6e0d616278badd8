/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that begin or end at a function itself (health checks): where they go in, and their end. Worker thread. */
#include "runtime/worker.h"

static int position_on(const struct path *path, const struct nf *nf)
{
	for (int i = 0; path && i < path->count; i++)
		if (path->positions[i].nf == nf)
			return i;
	return -1;
}

bool nf_place(const struct nf *nf, unsigned worker_id, uint8_t family, const union ipaddr *destination,
              int walk, struct nf_place *place)
{
	struct worker *w = nf->engine->workers[worker_id];
	const struct edge_table *edge = w->edge_table;
	bool found = false;

	for (unsigned i = 0; i < w->snapshot->path_count; i++) {
		const struct path *path = w->snapshot->paths[i];
		int position = position_on(path, nf);
		bool last = position >= 0 && edge_leads_to(edge, path->ends[1], family, destination);
		bool leads =
		        last || (position >= 0 && edge_leads_to(edge, path->ends[0], family, destination));

		if (position < 0 || (found && !leads))
			continue;
		if (leads)
			walk = last ? 0 : 1;
		*place = (struct nf_place){ w, path, position, walk, path->ends[walk] };
		found = true;
		if (leads)
			break;
	}
	return found;
}

bool nf_turns_back(const struct worker *w, const struct opening *o, const union ipaddr *destination)
{
	return o->in_port != o->out_port &&
	       edge_leads_to(w->edge_table, o->in_port, o->tuple.family, destination);
}

bool nf_one_subnet(const struct worker *w, uint8_t family, const union ipaddr *a, const union ipaddr *b)
{
	return edge_one_subnet(w->edge_table, family, a, b);
}

void nf_deliver(struct worker *w, struct rte_mbuf *m)
{
	w->edge_counters[EDGE_C_DELIVERED]++;
	if (unlikely(w->trace != NULL))
		trace_step(w, m, STEP_DELIVERED, NULL, NULL, NULL);
	rte_pktmbuf_free(m);
}
