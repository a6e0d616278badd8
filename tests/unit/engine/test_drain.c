/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A function that rewrites is taken out of its path: sessions that have its slot go on through it, new ones do not, and it is gone after the last of
 * them, or when its time is up. An engine without threads between ports that play flows; one thread, EAL without PCI.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/change/drain.h"
#include "runtime/process/eal.h"

enum { FLOWS = 64, TURNS = 400, ROOM = 2048 };

enum { STRANGERS, OWN };

static const struct nf_counter counters[] = {
	[STRANGERS] = { "strangers", "Packets of sessions that it has not opened.", false },
	[OWN] = { "own", "Packets of those that it has.", false },
	{ NULL, NULL, false },
};

static const uint32_t MARK = 0x600d600d;

/* Each session is told to another port, and marked in its slot. */
static void open(const struct nf *nf, const void *snapshot, struct openings *os)
{
	(void)snapshot;
	for (unsigned i = 0; i < os->count; i++) {
		struct opening *o = os->list[i];

		if (o->flags & OPEN_ADDED)
			continue;
		o->tuple.dport ^= rte_cpu_to_be_16((uint16_t)(0x1000 << (nf->name[1] - '1')));
		memcpy(nf_slot(nf, o->session), &MARK, sizeof(MARK));
	}
}

static void process(const struct nf *nf, const void *snapshot, struct batch *b)
{
	(void)snapshot;
	for (unsigned i = 0; i < b->count; i++)
		batch_count(b, memcmp(nf_slot(nf, batch_pkt(b, i)->session), &MARK, sizeof(MARK)) == 0
		                       ? OWN
		                       : STRANGERS);
}

/* The same in front of it and behind it, to be counted. */
static void pass(const struct nf *nf, const void *snapshot, struct batch *b)
{
	(void)nf;
	(void)snapshot;
	(void)b;
}

static const struct nf_class rewriter = { .name = "rewriter",
	                                  .help = "rewrites",
	                                  .flags = NF_REWRITES,
	                                  .slot = { .size = 32, .version = 1 },
	                                  .counters = counters,
	                                  .open = open,
	                                  .process = process };
static const struct nf_class passer = {
	.name = "passer", .help = "passes", .slot = { 32, 1 }, .process = pass
};

/* `functions`: names, the first letter says what: r or p; `path`: as written; `flows`: of the port that plays them. */
static struct conf *document(const char *functions, const char *path, unsigned drain)
{
	char list[512] = "", text[ROOM];
	struct errors errors = ERRORS_NONE;
	struct conf *doc;
	size_t n = 0;

	for (const char *c = functions; *c; c += 2)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s{ name = \"%.2s\"; kind = \"%s\"; }",
		                      n ? ", " : "", c, *c == 'r' ? "rewriter" : "passer");
	snprintf(text, sizeof(text),
	         "engine = { sessions = 1024; mbufs = 4096; idle = \"poll\"; seed = 1; drain = %u; };\n"
	         "edge = { ports = ( { name = \"lan\"; device = \"synth:?flows=%d\"; addresses = [ "
	         "\"192.0.2.1/24\" ]; }, "
	         "{ name = \"wan\"; device = \"synth:?silent=1\"; addresses = [ \"198.51.100.2/24\" ]; "
	         "gateways = [ "
	         "\"198.51.100.254\" ]; } ); };\n"
	         "functions = ( %s );\npaths = ( { name = \"all\"; path = [ %s ]; } );\n",
	         drain, FLOWS, list, path);
	doc = conf_read_text(text, "test", &errors);
	if (!doc)
		fail_msg("%s", errors.list[0].detail);
	return doc;
}

static void apply(struct engine *engine, struct conf *doc)
{
	struct errors errors = ERRORS_NONE;

	if (!engine_apply(engine, doc, false, &errors))
		fail_msg("%s: %s", errors.list[0].path ? errors.list[0].path : "-", errors.list[0].detail);
}

static void turn(struct engine *engine, unsigned times)
{
	while (times--)
		worker_turn(engine->workers[0], clock_now(&engine->clock));
}

static struct engine *start(const char *functions, const char *path)
{
	static const struct nf_class *const classes[] = { &rewriter, &passer, NULL };
	struct engine_options options = { .classes = classes, .manual = true };
	struct errors errors = ERRORS_NONE;
	struct conf *doc = document(functions, path, 100);
	struct engine *engine = engine_new(doc, &options, &errors);

	assert_non_null(engine);
	apply(engine, doc);
	turn(engine, TURNS);
	return engine;
}

/* Positions of the one path as they run, with a + behind those that drain. */
static const char *walk(struct engine *engine)
{
	static char text[256];
	const struct path *path = atomic_load(&engine->snapshot)->paths[0];
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < path->count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", i ? " " : "",
		                      path->positions[i].name, path->positions[i].draining ? "+" : "");
	return text;
}

static uint64_t counted(struct engine *engine, const char *name, unsigned counter)
{
	return engine->workers[0]->nf_counters[engine_nf(engine, name, NULL)->id][counter];
}

static int64_t sessions(struct engine *engine, const char *name)
{
	return drain_sessions(engine, engine_nf(engine, name, NULL)->id);
}

/* What a control thread does, as if a second had passed. */
static void look(struct engine *engine)
{
	engine->drain_look = 0;
	engine_renew(engine);
}

static void close_one(void *worker, struct session *s)
{
	session_close(worker, s);
}

static void close_all(struct engine *engine)
{
	uint64_t cursor = 0;

	flow_walk(engine->workers[0]->table, &cursor, 1u << 20, close_one, engine->workers[0]);
}

static void sessions_go_on(void **state)
{
	struct engine *engine = start("p1r1p2", "\"lan\", \"p1\", \"r1\", \"p2\", \"wan\"");
	struct worker *w = engine->workers[0];
	uint64_t own, past;

	(void)state;
	assert_int_equal(w->counters[C_OPENED], FLOWS);
	apply(engine, document("p1p2", "\"lan\", \"p1\", \"p2\", \"wan\"", 100));
	assert_string_equal(walk(engine), "p1 r1+ p2");
	own = counted(engine, "r1", OWN);
	turn(engine, TURNS);
	assert_true(counted(engine, "r1", OWN) > own);
	assert_int_equal(w->counters[C_CLOSED], 0);
	assert_int_equal(sessions(engine, "r1"), FLOWS);
	look(engine);
	assert_string_equal(walk(engine), "p1 r1+ p2");

	/* Opened anew, they go past it. */
	close_all(engine);
	own = counted(engine, "r1", OWN);
	past = w->traffic[engine_nf(engine, "p2", NULL)->id].packets[0];
	w->drain_count_at = 0;
	turn(engine, TURNS);
	assert_int_equal(w->counters[C_OPENED], 2 * FLOWS);
	assert_int_equal(counted(engine, "r1", OWN), own);
	assert_int_equal(counted(engine, "r1", STRANGERS), 0);
	assert_true(w->traffic[engine_nf(engine, "p2", NULL)->id].packets[0] > past);
	assert_int_equal(sessions(engine, "r1"), 0);
	look(engine);
	assert_string_equal(walk(engine), "p1 p2");
	assert_null(engine_nf(engine, "r1", NULL));
	assert_null(engine->running);
	engine_free(engine);
}

static void time_is_up(void **state)
{
	struct engine *engine = start("r1", "\"lan\", \"r1\", \"wan\"");
	struct worker *w = engine->workers[0];

	(void)state;
	apply(engine, document("", "\"lan\", \"wan\"", 100));
	assert_string_equal(walk(engine), "r1+");
	turn(engine, TURNS);
	engine->sizes.drain = 0;
	look(engine);
	assert_string_equal(walk(engine), "");
	turn(engine, TURNS);
	assert_int_equal(w->counters[C_PATH_CHANGED], FLOWS);
	engine_free(engine);
}

static void not_wanted(void **state)
{
	struct engine *engine = start("r1", "\"lan\", \"r1\", \"wan\"");

	(void)state;
	apply(engine, document("", "\"lan\", \"wan\"", 0));
	assert_string_equal(walk(engine), "");
	engine_free(engine);
}

static void several(void **state)
{
	struct engine *engine = start("r1p1r2", "\"lan\", \"r1\", \"p1\", \"r2\", \"wan\"");

	(void)state;
	apply(engine, document("p1", "\"lan\", \"p1\", \"wan\"", 100));
	turn(engine, TURNS);
	assert_string_equal(walk(engine), "r1+ p1 r2+");
	assert_int_equal(sessions(engine, "r1"), FLOWS);
	assert_int_equal(sessions(engine, "r2"), FLOWS);
	assert_int_equal(engine->workers[0]->counters[C_CLOSED], 0);

	/* It comes back, where it was or elsewhere, and drains no more. */
	apply(engine, document("p1r2", "\"lan\", \"r2\", \"p1\", \"wan\"", 100));
	turn(engine, TURNS);
	assert_string_equal(walk(engine), "r1+ r2 p1");

	/* As an operator may say it, too: then it goes when he says so. */
	apply(engine, document("r1p1", "\"lan\", \"r1\", \"p1\", \"wan\" ]; draining = [ \"r1\"", 100));
	turn(engine, TURNS);
	assert_string_equal(walk(engine), "r1+ r2+ p1");
	assert_int_equal(engine->workers[0]->counters[C_CLOSED], 0);
	close_all(engine);
	engine->workers[0]->drain_count_at = 0;
	turn(engine, TURNS);
	look(engine);
	assert_string_equal(walk(engine), "r1+ p1");
	engine_free(engine);
}

/* Each has a slot of 32 bytes, and there is room for three: who is asked for comes before who drains. */
static void no_room(void **state)
{
	struct engine *engine = start("r1p1", "\"lan\", \"r1\", \"p1\", \"wan\"");

	(void)state;
	apply(engine, document("p1p2", "\"lan\", \"p1\", \"p2\", \"wan\"", 100));
	turn(engine, TURNS);
	assert_string_equal(walk(engine), "r1+ p1 p2");
	struct conf *wanted = document("p1p2p3", "\"lan\", \"p1\", \"p2\", \"p3\", \"wan\"", 100);
	struct errors errors = ERRORS_NONE;

	assert_false(engine_apply(engine, wanted, true, &errors));
	assert_string_equal(errors.list[0].code, "no-slot");
	assert_non_null(strstr(errors.list[0].detail, "while these drain: \"r1\";"));
	errors_free(&errors);
	assert_string_equal(walk(engine), "r1+ p1 p2");
	apply(engine, wanted);
	turn(engine, TURNS);
	assert_string_equal(walk(engine), "p1 p2 p3");
	assert_int_equal(engine->workers[0]->counters[C_PATH_CHANGED], FLOWS);
	engine_free(engine);
}

int main(void)
{
	struct eal_options eal = { .name = "test-drain", .hugepages = EAL_HUGEPAGES_NEVER, .memory_mb = 64 };
	struct errors errors = ERRORS_NONE;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_go_on), cmocka_unit_test(time_is_up), cmocka_unit_test(not_wanted),
		cmocka_unit_test(several),        cmocka_unit_test(no_room),
	};

	if (!eal_start(&eal, &errors))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
