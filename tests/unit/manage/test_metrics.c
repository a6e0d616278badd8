/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Metrics: exact text in both formats, and the verdict of promtool.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <math.h>

#include <cmocka.h>

#include "helper_server.h"
#include "manage/metrics.h"

static struct metrics *sample_metrics(enum metrics_format format)
{
	static const double bounds[] = { 0.001, 0.5 };
	static const uint64_t counts[] = { 3, 2, 1 };
	const struct metrics_histogram histogram = { bounds, counts, 2, 1.75 };
	struct metrics *m = metrics_new(format);
	struct metrics_family *drops =
	        metrics_family(m, METRICS_COUNTER, "sluice_drops", NULL, "Packets dropped.");
	struct metrics_family *bytes =
	        metrics_family(m, METRICS_COUNTER, "sluice_received", "bytes", "Bytes received.");
	metrics_count(drops, UINT64_MAX, "vnf", "fw", "reason", "a \"b\"\\\n", NULL);
	metrics_count(bytes, 7, NULL);
	metrics_count(metrics_family(m, METRICS_COUNTER, "sluice_drops", NULL, "Packets dropped."), 1, "vnf",
	              "nat", "reason", "none", NULL);
	metrics_value(metrics_family(m, METRICS_GAUGE, "sluice_busy_ratio", "ratio", "Busy share."), 0.25,
	              NULL);
	metrics_histogram(metrics_family(m, METRICS_HISTOGRAM, "sluice_latency", "seconds", "Latency."),
	                  &histogram, "vnf", "fw", NULL);
	return m;
}

static const char prometheus[] =
        "# HELP sluice_drops_total Packets dropped.\n"
        "# TYPE sluice_drops_total counter\n"
        "sluice_drops_total{vnf=\"fw\",reason=\"a \\\"b\\\"\\\\\\n\"} 18446744073709551615\n"
        "sluice_drops_total{vnf=\"nat\",reason=\"none\"} 1\n"
        "# HELP sluice_received_bytes_total Bytes received.\n"
        "# TYPE sluice_received_bytes_total counter\n"
        "sluice_received_bytes_total 7\n"
        "# HELP sluice_busy_ratio Busy share.\n"
        "# TYPE sluice_busy_ratio gauge\n"
        "sluice_busy_ratio 0.25\n"
        "# HELP sluice_latency_seconds Latency.\n"
        "# TYPE sluice_latency_seconds histogram\n"
        "sluice_latency_seconds_bucket{vnf=\"fw\",le=\"0.001\"} 3\n"
        "sluice_latency_seconds_bucket{vnf=\"fw\",le=\"0.5\"} 5\n"
        "sluice_latency_seconds_bucket{vnf=\"fw\",le=\"+Inf\"} 6\n"
        "sluice_latency_seconds_count{vnf=\"fw\"} 6\n"
        "sluice_latency_seconds_sum{vnf=\"fw\"} 1.75\n";

static void the_text_is_exact(void **state)
{
	size_t length;
	char *text = metrics_finish(sample_metrics(METRICS_PROMETHEUS), &length);
	(void)state;
	assert_string_equal(text, prometheus);
	assert_int_equal(length, strlen(prometheus));
	free(text);
}

static void openmetrics_names_units_and_ends(void **state)
{
	char *text = metrics_finish(sample_metrics(METRICS_OPENMETRICS), NULL);
	(void)state;
	assert_non_null(strstr(text, "# TYPE sluice_drops counter\n"));
	assert_non_null(strstr(text, "# UNIT sluice_received_bytes bytes\nsluice_received_bytes_total 7\n"));
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	free(text);
}

static int promtool(const char *text)
{
	FILE *pipe = popen("promtool check metrics", "w");
	assert_non_null(pipe);
	fputs(text, pipe);
	return pclose(pipe);
}

static void promtool_finds_nothing_wrong(void **state)
{
	char *text = metrics_finish(sample_metrics(METRICS_PROMETHEUS), NULL);
	(void)state;
	assert_int_equal(promtool(text), 0);
	assert_int_not_equal(promtool("# TYPE a_total counter\na_total 1\n"), 0);
	free(text);
}

static void the_accept_header_chooses(void **state)
{
	(void)state;
	assert_int_equal(metrics_negotiate(NULL), METRICS_PROMETHEUS);
	assert_int_equal(metrics_negotiate("*/*"), METRICS_PROMETHEUS);
	assert_int_equal(metrics_negotiate("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
	                 METRICS_OPENMETRICS);
}

static void get_metrics(const struct rest_request *request, struct rest_reply *reply)
{
	metrics_reply(sample_metrics(metrics_negotiate(rest_header(request, "Accept"))), reply);
}

static void metrics_are_served_with_their_type(void **state)
{
	static const struct rest_route routes[] = {
		{ "/metrics", "Metrics", .get = { .handle = get_metrics } }, { 0 }
	};
	const char *accept[] = { "Accept: application/openmetrics-text", NULL };
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL, routes);
	assert_int_equal(ask(&f, "GET", "/metrics", NULL, NULL), 200);
	assert_string_equal(f.reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(f.reply.body, prometheus);
	assert_int_equal(ask(&f, "GET", "/metrics", accept, NULL), 200);
	assert_string_equal(f.reply.content_type,
	                    "application/openmetrics-text; version=1.0.0; charset=utf-8");
	fixture_stop(&f);
}

static void odd_numbers_have_their_names(void **state)
{
	struct metrics *m = metrics_new(METRICS_PROMETHEUS);
	struct metrics_family *family = metrics_family(m, METRICS_GAUGE, "g", NULL, "G.");
	(void)state;
	metrics_value(family, INFINITY, NULL);
	metrics_value(family, -INFINITY, NULL);
	metrics_value(family, NAN, NULL);
	char *text = metrics_finish(m, NULL);
	assert_string_equal(text, "# HELP g G.\n# TYPE g gauge\ng +Inf\ng -Inf\ng NaN\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_exact),
		cmocka_unit_test(openmetrics_names_units_and_ends),
		cmocka_unit_test(promtool_finds_nothing_wrong),
		cmocka_unit_test(the_accept_header_chooses),
		cmocka_unit_test(metrics_are_served_with_their_type),
		cmocka_unit_test(odd_numbers_have_their_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
