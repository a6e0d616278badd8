/* SPDX-License-Identifier: BSD-3-Clause */
/* See class_bench.h. One thread. */
#include "support/class_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/worker.h"

enum { ATTEMPTS = 4 };

static struct conf *conf_of(const char *text, struct errors *errors)
{
	char *json = strdup(text);
	json_t *tree;
	struct conf *conf;

	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	tree = json_loads(json, 0, NULL);
	assert_non_null(tree);
	conf = conf_from_json(tree, errors);
	assert_non_null(conf);
	json_decref(tree);
	free(json);
	return conf;
}

/* As the runtime does it: checked, filled in, compiled. NULL with errors. */
static void *compile(struct bench *b, const char *text, struct errors *errors)
{
	const struct nf_class *class = b->nf.klass;
	struct conf *conf = conf_of(text, errors);
	void *config = NULL;

	if (schema_check(class->schema, conf, errors)) {
		schema_defaults(class->schema, conf);
		config = class->compile(&b->nf, b->config, conf, errors);
	}
	conf_free(conf);
	return config;
}

static void *compile_right(struct bench *b, const char *text)
{
	struct errors errors = ERRORS_NONE;
	void *config = compile(b, text, &errors);

	for (size_t i = 0; i < errors.count; i++)
		print_error("%s: %s\n", errors.list[i].code, errors.list[i].detail);
	assert_non_null(config);
	return config;
}

/* An edge without ports: whatever the class has it answer goes nowhere. */
static void start_edge(struct bench *b)
{
	struct conf *none = conf_new(NULL, CONF_GROUP, NULL);
	struct errors errors = ERRORS_NONE;

	schema_defaults(edge_schema, none);
	b->engine->edge = edge_new(1, &errors);
	assert_non_null(b->engine->edge);
	b->snapshot = calloc(1, sizeof(*b->snapshot));
	assert_non_null(b->snapshot);
	b->snapshot->edge = edge_compile(b->engine->edge, none, NULL, 0, NULL, 0, NULL, &errors);
	assert_non_null(b->snapshot->edge);
	b->worker->snapshot = b->snapshot;
	b->worker->edge_table = b->snapshot->edge;
	conf_free(none);
}

void bench_begin(struct bench *b, const struct nf_class *class, const char *file)
{
	struct flow_options options = {
		.file = file, .sessions_v4 = 65536, .sessions_v6 = 1024, .slot_bytes = 64, .hash_seed = 1
	};
	struct errors errors = ERRORS_NONE;

	memset(b, 0, sizeof(*b));
	b->now = 1000 * UINT64_C(1000000000);
	b->engine = calloc(1, sizeof(*b->engine));
	b->worker = aligned_alloc(64, (sizeof(*b->worker) + 63) / 64 * 64);
	assert_true(b->engine && b->worker);
	memset(b->worker, 0, sizeof(*b->worker));
	b->engine->sizes.workers = 1;
	b->engine->workers[0] = b->worker;
	b->worker->engine = b->engine;
	start_edge(b);
	b->table = flow_table_new(&options, &errors);
	assert_non_null(b->table);
	b->nf = (struct nf){ .klass = class, .workers = 1, .seed = 7, .engine = b->engine };
	snprintf(b->nf.name, sizeof(b->nf.name), "%s", class->name);
	assert_int_equal(class->start(&b->nf, &errors), 0);
}

void bench_stop(struct bench *b)
{
	b->nf.klass->release(b->config);
	b->nf.klass->stop(&b->nf);
	flow_table_free(b->table);
	edge_table_free(b->snapshot->edge);
	free(b->snapshot);
	edge_free(b->engine->edge);
	free(b->worker);
	free(b->engine);
	assert_int_equal(packet_live(), 0);
}

void bench_reload(struct bench *b, const char *text)
{
	const struct nf_class *class = b->nf.klass;
	void *next = compile_right(b, text);

	if (b->config)
		class->release(b->config);
	b->config = next;
	if (class->published)
		class->published(&b->nf, b->config, true);
}

void bench_refused(struct bench *b, const char *text, const char *code)
{
	struct errors errors = ERRORS_NONE;

	assert_null(compile(b, text, &errors));
	assert_true(errors.count > 0);
	assert_string_equal(errors.list[0].code, code);
	errors_free(&errors);
}

void bench_dry(struct bench *b, const char *text)
{
	b->nf.klass->release(compile_right(b, text));
}

static struct rte_mbuf *packet_of(const struct flow *f)
{
	struct packet_spec spec = { .src = f->src,
		                    .dst = f->dst,
		                    .proto = f->proto,
		                    .sport = f->sport,
		                    .dport = f->dport,
		                    .tcp_flags = RTE_TCP_SYN_FLAG,
		                    .icmp_id = f->sport };

	if (f->proto == IPPROTO_ICMP)
		spec.icmp_type = 8;
	else if (f->proto == IPPROTO_ICMPV6)
		spec.icmp_type = 128;
	return packet_parsed(&spec);
}

/* One try: NULL and FLOW_OK: the class refused. */
static enum flow_result try(struct bench *b, int walk, struct rte_mbuf *m, unsigned attempt,
                            struct session **s)
{
	const struct nf_class *class = b->nf.klass;
	struct opening o = { .m = m, .walk = (uint8_t)walk, .attempt = (uint8_t)attempt };
	struct path path = { .count = 1 };
	struct openings os = { .list = { &o },
		               .count = 1,
		               .now = b->now,
		               .counters = b->counters,
		               .worker = b->worker,
		               .path = &path };
	struct tuple answer;
	enum flow_result result = FLOW_OK;

	pkt_tuple(m, &o.tuple);
	if (flow_reserve(b->table, &o.tuple, (uint32_t)(b->now / 1000000), &o.session) != FLOW_OK)
		return FLOW_FULL;
	o.session->bucket = (uint8_t) class->owner(&b->nf, b->config, &o.tuple, walk);
	o.session->flags |= walk ? SESSION_WALK : 0;
	o.answer_zone = walk ? BENCH_LAN : BENCH_WAN;
	class->open(&b->nf, b->config, &os);
	if (o.verdict == VERDICT_PASS) {
		answer = tuple_reverse(&o.tuple);
		answer.zone = o.answer_zone;
		result = flow_commit(b->table, o.session, &answer);
		if (result == FLOW_OK) {
			*s = o.session;
			return FLOW_OK;
		}
		class->close(&b->nf, b->config, o.session, 0);
	}
	flow_abandon(b->table, o.session);
	return result;
}

struct session *bench_open_in(struct bench *b, int walk, uint16_t zone, const struct flow *f)
{
	struct rte_mbuf *m = packet_of(f);
	struct session *s = NULL;

	pkt_of(m)->zone = zone;
	for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++)
		if (try(b, walk, m, attempt, &s) != FLOW_CLASH)
			break;
	packet_free(m);
	return s;
}

struct session *bench_known(struct bench *b, uint16_t zone, const struct flow *f)
{
	struct rte_mbuf *m = packet_of(f);
	struct tuple tuple;
	int direction;

	pkt_of(m)->zone = zone;
	pkt_tuple(m, &tuple);
	packet_free(m);
	return flow_find(b->table, &tuple, &direction);
}

void bench_close(struct bench *b, struct session *s)
{
	b->nf.klass->close(&b->nf, b->config, s, 0);
	flow_remove(b->table, s);
}

static void close_one(void *context, struct session *s)
{
	bench_close(context, s);
}

void bench_close_all(struct bench *b)
{
	uint64_t cursor = 0;

	do
		flow_walk(b->table, &cursor, 1000, close_one, b);
	while (cursor);
}

enum verdict bench_review(struct bench *b, struct session *s)
{
	struct tuple tuple;

	session_tuple(s, 0, &tuple);
	return b->nf.klass->review(&b->nf, b->config, s, &tuple, 0, 1);
}

struct adopting {
	struct bench *b;
	unsigned taken;
};

static void adopt_one(void *context, struct session *s)
{
	struct adopting *a = context;

	if (a->b->nf.klass->adopt(&a->b->nf, a->b->config, s, 0))
		a->taken++;
	else
		flow_remove(a->b->table, s);
}

unsigned bench_adopt(struct bench *b)
{
	struct adopting a = { b, 0 };
	uint64_t cursor = 0;

	do
		flow_walk(b->table, &cursor, 1000, adopt_one, &a);
	while (cursor);
	return a.taken;
}

bool bench_pass(struct bench *b, struct session *s, int walk, struct rte_mbuf *m)
{
	struct path path = { .id = 0 };
	struct batch batch = { .m = { m },
		               .counters = b->counters,
		               .worker = b->worker,
		               .path = &path,
		               .count = 1,
		               .walk = (uint8_t)walk };

	pkt_of(m)->session = s;
	b->nf.klass->process(&b->nf, b->config, &batch);
	return !batch.acted;
}
