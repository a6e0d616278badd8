/* SPDX-License-Identifier: BSD-3-Clause */
/* See helper_lb.h. One thread. */
#include "helper_lb.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb/lb_class.h"
#include "runtime/worker.h"

enum { ATTEMPTS = 4, ZONE_NEAR = 2, ZONE_FAR = 1, BENCH_SECONDS = 1000 };

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
static struct lb_config *compile(struct bench *b, const char *text, struct errors *errors)
{
	struct conf *conf = conf_of(text, errors);
	struct lb_config *config = NULL;

	if (schema_check(lb_schema, conf, errors)) {
		schema_defaults(lb_schema, conf);
		config = lb_compile(&b->nf, b->config, conf, errors);
	}
	conf_free(conf);
	return config;
}

static struct lb_config *compile_right(struct bench *b, const char *text)
{
	struct errors errors = ERRORS_NONE;
	struct lb_config *config = compile(b, text, &errors);

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
	conf_free(none);
}

static uint64_t bench_clock(const void *bench)
{
	return ((const struct bench *)bench)->now;
}

void bench_start(struct bench *b, const char *file, const char *config)
{
	struct flow_options options = {
		.file = file, .sessions_v4 = 65536, .sessions_v6 = 1024, .slot_bytes = 64, .hash_seed = 1
	};
	struct errors errors = ERRORS_NONE;
	struct lb_live *live;

	memset(b, 0, sizeof(*b));
	b->now = BENCH_SECONDS * UINT64_C(1000000000);
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
	b->nf = (struct nf){ .klass = &lb_class, .name = "lb", .workers = 1, .seed = 7, .engine = b->engine };
	assert_int_equal(lb_start(&b->nf, &errors), 0);
	live = b->nf.live;
	live->pool->clock = bench_clock;
	live->pool->clock_context = b;
	b->config = compile_right(b, config);
	lb_published(&b->nf, b->config, true);
}

void bench_stop(struct bench *b)
{
	lb_release(b->config);
	lb_stop(&b->nf);
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
	struct lb_config *next = compile_right(b, text);

	lb_release(b->config);
	b->config = next;
	lb_published(&b->nf, b->config, true);
}

void bench_refused(struct bench *b, const char *text, const char *code)
{
	struct errors errors = ERRORS_NONE;

	assert_null(compile(b, text, &errors));
	assert_true(errors.count > 0);
	assert_string_equal(errors.list[0].code, code);
	errors_free(&errors);
}

static struct rte_mbuf *packet_of(const struct flow *f)
{
	bool icmp = f->proto == IPPROTO_ICMP || f->proto == IPPROTO_ICMPV6;
	struct packet_spec spec = { .src = f->src,
		                    .dst = f->dst,
		                    .proto = f->proto,
		                    .sport = f->sport,
		                    .dport = f->dport,
		                    .tcp_flags = RTE_TCP_SYN_FLAG,
		                    .icmp_type = f->proto == IPPROTO_ICMP ? 8
		                                 : icmp                   ? 128
		                                                          : 0,
		                    .icmp_id = f->sport };

	return packet_parsed(&spec);
}

/* One try: NULL and FLOW_OK: the class refused. */
static enum flow_result try(struct bench *b, struct rte_mbuf *m, unsigned attempt, struct session **s)
{
	struct opening o = { .m = m, .walk = 1, .attempt = (uint8_t)attempt };
	struct path path = { .count = 1 };
	struct openings os = { .list = { &o },
		               .count = 1,
		               .now = b->now,
		               .counters = b->counters,
		               .worker = b->worker,
		               .path = &path };
	struct tuple answer;
	enum flow_result result;

	pkt_tuple(m, &o.tuple);
	if (flow_reserve(b->table, &o.tuple, (uint32_t)(b->now / 1000000), &o.session) != FLOW_OK)
		return FLOW_FULL;
	*s = o.session;
	o.session->bucket = (uint8_t)lb_owner(&b->nf, b->config, &o.tuple, 1);
	o.session->flags |= SESSION_WALK;
	o.answer_zone = ZONE_FAR;
	lb_open(&b->nf, b->config, &os);
	if (o.verdict != VERDICT_PASS) {
		flow_abandon(b->table, o.session);
		*s = NULL;
		return FLOW_OK;
	}
	answer = tuple_reverse(&o.tuple);
	answer.zone = o.answer_zone;
	result = flow_commit(b->table, o.session, &answer);
	if (result == FLOW_OK) {
		assert_int_equal((uint8_t)lb_owner(&b->nf, b->config, &answer, 0), o.session->bucket);
		return FLOW_OK;
	}
	lb_close(&b->nf, b->config, o.session, 0);
	flow_abandon(b->table, o.session);
	*s = NULL;
	return result;
}

struct session *bench_open(struct bench *b, const struct flow *f)
{
	struct rte_mbuf *m = packet_of(f);
	struct session *s = NULL;
	struct tuple t;
	int direction;

	pkt_of(m)->zone = ZONE_NEAR;
	pkt_tuple(m, &t);
	s = flow_find(b->table, &t, &direction);
	for (unsigned attempt = 0; !s && attempt < ATTEMPTS; attempt++)
		if (try(b, m, attempt, &s) != FLOW_CLASH)
			break;
	packet_free(m);
	return s;
}

void bench_close(struct bench *b, struct session *s)
{
	lb_close(&b->nf, b->config, s, 0);
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
	return lb_review(&b->nf, b->config, s, &tuple, 0, 1);
}

struct adopting {
	struct bench *b;
	unsigned taken;
};

static void adopt_one(void *context, struct session *s)
{
	struct adopting *a = context;

	if (lb_adopt(&a->b->nf, a->b->config, s, 0))
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

bool bench_process(struct bench *b, struct session *s, int direction, struct rte_mbuf *m)
{
	struct path path = { .id = 0 };
	struct batch batch = { .m = { m },
		               .counters = b->counters,
		               .worker = b->worker,
		               .path = &path,
		               .count = 1,
		               .walk = (uint8_t)!direction };

	pkt_of(m)->session = s;
	pkt_of(m)->dir = (uint8_t)direction;
	lb_process(&b->nf, b->config, &batch);
	return !batch.acted;
}

unsigned bench_backend(const struct bench *b, const struct session *s)
{
	const struct lb_slot *slot = nf_slot(&b->nf, (struct session *)(uintptr_t)s);
	const struct lb_backend *backend = NULL;

	for (unsigned i = 0; !backend && i < b->config->service_count; i++)
		backend = lb_backend_of(&b->config->services[i], slot->backend);
	return backend ? (unsigned)atoi(backend->name + 1) : 0;
}

void bench_spread(struct bench *b, const char *vip, unsigned n, unsigned *counts, unsigned backends)
{
	char source[32];

	memset(counts, 0, (backends + 1) * sizeof(*counts));
	for (unsigned i = 0; i < n; i++) {
		struct flow f = { IPPROTO_UDP, source, (uint16_t)(1024 + i % 50000), vip, 80 };
		struct session *s;
		unsigned number;

		snprintf(source, sizeof(source), "10.0.%u.%u", i / 250, i % 250 + 1);
		s = bench_open(b, &f);
		number = s ? bench_backend(b, s) : 0;
		assert_true(number <= backends);
		counts[number]++;
	}
}

const struct lb_backend *bench_named(const struct bench *b, const char *name)
{
	for (unsigned i = 0; i < b->config->service_count; i++)
		for (unsigned k = 0; k < b->config->services[i].backend_count; k++)
			if (strcmp(b->config->services[i].backends[k].name, name) == 0)
				return &b->config->services[i].backends[k];
	fail_msg("no backend %s", name);
	return NULL;
}

void bench_health(struct bench *b, const char *name, bool up)
{
	const struct lb_backend *backend = bench_named(b, name);
	struct pool *pool = b->config->live->pool;

	pool->backends[backend->id].checked = true;
	pool_backend_state(pool, backend->id, up, up ? "connected" : "refused");
}

uint32_t bench_sessions(const struct bench *b, const char *name)
{
	return pool_sessions(b->config->live->pool, bench_named(b, name)->id);
}
