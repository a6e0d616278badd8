/* SPDX-License-Identifier: BSD-3-Clause */
/* The accounts of packets. See balance.h. Control side; accounts are drawn up on the workers' threads. */
#include "runtime/balance.h"

#include "runtime/worker.h"

enum { AGAIN = 5 };

static const char *const place_names[BALANCE_PLACES] = {
	[PLACE_FRAGMENTS] = "fragments", [PLACE_NEIGHBOURS] = "neighbours", [PLACE_GATHERED] = "gathered",
	[PLACE_EMITTED] = "emitted",     [PLACE_MOVES] = "moves",           [PLACE_REPLIES] = "replies",
	[PLACE_TRANSMIT] = "transmit",   [PLACE_HANDOFF] = "handoff",
};

static uint64_t dropped_by(const struct worker *w, unsigned id)
{
	const struct nf *nf = w->engine->nfs[id];
	const uint64_t *counters = w->nf_counters[id];
	uint64_t sum = 0;

	for (unsigned c = 0; nf && counters && nf->klass->counters && nf->klass->counters[c].name; c++)
		if (nf->klass->counters[c].drop)
			sum += counters[c];
	return sum;
}

void balance_keep_drops(struct engine *engine, unsigned id)
{
	for (unsigned i = 0; i < engine->sizes.workers; i++)
		engine->workers[i]->drops_of_gone += dropped_by(engine->workers[i], id);
}

static uint64_t dropped(const struct worker *w)
{
	uint64_t sum = 0;

	for (unsigned c = C_FIRST_DROP; c < ENGINE_COUNTERS; c++)
		if (engine_counter_info(c).drop)
			sum += w->counters[c];
	for (unsigned c = 0; c < EDGE_COUNTERS; c++)
		if (edge_counters[c].drop)
			sum += w->edge_counters[c];
	for (unsigned id = 0; id < ENGINE_NFS_MAX; id++)
		sum += dropped_by(w, id);
	return sum + w->drops_of_gone;
}

static void count_held(const struct worker *w, uint64_t *held)
{
	held[PLACE_FRAGMENTS] = frag_held(w->frags);
	held[PLACE_NEIGHBOURS] = w->edge_counters[EDGE_C_HELD];
	held[PLACE_GATHERED] = w->edge_counters[EDGE_C_GATHERED];
	held[PLACE_EMITTED] = w->emit_tail - w->emit_head;
	held[PLACE_MOVES] = atomic_load_explicit(&w->slice.held_count, memory_order_relaxed);
	held[PLACE_REPLIES] = w->replies.tail - w->replies.head;
	for (uint64_t left = w->tx_dirty; left; left &= left - 1)
		held[PLACE_TRANSMIT] += w->tx[__builtin_ctzll(left)].count;
	for (unsigned i = 0; i < w->engine->sizes.workers; i++)
		held[PLACE_HANDOFF] += w->outbox[i].count;
}

static void draw_up(struct worker *w, void *into)
{
	struct account *account = into;

	*account = (struct account){
		.received = w->counters[C_RECEIVED],
		.originated = w->counters[C_ORIGINATED] + w->edge_counters[EDGE_C_ORIGINATED],
		.taken_over = w->counters[C_TAKEN_OVER],
		.sent = w->counters[C_SENT],
		.delivered = w->edge_counters[EDGE_C_DELIVERED] + w->counters[C_TRANSFERS],
		.dropped = dropped(w),
		.handed_off = w->counters[C_HANDED_OFF],
	};
	count_held(w, account->held);
}

void account_of(struct engine *engine, unsigned worker, struct account *account)
{
	engine_call(engine, worker, draw_up, account);
}

static uint64_t held_in_all(const struct account *account)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < BALANCE_PLACES; i++)
		sum += account->held[i];
	return sum;
}

int64_t account_missing(const struct account *a)
{
	return (int64_t)(a->received + a->originated + a->taken_over - a->sent - a->delivered - a->dropped -
	                 a->handed_off - held_in_all(a));
}

static void add(struct account *sum, const struct account *a)
{
	sum->received += a->received;
	sum->originated += a->originated;
	sum->taken_over += a->taken_over;
	sum->sent += a->sent;
	sum->delivered += a->delivered;
	sum->dropped += a->dropped;
	sum->handed_off += a->handed_off;
	for (unsigned i = 0; i < BALANCE_PLACES; i++)
		sum->held[i] += a->held[i];
}

static json_t *show_worker(unsigned worker, const struct account *a)
{
	json_t *held = json_object();

	for (unsigned i = 0; i < BALANCE_PLACES; i++)
		json_object_set_new(held, place_names[i], json_integer((json_int_t)a->held[i]));
	return json_pack("{s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:I}", "worker", (int)worker, "received",
	                 (json_int_t)a->received, "originated", (json_int_t)a->originated, "takenOver",
	                 (json_int_t)a->taken_over, "sent", (json_int_t)a->sent, "delivered",
	                 (json_int_t)a->delivered, "dropped", (json_int_t)a->dropped, "handedOff",
	                 (json_int_t)a->handed_off, "held", held, "missing", (json_int_t)account_missing(a));
}

/* Packets between workers. They are asked one after the other, so one that was given after its giver was asked may have been taken already: then fewer were
 * given than taken, which adds up, but is nothing to show. */
static int64_t draw_up_all(struct engine *engine, struct account *sum, json_t *workers)
{
	*sum = (struct account){ 0 };
	json_array_clear(workers);
	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		struct account account;

		account_of(engine, i, &account);
		add(sum, &account);
		json_array_append_new(workers, show_worker(i, &account));
	}
	return (int64_t)(sum->handed_off - sum->taken_over);
}

json_t *engine_balance(struct engine *engine, json_t **workers)
{
	json_t *list = json_array();
	struct account sum;
	int64_t between;

	for (unsigned i = 0; (between = draw_up_all(engine, &sum, list)) < 0 && i < AGAIN; i++)
		;
	if (workers)
		*workers = list;
	else
		json_decref(list);
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:b}", "received", (json_int_t)sum.received, "originated",
	                 (json_int_t)sum.originated, "sent", (json_int_t)sum.sent, "delivered",
	                 (json_int_t)sum.delivered, "dropped", (json_int_t)sum.dropped, "held",
	                 (json_int_t)held_in_all(&sum) + between, "balanced", account_missing(&sum) == 0);
}
