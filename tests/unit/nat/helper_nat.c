/* SPDX-License-Identifier: BSD-3-Clause */
/* See helper_nat.h. One thread. */
#include "helper_nat.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nat/nat_class.h"
#include "runtime/worker.h"

enum { ATTEMPTS = 4, ZONE_LAN = 1, ZONE_WAN = 2 };

uint32_t ip(const char *text)
{
	uint32_t address;

	assert_int_equal(inet_pton(AF_INET, text, &address), 1);
	return address;
}

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
static struct nat_config *compile(struct bench *b, const char *text, struct errors *errors)
{
	struct conf *conf = conf_of(text, errors);
	struct nat_config *config = NULL;

	if (schema_check(nat_schema, conf, errors)) {
		schema_defaults(nat_schema, conf);
		config = nat_compile(&b->nf, b->config, conf, errors);
	}
	conf_free(conf);
	return config;
}

static struct nat_config *compile_right(struct bench *b, const char *text)
{
	struct errors errors = ERRORS_NONE;
	struct nat_config *config = compile(b, text, &errors);

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

void bench_start(struct bench *b, const char *file, const char *config)
{
	struct flow_options options = {
		.file = file, .sessions_v4 = 16384, .sessions_v6 = 64, .slot_bytes = 64, .hash_seed = 1
	};
	struct errors errors = ERRORS_NONE;

	memset(b, 0, sizeof(*b));
	b->now = BENCH_SECONDS * 1000;
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
	b->nf = (struct nf){
		.klass = &nat_class, .name = "nat", .workers = 1, .seed = 7, .engine = b->engine
	};
	assert_int_equal(nat_start(&b->nf, &errors), 0);
	b->config = compile_right(b, config);
}

void bench_stop(struct bench *b)
{
	nat_release(b->config);
	nat_stop(&b->nf);
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
	struct nat_config *next = compile_right(b, text);

	nat_release(b->config);
	b->config = next;
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
	nat_release(compile_right(b, text));
}

static struct rte_mbuf *packet_of(const struct flow *f)
{
	struct packet_spec spec = { .src = f->src,
		                    .dst = f->dst,
		                    .proto = f->proto,
		                    .sport = f->sport,
		                    .dport = f->dport,
		                    .tcp_flags = RTE_TCP_SYN_FLAG,
		                    .icmp_type = f->proto == IPPROTO_ICMP ? 8 : 0,
		                    .icmp_id = f->sport };

	return packet_parsed(&spec);
}

/* One try: NULL and FLOW_OK: the class refused. */
static enum flow_result try(struct bench *b, int walk, struct rte_mbuf *m, unsigned attempt,
                            struct session **s)
{
	struct opening o = { .m = m, .walk = (uint8_t)walk, .attempt = (uint8_t)attempt };
	struct path path = { .count = 1 };
	struct openings os = {
		.list = { &o }, .count = 1, .counters = b->counters, .worker = b->worker, .path = &path
	};
	struct tuple answer;
	enum flow_result result;

	pkt_tuple(m, &o.tuple);
	if (flow_reserve(b->table, &o.tuple, b->now, &o.session) != FLOW_OK)
		return FLOW_FULL;
	*s = o.session;
	o.session->bucket = (uint8_t)nat_owner(&b->nf, b->config, &o.tuple, walk);
	o.session->flags |= walk ? SESSION_WALK : 0;
	o.answer_zone = walk ? ZONE_LAN : ZONE_WAN;
	nat_open(&b->nf, b->config, &os);
	if (o.verdict != VERDICT_PASS) {
		flow_abandon(b->table, o.session);
		*s = NULL;
		return FLOW_OK;
	}
	answer = tuple_reverse(&o.tuple);
	answer.zone = o.answer_zone;
	result = flow_commit(b->table, o.session, &answer);
	if (result == FLOW_OK)
		return FLOW_OK;
	nat_close(&b->nf, b->config, o.session, 0);
	flow_abandon(b->table, o.session);
	*s = NULL;
	return result;
}

static struct session *open_in(struct bench *b, int walk, uint16_t zone, const struct flow *f)
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

struct session *bench_open(struct bench *b, int walk, const struct flow *f)
{
	return open_in(b, walk, walk ? ZONE_WAN : ZONE_LAN, f);
}

struct session *bench_open_hairpin(struct bench *b, const struct flow *f)
{
	return open_in(b, INWARD, nf_zone(&b->nf), f);
}

void bench_close(struct bench *b, struct session *s)
{
	nat_close(&b->nf, b->config, s, 0);
	flow_remove(b->table, s);
}

enum verdict bench_review(struct bench *b, struct session *s)
{
	struct tuple tuple;

	session_tuple(s, 0, &tuple);
	return nat_review(&b->nf, b->config, s, &tuple, 0, 1);
}

struct adopting {
	struct bench *b;
	unsigned taken;
};

static void adopt_one(void *context, struct session *s)
{
	struct adopting *a = context;

	if (nat_adopt(&a->b->nf, a->b->config, s, 0))
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

const struct nat_slot *bench_slot(const struct bench *b, const struct session *s)
{
	return nf_slot(&b->nf, (struct session *)(uintptr_t)s);
}

uint32_t bench_ports_used(const struct bench *b)
{
	struct ports_stats stats;
	uint32_t used = 0;

	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++) {
		for (unsigned k = 0; b->config->pools >> p & 1 && k < PORTS_BUCKETS; k++) {
			ports_stats(b->config->live->pools[p]->ports, k, &stats);
			used += stats.used[PORTS_TCP] + stats.used[PORTS_UDP] + stats.used[PORTS_ICMP];
		}
	}
	return used;
}

uint32_t bench_mappings(const struct bench *b)
{
	return mappings_used(b->config->live->workers[0]);
}

bool bench_process(struct bench *b, struct session *s, int walk, struct rte_mbuf *m)
{
	struct path path = { .id = 0 };
	struct batch batch = { .m = { m },
		               .counters = b->counters,
		               .worker = b->worker,
		               .path = &path,
		               .count = 1,
		               .walk = (uint8_t)walk };

	pkt_of(m)->session = s;
	nat_process(&b->nf, b->config, &batch);
	return !batch.acted;
}

void expect_outside(const struct bench *b, const struct session *s, const char *address, uint16_t port)
{
	assert_non_null(s);
	assert_int_equal(bench_slot(b, s)->out.address, ip(address));
	if (port)
		assert_int_equal(ntohs(bench_slot(b, s)->out.port), port);
}

void expect_inside(const struct bench *b, const struct session *s, const char *address, uint16_t port)
{
	assert_non_null(s);
	assert_int_equal(bench_slot(b, s)->in.address, ip(address));
	if (port)
		assert_int_equal(ntohs(bench_slot(b, s)->in.port), port);
}
