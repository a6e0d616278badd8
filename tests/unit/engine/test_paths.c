/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * First packets of many paths in one burst: each path opens its own, and no function sees a packet without a session. An engine without
 * threads between ports that play flows; one thread, EAL without PCI.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/process/eal.h"
#include "runtime/worker.h"

enum { PATHS = 20, FLOWS = 64, FIRST_PORT = 1024, TURNS = 2000 };

enum { WITHOUT_SESSION, WITH_SESSION };

static const struct nf_counter counters[] = {
	[WITHOUT_SESSION] = { "without-session", "Packets without a session.", false },
	[WITH_SESSION] = { "with-session", "Packets with one.", false },
	{ NULL, NULL, false },
};

static void process(const struct nf *nf, const void *snapshot, struct batch *b)
{
	(void)nf;
	(void)snapshot;
	for (unsigned i = 0; i < b->count; i++)
		batch_count(b, batch_pkt(b, i)->session ? WITH_SESSION : WITHOUT_SESSION);
}

static const struct nf_class probe_class = {
	.name = "probe",
	.help = "counts packets with a session",
	.counters = counters,
	.process = process,
};

/* A function and a path for each part of the destination ports, which are FLOWS from FIRST_PORT on. */
static struct conf *document(struct errors *errors)
{
	char functions[4096] = "", paths[8192] = "", text[16384];
	size_t f = 0, p = 0;

	for (unsigned i = 0; i < PATHS; i++) {
		unsigned first = FIRST_PORT + FLOWS * i / PATHS,
		         last = FIRST_PORT + FLOWS * (i + 1) / PATHS - 1;

		f += (size_t)snprintf(functions + f, sizeof(functions) - f,
		                      "%s{ name = \"f%u\"; kind = \"probe\"; }", i ? "," : "", i);
		p += (size_t)snprintf(paths + p, sizeof(paths) - p,
		                      "%s{ name = \"p%u\"; path = [ \"lan\", \"f%u\", \"wan\" ]; match = ( { "
		                      "destinationPorts = \"%u-%u\"; } ); }",
		                      i ? "," : "", i, i, first, last);
	}
	snprintf(text, sizeof(text),
	         "engine = { sessions = 1024; mbufs = 4096; idle = \"poll\"; seed = 1; };\n"
	         "edge = { ports = ( { name = \"lan\"; device = \"synth:?flows=%d\"; addresses = [ "
	         "\"192.0.2.1/24\" ]; }, { name = \"wan\"; device = \"synth:?silent=1\"; addresses = [ "
	         "\"198.51.100.2/24\" ]; gateways = [ \"198.51.100.254\" ]; } ); routes = ( { prefix = "
	         "\"10.0.0.0/8\"; via = \"192.0.2.254\"; } ); };\n"
	         "functions = ( %s );\npaths = ( %s );\n",
	         FLOWS, functions, paths);
	return conf_read_text(text, "test", errors);
}

static struct engine *start(void)
{
	static const struct nf_class *const classes[] = { &probe_class, NULL };
	struct engine_options options = { .classes = classes, .manual = true };
	struct errors errors = ERRORS_NONE;
	struct conf *doc = document(&errors);
	struct engine *engine = doc ? engine_new(doc, &options, &errors) : NULL;

	if (!engine || !engine_apply(engine, doc, false, &errors))
		fail_msg("%s: %s", errors.list[0].path ? errors.list[0].path : "-", errors.list[0].detail);
	return engine;
}

static const uint64_t *counted(struct engine *engine, unsigned i)
{
	char name[NF_NAME_MAX];

	snprintf(name, sizeof(name), "f%u", i);
	return engine->workers[0]->nf_counters[engine_nf(engine, name, NULL)->id];
}

static void many_in_a_burst(void **state)
{
	struct engine *engine = start();
	struct worker *w = engine->workers[0];

	(void)state;
	for (unsigned i = 0; i < TURNS; i++)
		worker_turn(w, clock_now(&engine->clock));
	assert_int_equal(w->counters[C_OPENED], FLOWS);
	for (unsigned i = 0; i < PATHS; i++) {
		assert_int_equal(counted(engine, i)[WITHOUT_SESSION], 0);
		assert_true(counted(engine, i)[WITH_SESSION] > 0);
	}
	engine_free(engine);
}

int main(void)
{
	struct eal_options eal = { .name = "test-paths", .hugepages = EAL_HUGEPAGES_NEVER, .memory_mb = 64 };
	struct errors errors = ERRORS_NONE;
	const struct CMUnitTest tests[] = { cmocka_unit_test(many_in_a_burst) };

	if (!eal_start(&eal, &errors))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
