/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any text into the reader of libconfig's notation. What is taken must come back equal through libconfig's notation
 * and through JSON; what is refused must say so with a place. One input at a time, nothing kept.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 forgets the string that it has just read when a syntax error follows it. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void through_text(const struct conf *c)
{
	struct errors errors = ERRORS_NONE;
	char *text = conf_to_libconfig(c);
	struct conf *again = conf_read_text(text, "again", &errors);

	must(again && conf_equal(c, again));
	conf_free(again);
	free(text);
}

static void through_json(const struct conf *c)
{
	struct errors errors = ERRORS_NONE;
	json_t *json = conf_to_json(c);
	struct conf *again = conf_from_json(json, &errors);

	must(again && conf_equal(c, again));
	conf_free(again);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errors errors = ERRORS_NONE;
	char *text = strndup((const char *)data, size);
	struct conf *c = conf_read_text(text, "fuzz", &errors);

	must((c != NULL) == !errors_any(&errors));
	for (size_t i = 0; i < errors.count; i++)
		must(errors.list[i].file && errors.list[i].line > 0);
	if (c) {
		through_text(c);
		through_json(c);
	}
	conf_free(c);
	errors_free(&errors);
	free(text);
	return 0;
}
