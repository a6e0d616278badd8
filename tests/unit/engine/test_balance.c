/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every packet is somewhere: whatever becomes of packets, functions, ports and workers, the accounts add up, at any time. Engines between ports that play flows;
 * EAL without PCI. First without threads, one kind of end after the other; then with two workers that run all the while, and changes of every kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <rte_ether.h>
#include <rte_ip.h>

#include "runtime/balance.h"
#include "runtime/process/eal.h"
#include "runtime/worker.h"

enum { FLOWS = 256, TURNS = 200, CHANGES = 40, LOOKS = 4 };

/* --- functions that end packets, each in its own way --- */

enum { SIFTED, SECOND };

static const struct nf_counter counters[] = {
	[SIFTED] = { "sifted", "Packets dropped.", true },
	[SECOND] = { "second", "Packets sent on a second time.", false },
	{ NULL, NULL, false },
};

static void sift(const struct nf *nf, const void *snapshot, struct batch *b)
{
	(void)nf;
	(void)snapshot;
	for (unsigned i = 0; i < b->count; i++)
		if (batch_pkt(b, i)->hash % 3 == 0)
			batch_drop(b, i, SIFTED);
}

/* Those of some flows are refused before they have a session. */
static void refuse(const struct nf *nf, const void *snapshot, struct openings *os)
{
	(void)nf;
	(void)snapshot;
	for (unsigned i = 0; i < os->count; i++)
		if (os->list[i]->m && pkt_of(os->list[i]->m)->hash % 5 == 0)
			opening_refuse(os, os->list[i], SIFTED);
}

/* Packets go on as new ones, or turn round, more of them than there is room for now and then. */
static void emit(const struct nf *nf, const void *snapshot, struct batch *b)
{
	(void)nf;
	(void)snapshot;
	for (unsigned i = 0; i < b->count; i++) {
		struct pkt *p = batch_pkt(b, i);

		if (p->turns || p->hash % 4 == 0)
			continue;
		batch_count(b, SECOND);
		nf_emit(b->worker, b->path, b->position, b->walk, b->m[i],
		        p->hash % 4 == 1 ? NULL : p->session);
		batch_take(b, i);
	}
}

static const struct nf_class sieve = {
	.name = "sieve", .help = "drops", .counters = counters, .open = refuse, .process = sift
};
static const struct nf_class echoer = {
	.name = "echoer", .help = "emits", .counters = counters, .process = emit
};
static const struct nf_class *const classes[] = { &sieve, &echoer, NULL };

/* --- documents --- */

struct shape {
	unsigned workers;
	bool sieve, echoer, far; /* functions on the path; a hop with nobody behind it */
	bool third;              /* a port that goes */
	bool deaf;               /* the next hop never answers */
};

static struct conf *document(const struct shape *shape)
{
	char functions[256] = "", path[128] = "", hops[512] = "", text[4096];
	struct errors errors = ERRORS_NONE;
	struct conf *doc;

	if (shape->sieve)
		strcat(functions, "{ name = \"s\"; kind = \"sieve\"; }"), strcat(path, "\"s\", ");
	if (shape->echoer) {
		strcat(functions, shape->sieve ? ", " : "");
		strcat(functions, "{ name = \"e\"; kind = \"echoer\"; }"), strcat(path, "\"e\", ");
	}
	if (shape->far) {
		strcat(path, "\"h\", ");
		snprintf(hops, sizeof(hops),
		         "hops = ( { name = \"h\"; kind = \"echoer\"; path = \"all\"; a = "
		         "\"vhost:/tmp/balance-%d.a\"; b = \"vhost:/tmp/balance-%d.b\"; } );\n",
		         (int)getpid(), (int)getpid());
	}
	snprintf(text, sizeof(text),
	         "engine = { workers = %u; workersMax = 2; sessions = 2048; mbufs = 16384; seed = 1; };\n"
	         "edge = { ports = ( { name = \"lan\"; device = \"synth:?flows=%d\"; addresses = [ "
	         "\"192.0.2.1/24\" ]; }, { name = \"wan\"; device = \"synth:?silent=1\"; addresses = [ "
	         "\"198.51.100.2/24\" ]; gateways = [ %s ]; }, { name = \"deaf\"; device = "
	         "\"null:?receive=0\"; addresses = [ \"203.0.113.1/25\" ]; gateways = [ %s ]; }%s ); };\n"
	         "functions = ( %s );\n%spaths = ( { name = \"all\"; path = [ \"lan\", %s\"%s\" ]; } );\n",
	         shape->workers, FLOWS, shape->deaf ? "" : "\"198.51.100.254\"",
	         shape->deaf ? "\"203.0.113.2\"" : "",
	         shape->third ? ", { name = \"third\"; device = \"synth:?flows=16\"; addresses = [ "
	                        "\"203.0.113.129/25\" ]; }"
	                      : "",
	         functions, hops, path, shape->deaf ? "deaf" : "wan");
	doc = conf_read_text(text, "test", &errors);
	if (!doc)
		fail_msg("%s\n%s", errors.list[0].detail, text);
	return doc;
}

static void apply(struct engine *engine, const struct shape *shape)
{
	struct conf *doc = document(shape);
	struct errors errors = ERRORS_NONE;

	if (!engine_apply(engine, doc, false, &errors))
		fail_msg("%s: %s", errors.list[0].path ? errors.list[0].path : "-", errors.list[0].detail);
}

static struct engine *start(const struct shape *shape, bool manual)
{
	struct engine_options options = { .classes = classes, .manual = manual };
	struct errors errors = ERRORS_NONE;
	struct conf *doc = document(shape);
	struct engine *engine = engine_new(doc, &options, &errors);

	if (!engine)
		fail_msg("%s", errors.list[0].detail);
	conf_free(doc);
	apply(engine, shape);
	return engine;
}

/* --- accounts --- */

/* The sum of the accounts; every worker's and the sum must add up. */
static struct account account(struct engine *engine)
{
	struct account sum = { 0 };
	json_t *workers, *balance;
	char *text;

	pthread_mutex_lock(&engine->lock);
	balance = engine_balance(engine, &workers);
	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		struct account a;

		account_of(engine, i, &a);
		sum.received += a.received;
		sum.dropped += a.dropped;
		sum.originated += a.originated;
		for (unsigned k = 0; k < BALANCE_PLACES; k++)
			sum.held[k] += a.held[k];
		assert_int_equal(account_missing(&a), 0);
	}
	pthread_mutex_unlock(&engine->lock);
	text = json_dumps(workers, 0);
	if (!json_is_true(json_object_get(balance, "balanced")))
		fail_msg("%s", text);
	for (size_t i = 0; i < json_array_size(workers); i++)
		if (json_integer_value(json_object_get(json_array_get(workers, i), "missing")))
			fail_msg("%s", text);
	free(text);
	json_decref(workers);
	json_decref(balance);
	return sum;
}

static void turn(struct engine *engine, unsigned times)
{
	while (times--)
		for (unsigned i = 0; i < engine->sizes.workers; i++)
			worker_turn(engine->workers[i], clock_now(&engine->clock));
}

static uint64_t total(struct engine *engine, unsigned counter)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		sum += engine->workers[i]->counters[counter];
	return sum;
}

/* --- one kind after the other --- */

static void function_goes(void **state)
{
	struct shape shape = { .workers = 1, .sieve = true };
	struct engine *engine = start(&shape, true);
	uint64_t dropped;

	(void)state;
	turn(engine, TURNS);
	dropped = account(engine).dropped;
	assert_true(dropped > 0);
	shape.sieve = false;
	apply(engine, &shape);
	turn(engine, 1);
	assert_null(engine_nf(engine, "s", NULL));
	assert_true(account(engine).dropped >= dropped);
	shape.echoer = true; /* has its number, maybe */
	apply(engine, &shape);
	turn(engine, TURNS);
	assert_true(account(engine).dropped >= dropped);
	engine_free(engine);
}

static void emitted(void **state)
{
	struct shape shape = { .workers = 2, .sieve = true, .echoer = true };
	struct engine *engine = start(&shape, true);

	(void)state;
	for (unsigned i = 0; i < TURNS; i++) {
		turn(engine, 1);
		account(engine);
	}
	assert_true(total(engine, C_EMITTED) > 0);
	assert_true(total(engine, C_TAKEN_OVER) > 0);
	engine_free(engine);
}

/* What one has given and the other not yet taken. */
static void between_workers(void **state)
{
	struct shape shape = { .workers = 2 };
	struct engine *engine = start(&shape, true);
	json_t *balance;

	(void)state;
	for (unsigned i = 0; i < TURNS; i++)
		worker_turn(engine->workers[0], clock_now(&engine->clock));
	account(engine);
	assert_int_equal(total(engine, C_HANDED_OFF), rte_ring_count(engine->workers[1]->inbox));
	assert_true(total(engine, C_HANDOFF_FULL) > 0);
	balance = engine_balance(engine, NULL);
	assert_true(json_integer_value(json_object_get(balance, "held")) >=
	            (json_int_t)rte_ring_count(engine->workers[1]->inbox));
	json_decref(balance);
	shape.workers = 1;
	apply(engine, &shape); /* its worker is parked with a full inbox */
	account(engine);
	turn(engine, TURNS);
	account(engine);
	assert_int_equal(rte_ring_count(engine->workers[1]->inbox), 0);
	engine_free(engine);
}

/* Packets that wait for a neighbour, whose port then goes. */
static void for_a_neighbour(void **state)
{
	struct shape shape = { .workers = 1, .deaf = true };
	struct engine *engine = start(&shape, true);

	(void)state;
	turn(engine, TURNS);
	assert_true(account(engine).held[PLACE_NEIGHBOURS] > 0);
	shape.deaf = false;
	apply(engine, &shape);
	turn(engine, TURNS);
	assert_int_equal(account(engine).held[PLACE_NEIGHBOURS], 0);
	engine_free(engine);
}

static void nobody_behind_the_hop(void **state)
{
	struct shape shape = { .workers = 1, .sieve = true, .far = true };
	struct engine *engine = start(&shape, true);

	(void)state;
	turn(engine, TURNS);
	account(engine);
	assert_true(total(engine, C_HOP_DOWN) > 0);
	shape.far = false;
	apply(engine, &shape);
	turn(engine, TURNS);
	account(engine);
	engine_free(engine);
}

/* A piece of a datagram that is not its first, as if it came by a port. */
static void give_fragment(struct engine *engine, uint16_t port, uint16_t id)
{
	struct worker *w = engine->workers[0];
	struct rte_mbuf *m = rte_pktmbuf_alloc(engine->pool);
	char *frame = rte_pktmbuf_append(m, sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr) + 64);
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)frame;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ether + 1);

	memset(frame, 0, rte_pktmbuf_pkt_len(m));
	memcpy(&ether->dst_addr, w->snapshot->ports[port].mac, 6);
	ether->src_addr.addr_bytes[0] = 2;
	ether->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16(sizeof(*ip) + 64);
	ip->packet_id = rte_cpu_to_be_16(id);
	ip->fragment_offset = rte_cpu_to_be_16(8);
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_UDP;
	ip->src_addr = rte_cpu_to_be_32(0xc0000205);
	ip->dst_addr = rte_cpu_to_be_32(0xc6336405);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	w->counters[C_RECEIVED]++;
	ingress_burst(w, port, &m, 1);
}

static void fragments(void **state)
{
	struct shape shape = { .workers = 1 };
	struct engine *engine = start(&shape, true);

	(void)state;
	turn(engine, 1);
	for (uint16_t id = 1; id <= 50; id++)
		give_fragment(engine, (uint16_t)engine_port_number(engine, "lan"), id);
	assert_int_equal(account(engine).held[PLACE_FRAGMENTS], 50);
	for (uint16_t id = 1; id <= 50; id++) /* the same again */
		give_fragment(engine, (uint16_t)engine_port_number(engine, "lan"), id);
	account(engine);
	turn(engine, TURNS);
	account(engine);
	engine_free(engine);
}

/* --- everything at once --- */

/* A hop that nobody answers behind is waited for, so there is one at one time alone. */
static struct shape any_shape(bool far)
{
	return (struct shape){ .workers = 1 + (unsigned)rand() % 2,
		               .sieve = rand() % 2,
		               .echoer = rand() % 2,
		               .far = far,
		               .third = rand() % 2,
		               .deaf = rand() % 4 == 0 };
}

static void while_everything_changes(void **state)
{
	struct shape shape = { .workers = 2, .sieve = true };
	struct engine *engine;
	uint64_t before = 0;
	unsigned long seed = (unsigned long)getpid();

	(void)state;
	print_message("seed %lu\n", seed);
	srand((unsigned)seed);
	engine = start(&shape, false);
	for (unsigned i = 0; i < CHANGES; i++) {
		uint64_t received = 0;

		shape = any_shape(i == CHANGES / 2);
		apply(engine, &shape);
		for (unsigned k = 0; k < LOOKS; k++)
			received = account(engine).received;
		assert_true(received >= before);
		before = received;
	}
	assert_true(before > 0);
	engine_free(engine);
}

int main(void)
{
	struct eal_options eal = { .name = "test-balance",
		                   .hugepages = EAL_HUGEPAGES_NEVER,
		                   .memory_mb = 128 };
	struct errors errors = ERRORS_NONE;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(function_goes),
		cmocka_unit_test(emitted),
		cmocka_unit_test(between_workers),
		cmocka_unit_test(for_a_neighbour),
		cmocka_unit_test(nobody_behind_the_hop),
		cmocka_unit_test(fragments),
		cmocka_unit_test(while_everything_changes),
	};

	if (!eal_start(&eal, &errors))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
