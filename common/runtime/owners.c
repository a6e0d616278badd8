/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which functions are asked for a packet's owner, by the port that it comes in by: those that it is about to meet, in that order, and at a link also those
 * behind it, which would see its answer. All of a path have a say, for one may know an address that another has made (see enum nf_owner). Where a
 * function runs makes no difference: of one behind a hop the shadow is asked. Control side.
 */
#include "runtime/snapshot_build.h"

static bool knows(const struct snapshot_port *port, const struct nf *nf)
{
	for (unsigned i = 0; i < port->owner_count; i++)
		if (port->owners[i].nf == nf)
			return true;
	return false;
}

static const struct nf *owner_at(const struct path *path, int position)
{
	const struct position *p = &path->positions[position];
	const struct nf *nf = p->nf ? p->nf : p->shadow;

	return nf && nf->klass->owner ? nf : NULL;
}

static bool inside(const struct path *path, int position)
{
	return position >= 0 && position < path->count;
}

/* False: there are too many. */
static bool add_from(struct snapshot_port *port, const struct snapshot *s, const struct path *path,
                     int position, int walk, bool of_answer)
{
	for (int i = position; inside(path, i); i += walk ? -1 : 1) {
		const struct nf *nf = owner_at(path, i);

		if (!nf || knows(port, nf))
			continue;
		if (port->owner_count == PORT_OWNERS_MAX)
			return false;
		port->owners[port->owner_count++] =
		        (struct owner){ nf, s->nf_snapshots[nf->id], (uint8_t)walk, of_answer };
	}
	return true;
}

bool owners_of_link(struct snapshot_port *port, const struct snapshot *s)
{
	int walk = port->walk;

	return add_from(port, s, port->path, port->position, walk, false) &&
	       add_from(port, s, port->path, port->position + (walk ? 1 : -1), !walk, true);
}

/* The first function of a path that names owners; NULL: none. *shared: the port asks one of its functions already. */
static const struct nf *first_of(const struct snapshot_port *port, const struct path *path, int walk,
                                 bool *shared)
{
	const struct nf *first = NULL;

	*shared = false;
	for (int i = walk ? path->count - 1 : 0; inside(path, i); i += walk ? -1 : 1) {
		const struct nf *nf = owner_at(path, i);

		first = first ? first : nf;
		*shared |= nf && knows(port, nf);
	}
	return first;
}

const struct nf *owners_of_entry(struct snapshot_port *port, const struct snapshot *s,
                                 const struct path *path, int walk)
{
	bool shared;
	const struct nf *first = first_of(port, path, walk, &shared);

	if (first && port->owner_count && !shared)
		return first;
	return add_from(port, s, path, walk ? path->count - 1 : 0, walk, false) ? NULL : first;
}
