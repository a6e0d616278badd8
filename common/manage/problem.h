/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors of REST: application/problem+json (RFC 9457), with the members `errors` (every finding with its
 * place) and `code` (a stable word for programs). Pure functions, any thread.
 */
#ifndef SLUICE_MANAGE_PROBLEM_H
#define SLUICE_MANAGE_PROBLEM_H

#include <jansson.h>

#include "manage/rest.h"
#include "util/errors.h"

#define PROBLEM_TYPE "application/problem+json"

/* {type, title, status, detail, errors: [{path, code, detail, file, line}]}; title, detail, errors may be
 * NULL (the title is then the status's own phrase). New reference. */
json_t *problem_json(unsigned status, const char *title, const char *detail, const struct errors *errors);

/* errors[] alone. New reference. */
json_t *problem_errors(const struct errors *errors);

/* Reads errors[] back from a problem document (a proxy, the CLI) and adds them to `errors`; returns how many.
 */
size_t problem_read(const json_t *problem, struct errors *errors);

/* Makes the reply a problem with a formatted detail. */
void rest_problem(struct rest_reply *reply, unsigned status, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Makes the reply a problem that carries all errors; the detail is the formatted one. The list stays the
 * caller's. */
void rest_problem_errors(struct rest_reply *reply, unsigned status, const struct errors *errors,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The reason phrase of a status ("Not Found"). */
const char *problem_phrase(unsigned status);

#endif
