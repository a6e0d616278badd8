/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions of functions that come from elsewhere. See takeover.h for who runs what. */
#include "runtime/change/takeover.h"

#include <stdlib.h>
#include <unistd.h>

#include <rte_hash_crc.h>
#include <rte_spinlock.h>

#include "manage/log.h"
#include "runtime/change/retire.h"
#include "runtime/change/transfer_link.h"
#include "runtime/worker.h"

enum {
	STEP_US = 200,
	LINKS_US = 500 * 1000, /* a process that has just been started anew */
	FORMER_WAITS = 12,     /* five seconds each */
	PATIENCE_US = 1000 *
	              1000, /* without anything new: the process hangs, or is of a build that does not give */
	NONE = -1,
};

enum side { BEFORE, BEHIND, SIDES };

struct item {
	struct transfer session;
	uint16_t hop;
	int next[SIDES];
};

struct progress {
	unsigned ends, expected;
};

struct takeover {
	rte_spinlock_t lock; /* of all below, while it is open */
	bool open;
	unsigned hops;
	struct gone_hop hop[ENGINE_HOPS_MAX];
	struct progress progress[ENGINE_HOPS_MAX];
	struct item *items;
	int count, room;
	int *heads[SIDES];
	uint32_t mask; /* of heads */
};

struct takeover *takeover_new(void)
{
	return calloc(1, sizeof(struct takeover));
}

static void forget(struct takeover *t)
{
	free(t->items);
	for (unsigned side = 0; side < SIDES; side++)
		free(t->heads[side]);
	memset(t, 0, sizeof(*t));
}

void takeover_free(struct takeover *t)
{
	if (!t)
		return;
	forget(t);
	free(t);
}

/* --- what is gone --- */

static const struct segment *entered_by(const struct path *path, int walk, uint8_t zone)
{
	for (unsigned i = 0; i < path->segment_count; i++)
		if (path->segments[i].walk == walk && path->segments[i].entry_zone == zone)
			return &path->segments[i];
	return NULL;
}

static const struct segment *answered_by(const struct path *path, int walk, uint8_t zone)
{
	for (unsigned i = 0; i < path->segment_count; i++)
		if (path->segments[i].walk == walk && path->segments[i].answer_zone == zone)
			return &path->segments[i];
	return NULL;
}

static bool at_an_end(const struct path *path, const struct segment *s)
{
	return s->first == (s->walk ? path->count - 1 : 0);
}

static void note_gone(struct takeover *t, const struct path *path, const struct position *p)
{
	struct gone_hop *hop = &t->hop[t->hops++];

	*hop = (struct gone_hop){ .path = path->id,
		                  .nf = p->shadow ? p->shadow->id : ENGINE_NFS_MAX,
		                  .zone = { (uint8_t)(p->link[0] + 1), (uint8_t)(p->link[1] + 1) } };
	for (int walk = 0; walk < 2; walk++) {
		const struct segment *front = answered_by(path, walk, hop->zone[walk]),
		                     *back = entered_by(path, walk, hop->zone[!walk]);

		hop->before[walk] = front ? front->entry_zone : 0;
		hop->kept_before[walk] = front && (front->set || front->drains || at_an_end(path, front));
		hop->behind[walk] = back ? back->answer_zone : 0;
	}
}

/* The position of the hop with this link; -1: there is none. */
static int position_of(const struct path *path, uint16_t link)
{
	for (unsigned i = 0; i < path->count; i++)
		if (!path->positions[i].nf && path->positions[i].link[0] == link)
			return (int)i;
	return -1;
}

static uint64_t rewriters_before(const struct engine *engine, const struct path *path, int position)
{
	uint64_t set = 0;

	for (int i = 0; i < position; i++) {
		const struct nf *nf =
		        path->positions[i].nf ? path->positions[i].nf : path->positions[i].shadow;

		set |= nf ? UINT64_C(1) << nf->id : 0;
	}
	return set & engine->rewriters;
}

/* Whether what the hop's process knows is of no use any more: it is gone, or packets come to it with other tuples. */
static bool is_gone(const struct engine *engine, const struct path *now, const struct path *next,
                    int position)
{
	int there = position_of(next, now->positions[position].link[0]);

	return there < 0 || rewriters_before(engine, now, position) != rewriters_before(engine, next, there);
}

static void find_gone(struct engine *engine, const struct snapshot *now, const struct snapshot *next)
{
	struct takeover *t = engine->takeover;

	for (unsigned i = 0; i < now->path_count; i++) {
		const struct path *path = now->paths[i];

		for (unsigned k = 0; path && next->paths[i] && k < path->count; k++) {
			const struct position *p = &path->positions[k];

			if (!p->nf && t->hops < ENGINE_HOPS_MAX &&
			    is_gone(engine, path, next->paths[i], (int)k))
				note_gone(t, path, p);
		}
	}
}

/* --- asking --- */

static void ask(struct worker *w, void *argument)
{
	const struct transfer_frame give = { .kind = TRANSFER_GIVE };

	transfer_send(w, *(uint16_t *)argument, &give);
}

static bool complete(struct takeover *t)
{
	bool all = true;

	rte_spinlock_lock(&t->lock);
	for (unsigned i = 0; i < t->hops; i++)
		all &= t->progress[i].expected && t->progress[i].ends >= t->progress[i].expected;
	rte_spinlock_unlock(&t->lock);
	return all;
}

/* What has come so far, as a number that grows. */
static uint64_t come(struct takeover *t)
{
	uint64_t sum;

	rte_spinlock_lock(&t->lock);
	sum = (uint64_t)t->count;
	for (unsigned i = 0; i < t->hops; i++)
		sum += t->progress[i].ends;
	rte_spinlock_unlock(&t->lock);
	return sum;
}

static void collect(struct engine *engine)
{
	struct takeover *t = engine->takeover;
	uint64_t before = 0;

	for (unsigned i = 0; i < t->hops; i++) {
		uint16_t link = (uint16_t)(t->hop[i].zone[0] - 1);

		if (port_up(engine->ports[link].port))
			engine_call(engine, 0, ask, &link);
		else
			t->progress[i].expected = t->progress[i].ends = 1; /* nobody is there */
	}
	for (unsigned silent = 0; silent < PATIENCE_US && !complete(t); silent += STEP_US) {
		uint64_t now;

		usleep(STEP_US);
		now = come(t);
		if (now != before)
			silent = 0;
		before = now;
	}
	if (!complete(t))
		log_warn("takeover-incomplete", "sessions=%d consequence=\"others are opened again\"",
		         t->count);
}

static bool links_up(const struct engine *engine, const struct takeover *t)
{
	for (unsigned i = 0; i < t->hops; i++)
		for (unsigned side = 0; side < 2; side++)
			if (!port_up(engine->ports[t->hop[i].zone[side] - 1].port))
				return false;
	return true;
}

bool takeover_find(struct engine *engine, const struct snapshot *now, const struct snapshot *next)
{
	struct takeover *t = engine->takeover;

	for (unsigned waits = 0; t->hops && !retire_wait(engine); waits++)
		if (waits == FORMER_WAITS)
			return false;
	forget(t);
	find_gone(engine, now, next);
	for (unsigned waited = 0; waited < LINKS_US && !links_up(engine, t); waited += STEP_US)
		usleep(STEP_US);
	return t->hops > 0;
}

void takeover_collect(struct engine *engine)
{
	struct takeover *t = engine->takeover;

	rte_spinlock_lock(&t->lock);
	t->open = true;
	rte_spinlock_unlock(&t->lock);
	collect(engine);
	rte_spinlock_lock(&t->lock);
	t->open = false;
	rte_spinlock_unlock(&t->lock);
}

void takeover_end(struct engine *engine)
{
	forget(engine->takeover);
}

/* --- records --- */

static uint32_t hash_of(uint16_t hop, int walk, const struct tuple *tuple)
{
	struct tuple t = *tuple;

	t.zone = (uint8_t)(hop << 1 | walk);
	return rte_hash_crc(&t, sizeof(t), 0);
}

static const struct tuple *tuple_at(const struct item *item, enum side side)
{
	return side == BEFORE ? &item->session.before : &item->session.behind;
}

static void link_in(struct takeover *t, int number)
{
	struct item *item = &t->items[number];

	for (enum side side = BEFORE; side < SIDES; side++) {
		int *head = &t->heads[side]
		                     [hash_of(item->hop, item->session.walk, tuple_at(item, side)) & t->mask];

		item->next[side] = *head;
		*head = number;
	}
}

/* Twice the room; what there is stays if there is no memory. */
static bool grow(struct takeover *t)
{
	int room = t->room ? 2 * t->room : 1024;
	struct item *items = realloc(t->items, (size_t)room * sizeof(*items));

	if (!items)
		return false;
	t->items = items;
	for (unsigned side = 0; side < SIDES; side++) {
		int *heads = realloc(t->heads[side], (size_t)room * sizeof(*heads));

		if (!heads)
			return false;
		t->heads[side] = heads;
	}
	for (unsigned side = 0; side < SIDES; side++)
		memset(t->heads[side], 0xff, (size_t)room * sizeof(int));
	t->room = room;
	t->mask = (uint32_t)room - 1;
	for (int i = 0; i < t->count; i++)
		link_in(t, i);
	return true;
}

static void keep(struct takeover *t, uint16_t hop, const struct transfer *session)
{
	if (t->count == t->room && !grow(t))
		return;
	t->items[t->count] = (struct item){ .session = *session, .hop = hop };
	link_in(t, t->count++);
}

void takeover_receive(struct takeover *t, uint16_t link, const struct transfer_frame *frame)
{
	uint8_t zone = (uint8_t)(link + 1);

	rte_spinlock_lock(&t->lock);
	for (uint16_t i = 0; t->open && i < t->hops; i++) {
		const struct gone_hop *hop = &t->hop[i];

		if (hop->zone[0] != zone && hop->zone[1] != zone)
			continue;
		if (frame->kind == TRANSFER_END) {
			t->progress[i].expected = 2u * frame->senders;
			t->progress[i].ends++;
		} else if (frame->kind == TRANSFER_SESSION && hop->zone[!frame->session.walk] == zone) {
			keep(t, i, &frame->session);
		}
	}
	rte_spinlock_unlock(&t->lock);
}

/* --- lookups --- */

const struct gone_hop *takeover_entered(const struct takeover *t, uint16_t path, int walk, uint8_t zone)
{
	for (unsigned i = 0; i < t->hops; i++)
		if (t->hop[i].path == path && t->hop[i].zone[walk] == zone)
			return &t->hop[i];
	return NULL;
}

const struct gone_hop *takeover_left(const struct takeover *t, uint16_t path, int walk, uint8_t zone)
{
	return takeover_entered(t, path, !walk, zone);
}

static const struct transfer *find(const struct takeover *t, enum side side, const struct gone_hop *hop,
                                   int walk, const struct tuple *tuple)
{
	uint16_t number = (uint16_t)(hop - t->hop);
	struct tuple wanted = *tuple;

	if (!t->count)
		return NULL;
	wanted.zone = 0;
	for (int i = t->heads[side][hash_of(number, walk, tuple) & t->mask]; i != NONE;
	     i = t->items[i].next[side]) {
		const struct item *item = &t->items[i];

		if (item->hop == number && item->session.walk == walk &&
		    tuple_equal(tuple_at(item, side), &wanted))
			return &item->session;
	}
	return NULL;
}

const struct transfer *takeover_by_before(const struct takeover *t, const struct gone_hop *hop, int walk,
                                          const struct tuple *tuple)
{
	return find(t, BEFORE, hop, walk, tuple);
}

const struct transfer *takeover_by_behind(const struct takeover *t, const struct gone_hop *hop, int walk,
                                          const struct tuple *tuple)
{
	return find(t, BEHIND, hop, walk, tuple);
}
