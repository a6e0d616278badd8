/* SPDX-License-Identifier: BSD-3-Clause */
/* Building snapshots: the control side's own. See snapshot.c and apply.c. */
#ifndef SLUICE_RUNTIME_SNAPSHOT_BUILD_H
#define SLUICE_RUNTIME_SNAPSHOT_BUILD_H

#include "runtime/engine.h"

/* Builds a snapshot of everything but the edge's table, from a checked document. Ports and functions that the document names must have their
 * slots in the engine already. `previous` (may be NULL) lends what has not changed. NULL with errors. */
struct snapshot *snapshot_build(struct engine *engine, const struct conf *document,
                                const struct snapshot *previous, const struct conf *previous_document,
                                struct errors *errors);

/* The claims of all functions and shadows, on the ports that they face outward; list is malloc'd. */
unsigned snapshot_claims(const struct snapshot *snapshot, struct edge_claim **list);
/* Whether no address is claimed by two functions; else an error at the second that names the first. */
bool snapshot_check_claims(const struct snapshot *snapshot, const struct conf *document,
                           const struct edge_claim *list, unsigned count, struct errors *errors);

/* Frees a snapshot and the functions' snapshots that the next one has not taken over. */
void snapshot_free(struct snapshot *snapshot);

/* Marks what `next` shares with `previous`, so that snapshot_free(previous) leaves it alone. */
void snapshot_carry(struct snapshot *previous, const struct snapshot *next);

/* owners.c: functions that are asked for the owners of packets that come in by a link, or by an outside port on a path; may be called for several paths of a port.
 * owners_of_link answers false where there are more than PORT_OWNERS_MAX; owners_of_entry the function that there is one too many of, or that has nothing in
 * common with those of the port's other paths: both would spread its packets. NULL: all is well. */
bool owners_of_link(struct snapshot_port *port, const struct snapshot *snapshot);
const struct nf *owners_of_entry(struct snapshot_port *port, const struct snapshot *snapshot,
                                 const struct path *path, int walk);

/* Gives the owner buckets to so many workers. */
void snapshot_share_out(struct snapshot *snapshot, unsigned workers);

#endif
