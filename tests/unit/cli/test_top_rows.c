/* SPDX-License-Identifier: BSD-3-Clause */
/* What top makes of two looks: rates, quantiles, what is new and what began anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/top_rows.h"

/* A look at one function and one port, with as many packets. */
static json_t *look_of(double at, int packets, int sampled, int low, int high)
{
	json_t *latency = json_pack("{s:[i,i],s:[i,i,i]}", "boundsNs", 1000, 2000, "counts", low, high, 0);
	json_t *function =
	        json_pack("{s:[i,i],s:[i,i],s:i,s:i,s:i,s:i,s:o}", "packets", packets, packets, "bytes",
	                  100 * packets, 0, "drops", 0, "opened", packets / 10, "sampledPackets", sampled,
	                  "sampledCycles", 40 * sampled, "latency", latency);

	return json_pack("{s:f,s:{s:o},s:{},s:{},s:{}}", "at", at, "functions", "edge/fw", function, "paths",
	                 "workers", "ports");
}

static json_t *rows_of(json_t *before, json_t *now)
{
	json_t *rows = top_rows(before, now), *row = json_array_get(json_object_get(rows, "functions"), 0);

	json_incref(row);
	json_decref(rows);
	json_decref(before);
	json_decref(now);
	assert_non_null(row);
	return row;
}

static double value(const json_t *row, const char *name)
{
	assert_non_null(json_object_get(row, name));
	return json_number_value(json_object_get(row, name));
}

static void rates_by_the_second(void **state)
{
	json_t *row = rows_of(look_of(10, 100, 10, 10, 0), look_of(12, 300, 30, 10, 20));

	(void)state;
	assert_string_equal(json_string_value(json_object_get(row, "name")), "edge/fw");
	assert_int_equal(value(row, "packets/s"), 200); /* both walks, over two seconds */
	assert_int_equal(value(row, "bits/s"), 80000);
	assert_int_equal(value(row, "sessions/s"), 10);
	assert_int_equal(value(row, "cycles/packet"), 40);
	assert_int_equal(value(row, "p50 us"), 2); /* of those between the looks */
	json_decref(row);
}

static void nothing_happened(void **state)
{
	json_t *row = rows_of(look_of(10, 100, 10, 10, 0), look_of(11, 100, 10, 10, 0));

	(void)state;
	assert_int_equal(value(row, "packets/s"), 0);
	assert_true(json_is_null(json_object_get(row, "cycles/packet")));
	assert_true(json_is_null(json_object_get(row, "p99 us")));
	json_decref(row);
}

static void began_anew(void **state)
{
	json_t *row = rows_of(look_of(10, 1000, 500, 500, 0), look_of(11, 30, 3, 3, 0));

	(void)state;
	assert_int_equal(value(row, "packets/s"), 60);
	assert_int_equal(value(row, "cycles/packet"), 40);
	assert_int_equal(value(row, "p50 us"), 1);
	json_decref(row);
}

static void is_new(void **state)
{
	json_t *before = json_pack("{s:f,s:{},s:{},s:{},s:{}}", "at", 10.0, "functions", "paths", "workers",
	                           "ports"),
	       *row = rows_of(before, look_of(11, 30, 3, 3, 0));

	(void)state;
	assert_int_equal(value(row, "packets/s"), 60);
	json_decref(row);
}

static json_t *path_look(double at, int again, int rtts)
{
	json_t *end = json_pack("{s:i,s:i,s:{s:[i,i],s:[i,i,i]}}", "retransmits", again, "outOfOrder", 0,
	                        "rtt", "boundsUs", 50, 100, "counts", 0, rtts, 0);
	json_t *path = json_pack("{s:[O,O]}", "tcp", end, end);
	json_t *look = json_pack("{s:f,s:{},s:{s:o},s:{},s:{}}", "at", at, "functions", "paths", "edge/all",
	                         path, "workers", "ports");

	json_decref(end);
	return look;
}

static void tcp_of_both_ends(void **state)
{
	json_t *before = path_look(1, 5, 0), *now = path_look(2, 8, 4), *rows = top_rows(before, now);
	json_t *row = json_array_get(json_object_get(rows, "chains"), 0);
	json_t *rtts = json_object_get(row, "tcp rtt us");

	(void)state;
	assert_int_equal(value(row, "tcp again/s"), 6);
	assert_int_equal(json_array_size(rtts), 2);
	assert_int_equal(json_number_value(json_array_get(rtts, 0)), 100);
	json_decref(rows);
	json_decref(before);
	json_decref(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_by_the_second), cmocka_unit_test(nothing_happened),
		cmocka_unit_test(began_anew),          cmocka_unit_test(is_new),
		cmocka_unit_test(tcp_of_both_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
