/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attribute filters and pages.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "helper_server.h"
#include "manage/pages.h"

static const char document[] =
        "{\"name\":\"fw\",\"count\":10,\"share\":0.5,\"up\":true,\"a\":{\"b\":\"x y\"},"
        "\"list\":[{\"v\":\"one\"},{\"v\":\"two\"}],\"tags\":[\"red\",\"blue\"],\"a/b\":\"slash\","
        "\"odd\":\"it's, (odd)\",\"when\":\"2026-01-02T00:00:00Z\"}";

static bool matches(const char *text)
{
	char why[256];
	struct filter *filter = filter_parse(text, why, sizeof why);
	if (!filter)
		fail_msg("%s: %s", text, why);
	json_t *json = json_loads(document, 0, NULL);
	bool match = filter_match(filter, json);
	json_decref(json);
	filter_free(filter);
	return match;
}

static void filters_match_what_they_should(void **state)
{
	static const char *const good[] = {
		"(eq,name,fw)",
		"(eq,name,fw);(gt,count,9)",
		"(eq,count,10)",
		"(eq,count,10.0)",
		"(gte,count,10)",
		"(lt,count,11)",
		"(lte,share,0.5)",
		"(eq,up,true)",
		"(eq,a/b,x y)",
		"(eq,list/v,two)",
		"(in,list/v,three,two)",
		"(nin,name,a,b)",
		"(cont,name,w)",
		"(cont,tags,lu)",
		"(ncont,name,z)",
		"(eq,tags,red)",
		"(eq,a~1b,slash)",
		"(eq,odd,'it''s, (odd)')",
		"(gt,when,2026-01-01T23:59:59Z)",
		"(neq,name,nat)",
		"(neq,none,x)",
		"(gt,count,-1)",
		"(eq,name,fw);",
	};
	static const char *const bad[] = {
		"(eq,name,nat)",
		"(eq,name,fw);(gt,count,10)",
		"(neq,name,fw)",
		"(eq,none,x)",
		"(gt,none,0)",
		"(eq,a,x)",
		"(eq,list/v,three)",
		"(nin,name,fw,x)",
		"(cont,name,x)",
		"(ncont,name,f)",
		"(lt,when,2025-01-01T00:00:00Z)",
		"(eq,name/x,fw)",
		"(eq,name,)",
		"(lt,count,9)",
	};
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!matches(good[i]))
			fail_msg("should match: %s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (matches(bad[i]))
			fail_msg("should not match: %s", bad[i]);
}

static void bad_filters_say_why(void **state)
{
	static const char *const bad[][2] = {
		{ "", "expected (" },
		{ "eq,a,b", "expected (" },
		{ "(is,a,b)", "expected one of eq" },
		{ "(eq)", "expected , and an attribute" },
		{ "(eq,a)", "expected , and a value" },
		{ "(eq,,b)", "the name of an attribute" },
		{ "(eq,a/,b)", "the name of an attribute" },
		{ "(eq,a//c,b)", "empty name" },
		{ "(eq,/a,b)", "empty name" },
		{ "(eq,a,b,c)", "takes one value" },
		{ "(eq,a,b", "expected )" },
		{ "(eq,a,'b)", "no closing '" },
		{ "(eq,a,b)(eq,c,d)", "expected ;" },
		{ "(eq,a,b);x", "expected (" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char why[256] = "";
		if (filter_parse(bad[i][0], why, sizeof why) || !strstr(why, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], why);
	}
}

static void too_many_expressions_and_values_are_refused(void **state)
{
	char text[2048] = "", why[256];
	(void)state;
	for (int i = 0; i < 33; i++)
		strcat(text, i ? ";(eq,a,b)" : "(eq,a,b)");
	assert_null(filter_parse(text, why, sizeof why));
	assert_non_null(strstr(why, "too many expressions"));
	strcpy(text, "(in,a");
	for (int i = 0; i < 257; i++)
		strcat(text, ",x");
	strcat(text, ")");
	assert_null(filter_parse(text, why, sizeof why));
	assert_non_null(strstr(why, "too many values"));
}

static void get_list(const struct rest_request *request, struct rest_reply *reply)
{
	json_t *array = json_array();
	for (int i = 0; i < 250; i++)
		json_array_append_new(array, json_pack("{s:i, s:s}", "n", i, "kind", i % 2 ? "odd" : "even"));
	page_reply(request, reply, array);
}

static const struct rest_route routes[] = { { "/list", "A list", .get = { .handle = get_list } }, { 0 } };

/* Follows the Link headers from `path` on; returns how many elements came, which must be in order. */
static unsigned follow_pages(struct fixture *f, const char *path, unsigned *pages)
{
	char next[256];
	unsigned count = 0;
	json_int_t last = -1;
	snprintf(next, sizeof next, "%s", path);
	for (*pages = 0; *next; ++*pages) {
		size_t i;
		json_t *item;
		assert_int_equal(ask(f, "GET", next, NULL, NULL), 200);
		json_t *array = reply_json(f);
		json_array_foreach(array, i, item)
		{
			json_int_t n = json_integer_value(json_object_get(item, "n"));
			assert_true(n > last);
			last = n;
			count++;
		}
		json_decref(array);
		*next = 0;
		if (f->reply.link)
			assert_int_equal(sscanf(f->reply.link, "<%255[^>]>; rel=\"next\"", next), 1);
	}
	return count;
}

static void pages_cover_the_list_once(void **state)
{
	struct fixture f;
	unsigned pages;
	(void)state;
	fixture_start(&f, NULL, routes);
	assert_int_equal(follow_pages(&f, "/list", &pages), 250);
	assert_int_equal(pages, 3);
	assert_int_equal(follow_pages(&f, "/list?limit=50", &pages), 250);
	assert_int_equal(pages, 5);
	assert_int_equal(follow_pages(&f, "/list?filter=(eq,kind,odd);(gte,n,100)&limit=10", &pages), 75);
	assert_int_equal(pages, 8);
	assert_int_equal(follow_pages(&f, "/list?limit=1000", &pages), 250);
	assert_int_equal(pages, 1);
	fixture_stop(&f);
}

static void bad_pages_are_400(void **state)
{
	static const char *const bad[] = { "/list?limit=0",   "/list?limit=1001", "/list?cursor=x",
		                           "/list?cursor=-1", "/list?cursor=",    "/list?filter=(eq)",
		                           "/list?filter=" };
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL, routes);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(ask(&f, "GET", bad[i], NULL, NULL), 400);
	assert_int_equal(ask(&f, "GET", "/list?cursor=99999", NULL, NULL), 200);
	assert_string_equal(f.reply.body, "[]");
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_match_what_they_should),
		cmocka_unit_test(bad_filters_say_why),
		cmocka_unit_test(too_many_expressions_and_values_are_refused),
		cmocka_unit_test(pages_cover_the_list_once),
		cmocka_unit_test(bad_pages_are_400),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
