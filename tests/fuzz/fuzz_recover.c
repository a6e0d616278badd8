/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A predecessor's sessions with any bytes changed in the file that holds them: what a successor takes over is findable by
 * its own keys and counted right, expires, and all capacity can be used afterwards. The input: one byte of which family
 * and how many sessions were open, then changes: where (2 bytes), how many bytes (1), these bytes.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "flow/table_private.h"
#include "util/errors.h"

enum { V4 = 12, V6 = 8, NOW = 5000, LATE = 2000000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct check {
	struct flow_table *table;
	uint32_t seen;
};

static void require(bool ok)
{
	if (!ok)
		abort();
}

static struct flow_table *open_table(const char *file)
{
	struct flow_options options = { .file = file,
		                        .sessions_v4 = V4,
		                        .sessions_v6 = V6,
		                        .slot_bytes = 64,
		                        .hash_seed = 0x5eed,
		                        .now = NOW + V6 };
	struct errors errors = ERRORS_NONE;
	struct flow_table *table = flow_table_new(&options, &errors);

	require(table && !errors_any(&errors));
	return table;
}

static struct tuple numbered(uint8_t family, uint32_t i)
{
	struct tuple t = { .family = family, .proto = IPPROTO_GRE };

	t.src.bytes[0] = t.dst.bytes[0] = 0xfd;
	memcpy(t.src.bytes + (family == FAMILY_V6 ? 12 : 0), &i, 4);
	t.dst.bytes[3] = 0x80;
	if (family == FAMILY_V4)
		t.src.halves[1] = t.dst.halves[1] = 0, t.dst.v4 = htonl(0x80000000), t.src.v4 = htonl(i);
	return t;
}

static bool open_session(struct flow_table *table, uint8_t family, uint32_t i, uint32_t now)
{
	struct tuple t = numbered(family, i), reverse = tuple_reverse(&t);
	struct session *s;

	if (flow_reserve(table, &t, now, &s) != FLOW_OK)
		return false;
	if (flow_commit(table, s, &reverse) == FLOW_OK)
		return true;
	flow_abandon(table, s);
	return false;
}

/* Writes anywhere into the header and the records: buckets are rebuilt from those. */
static void change(struct flow_table *table, const uint8_t *data, size_t size)
{
	uint8_t *records = table->pool[0].base;
	size_t v4 = (size_t)V4 * table->pool[0].stride, v6 = (size_t)V6 * table->pool[1].stride;
	size_t header = sizeof(struct flow_header), all = header + v4 + v6;

	while (size > 3) {
		size_t at = (data[0] | (size_t)data[1] << 8) % all, n = data[2] % 32;

		data += 3, size -= 3;
		for (; n && size; n--, size--, data++, at = (at + 1) % all) {
			uint8_t *where = at < header        ? (uint8_t *)table->header + at
			                 : at < header + v4 ? records + (at - header)
			                                    : table->pool[1].base + (at - header - v4);

			*where = *data;
		}
	}
}

static void visit(void *context, struct session *s)
{
	struct check *check = context;
	int direction = -1;
	struct tuple t;

	check->seen++;
	session_tuple(s, 0, &t);
	require(flow_find(check->table, &t, &direction) == s);
	require(flow_by_id(check->table, flow_id(check->table, s)) == s);
}

static void check_table(struct flow_table *table)
{
	struct check check = { .table = table };
	struct flow_stats stats;
	uint64_t cursor = 0;
	uint32_t sum = 0;

	do
		flow_walk(table, &cursor, 5, visit, &check);
	while (cursor);
	flow_stats(table, &stats);
	for (unsigned i = 0; i < SESSION_CLASSES; i++)
		sum += stats.per_class[i];
	require(check.seen == stats.live && sum == stats.live && stats.live == stats.used_v4 + stats.used_v6);
	require(stats.half_open == stats.per_class[CLASS_TCP_OPENING] + stats.per_class[CLASS_UDP_OPENING] +
	                                   stats.per_class[CLASS_SCTP_OPENING] +
	                                   stats.per_class[CLASS_ICMP_OPENING]);
}

/* Everything leaves in time, and then no record is lost or taken twice. */
static void check_room(struct flow_table *table)
{
	struct flow_stats stats;
	uint32_t now = NOW;

	for (unsigned turn = 0; turn < 8; turn++, now += LATE / 4)
		while (flow_expire(table, &flow_default_timeouts, now, 64, NULL, NULL))
			;
	flow_stats(table, &stats);
	require(stats.live == 0 && stats.half_open == 0);
	for (uint32_t i = 0; i < V4; i++)
		require(open_session(table, FAMILY_V4, 1000 + i, now));
	for (uint32_t i = 0; i < V6; i++)
		require(open_session(table, FAMILY_V6, 1000 + i, now));
	require(!open_session(table, FAMILY_V4, 2000, now) && !open_session(table, FAMILY_V6, 2000, now));
	check_table(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flow_table *table;
	char path[64];

	if (size < 1)
		return 0;
	snprintf(path, sizeof(path), "/dev/shm/sluice-fuzz-%d", (int)getpid());
	unlink(path);
	table = open_table(path);
	for (uint32_t i = 0; i < data[0] % (V4 + 1); i++)
		require(open_session(table, FAMILY_V4, i, NOW - i));
	for (uint32_t i = 0; i < data[0] / 16 % (V6 + 1); i++)
		require(open_session(table, FAMILY_V6, i, NOW + i));
	change(table, data + 1, size - 1);
	flow_table_free(table);
	table = open_table(path);
	check_table(table);
	check_room(table);
	flow_table_free(table);
	unlink(path);
	return 0;
}
