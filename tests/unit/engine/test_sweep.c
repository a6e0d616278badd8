/* SPDX-License-Identifier: BSD-3-Clause */
/* What a change of configuration does to sessions that no packet touches. An engine without threads between ports that play flows; one thread, EAL without PCI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "runtime/process/eal.h"
#include "runtime/worker.h"

enum { FLOWS = 64, TURNS = 400, STALE = 77 };

static void pass(const struct nf *nf, const void *snapshot, struct batch *b)
{
	(void)nf;
	(void)snapshot;
	(void)b;
}

static const struct nf_class passer = { .name = "passer", .help = "passes", .process = pass };

/* Silent: no packet comes in afterwards. */
static void apply(struct engine *engine, struct conf *document, bool silent)
{
	struct errors errors = ERRORS_NONE;

	if (!engine_apply(engine, document, false, &errors))
		fail_msg("%s", errors.list[0].detail);
	atomic_store(&engine->holding, silent);
	for (unsigned i = 0; i < TURNS; i++)
		worker_turn(engine->workers[0], clock_now(&engine->clock));
}

static struct conf *document(const char *gateway)
{
	char text[1024];
	struct errors errors = ERRORS_NONE;
	struct conf *document;

	snprintf(text, sizeof(text),
	         "engine = { sessions = 1024; mbufs = 4096; idle = \"poll\"; seed = 1; };\n"
	         "edge = { ports = ( { name = \"lan\"; device = \"synth:?flows=%d\"; addresses = [ "
	         "\"192.0.2.1/24\" ]; }, { name = \"wan\"; device = \"synth:?silent=1\"; addresses = [ "
	         "\"198.51.100.2/24\" ]; gateways = [ \"%s\" ]; } ); };\n"
	         "functions = ( { name = \"p\"; kind = \"passer\"; } );\n"
	         "paths = ( { name = \"all\"; path = [ \"lan\", \"p\", \"wan\" ]; } );\n",
	         FLOWS, gateway);
	document = conf_read_text(text, "test", &errors);
	if (!document)
		fail_msg("%s", errors.list[0].detail);
	return document;
}

static void make_stale(void *count, struct session *s)
{
	s->hop[0] = s->hop[1] = STALE;
	s->hop_generation--;
	++*(unsigned *)count;
}

static void count_stale(void *count, struct session *s)
{
	*(unsigned *)count += s->hop[0] == STALE || s->hop[1] == STALE;
}

static unsigned walk(struct engine *engine, flow_visit_fn *visit)
{
	unsigned count = 0;
	uint64_t cursor = 0;

	do
		flow_walk(engine->workers[0]->table, &cursor, 1024, visit, &count);
	while (cursor);
	return count;
}

static void next_hops_of_former_tables_are_forgotten(void **state)
{
	static const struct nf_class *const classes[] = { &passer, NULL };
	struct engine_options options = { .classes = classes, .manual = true };
	struct errors errors = ERRORS_NONE;
	struct conf *first = document("198.51.100.254");
	struct engine *engine = engine_new(first, &options, &errors);

	(void)state;
	assert_non_null(engine);
	apply(engine, first, false);
	assert_int_equal(walk(engine, make_stale), FLOWS);
	assert_int_equal(walk(engine, count_stale), FLOWS);
	apply(engine, document("198.51.100.253"), true);
	assert_int_equal(walk(engine, count_stale), 0);
	engine_free(engine);
}

int main(void)
{
	struct eal_options eal = { .name = "test-sweep", .hugepages = EAL_HUGEPAGES_NEVER, .memory_mb = 64 };
	struct errors errors = ERRORS_NONE;
	const struct CMUnitTest tests[] = { cmocka_unit_test(next_hops_of_former_tables_are_forgotten) };

	if (!eal_start(&eal, &errors))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
