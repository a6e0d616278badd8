/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The session table: creation, opening and removal of sessions, statistics. See table.h for the contract,
 * table_private.h for the layout. Owned by one worker; created before it turns and freed after it has
 * stopped.
 */
#include "flow/table_private.h"

#include <stdlib.h>

#include "util/errors.h"

const struct flow_timeouts flow_default_timeouts = { .seconds = {
	                                                     [CLASS_TCP_OPENING] = 240,
	                                                     [CLASS_TCP_ESTABLISHED] = 7440,
	                                                     [CLASS_TCP_CLOSING] = 240,
	                                                     [CLASS_UDP] = 300,
	                                                     [CLASS_UDP_OPENING] = 120,
	                                                     [CLASS_ICMP] = 60,
	                                                     [CLASS_OTHER] = 300,
	                                                     [CLASS_SCTP_OPENING] = 30,
	                                                     [CLASS_SCTP_ESTABLISHED] = 210,
	                                                     [CLASS_SCTP_CLOSING] = 10,
	                                                     [CLASS_ICMP_OPENING] = 60,
	                                             } };

const char *const session_class_names[SESSION_CLASSES] = {
	[CLASS_TCP_OPENING] = "tcp-opening",
	[CLASS_TCP_ESTABLISHED] = "tcp-established",
	[CLASS_TCP_CLOSING] = "tcp-closing",
	[CLASS_UDP] = "udp",
	[CLASS_UDP_OPENING] = "udp-opening",
	[CLASS_ICMP] = "icmp",
	[CLASS_OTHER] = "other",
	[CLASS_SCTP_OPENING] = "sctp-opening",
	[CLASS_SCTP_ESTABLISHED] = "sctp-established",
	[CLASS_SCTP_CLOSING] = "sctp-closing",
	[CLASS_ICMP_OPENING] = "icmp-opening",
};

static const uint8_t table_magic[8] = "SLUICEFT";

/* splitmix64: four secrets out of one seed. */
static void make_secrets(struct flow_table *t, uint32_t seed)
{
	uint64_t state = seed;

	t->seed = seed;
	for (int i = 0; i < 4; i++) {
		uint64_t z = state += 0x9e3779b97f4a7c15;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		t->secret[i] = z ^ (z >> 31);
	}
}

void flow_plan(const struct flow_options *o, struct flow_header *plan)
{
	uint64_t entries = 2 * ((uint64_t)o->sessions_v4 + o->sessions_v6);
	uint64_t slots = (o->slot_bytes + 63ULL) & ~63ULL;

	*plan = (struct flow_header){
		.version = TABLE_VERSION,
		.record_bytes = sizeof(struct session),
		.capacity = { o->sessions_v4, o->sessions_v6 },
		.slot_bytes = (uint32_t)slots,
		.buckets = (uint32_t)((entries + BUCKET_FILL - 1) / BUCKET_FILL),
		.seed = o->hash_seed,
	};
	memcpy(plan->magic, table_magic, sizeof(table_magic));
	/* Nearly twice what full tables of that fill need; small ones get more, for they vary more. */
	plan->overflows = plan->buckets / 8 + 16;
	plan->bytes = TABLE_HEADER +
	              ((uint64_t)plan->buckets + plan->overflows) * sizeof(struct flow_bucket) +
	              o->sessions_v4 * (sizeof(struct session) + slots) +
	              o->sessions_v6 * (sizeof(struct session) + sizeof(struct session_v6) + slots);
}

static bool options_valid(const struct flow_options *o, struct errors *errors)
{
	uint64_t sessions = (uint64_t)o->sessions_v4 + o->sessions_v6;

	if (sessions == 0 || sessions > FLOW_MAX_SESSIONS)
		errors_add(errors, "sessions", "out-of-range", NULL, 0, "%llu sessions: expected 1 to %u",
		           (unsigned long long)sessions, FLOW_MAX_SESSIONS);
	else if (o->slot_bytes > 4096)
		errors_add(errors, "slots", "out-of-range", NULL, 0,
		           "%u bytes of slots a session: expected at most 4096", o->slot_bytes);
	else if (o->max_half_open_percent > 100)
		errors_add(errors, "halfOpen", "out-of-range", NULL, 0,
		           "%u percent half-open: expected at most 100", o->max_half_open_percent);
	else
		return true;
	return false;
}

static void place_pool(struct flow_table *t, unsigned family, uint8_t *base, uint32_t first, uint32_t percent)
{
	struct flow_pool *pool = &t->pool[family];
	uint32_t capacity = t->header->capacity[family];
	uint32_t limit = (uint32_t)((uint64_t)capacity * (percent ? percent : 25) / 100);

	*pool = (struct flow_pool){
		.base = base,
		.stride = (uint32_t)sizeof(struct session) + t->header->slot_bytes +
		          (family ? (uint32_t)sizeof(struct session_v6) : 0),
		.first = first,
		.capacity = capacity,
		.fresh = &t->header->fresh[family],
		.free = SESSION_NONE,
		.half_open_limit = limit ? limit : 1,
	};
}

/* Points into the region, whose header is in place. */
static void place(struct flow_table *t, uint32_t half_open_percent)
{
	const struct flow_header *h = t->header;
	uint8_t *records;

	t->buckets = (struct flow_bucket *)((uint8_t *)t->region.base + TABLE_HEADER);
	t->bucket_count = h->buckets;
	t->overflow_fresh = h->buckets;
	t->overflow_end = h->buckets + h->overflows;
	records = (uint8_t *)(t->buckets + t->overflow_end);
	place_pool(t, 0, records, 0, half_open_percent);
	place_pool(t, 1, records + (uint64_t)t->pool[0].stride * h->capacity[0], h->capacity[0],
	           half_open_percent);
	make_secrets(t, h->seed);
	lists_init(t);
}

bool flow_same_geometry(const struct flow_header *found, const struct flow_header *planned)
{
	struct flow_header h = *found;

	h.seed = planned->seed;
	h.fresh[0] = h.fresh[1] = 0;
	return memcmp(&h, planned, sizeof(h)) == 0 && found->fresh[0] <= found->capacity[0] &&
	       found->fresh[1] <= found->capacity[1];
}

static void adopt_or_format(struct flow_table *t, const struct flow_header *planned,
                            const struct flow_options *options)
{
	bool found = t->region.found && flow_same_geometry(t->header, planned);

	if (!found) {
		if (t->region.found)
			region_clear(&t->region);
		*t->header = *planned;
	}
	place(t, options->max_half_open_percent);
	if (found)
		flow_recover(t, options->now);
}

struct flow_table *flow_table_new(const struct flow_options *options, struct errors *errors)
{
	struct flow_header planned;
	struct flow_table *t;

	if (!options_valid(options, errors))
		return NULL;
	flow_plan(options, &planned);
	t = aligned_alloc(64, (sizeof(*t) + 63) / 64 * 64);
	if (!t) {
		errors_add(errors, "sessions", "no-memory", NULL, 0, "no memory for the session table");
		return NULL;
	}
	memset(t, 0, sizeof(*t));
	if (!region_open(&t->region, options->file, planned.bytes, errors)) {
		free(t);
		return NULL;
	}
	t->quality = calloc((size_t)options->sessions_v4 + options->sessions_v6, sizeof(*t->quality));
	if (!t->quality) {
		errors_add(errors, "sessions", "no-memory", NULL, 0, "no memory for the session table");
		flow_table_free(t);
		return NULL;
	}
	t->header = t->region.base;
	adopt_or_format(t, &planned, options);
	return t;
}

void flow_table_free(struct flow_table *table)
{
	if (!table)
		return;
	region_close(&table->region);
	free(table->quality);
	free(table);
}

void flow_clock(struct flow_table *table, uint32_t now_us)
{
	table->now_us = now_us;
}

void flow_verify_tcp(struct flow_table *table, bool verify)
{
	table->verify_tcp = verify;
}

void flow_totals(struct flow_table *table, struct tcp_totals *by_path, uint32_t count)
{
	table->totals = by_path;
	table->totals_count = count;
}

const struct tcp_quality *flow_quality(const struct flow_table *table, const struct session *s)
{
	return &table->quality[flow_index(table, s)];
}

void flow_key(const struct flow_table *t, const struct tuple *tuple, struct session_key *key)
{
	uint64_t words[2] = { 0, tuple_rest(tuple) };

	if (tuple->family == FAMILY_V6)
		words[0] = flow_digest6(t, tuple->src.bytes) | (uint64_t)flow_digest6(t, tuple->dst.bytes)
		                                                       << 32;
	else
		words[0] = tuple->src.v4 | (uint64_t)tuple->dst.v4 << 32;
	memcpy(key, words, sizeof(*key));
}

void session_tuple(const struct session *s, int direction, struct tuple *t)
{
	const struct session_key *key = &s->key[direction];
	const union ipaddr *v6 = (const union ipaddr *)(s + 1) + 2 * direction;

	memset(t, 0, sizeof(*t));
	t->src = key->family == FAMILY_V6 ? v6[0] : ip_v4(key->src);
	t->dst = key->family == FAMILY_V6 ? v6[1] : ip_v4(key->dst);
	t->sport = key->sport;
	t->dport = key->dport;
	t->zone = key->zone;
	t->vlan = key->vlan;
	t->proto = key->proto;
	t->family = key->family;
}

static void set_key(struct flow_table *t, struct session *s, unsigned direction, const struct tuple *tuple)
{
	flow_key(t, tuple, &s->key[direction]);
	if (s->flags & SESSION_V6) {
		session_v6(s)->address[2 * direction] = tuple->src;
		session_v6(s)->address[2 * direction + 1] = tuple->dst;
	}
}

static enum session_class first_class(const struct tuple *tuple)
{
	switch (tuple->proto) {
	case 6:
		return CLASS_TCP_OPENING;
	case 17:
		return CLASS_UDP_OPENING;
	case 132:
		return CLASS_SCTP_OPENING;
	case 1:
	case 58:
		return CLASS_ICMP_OPENING;
	default:
		return CLASS_OTHER;
	}
}

/* The half-open limit comes first: what it evicts may be the room that is needed. */
static struct session *take_or_evict(struct flow_table *t, unsigned family, bool half_open, uint32_t now,
                                     enum flow_result *result)
{
	struct flow_pool *pool = &t->pool[family];
	struct session *s;

	if (half_open && pool->half_open >= pool->half_open_limit && !flow_evict(t, family, now)) {
		t->counters.half_open_refused++;
		*result = FLOW_HALF_OPEN;
		return NULL;
	}
	s = record_take(t, family);
	if (!s && (flow_evict(t, family, now) || flow_evict_over(t, family, now)))
		s = record_take(t, family);
	if (!s) {
		t->counters.full++;
		*result = FLOW_FULL;
	}
	return s;
}

bool flow_half_open_above(const struct flow_table *table, const struct tuple *forward, unsigned percent)
{
	const struct flow_pool *pool = &table->pool[forward->family == FAMILY_V6];

	return (uint64_t)pool->half_open * 100 >= (uint64_t)pool->half_open_limit * percent;
}

enum flow_result table_reserve(struct flow_table *table, const struct tuple *forward,
                               enum session_class klass, uint32_t now, struct session **session)
{
	unsigned family = forward->family == FAMILY_V6;
	enum flow_result result = FLOW_OK;
	struct session *s = take_or_evict(table, family, class_half_open(klass), now, &result);

	*session = s;
	if (!s)
		return result;
	set_key(table, s, 0, forward);
	s->klass = (uint8_t)klass;
	s->last_seen = s->queued = now;
	table->pool[family].half_open += class_half_open(klass);
	return FLOW_OK;
}

enum flow_result flow_reserve(struct flow_table *table, const struct tuple *forward, uint32_t now,
                              struct session **session)
{
	return table_reserve(table, forward, first_class(forward), now, session);
}

enum flow_result flow_reserve_aside(struct flow_table *table, const struct tuple *forward, uint32_t now,
                                    struct session **session)
{
	return table_reserve(table, forward, CLASS_OTHER, now, session);
}

enum flow_result flow_commit(struct flow_table *table, struct session *s, const struct tuple *reverse)
{
	enum flow_result result;

	if (reverse) {
		set_key(table, s, 1, reverse);
		s->flags &= (uint8_t)~SESSION_ONEWAY;
	} else {
		memset(&s->key[1], 0, sizeof(s->key[1]));
		s->flags |= SESSION_ONEWAY;
	}
	result = index_add_session(table, s);
	if (result == FLOW_CLASH)
		table->counters.clashes++;
	if (result == FLOW_FULL)
		table->counters.full++;
	if (result != FLOW_OK)
		return result;
	list_append(table, s, LIST_STEPS - 1, s->queued);
	table->counters.opened++;
	table->counters.live++;
	table->counters.per_class[s->klass]++;
	session_write_end(s);
	return FLOW_OK;
}

void flow_abandon(struct flow_table *table, struct session *s)
{
	table->pool[session_family(s)].half_open -= class_half_open(s->klass);
	record_give(table, s);
}

void flow_remove(struct flow_table *table, struct session *s)
{
	uint32_t reference = flow_index(table, s) << 1;

	session_write_begin(s);
	list_unlink(table, s);
	index_remove(table, &s->key[0], reference);
	if (!(s->flags & SESSION_ONEWAY))
		index_remove(table, &s->key[1], reference | 1);
	table->pool[session_family(s)].half_open -= class_half_open(s->klass);
	table->counters.closed++;
	table->counters.live--;
	table->counters.per_class[s->klass]--;
	record_give(table, s);
}

static void take_keys_out(struct flow_table *table, struct session *s)
{
	uint32_t reference = flow_index(table, s) << 1;

	index_remove(table, &s->key[0], reference);
	if (!(s->flags & SESSION_ONEWAY))
		index_remove(table, &s->key[1], reference | 1);
}

/* Who stands in the way of a key of this session. */
static struct session *holder(struct flow_table *table, struct session *s)
{
	for (int direction = 0; direction < (s->flags & SESSION_ONEWAY ? 1 : 2); direction++) {
		struct tuple tuple;
		struct session *other;
		int found;

		session_tuple(s, direction, &tuple);
		tuple.zone = s->key[direction].zone;
		other = flow_find(table, &tuple, &found);
		if (other && other != s)
			return other;
	}
	return s;
}

struct session *flow_rekey(struct flow_table *table, struct session *s, const struct tuple *forward,
                           const struct tuple *reverse)
{
	struct tuple before[2];
	struct session *other = NULL;

	session_tuple(s, 0, &before[0]);
	session_tuple(s, 1, &before[1]);
	session_write_begin(s);
	take_keys_out(table, s);
	set_key(table, s, 0, forward);
	if (!(s->flags & SESSION_ONEWAY))
		set_key(table, s, 1, reverse);
	if (index_add_session(table, s) != FLOW_OK) {
		other = holder(table, s);
		set_key(table, s, 0, &before[0]);
		if (!(s->flags & SESSION_ONEWAY))
			set_key(table, s, 1, &before[1]);
		index_add_session(table, s); /* there was room a moment ago */
	}
	session_write_end(s);
	return other;
}
