/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments: what of a path lies between two places where packets come in from elsewhere (its ends and its hops), in the order of a walk.
 * A session belongs to one segment: its keys bear the zones in which its packets and their answers come in, its layout is the set
 * of the segment's functions. Built with the snapshot, read by workers.
 */
#ifndef SLUICE_RUNTIME_SEGMENTS_H
#define SLUICE_RUNTIME_SEGMENTS_H

#include "runtime/engine.h"

/* Fills in the segments of a path whose positions stand, and gives their sets of functions numbers; false: there are no numbers left. */
bool segments_build(struct engine *engine, struct path *path);

/* The layout of a session of this segment that has the slots of `has`. */
uint16_t segment_layout(const struct segment *s, uint64_t has);

/* The segment in which a packet of this walk is that goes on at `position`. */
const struct segment *segment_at(const struct path *path, int walk, int position);

/* The segment that sessions of this walk belong to whose packets come in in zone `entry` and answers in zone `answer`; NULL: none any more.
 * An answer zone of 0 matches all (a session without answers). */
const struct segment *segment_of(const struct path *path, int walk, uint8_t entry, uint8_t answer);

#endif
