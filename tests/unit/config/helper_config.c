/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fixtures and expectations of the configuration tests. Owned by the running test.
 */
#include "helper_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/atomic_file.h"
#include "util/memory.h"

int make_folder(void **state)
{
	*state = mkdtemp(text_copy("/tmp/sluice-config-XXXXXX"));
	return !*state;
}

int remove_folder(void **state)
{
	char *command = text_format("rm -rf '%s'", (char *)*state);
	int result = system(command);

	free(command);
	free(*state);
	return result;
}

char *write_file(const char *folder, const char *name, const char *text)
{
	char *file = text_format("%s/%s", folder, name);

	assert_int_equal(atomic_file_write(file, text, strlen(text), 0640), 0);
	return file;
}

struct conf *read_right(const char *text)
{
	struct errors errors = ERRORS_NONE;
	struct conf *conf = conf_read_text(text, "t.cfg", &errors);

	if (!conf)
		expect_errors(&errors, 0, NULL);
	assert_non_null(conf);
	return conf;
}

void expect_error(const struct errors *errors, size_t i, const char *expected)
{
	char text[512];

	assert_true(i < errors->count);
	error_format(&errors->list[i], text, sizeof(text));
	assert_string_equal(text, expected);
}

void expect_errors(struct errors *errors, size_t count, const char *const *expected)
{
	for (size_t i = 0; i < errors->count && i < count; i++)
		expect_error(errors, i, expected[i]);
	if (errors->count > count)
		expect_error(errors, count, "no more errors");
	assert_int_equal(errors->count, count);
	errors_free(errors);
}

struct conf *from_json_text(const char *text, struct errors *errors)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	assert_non_null(json);
	struct conf *conf = conf_from_json(json, errors);
	json_decref(json);
	return conf;
}
