/* SPDX-License-Identifier: BSD-3-Clause */
/* What the functions of a snapshot say is theirs, for the edge. Control side. */
#include "runtime/snapshot_build.h"

#include <stdlib.h>
#include <string.h>

struct claim_list {
	struct edge_claim *list;
	unsigned count, room;
	uint16_t ports[2], owner; /* of the path's ends */
};

static void add_claim(void *context, const struct nf_claim *claim)
{
	struct claim_list *claims = context;

	if (claims->count == claims->room) {
		unsigned room = claims->room ? claims->room * 2 : 16;
		struct edge_claim *list = realloc(claims->list, room * sizeof(*list));

		if (!list)
			return;
		claims->list = list;
		claims->room = room;
	}
	claims->list[claims->count++] =
	        (struct edge_claim){ claim->address, claim->family, claim->length,
		                     claims->ports[!claim->first_end], claims->owner };
}

unsigned snapshot_claims(const struct snapshot *snapshot, struct edge_claim **list)
{
	struct claim_list claims = { 0 };
	uint64_t done = 0;

	for (unsigned i = 0; i < snapshot->path_count; i++) {
		const struct path *path = snapshot->paths[i];

		for (unsigned k = 0; path && k < path->count; k++) {
			const struct position *p = &path->positions[k];
			const struct nf *nf = p->nf ? p->nf : p->shadow;

			if (!nf || !nf->klass->claims || done >> nf->id & 1)
				continue;
			done |= UINT64_C(1) << nf->id;
			memcpy(claims.ports, path->ends, sizeof(claims.ports));
			claims.owner = nf->id;
			nf->klass->claims(nf, snapshot->nf_snapshots[nf->id], add_claim, &claims);
		}
	}
	*list = claims.list;
	return claims.count;
}
