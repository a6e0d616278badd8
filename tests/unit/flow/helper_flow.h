/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets and tuples for the tests of flow/: one static packet at a time, filled in by hand, so that no EAL
 * and no parser is needed. Everything is single-threaded.
 */
#ifndef TESTS_UNIT_FLOW_HELPER_FLOW_H
#define TESTS_UNIT_FLOW_HELPER_FLOW_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/table.h"
#include "flow/touch.h"
#include "packet/pkt.h"
#include "util/errors.h"

enum { IP_OFFSET = 14, TEST_PACKETS = 64 };

/* A repeatable random number. */
uint32_t test_random(uint64_t *state);

/* Tuples: host order in, network order out. */
struct tuple test_tuple4(uint8_t proto, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport);
struct tuple test_tuple6(uint8_t proto, uint64_t src, uint16_t sport, uint64_t dst, uint16_t dport);

/* Packet number i (< TEST_PACKETS) with the headers of a tuple; TCP has 20 bytes and no data. */
struct rte_mbuf *test_packet(unsigned i, const struct tuple *t);

struct test_segment {
	uint8_t dir, flags;
	uint32_t seq, ack;
	uint16_t length, window;
	int scale; /* -1: no option */
	bool fragment;
};
/* Packet 0 as a TCP segment of a session. */
struct rte_mbuf *test_segment(const struct session *s, const struct test_segment *g);

/* A table of these capacities in anonymous memory, or in a file. */
struct flow_table *test_table(const char *file, uint32_t v4, uint32_t v6);

/* A file in memory for a table, of this process alone; set-up and tear-down of a test: it is not there before and after. */
extern char test_file[64];
int test_file_make(void **state);
int test_file_remove(void **state);

/* The tuple of session number i: every third is IPv6. */
struct tuple test_numbered(uint32_t i);
/* Its session, looked for by the tuple of one direction, which must be the one that is found; NULL: none. */
struct session *test_find(struct flow_table *table, uint32_t i, int direction);

/* Reserves and commits; the reverse is the plain one. */
enum flow_result test_open(struct flow_table *table, const struct tuple *t, uint32_t now, struct session **s);

#endif
