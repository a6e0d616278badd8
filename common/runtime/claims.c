/* SPDX-License-Identifier: BSD-3-Clause */
/* What the functions of a snapshot say is theirs, for the edge. Control side. */
#include "runtime/snapshot_build.h"

#include <stdlib.h>
#include <string.h>

struct claim_list {
	struct edge_claim *list;
	unsigned count, room;
	uint16_t ports[2], owner; /* of the path's ends */
	uint64_t done[2];         /* bit i: of this end, the owner has claimed on port i already */
};

static void add_claim(void *context, const struct nf_claim *claim)
{
	struct claim_list *claims = context;
	unsigned end = !claim->first_end;

	if (claims->done[end] >> claims->ports[end] & 1)
		return;
	if (claims->count == claims->room) {
		unsigned room = claims->room ? claims->room * 2 : 16;
		struct edge_claim *list = realloc(claims->list, room * sizeof(*list));

		if (!list)
			return;
		claims->list = list;
		claims->room = room;
	}
	claims->list[claims->count++] = (struct edge_claim){ claim->address, claim->family, claim->length,
		                                             claims->ports[end], claims->owner };
}

static const struct conf *place_of(const struct conf *document, const struct nf *nf)
{
	const struct conf *item = conf_item(conf_get(document, "functions"), "name", nf->name);

	if (!item)
		item = conf_item(conf_get(document, "hops"), "name", nf->name);
	return item ? item : document;
}

static bool overlap(const struct edge_claim *a, const struct edge_claim *b)
{
	const struct edge_claim *wide = a->length < b->length ? a : b, *narrow = wide == a ? b : a;
	struct ip_prefix prefix = { .address.family = wide->family, .length = wide->length };
	struct ip_addr address = { .family = narrow->family };

	if (a->family != b->family)
		return false;
	memcpy(prefix.address.bytes, wide->address.bytes, sizeof(prefix.address.bytes));
	memcpy(address.bytes, narrow->address.bytes, sizeof(address.bytes));
	return ip_prefix_holds(&prefix, &address);
}

static void say_twice(const struct snapshot *snapshot, const struct conf *document,
                      const struct edge_claim *a, const struct edge_claim *b, struct errors *errors)
{
	const struct conf *first = place_of(document, snapshot->nfs[a->owner]),
	                  *second = place_of(document, snapshot->nfs[b->owner]);
	struct ip_addr address = { .family = b->family };
	char text[NET_TEXT];

	memcpy(address.bytes, b->address.bytes, sizeof(address.bytes));
	ip_addr_format(&address, text, sizeof(text));
	conf_error(errors, conf_get(second, "config") ? conf_get(second, "config") : second, "claimed-twice",
	           "%s/%u is claimed by \"%s\"%s%s%s%.0u%s, too: an address is one function's", text,
	           b->length, snapshot->nfs[a->owner]->name, first->file ? " (" : "",
	           first->file ? first->file : "", first->file ? ":" : "", first->line,
	           first->file ? ")" : "");
}

bool snapshot_check_claims(const struct snapshot *snapshot, const struct conf *document,
                           const struct edge_claim *list, unsigned count, struct errors *errors)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < i; k++)
			if (list[i].owner != list[k].owner && overlap(&list[i], &list[k])) {
				say_twice(snapshot, document, &list[k], &list[i], errors);
				return false;
			}
	return true;
}

unsigned snapshot_claims(const struct snapshot *snapshot, struct edge_claim **list)
{
	struct claim_list claims = { 0 };
	uint64_t done[ENGINE_NFS_MAX][2] = { 0 };

	for (unsigned i = 0; i < snapshot->path_count; i++) {
		const struct path *path = snapshot->paths[i];

		for (unsigned k = 0; path && k < path->count; k++) {
			const struct position *p = &path->positions[k];
			const struct nf *nf = p->nf ? p->nf : p->shadow;

			if (!nf || !nf->klass->claims)
				continue;
			memcpy(claims.done, done[nf->id], sizeof(claims.done));
			memcpy(claims.ports, path->ends, sizeof(claims.ports));
			claims.owner = nf->id;
			nf->klass->claims(nf, snapshot->nf_snapshots[nf->id], add_claim, &claims);
			for (unsigned end = 0; end < 2; end++)
				done[nf->id][end] |= UINT64_C(1) << path->ends[end];
		}
	}
	*list = claims.list;
	return claims.count;
}
