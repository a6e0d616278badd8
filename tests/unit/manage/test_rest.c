/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The REST server against its client over a real socket: routes, parameters, refusals, conditions.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper_server.h"
#include "manage/openapi.h"
#include "manage/problem.h"

static void echo(const struct rest_request *request, struct rest_reply *reply)
{
	const char *const names[] = { "service", "vnf", "rest" };
	json_t *out = json_pack("{s:s, s:s, s:i, s:i}", "method", request->method, "pattern",
	                        request->route->pattern, "uid", (int)request->peer.uid, "pid",
	                        (int)request->peer.pid);
	for (size_t i = 0; i < 3; i++)
		if (rest_param(request, names[i]))
			json_object_set_new(out, names[i], json_string(rest_param(request, names[i])));
	if (rest_query(request, "q"))
		json_object_set_new(out, "q", json_string(rest_query(request, "q")));
	if (request->json)
		json_object_set(out, "json", (json_t *)request->json);
	if (request->body_length)
		json_object_set_new(out, "length", json_integer((json_int_t)request->body_length));
	json_object_set_new(out, "user", json_string(request->user));
	rest_reply_json(reply, 200, out);
}

static void nothing(const struct rest_request *request, struct rest_reply *reply)
{
	(void)request, (void)reply;
}

static void create(const struct rest_request *request, struct rest_reply *reply)
{
	(void)request;
	rest_reply_json(reply, 201, json_object());
	rest_reply_location(reply, "/v1/services/%s", "edge");
	rest_reply_header(reply, "X-Evil", "a\r\nX-Injected: %d", 1);
}

static char etag[] = "7";

static void get_tagged(const struct rest_request *request, struct rest_reply *reply)
{
	(void)request;
	rest_reply_json(reply, 200, json_object());
	rest_reply_etag(reply, "%s", etag);
}

static void put_tagged(const struct rest_request *request, struct rest_reply *reply)
{
	if (rest_match(request, reply, etag))
		rest_reply_status(reply, 204);
}

static bool count_line(void *state, json_t *item, unsigned line)
{
	unsigned *lines = state;
	*lines = line;
	return json_is_object(item);
}

static void put_lines(const struct rest_request *request, struct rest_reply *reply)
{
	unsigned lines = 0;
	if (rest_ndjson(request, reply, count_line, &lines))
		rest_reply_json(reply, 200, json_pack("{s:i}", "lines", (int)lines));
}

static void get_number(const struct rest_request *request, struct rest_reply *reply)
{
	int64_t n;
	if (rest_query_number(request, reply, "n", 1, 10, 5, &n))
		rest_reply_json(reply, 200,
		                json_pack("{s:I, s:b}", "n", (json_int_t)n, "dry",
		                          rest_query_flag(request, "dryRun")));
}

static void get_errors(const struct rest_request *request, struct rest_reply *reply)
{
	struct errors errors = ERRORS_NONE;
	(void)request;
	errors_add(&errors, "rules[1].source", "not-a-prefix", "fw.cfg", 12, "not a prefix: \"10.0.0\"");
	errors_add(&errors, NULL, "odd", NULL, 0, "bytes \xff\xfe");
	rest_problem_errors(reply, 422, &errors, "%zu errors", errors.count);
	errors_free(&errors);
}

static const struct rest_route routes[] = {
	{ "/v1/services/{service}/vnfs/{vnf}/config", "configuration", .get = { .handle = echo },
	  .put = { echo, .body = "Config" } },
	{ "/v1/services/{service}/vnfs/{vnf}/{rest*}", "proxy", .get = { .handle = echo },
	  .post = { echo, .accepts = REST_ANY } },
	{ "/v1/services/{service}", "a service", .get = { .handle = echo }, .user = (void *)"own" },
	{ "/v1/services/{service}:restart", "restart", .post = { .handle = echo } },
	{ "/v1/services", "services", .post = { .handle = create } },
	{ "/v1/config", "all", .get = { .handle = get_tagged }, .put = { .handle = put_tagged },
	  .patch = { echo, .accepts = REST_JSON | REST_MERGE_PATCH } },
	{ "/v1/config:diff", "compare", .post = { .handle = echo } },
	{ "/v1/config/{rest*}", "a part", .get = { .handle = echo } },
	{ "/v1/rules", "rules", .put = { put_lines, .accepts = REST_NDJSON } },
	{ "/v1/small", "small", .put = { .handle = echo }, .body_limit = 1000 },
	{ "/v1/nothing", "nothing", .get = { .handle = nothing } },
	{ "/v1/number", "number", .get = { .handle = get_number } },
	{ "/v1/errors", "errors", .get = { .handle = get_errors } },
	{ 0 },
};

static int setup(void **state)
{
	static struct fixture f;
	fixture_start(&f, &(struct rest_options){ .user = (void *)"server" }, routes);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	fixture_stop(*state);
	return 0;
}

static void assert_member(const json_t *json, const char *name, const char *value)
{
	assert_string_equal(json_string_value(json_object_get(json, name)), value);
}

static void assert_problem(struct fixture *f, unsigned status, const char *part)
{
	json_t *problem = reply_json(f);
	assert_int_equal(f->reply.status, status);
	assert_string_equal(f->reply.content_type, PROBLEM_TYPE);
	assert_int_equal(json_integer_value(json_object_get(problem, "status")), status);
	assert_non_null(json_object_get(problem, "title"));
	assert_non_null(strstr(json_string_value(json_object_get(problem, "detail")), part));
	json_decref(problem);
}

static void parameters_are_found_and_decoded(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "GET", "/v1/services/edge/vnfs/f%2Fw/config?q=a+b%26c&x", NULL, NULL), 200);
	json_t *json = reply_json(f);
	assert_member(json, "service", "edge");
	assert_member(json, "vnf", "f/w");
	assert_member(json, "q", "a b&c");
	assert_member(json, "user", "server");
	assert_int_equal(json_integer_value(json_object_get(json, "uid")), getuid());
	assert_int_equal(json_integer_value(json_object_get(json, "pid")), getpid());
	json_decref(json);
}

static void assert_pattern(struct fixture *f, const char *method, const char *path, const char *pattern)
{
	assert_int_equal(ask(f, method, path, NULL, NULL), 200);
	json_t *json = reply_json(f);
	assert_member(json, "pattern", pattern);
	json_decref(json);
}

static void the_most_exact_route_wins(void **state)
{
	struct fixture *f = *state;
	assert_pattern(f, "POST", "/v1/config:diff", "/v1/config:diff");
	assert_pattern(f, "POST", "/v1/config%3Adiff", "/v1/config:diff");
	assert_pattern(f, "POST", "/v1/services/a:restart", "/v1/services/{service}:restart");
	assert_pattern(f, "GET", "/v1/services/a", "/v1/services/{service}");
	assert_pattern(f, "GET", "/v1/services/a/vnfs/b/config", "/v1/services/{service}/vnfs/{vnf}/config");
	assert_pattern(f, "GET", "/v1/services/a/vnfs/b/config/x",
	               "/v1/services/{service}/vnfs/{vnf}/{rest*}");
}

static void an_action_is_cut_from_its_parameter(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "POST", "/v1/services/edge:restart", NULL, NULL), 200);
	json_t *json = reply_json(f);
	assert_member(json, "service", "edge");
	json_decref(json);
}

static void a_tail_comes_raw(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "GET", "/v1/config/rules/10.0.0.0%2F8", NULL, NULL), 200);
	json_t *json = reply_json(f);
	assert_member(json, "rest", "rules/10.0.0.0%2F8");
	json_decref(json);
}

static void a_route_may_have_its_own_user_pointer(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "GET", "/v1/services/edge", NULL, NULL), 200);
	json_t *json = reply_json(f);
	assert_member(json, "user", "own");
	json_decref(json);
}

static void unknown_paths_are_404(void **state)
{
	struct fixture *f = *state;
	const char *const paths[] = {
		"/", "/v1", "/v1/configs", "/v1/config/", "/v1/services/", "/v1//config", "/v1/config:dif"
	};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		ask(f, "GET", paths[i], NULL, NULL);
		assert_problem(f, 404, paths[i]);
	}
}

static void wrong_methods_are_405_with_allow(void **state)
{
	struct fixture *f = *state;
	ask(f, "DELETE", "/v1/config", NULL, NULL);
	assert_problem(f, 405, "DELETE is not allowed");
	assert_string_equal(f->reply.allow, "GET, HEAD, PUT, PATCH, OPTIONS");
	ask(f, "BREW", "/v1/config:diff", NULL, NULL);
	assert_problem(f, 405, "BREW");
	assert_string_equal(f->reply.allow, "POST, OPTIONS");
	ask(f, "PUT", "/v1/services/edge", NULL, "{\"a\":1}");
	assert_problem(f, 405, "PUT");
}

static void options_tell_the_methods(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "OPTIONS", "/v1/rules", NULL, NULL), 204);
	assert_string_equal(f->reply.allow, "PUT, OPTIONS");
}

static void head_is_get_without_its_body(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "HEAD", "/v1/config", NULL, NULL), 200);
	assert_string_equal(f->reply.etag, "\"7\"");
	assert_int_equal(f->reply.length, 0);
	assert_int_equal(ask(f, "HEAD", "/v1/config:diff", NULL, NULL), 405);
}

static void wrong_types_are_415(void **state)
{
	struct fixture *f = *state;
	ask_typed(f, "PUT", "/v1/services/a/vnfs/b/config", "text/plain", "x");
	assert_problem(f, 415, "expected: application/json");
	ask_typed(f, "PATCH", "/v1/config", "application/x-ndjson", "{}");
	assert_problem(f, 415, "merge-patch");
	assert_int_equal(
	        ask_typed(f, "PATCH", "/v1/config", "application/merge-patch+json; charset=utf-8", "{}"),
	        200);
	assert_int_equal(ask_typed(f, "PATCH", "/v1/config", "Application/JSON", "{}"), 200);
	assert_int_equal(ask_typed(f, "POST", "/v1/services/a/vnfs/b/x", "image/png", "x"), 200);
}

static void bad_json_is_400_with_line_and_column(void **state)
{
	struct fixture *f = *state;
	ask(f, "PUT", "/v1/services/a/vnfs/b/config", NULL, "{\n  \"a\": 1,\n  \"b\" 2\n}");
	assert_problem(f, 400, "line 3, column");
	json_t *problem = reply_json(f);
	json_t *error = json_array_get(json_object_get(problem, "errors"), 0);
	assert_int_equal(json_integer_value(json_object_get(error, "line")), 3);
	assert_member(error, "code", "bad-json");
	json_decref(problem);
	ask(f, "PUT", "/v1/services/a/vnfs/b/config", NULL, "{\"a\":1,\"a\":2}");
	assert_problem(f, 400, "duplicate");
}

static void deep_json_is_400(void **state)
{
	struct fixture *f = *state;
	char text[2 * REST_JSON_DEPTH + 3];
	memset(text, '[', REST_JSON_DEPTH);
	memset(text + REST_JSON_DEPTH, ']', REST_JSON_DEPTH);
	text[2 * REST_JSON_DEPTH] = 0;
	assert_int_equal(ask(f, "PATCH", "/v1/config", NULL, text), 200);
	memset(text, '[', REST_JSON_DEPTH + 1);
	ask(f, "PATCH", "/v1/config", NULL, text);
	assert_problem(f, 400, "nested deeper");
}

static void large_bodies_are_413(void **state)
{
	struct fixture *f = *state;
	char *text = malloc(20 << 20);
	memset(text, ' ', 20 << 20);
	text[999] = '1';
	text[1000] = 0;
	assert_int_equal(ask(f, "PUT", "/v1/small", NULL, text), 200);
	text[1000] = ' ';
	text[1001] = 0;
	ask(f, "PUT", "/v1/small", NULL, text);
	assert_problem(f, 413, "1000 bytes");
	text[1001] = ' ';
	text[(20 << 20) - 1] = 0;
	ask(f, "PATCH", "/v1/config", NULL, text);
	assert_problem(f, 413, "16777216 bytes");
	free(text);
}

static void bad_escapes_and_dot_segments_are_400(void **state)
{
	struct fixture *f = *state;
	const char *const paths[] = { "/v1/config/%zz",         "/v1/config/%4",
		                      "/v1/config/%00",         "/v1/config?q=%",
		                      "/v1/services/../config", "/v1/services/%2e%2E/vnfs/b/config" };
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		assert_int_equal(ask(f, "GET", paths[i], NULL, NULL), 400);
}

static void stale_etags_are_412(void **state)
{
	struct fixture *f = *state;
	const char *stale[] = { "If-Match: \"6\"", NULL }, *good[] = { "If-Match: \"6\", \"7\"", NULL };
	const char *weak[] = { "If-Match: W/\"7\"", NULL }, *any[] = { "If-Match: *", NULL };
	const char *create_only[] = { "If-None-Match: *", NULL };
	ask(f, "PUT", "/v1/config", stale, "{}");
	assert_problem(f, 412, "is at \"7\"");
	assert_string_equal(f->reply.etag, "\"7\"");
	assert_int_equal(ask(f, "PUT", "/v1/config", weak, "{}"), 412);
	assert_int_equal(ask(f, "PUT", "/v1/config", create_only, "{}"), 412);
	assert_int_equal(ask(f, "PUT", "/v1/config", good, "{}"), 204);
	assert_int_equal(ask(f, "PUT", "/v1/config", any, "{}"), 204);
	assert_int_equal(ask(f, "PUT", "/v1/config", NULL, "{}"), 204);
}

static void a_known_etag_is_304(void **state)
{
	struct fixture *f = *state;
	const char *known[] = { "If-None-Match: W/\"7\"", NULL }, *other[] = { "If-None-Match: \"8\"", NULL };
	assert_int_equal(ask(f, "GET", "/v1/config", known, NULL), 304);
	assert_int_equal(f->reply.length, 0);
	assert_string_equal(f->reply.etag, "\"7\"");
	assert_int_equal(ask(f, "GET", "/v1/config", other, NULL), 200);
}

static void ndjson_comes_line_by_line(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(
	        ask_typed(f, "PUT", "/v1/rules", "application/x-ndjson", "{\"a\":1}\n\n{\"b\":2}\r\n{}"),
	        200);
	json_t *json = reply_json(f);
	assert_int_equal(json_integer_value(json_object_get(json, "lines")), 4);
	json_decref(json);
	ask_typed(f, "PUT", "/v1/rules", "application/x-ndjson", "{}\n{}\n{\"b\":}\n");
	assert_problem(f, 400, "line 3");
	assert_int_equal(ask(f, "PUT", "/v1/rules", NULL, NULL), 200);
	assert_string_equal(f->reply.body, "{\"lines\":0}");
}

static void query_numbers_are_checked(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "GET", "/v1/number?n=10&dryRun", NULL, NULL), 200);
	assert_string_equal(f->reply.body, "{\"n\":10,\"dry\":true}");
	assert_int_equal(ask(f, "GET", "/v1/number?dryRun=0", NULL, NULL), 200);
	assert_string_equal(f->reply.body, "{\"n\":5,\"dry\":false}");
	const char *const bad[] = { "0", "11", "x", "", "5x", "99999999999999999999" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char path[64];
		snprintf(path, sizeof path, "/v1/number?n=%s", bad[i]);
		ask(f, "GET", path, NULL, NULL);
		assert_problem(f, 400, "from 1 to 10");
	}
}

static void errors_travel_in_problems(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	ask(f, "GET", "/v1/errors", NULL, NULL);
	assert_problem(f, 422, "2 errors");
	json_t *problem = reply_json(f);
	assert_int_equal(problem_read(problem, &errors), 2);
	assert_string_equal(errors.list[0].path, "rules[1].source");
	assert_string_equal(errors.list[0].code, "not-a-prefix");
	assert_string_equal(errors.list[0].file, "fw.cfg");
	assert_int_equal(errors.list[0].line, 12);
	assert_string_equal(errors.list[1].detail, "bytes ??");
	errors_free(&errors);
	json_decref(problem);
}

static void a_handler_that_sets_nothing_answers_204(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ask(f, "GET", "/v1/nothing", NULL, NULL), 204);
	assert_int_equal(f->reply.length, 0);
}

static void headers_cannot_be_injected(void **state)
{
	struct fixture *f = *state;
	char answer[4096];
	const char request[] =
	        "POST /v1/services HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
	raw_exchange(f, request, strlen(request), answer, sizeof answer);
	assert_non_null(strstr(answer, "201 Created"));
	assert_non_null(strstr(answer, "Location: /v1/services/edge\r\n"));
	assert_null(strstr(answer, "X-Injected"));
}

static void a_refusal_comes_before_a_body_that_waits(void **state)
{
	struct fixture *f = *state;
	char answer[4096];
	const char request[] = "PUT /v1/small HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: "
	                       "application/json\r\n"
	                       "Content-Length: 5000000\r\n\r\n";
	raw_exchange(f, request, strlen(request), answer, sizeof answer);
	assert_int_equal(strncmp(answer, "HTTP/1.1 413", 12), 0);
}

static void chunked_bodies_are_checked_too(void **state)
{
	struct fixture *f = *state;
	char answer[4096];
	const char untyped[] =
	        "PUT /v1/small HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
	        "2\r\n{}\r\n0\r\n\r\n";
	raw_exchange(f, untyped, strlen(untyped), answer, sizeof answer);
	assert_int_equal(strncmp(answer, "HTTP/1.1 415", 12), 0);
	const char good[] =
	        "PUT /v1/small HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
	        "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
	raw_exchange(f, good, strlen(good), answer, sizeof answer);
	assert_int_equal(strncmp(answer, "HTTP/1.1 200", 12), 0);
	assert_non_null(strstr(answer, "\"length\":2"));
}

#define REQUEST(fields) "PUT /v1/small HTTP/1.1\r\n" fields "\r\n"

/* What we refuse is a problem, whatever the library makes of it; what the library refuses itself is what the manual says it is. */
static void framing_in_doubt_is_refused(void **state)
{
	static const struct {
		const char *request, *status;
		bool ours;
	} cases[] = {
		{ REQUEST(""), "400", true },
		{ REQUEST("Host: a\r\nHost: b\r\n"), "400", true },
		{ REQUEST("Host: a\r\nX y: z\r\n"), "400", true },
		{ REQUEST("Host: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n") "{}", "400", true },
		{ REQUEST("Host: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n",
		  "400", true },
		{ REQUEST("Host: a\r\nTransfer-Encoding: gzip\r\n"), "501", true },
		{ REQUEST("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n") "0\r\n\r\n", "501", true },
		{ REQUEST("Host: a\r\nnothing\r\n"), "400", false },
		{ REQUEST("Host: a\r\nContent-Length: many\r\n"), "400", false },
		{ REQUEST("Host: a\r\nTransfer-Encoding: chunked\r\n") "ZZ\r\n", "400", false },
		{ "PUT /v1/small\r\n\r\n", "400", false },
		{ "PUT /v1/small HTTP/2.0\r\nHost: a\r\n\r\n", "505", false },
	};
	struct fixture *f = *state;
	char answer[4096];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		raw_exchange(f, cases[i].request, strlen(cases[i].request), answer, sizeof(answer));
		bool problem = strstr(answer, "Content-Type: application/problem+json");
		if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, cases[i].status, 3) != 0 ||
		    problem != cases[i].ours || !strstr(answer, "Connection: close"))
			fail_msg("case %zu: %.200s", i, answer);
	}
}

static void the_openapi_document_tells_the_routes(void **state)
{
	struct fixture *f = *state;
	json_t *components = json_pack("{s:{s:s}}", "Config", "type", "object");
	json_t *document = openapi_document(f->rest, "Test", "1", components);
	assert_non_null(document);
	assert_member(document, "openapi", "3.1.0");
	json_t *paths = json_object_get(document, "paths");
	assert_int_equal(json_object_size(paths), sizeof routes / sizeof *routes - 1);
	json_t *item = json_object_get(paths, "/v1/services/{service}/vnfs/{vnf}/{rest}");
	assert_int_equal(json_array_size(json_object_get(item, "parameters")), 3);
	json_t *put =
	        json_object_get(json_object_get(paths, "/v1/services/{service}/vnfs/{vnf}/config"), "put");
	char *text = json_dumps(json_object_get(put, "requestBody"), JSON_COMPACT);
	assert_string_equal(text, "{\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/"
	                          "schemas/Config\"}}}}");
	free(text);
	json_decref(document);
	json_decref(components);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_found_and_decoded),
		cmocka_unit_test(the_most_exact_route_wins),
		cmocka_unit_test(an_action_is_cut_from_its_parameter),
		cmocka_unit_test(a_tail_comes_raw),
		cmocka_unit_test(a_route_may_have_its_own_user_pointer),
		cmocka_unit_test(unknown_paths_are_404),
		cmocka_unit_test(wrong_methods_are_405_with_allow),
		cmocka_unit_test(options_tell_the_methods),
		cmocka_unit_test(head_is_get_without_its_body),
		cmocka_unit_test(wrong_types_are_415),
		cmocka_unit_test(bad_json_is_400_with_line_and_column),
		cmocka_unit_test(deep_json_is_400),
		cmocka_unit_test(large_bodies_are_413),
		cmocka_unit_test(bad_escapes_and_dot_segments_are_400),
		cmocka_unit_test(stale_etags_are_412),
		cmocka_unit_test(a_known_etag_is_304),
		cmocka_unit_test(ndjson_comes_line_by_line),
		cmocka_unit_test(query_numbers_are_checked),
		cmocka_unit_test(errors_travel_in_problems),
		cmocka_unit_test(a_handler_that_sets_nothing_answers_204),
		cmocka_unit_test(headers_cannot_be_injected),
		cmocka_unit_test(a_refusal_comes_before_a_body_that_waits),
		cmocka_unit_test(chunked_bodies_are_checked_too),
		cmocka_unit_test(framing_in_doubt_is_refused),
		cmocka_unit_test(the_openapi_document_tells_the_routes),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
