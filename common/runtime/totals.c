/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums of what workers count, each word written by one of them and read whole. Control side. */
#include "runtime/process/process.h"

uint64_t engine_total(const struct engine *engine, unsigned counter)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		sum += engine->workers[i]->counters[counter];
	return sum;
}

struct nf_traffic engine_nf_traffic(const struct engine *engine, unsigned id)
{
	struct nf_traffic sum = { 0 };

	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		const struct nf_traffic *t = &engine->workers[i]->traffic[id];

		for (unsigned walk = 0; walk < 2; walk++) {
			sum.packets[walk] += t->packets[walk];
			sum.bytes[walk] += t->bytes[walk];
		}
		sum.drops += t->drops;
		sum.opened += t->opened;
	}
	return sum;
}

struct port_traffic engine_port_traffic(const struct engine *engine, unsigned number)
{
	struct port_traffic sum = { 0 };

	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		const struct port_traffic *t = &engine->workers[i]->port_traffic[number];

		sum.rx_packets += t->rx_packets;
		sum.rx_bytes += t->rx_bytes;
		sum.tx_packets += t->tx_packets;
		sum.tx_bytes += t->tx_bytes;
		sum.tx_dropped += t->tx_dropped;
		sum.rx_bursts += t->rx_bursts;
		sum.rx_full += t->rx_full;
	}
	return sum;
}

uint64_t engine_nf_counter(const struct engine *engine, unsigned id, unsigned counter)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		if (engine->workers[i]->nf_counters[id])
			sum += engine->workers[i]->nf_counters[id][counter];
	return sum;
}

static uint64_t edge_total(const struct engine *engine, unsigned counter)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		sum += engine->workers[i]->edge_counters[counter];
	return sum;
}

static uint64_t dropped(const struct engine *engine)
{
	uint64_t sum = 0;

	for (unsigned c = C_FIRST_DROP; c < ENGINE_COUNTERS; c++)
		if (engine_counter_info(c).drop)
			sum += engine_total(engine, c);
	for (unsigned c = 0; c < EDGE_COUNTERS; c++)
		if (edge_counters[c].drop)
			sum += edge_total(engine, c);
	for (unsigned id = 0; id < ENGINE_NFS_MAX; id++) {
		const struct nf *nf = engine->nfs[id];

		for (unsigned c = 0; nf && nf->klass->counters && nf->klass->counters[c].name; c++)
			if (nf->klass->counters[c].drop)
				sum += engine_nf_counter(engine, id, c);
	}
	return sum;
}

struct held {
	uint64_t packets;
};

static void count_held(struct worker *w, void *argument)
{
	struct held *held = argument;

	held->packets += frag_held(w->frags) + rte_ring_count(w->inbox) + (w->emit_tail - w->emit_head) +
	                 atomic_load(&w->slice.held_count) + (w->replies.tail - w->replies.head);
}

json_t *engine_balance(struct engine *engine)
{
	uint64_t received = engine_total(engine, C_RECEIVED), sent = engine_total(engine, C_SENT);
	uint64_t originated = engine_total(engine, C_ORIGINATED) + edge_total(engine, EDGE_C_ORIGINATED);
	uint64_t delivered = edge_total(engine, EDGE_C_DELIVERED) + engine_total(engine, C_TRANSFERS),
	         drops = dropped(engine);
	struct held held = { edge_total(engine, EDGE_C_HELD) + edge_total(engine, EDGE_C_GATHERED) };

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		engine_call(engine, i, count_held, &held);
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:b}", "received", (json_int_t)received, "originated",
	                 (json_int_t)originated, "sent", (json_int_t)sent, "delivered", (json_int_t)delivered,
	                 "dropped", (json_int_t)drops, "held", (json_int_t)held.packets, "balanced",
	                 received + originated == sent + delivered + drops + held.packets);
}
