/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments of paths. Control side builds, workers look them up. */
#include "runtime/change/segments.h"

#include "runtime/change/retire.h"

/* A number for another set of slots: a new one, or one that no session has any more. */
static int spare_layout(struct engine *engine)
{
	if (engine->layout_count < ENGINE_LAYOUTS_MAX)
		return engine->layout_count++;
	for (unsigned i = 0; i < ENGINE_LAYOUTS_MAX; i++)
		if (engine->layout_left[i] && retire_over(engine, engine->layout_left[i]))
			return (int)i;
	return -1;
}

static int layout_of(struct engine *engine, uint64_t set)
{
	int layout;

	for (unsigned i = 0; i < engine->layout_count; i++)
		if (engine->layouts[i] == set)
			return (int)i;
	layout = spare_layout(engine);
	if (layout >= 0)
		engine->layouts[layout] = set;
	return layout;
}

static uint8_t zone_of(unsigned port)
{
	return (uint8_t)(port + 1);
}

/* One segment from position `at` on; answers the position of the hop that ends it, or one past the path's end. */
static int build_one(struct path *path, int walk, int at, uint8_t entry)
{
	struct segment *s = &path->segments[path->segment_count++];
	int step = walk ? -1 : 1;

	*s = (struct segment){ .first = (int16_t)at, .walk = (uint8_t)walk, .entry_zone = entry };
	for (; at >= 0 && at < path->count && path->positions[at].nf; at += step)
		*(path->positions[at].draining ? &s->drains : &s->set) |= UINT64_C(1)
		                                                          << path->positions[at].nf->id;
	s->end = (int16_t)at;
	s->answer_zone =
	        zone_of(at >= 0 && at < path->count ? path->positions[at].link[walk] : path->ends[!walk]);
	return at;
}

/* The functions of `drains` that a number stands for. */
static uint64_t chosen(uint64_t drains, unsigned number)
{
	uint64_t set = 0;

	for (; drains; drains &= drains - 1, number >>= 1)
		set |= number & 1 ? drains & -drains : 0;
	return set;
}

static bool give_layouts(struct engine *engine, struct segment *s)
{
	for (unsigned i = 0; i < 1u << __builtin_popcountll(s->drains); i++) {
		int layout = layout_of(engine, s->set | chosen(s->drains, i));

		if (layout < 0)
			return false;
		s->draining_layout[i] = (uint16_t)layout;
	}
	s->layout = s->draining_layout[0];
	return true;
}

uint16_t segment_layout(const struct segment *s, uint64_t has)
{
	unsigned number = 0;

	for (uint64_t drains = s->drains, bit = 1; drains; drains &= drains - 1, bit <<= 1)
		number |= has & drains & -drains ? bit : 0;
	return s->draining_layout[number];
}

bool segments_build(struct engine *engine, struct path *path)
{
	path->segment_count = 0;
	for (int walk = 0; walk < 2; walk++) {
		int step = walk ? -1 : 1,
		    at = build_one(path, walk, walk ? path->count - 1 : 0, zone_of(path->ends[walk]));

		while (at >= 0 && at < path->count)
			at = build_one(path, walk, at + step, zone_of(path->positions[at].link[!walk]));
	}
	for (unsigned i = 0; i < path->segment_count; i++)
		if (!give_layouts(engine, &path->segments[i]))
			return false;
	return true;
}

const struct segment *segment_at(const struct path *path, int walk, int position)
{
	const struct segment *last = NULL;

	for (unsigned i = 0; i < path->segment_count; i++) {
		const struct segment *s = &path->segments[i];

		if (s->walk != walk)
			continue;
		last = s;
		if (s->first == position || (walk ? position < s->first && position > s->end
		                                  : position > s->first && position < s->end))
			return s;
	}
	return last;
}

/* Whether a zone is that of packets which a function of the segment emits. */
static bool emits(const struct segment *s, uint8_t zone)
{
	return zone >= EMITTED_ZONE && (s->set | s->drains) >> (zone & ~EMITTED_ZONE) & 1;
}

static bool answers_in(const struct segment *s, uint8_t answer)
{
	return !answer || s->answer_zone == answer || emits(s, answer);
}

const struct segment *segment_of(const struct path *path, int walk, uint8_t entry, uint8_t answer)
{
	for (unsigned i = 0; i < path->segment_count; i++) {
		const struct segment *s = &path->segments[i];
		bool enters = s->entry_zone == entry || emits(s, entry);

		if (s->walk == walk && enters && answers_in(s, answer))
			return s;
	}
	return NULL;
}
