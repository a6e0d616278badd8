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
	LINKS_US = 2000 * 1000, /* a process that is just being started anew */
	PATIENCE_US =
	        3000 * 1000, /* without an answer: the process hangs, or is of a build that does not give */
	LIMIT_US = 60 * 1000 * 1000, /* for the answers of a slice */
	WINDOW = 256,                /* answers awaited at once: they fit into a link */
	CHUNK = 1024,
	CHUNKS_MAX = 16384,
	NONE = -1,
};

/* By which tuple an item is found: of the session in front of its function or behind it, or of a question. */
enum side { BEFORE, BEHIND, ASKED, SIDES };

struct item {
	struct transfer session; /* of a question: `before`, its zone the link's, alone */
	uint16_t hop;
	bool question, answered;
	int next[SIDES];
};

struct takeover {
	rte_spinlock_t lock; /* of all below but the counts, while it is open */
	_Atomic bool open;
	_Atomic uint32_t asked, answered;
	_Atomic bool deaf; /* a process does not answer: none is asked any more */
	unsigned waited;   /* microseconds for links, in all */
	uint32_t seen;     /* answers, by the control side ... */
	unsigned silent;   /* ... and microseconds since there were more */
	unsigned waits;    /* microseconds since it was opened */
	unsigned hops;
	struct gone_hop hop[ENGINE_HOPS_MAX];
	struct item *chunks[CHUNKS_MAX]; /* items stay where they are */
	int count, room;                 /* of items; room is of heads, too */
	int *heads[SIDES];
	uint32_t mask; /* of heads */
};

struct takeover *takeover_new(void)
{
	return calloc(1, sizeof(struct takeover));
}

static void forget(struct takeover *t)
{
	for (unsigned i = 0; i < CHUNKS_MAX && t->chunks[i]; i++)
		free(t->chunks[i]);
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

/* --- one change --- */

static bool links_up(const struct engine *engine, const struct takeover *t)
{
	for (unsigned i = 0; i < t->hops; i++)
		for (unsigned side = 0; side < 2; side++)
			if (!port_up(engine->ports[t->hop[i].zone[side] - 1].port))
				return false;
	return true;
}

static unsigned most_of_a_path(const struct takeover *t)
{
	unsigned most = 0;

	for (unsigned i = 0; i < t->hops; i++) {
		unsigned of_path = 0;

		for (unsigned k = 0; k < t->hops; k++)
			of_path += t->hop[k].path == t->hop[i].path;
		most = of_path > most ? of_path : most;
	}
	return most;
}

unsigned takeover_find(struct engine *engine, const struct snapshot *now, const struct snapshot *next)
{
	struct takeover *t = engine->takeover;

	forget(t);
	find_gone(engine, now, next);
	return most_of_a_path(t);
}

void takeover_links(const struct engine *engine)
{
	struct takeover *t = engine->takeover;

	while (t->waited < LINKS_US && !links_up(engine, t)) {
		usleep(STEP_US);
		t->waited += STEP_US;
	}
}

void takeover_open(struct takeover *t)
{
	t->count = 0;
	for (unsigned side = 0; side < SIDES; side++)
		if (t->heads[side])
			memset(t->heads[side], 0xff, (size_t)t->room * sizeof(int));
	t->silent = t->waits = t->seen = 0;
	atomic_store(&t->asked, 0);
	atomic_store(&t->answered, 0);
	atomic_store(&t->open, true);
}

bool takeover_waits(struct takeover *t, unsigned us)
{
	uint32_t answered = atomic_load(&t->answered);

	t->silent = answered == t->seen && answered < atomic_load(&t->asked) ? t->silent + us : 0;
	t->seen = answered;
	t->waits += us;
	if (answered < atomic_load(&t->asked) && t->silent < PATIENCE_US && t->waits < LIMIT_US)
		return true;
	if (answered < atomic_load(&t->asked) && !atomic_exchange(&t->deaf, true))
		log_warn("takeover-incomplete", "sessions=%d consequence=%s", t->count,
		         "others are opened again");
	return false;
}

void takeover_close(struct takeover *t)
{
	rte_spinlock_lock(&t->lock);
	atomic_store(&t->open, false);
	rte_spinlock_unlock(&t->lock);
}

void takeover_end(struct takeover *t)
{
	forget(t);
}

/* --- records --- */

static uint32_t hash_of(uint16_t hop, int walk, const struct tuple *tuple)
{
	struct tuple t = *tuple;

	t.zone = (uint8_t)(hop << 1 | walk);
	return rte_hash_crc(&t, sizeof(t), 0);
}

static struct item *item_at(const struct takeover *t, int number)
{
	return &t->chunks[number / CHUNK][number % CHUNK];
}

static const struct tuple *tuple_at(const struct item *item, enum side side)
{
	return side == BEHIND ? &item->session.behind : &item->session.before;
}

static uint32_t hash_at(const struct item *item, enum side side)
{
	return side == ASKED ? rte_hash_crc(&item->session.before, sizeof(struct tuple), item->hop)
	                     : hash_of(item->hop, item->session.walk, tuple_at(item, side));
}

static void link_in(struct takeover *t, int number)
{
	struct item *item = item_at(t, number);

	for (enum side side = BEFORE; side < SIDES; side++) {
		int *head;

		if (item->question != (side == ASKED))
			continue;
		head = &t->heads[side][hash_at(item, side) & t->mask];
		item->next[side] = *head;
		*head = number;
	}
}

/* Twice the room; what there is stays if there is no memory. */
static bool grow(struct takeover *t)
{
	int room = t->room ? 2 * t->room : CHUNK;

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

/* Under the lock. */
static bool keep(struct takeover *t, const struct item *item)
{
	int chunk = t->count / CHUNK;

	if ((t->count == t->room && !grow(t)) || chunk == CHUNKS_MAX)
		return false;
	if (!t->chunks[chunk] && !(t->chunks[chunk] = malloc(CHUNK * sizeof(struct item))))
		return false;
	*item_at(t, t->count) = *item;
	link_in(t, t->count++);
	return true;
}

/* --- questions --- */

/* The question with this tuple, by the link that its zone names; NULL: that was not asked. Under the lock. */
static struct item *question_of(const struct takeover *t, uint16_t hop, const struct tuple *tuple)
{
	const struct item wanted = { .session.before = *tuple, .hop = hop };

	if (!t->room)
		return NULL;
	for (int i = t->heads[ASKED][hash_at(&wanted, ASKED) & t->mask]; i != NONE;
	     i = item_at(t, i)->next[ASKED])
		if (item_at(t, i)->hop == hop && tuple_equal(&item_at(t, i)->session.before, tuple))
			return item_at(t, i);
	return NULL;
}

void takeover_ask(struct worker *w, const struct gone_hop *hop, uint8_t zone, const struct tuple *tuple)
{
	struct takeover *t = w->engine->takeover;
	struct item question = { .session.before = *tuple,
		                 .hop = (uint16_t)(hop - t->hop),
		                 .question = true };
	struct transfer_frame ask = { .kind = TRANSFER_ASK, .session.before = *tuple };
	bool fresh;

	question.session.before.zone = zone;
	ask.session.before.zone = 0;
	rte_spinlock_lock(&t->lock);
	fresh = !question_of(t, question.hop, &question.session.before) && keep(t, &question);
	rte_spinlock_unlock(&t->lock);
	if (!fresh || atomic_load_explicit(&t->deaf, memory_order_relaxed) ||
	    !port_up(w->engine->ports[zone - 1].port))
		return; /* nobody is there */
	atomic_fetch_add(&t->asked, 1);
	if (!transfer_send(w, (uint16_t)(zone - 1), &ask))
		atomic_fetch_add(&t->answered, 1);
}

/* A process may answer what it was not asked. */
bool takeover_busy(const struct takeover *t)
{
	uint32_t asked = atomic_load_explicit(&t->asked, memory_order_relaxed),
	         answered = atomic_load_explicit(&t->answered, memory_order_relaxed);

	return !atomic_load_explicit(&t->deaf, memory_order_relaxed) && (int32_t)(asked - answered) >= WINDOW;
}

/* What a frame answers: a session, by its tuple in front of the function or behind it. Under the lock. */
static struct item *what_it_answers(const struct takeover *t, uint16_t number, uint8_t zone,
                                    const struct transfer_frame *frame)
{
	const struct gone_hop *hop = &t->hop[number];
	const struct transfer *session = &frame->session;
	struct tuple tuple = session->before;
	struct item *question;

	if (frame->kind == TRANSFER_NONE) {
		tuple.zone = zone;
		return question_of(t, number, &tuple);
	}
	if (hop->zone[!session->walk] != zone)
		return NULL;
	tuple.zone = hop->zone[session->walk];
	question = question_of(t, number, &tuple);
	if (question && !question->answered)
		return question;
	tuple = tuple_reverse(&session->behind);
	tuple.zone = hop->zone[!session->walk];
	return question_of(t, number, &tuple);
}

/* Whoever is at the other end may be broken: what was not asked is not believed, and nothing twice. */
static void take_answer(struct takeover *t, uint16_t number, uint8_t zone, const struct transfer_frame *frame)
{
	struct item *question = what_it_answers(t, number, zone, frame);

	if (!question || question->answered)
		return;
	question->answered = true;
	if (frame->kind == TRANSFER_SESSION)
		keep(t, &(struct item){ .session = frame->session, .hop = number });
	atomic_fetch_add(&t->answered, 1);
}

void takeover_receive(struct takeover *t, uint16_t link, const struct transfer_frame *frame)
{
	uint8_t zone = (uint8_t)(link + 1);

	rte_spinlock_lock(&t->lock);
	for (uint16_t i = 0; t->open && i < t->hops; i++)
		if (t->hop[i].zone[0] == zone || t->hop[i].zone[1] == zone) {
			take_answer(t, i, zone, frame);
			break;
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
	     i = item_at(t, i)->next[side]) {
		const struct item *item = item_at(t, i);

		if (item->hop == number && item->session.walk == walk &&
		    tuple_equal(tuple_at(item, side), &wanted))
			return &item->session;
	}
	return NULL;
}

/* While answers may come, others write. */
static const struct transfer *find_safely(struct takeover *t, enum side side, const struct gone_hop *hop,
                                          int walk, const struct tuple *tuple)
{
	const struct transfer *found;

	if (!atomic_load_explicit(&t->open, memory_order_relaxed))
		return find(t, side, hop, walk, tuple);
	rte_spinlock_lock(&t->lock);
	found = find(t, side, hop, walk, tuple);
	rte_spinlock_unlock(&t->lock);
	return found;
}

const struct transfer *takeover_by_before(struct takeover *t, const struct gone_hop *hop, int walk,
                                          const struct tuple *tuple)
{
	return find_safely(t, BEFORE, hop, walk, tuple);
}

const struct transfer *takeover_by_behind(struct takeover *t, const struct gone_hop *hop, int walk,
                                          const struct tuple *tuple)
{
	return find_safely(t, BEHIND, hop, walk, tuple);
}
