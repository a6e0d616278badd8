/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the orchestrator's parts share: descriptors from text, folders that go away. One thread. */
#ifndef SLUICE_TESTS_HELPER_MANO_H
#define SLUICE_TESTS_HELPER_MANO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/conf.h"

/* A document from libconfig's notation; fails the test if it is not one. */
struct conf *document(const char *text);

/* A new empty folder, and its removal with all files in it. */
char *new_folder(void);
void remove_folder(char *folder);

/* Makes an executable file of that name. */
void put_program(const char *folder, const char *name);

/* Whether the list holds an error of that path and code. */
bool has_error(const struct errors *errors, const char *path, const char *code);

/* A service with a port at either end, VNFs fw (fused) and nat (in a process), and two chains. */
extern const char SERVICE[];

#endif
