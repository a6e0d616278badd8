/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the configuration share. One test at a time, nothing kept but the folder of a test.
 */
#ifndef HELPER_CONFIG_H
#define HELPER_CONFIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/conf.h"

/* cmocka fixtures: *state is the path of a fresh folder. */
int make_folder(void **state);
int remove_folder(void **state);

/* Writes FOLDER/NAME and returns its path, malloc'd. */
char *write_file(const char *folder, const char *name, const char *text);

/* Reads text that must be right, or fails the test with the errors. */
struct conf *read_right(const char *text);

/* The i-th error, as it is printed, must be this. */
void expect_error(const struct errors *errors, size_t i, const char *expected);
/* The errors, as printed, in that order and no others; frees them. */
void expect_errors(struct errors *errors, size_t count, const char *const *expected);

struct conf *from_json_text(const char *text, struct errors *errors);

#endif
