/* SPDX-License-Identifier: BSD-3-Clause */
/* What is taken out of a bundle, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/redact.h"

static void expect_text(const char *text, const char *wanted)
{
	char *got = redact_text(text);

	assert_string_equal(got, wanted);
	free(got);
}

static void names_in_text(void **state)
{
	(void)state;
	expect_text("event=login user=bob password=hunter2 from=::1",
	            "event=login user=bob password=" REDACTED " from=::1");
	expect_text("PSK = \"two words\"; port = 5;", "PSK = \"" REDACTED "\"; port = 5;");
	expect_text("{\"tunnelPsk\": \"a\\\"b\", \"n\": 1}", "{\"tunnelPsk\": \"" REDACTED "\", \"n\": 1}");
	expect_text("token_file: /run/x", "token_file: " REDACTED);
	expect_text("GET /v1?token=abc&limit=1", "GET /v1?token=" REDACTED "&limit=1");
	expect_text("client-secret='x y'\nnext", "client-secret='" REDACTED "'\nnext");
	expect_text("secret=one\nsecret=two", "secret=" REDACTED "\nsecret=" REDACTED);
}

static void forms_in_text(void **state)
{
	(void)state;
	expect_text("Authorization: Bearer abc.def\nHost: x", "Authorization: Bearer " REDACTED "\nHost: x");
	expect_text("sent bearer abc, then", "sent bearer " REDACTED ", then");
	expect_text("a\n-----BEGIN EC PRIVATE KEY-----\nAAAA\nBBBB\n-----END EC PRIVATE KEY-----\nb",
	            "a\n" REDACTED "\nb");
	expect_text("-----BEGIN PRIVATE KEY-----\ncut off", REDACTED);
}

static void what_stays(void **state)
{
	static const char *const texts[] = {
		"",
		"tokens are counted",
		"key-clash=7 sessions=3",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
		"password=",
		"password\n=x",
		"secret",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		expect_text(texts[i], texts[i]);
}

static void members(void **state)
{
	json_t *value = json_loads("{\"psk\": \"x\", \"tokens\": [\"a\", {\"id\": 1, \"secret\": \"b\"}],"
	                           " \"list\": [{\"Password\": \"c\"}, \"token=d\"], \"key-clash\": 4,"
	                           " \"token\": 7, \"name\": \"secretary\", \"none\": null}",
	                           0, NULL),
	       *wanted = json_loads(
	               "{\"psk\": \"" REDACTED "\", \"tokens\": [\"" REDACTED
	               "\", {\"id\": 1, \"secret\": \"" REDACTED "\"}], \"list\": [{\"Password\": \"" REDACTED
	               "\"}, \"token=" REDACTED
	               "\"], \"key-clash\": 4, \"token\": 7, \"name\": \"secretary\", \"none\": null}",
	               0, NULL);

	(void)state;
	assert_non_null(value);
	assert_non_null(wanted);
	redact_json(value);
	assert_true(json_equal(value, wanted));
	json_decref(value);
	json_decref(wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_in_text),
		cmocka_unit_test(forms_in_text),
		cmocka_unit_test(what_stays),
		cmocka_unit_test(members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
