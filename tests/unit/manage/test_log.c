/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log: quoting, JSON, levels, limits, and a sink that takes nothing.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "manage/log.h"

static char path[64], text[1 << 20];

static int setup(void **state)
{
	(void)state;
	strcpy(path, "/tmp/sluice-log-XXXXXX");
	close(mkstemp(path));
	return log_open(&(struct log_settings){ .file = path, .level = LOG_LEVEL_INFO }) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	log_open(&(struct log_settings){ .level = LOG_LEVEL_INFO });
	return unlink(path);
}

static const char *written(void)
{
	FILE *file = fopen(path, "r");
	size_t length = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[length] = 0;
	return text;
}

static void assert_line_ends(const char *end)
{
	const char *line = written();
	size_t length = strlen(line), tail = strlen(end);
	assert_true(length >= tail);
	assert_string_equal(line + length - tail, end);
}

static void values_are_quoted_when_they_need_to_be(void **state)
{
	(void)state;
	log_info("hop-up", "hop=%s peer=%s empty=%s", "fw", "unix:/run/a b", "");
	assert_int_equal(strncmp(written(), "time=20", 7), 0);
	assert_line_ends("Z level=info event=hop-up hop=fw peer=\"unix:/run/a b\" empty=\"\"\n");
	log_warn("odd", "a=%s b=%s", "x=\"y\"\n\x01", "line\tevent=forged");
	assert_line_ends(" level=warn event=odd a=\"x=\\\"y\\\"\\n\\u0001\" b=\"line\\tevent=forged\"\n");
	log_info("plain", "%s", "two words");
	assert_line_ends(" event=plain text=\"two words\"\n");
}

static void all_conversions_are_known(void **state)
{
	(void)state;
	log_info("n",
	         "a=%d b=%u c=%" PRIu64 " d=%zu e=%x f=%.2f g=%c h=%.*s i=%5d j=%ld k=%lld l=%" PRId64
	         " m=%d%% n=%s:%d",
	         -1, 2u, UINT64_MAX, (size_t)3, 255, 1.5, 'x', 2, "abc", 7, -4l, 5ll, INT64_MIN, 50, "::1",
	         80);
	assert_line_ends("a=-1 b=2 c=18446744073709551615 d=3 e=ff f=1.50 g=x h=ab i=\"    7\" j=-4 k=5 "
	                 "l=-9223372036854775808 m=50% n=::1:80\n");
	const char *volatile none = NULL; /* volatile: the compiler would refuse it */
	log_info("null", "a=%s", none);
	assert_line_ends("a=(null)\n");
}

static void json_lines_are_json(void **state)
{
	(void)state;
	assert_true(log_open(&(struct log_settings){ .file = path, .json = true }));
	log_info("hop-up", "hop=%s n=%d ratio=%.1f zero=%05d", "a \"b\"\n\x1f", -3, 0.5, 7);
	json_t *line = json_loads(written(), 0, NULL);
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "event")), "hop-up");
	assert_string_equal(json_string_value(json_object_get(line, "hop")), "a \"b\"\n\x1f");
	assert_int_equal(json_integer_value(json_object_get(line, "n")), -3);
	assert_true(json_is_real(json_object_get(line, "ratio")));
	assert_string_equal(json_string_value(json_object_get(line, "zero")), "00007");
	json_decref(line);
}

static void bytes_that_are_no_utf8_leave_json_whole(void **state)
{
	(void)state;
	assert_true(log_open(&(struct log_settings){ .file = path, .json = true }));
	log_info("x", "good=%s bad=%s cut=%s", "gr\xc3\xbc\xc3\x9f", "a\xff\xc0\x80z", "\xe2\x82");
	json_t *line = json_loads(written(), 0, NULL);
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "good")), "gr\xc3\xbc\xc3\x9f");
	assert_string_equal(json_string_value(json_object_get(line, "bad")), "a???z");
	assert_string_equal(json_string_value(json_object_get(line, "cut")), "??");
	json_decref(line);
}

static void long_values_are_cut_and_the_line_stays_whole(void **state)
{
	static char longer[10000];
	(void)state;
	memset(longer, 'x', sizeof longer - 1);
	assert_true(log_open(&(struct log_settings){ .file = path, .json = true }));
	log_info("long", "a=%s b=%s c=%s", longer, longer, longer);
	assert_true(strlen(written()) <= 4096);
	json_t *line = json_loads(text, 0, NULL);
	assert_non_null(line);
	assert_int_equal(json_string_length(json_object_get(line, "a")), 2047);
	json_decref(line);
}

static void levels_are_kept(void **state)
{
	enum log_level level;
	(void)state;
	log_debug("no", "a=%d", 1);
	assert_string_equal(written(), "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("yes", "a=%d", 1);
	assert_line_ends("level=debug event=yes a=1\n");
	assert_true(log_level_parse("warn", &level));
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_false(log_level_parse("loud", &level));
}

static unsigned lines(void)
{
	unsigned count = 0;
	for (const char *at = written(); (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

static void a_limit_says_what_it_kept_back(void **state)
{
	struct log_limit limit = { .per_second = 20, .burst = 3 };
	(void)state;
	for (int i = 0; i < 8; i++)
		log_write_limited(&limit, LOG_LEVEL_INFO, "burst", "i=%d", i);
	assert_int_equal(lines(), 3);
	usleep(120000);
	log_write_limited(&limit, LOG_LEVEL_INFO, "burst", "i=%d", 8);
	assert_line_ends("i=8 suppressed=5\n");
	for (int i = 0; i < 100; i++)
		log_limited(LOG_LEVEL_INFO, "site", "i=%d", i);
	assert_in_range(lines(), 14, 15);
}

static void a_file_that_cannot_be_opened_changes_nothing(void **state)
{
	(void)state;
	assert_false(log_open(&(struct log_settings){ .file = "/no/such/folder/log" }));
	log_info("still", "a=%d", 1);
	assert_line_ends("event=still a=1\n");
}

static void *write_many(void *argument)
{
	for (int i = 0; i < 500; i++)
		log_info("many", "thread=%s i=%d", (const char *)argument, i);
	return NULL;
}

static void lines_of_many_threads_do_not_mix(void **state)
{
	pthread_t threads[4];
	(void)state;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, write_many, (void *)"name with space");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(lines(), 2000);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_non_null(strstr(line, " level=info event=many thread=\"name with space\" i="));
}

static void a_file_is_rotated_and_made_anew_where_it_is_gone(void **state)
{
	struct log_settings settings = { .file = path, .level = LOG_LEVEL_INFO };
	char former[80];
	(void)state;
	snprintf(former, sizeof former, "%s.1", path);
	log_info("first", "a=%d", 1);
	log_rotate(&settings, 1 << 20);
	assert_int_equal(access(former, F_OK), -1);
	log_rotate(&settings, 1);
	log_info("second", "a=%d", 2);
	assert_null(strstr(written(), "event=first"));
	assert_non_null(strstr(written(), "event=second"));
	/* What a failure in the middle of it leaves: the sink is the former file. */
	assert_int_equal(rename(path, former), 0);
	log_info("third", "a=%d", 3);
	log_rotate(&settings, 1 << 20);
	log_info("fourth", "a=%d", 4);
	assert_null(strstr(written(), "event=third"));
	assert_non_null(strstr(written(), "event=fourth"));
	unlink(former);
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void a_sink_that_takes_nothing_blocks_nobody(void **state)
{
	char fifo[80];
	static char rest[1 << 20];
	(void)state;
	snprintf(fifo, sizeof fifo, "%s.fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	int reader = open(fifo, O_RDONLY | O_NONBLOCK);
	assert_true(log_open(&(struct log_settings){ .file = fifo, .level = LOG_LEVEL_INFO }));
	double before = seconds();
	for (int i = 0; i < 5000; i++)
		log_info("fill", "i=%d text=%s", i, "0123456789012345678901234567890123456789");
	assert_true(seconds() - before < 2);
	while (read(reader, rest, sizeof rest) > 0)
		;
	log_info("after", "a=%d", 1);
	ssize_t got = read(reader, rest, sizeof rest - 1);
	assert_true(got > 0);
	rest[got] = 0;
	assert_non_null(strstr(rest, "level=warn event=log-lost lines="));
	assert_non_null(strstr(rest, "event=after a=1\n"));
	log_open(&(struct log_settings){ .level = LOG_LEVEL_INFO });
	close(reader);
	unlink(fifo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values_are_quoted_when_they_need_to_be, setup, teardown),
		cmocka_unit_test_setup_teardown(all_conversions_are_known, setup, teardown),
		cmocka_unit_test_setup_teardown(json_lines_are_json, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_that_are_no_utf8_leave_json_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(long_values_are_cut_and_the_line_stays_whole, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(levels_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(a_limit_says_what_it_kept_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_opened_changes_nothing, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(lines_of_many_threads_do_not_mix, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_is_rotated_and_made_anew_where_it_is_gone, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_sink_that_takes_nothing_blocks_nobody, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
