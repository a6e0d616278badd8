/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions and neighbours are told of the configuration that runs; functions say when they want theirs compiled anew. Control side. */
#include "runtime/engine_private.h"
#include "runtime/worker.h"

static bool stands_here(const struct snapshot *s, const struct nf *nf)
{
	for (unsigned i = 0; i < s->path_count; i++)
		for (unsigned k = 0; s->paths[i] && k < s->paths[i]->count; k++)
			if (s->paths[i]->positions[k].nf == nf)
				return true;
	return false;
}

void engine_tell_functions(struct engine *engine, const struct snapshot *s)
{
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (s->nfs[i] && engine->nfs[i]->klass->published)
			engine->nfs[i]->klass->published(engine->nfs[i], s->nf_snapshots[i],
			                                 stands_here(s, s->nfs[i]));
}

void engine_tell_newcomers(struct engine *engine, const struct snapshot *now, const struct snapshot *next)
{
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++) {
		struct nf *nf = engine->nfs[i];

		if (nf && next->nfs[i] && nf->klass->published && stands_here(next, nf) &&
		    !stands_here(now, nf))
			nf->klass->published(nf, next->nf_snapshots[i], true);
	}
}

static void announce(struct worker *w, void *previous)
{
	const struct snapshot *before = previous;

	/* One that is not turned by a thread of its own may not have come to this snapshot yet. */
	if (w->revision == w->engine->revision)
		edge_announce_news(w->edge, before->edge, w->snapshot->edge);
}

void engine_tell_neighbours(struct engine *engine, struct snapshot *previous)
{
	if (previous) /* else all ports are new: they are announced when their links come */
		engine_call(engine, 0, announce, previous);
}

bool nf_moving(const struct nf *nf)
{
	const struct snapshot *next = atomic_load(&nf->engine->slices.next);

	return next && next != atomic_load(&nf->engine->snapshot);
}

void nf_renew(const struct nf *nf)
{
	atomic_fetch_or(&nf->engine->renew_asked, UINT64_C(1) << nf->id);
}
