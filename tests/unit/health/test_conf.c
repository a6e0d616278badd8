/* SPDX-License-Identifier: BSD-3-Clause */
/* What a check's configuration is read as, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lb/health/health.h"

/* Reads a group as the engine does: checked, with defaults. */
static bool read_check(const char *text, struct health_check *check, struct errors *errors)
{
	struct conf *c = conf_read_text(text, "lb.cfg", errors);
	bool well = c && schema_check(health_check_schema, c, errors);

	if (well) {
		schema_defaults(health_check_schema, c);
		well = health_check_read(c, check, errors);
	}
	conf_free(c);
	return well;
}

static void expect_right(const char *text, struct health_check *check)
{
	struct errors errors = ERRORS_NONE;

	if (!read_check(text, check, &errors))
		fail_msg("%s: %s", text, errors.list[0].detail);
}

static void expect_wrong(const char *text, const char *path, const char *code)
{
	struct errors errors = ERRORS_NONE;
	struct health_check check;

	assert_false(read_check(text, &check, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.list[0].path ? errors.list[0].path : "", path);
	assert_string_equal(errors.list[0].code, code);
	assert_int_equal(errors.list[0].line, 1);
	errors_free(&errors);
}

static void lint(void **state)
{
	struct errors errors = ERRORS_NONE;

	(void)state;
	assert_true(schema_lint(health_check_schema, &errors));
}

static void defaults(void **state)
{
	struct health_check check;

	(void)state;
	expect_right("", &check);
	assert_int_equal(check.kind, HEALTH_TCP);
	assert_int_equal(check.interval, 2000);
	assert_int_equal(check.timeout, 1000);
	assert_int_equal(check.rise, 2);
	assert_int_equal(check.fall, 3);
	assert_true(check.damped);
	assert_int_equal(check.half_life, 30000);
	expect_right("interval = 300;", &check);
	assert_int_equal(check.timeout, 300);
	expect_right("kind = \"http\";", &check);
	assert_string_equal(check.path, "/");
	assert_int_equal(check.status_count, 1);
	assert_int_equal(check.status[0].first, 200);
	assert_int_equal(check.status[0].last, 399);
	assert_false(check.verify);
	expect_right("kind = \"dns\"; name = \"example.net\";", &check);
	assert_int_equal(check.type, 1);
	assert_int_equal(check.rcode, 0);
}

static const char *file_with(const char *text)
{
	static const char name[] = "test_conf.pem";
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return name;
}

static void members(void **state)
{
	struct health_check check;

	(void)state;
	file_with("# authorities\n-----BEGIN CERTIFICATE-----\n");
	expect_right(
	        "kind = \"https\"; port = 8443; host = \"www.example.net\"; path = \"/alive?x=1\";"
	        "status = [ \"200\", \"204-206\" ]; body = \"well\"; verify = true; ca = \"test_conf.pem\";",
	        &check);
	assert_int_equal(check.port, 8443);
	assert_string_equal(check.host, "www.example.net");
	assert_string_equal(check.path, "/alive?x=1");
	assert_int_equal(check.status_count, 2);
	assert_int_equal(check.status[1].last, 206);
	assert_string_equal(check.body, "well");
	assert_true(check.verify);
	expect_right("kind = \"udp\"; send = \"a\\\\x00\\\\r\\\\n\\\\\\\\\"; expect = \"\\\\xff\\\\xFE\";",
	             &check);
	assert_int_equal(check.send_length, 5);
	assert_memory_equal(check.send, "a\0\r\n\\", 5);
	assert_int_equal(check.expect_length, 2);
	assert_memory_equal(check.expect, "\xff\xfe", 2);
	expect_right("kind = \"dns\"; name = \"a.example\"; type = \"AAAA\"; rcode = \"noerror\"; answer = "
	             "\"2001:db8::1\";",
	             &check);
	assert_int_equal(check.type, 28);
	assert_int_equal(check.answer.family, 6);
}

/* The same text is the same check, byte for byte: that is how an unchanged target is known. */
static void comparable(void **state)
{
	struct health_check a, b;

	(void)state;
	memset(&a, 0x55, sizeof(a));
	memset(&b, 0xaa, sizeof(b));
	expect_right("kind = \"http\"; status = [ 200 ];", &a);
	expect_right("kind = \"http\"; status = [ 200 ];", &b);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void refused(void **state)
{
	(void)state;
	expect_wrong("kind = \"tcp\"; path = \"/\";", "path", "not-of-this-kind");
	expect_wrong("kind = \"icmp\"; port = 80;", "port", "not-of-this-kind");
	expect_wrong("kind = \"http\"; verify = true;", "verify", "not-of-this-kind");
	expect_wrong("kind = \"http\"; path = \"alive\";", "path", "not-a-path");
	expect_wrong("kind = \"http\"; status = [ \"99\" ];", "status[0]", "not-a-status");
	expect_wrong("kind = \"http\"; status = [ \"200-600\" ];", "status[0]", "not-a-status");
	expect_wrong("kind = \"udp\"; send = \"\\\\q\";", "send", "not-bytes");
	expect_wrong("kind = \"udp\"; send = \"\\\\x1\";", "send", "not-bytes");
	expect_wrong("kind = \"udp\"; send = \"\\\\\";", "send", "not-bytes");
	expect_wrong("kind = \"dns\"; name = \"a\"; answer = \"2001:db8::1\";", "answer", "wrong-type");
	expect_wrong("kind = \"dns\"; name = \"a..b\";", "name", "not-a-name");
	expect_wrong("kind = \"http\"; host = \"a b\";", "host", "not-a-name");
	expect_wrong("kind = \"http\"; path = \"/a b\";", "path", "not-a-path");
	expect_wrong("interval = 100; timeout = 101;", "timeout", "too-long");
	expect_wrong("kind = \"https\"; ca = \"/nonexistent\";", "ca", "cannot-read");
	expect_wrong("kind = \"https\"; ca = \"/\";", "ca", "cannot-read");
	file_with("-----BEGIN PRIVATE KEY-----\n");
	expect_wrong("kind = \"https\"; ca = \"test_conf.pem\";", "ca", "no-certificate");
	expect_wrong("kind = \"tcp\"; rise = 0;", "rise", "out-of-range");
	expect_wrong("kind = \"smtp\";", "kind", "not-one-of");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lint),       cmocka_unit_test(defaults), cmocka_unit_test(members),
		cmocka_unit_test(comparable), cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
