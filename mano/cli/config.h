/* SPDX-License-Identifier: BSD-3-Clause */
/* Places in a configuration, by paths such as rules[web].action: an item is named by its `name`, or by its number. Pure functions. */
#ifndef SLUICE_MANO_CLI_CONFIG_H
#define SLUICE_MANO_CLI_CONFIG_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

enum { CONFIG_WORD = 256 };

/* A member of a group, or an item of a list, which need not be there yet. */
struct config_spot {
	json_t *parent; /* borrowed */
	bool is_item;
	ssize_t index; /* of an item; -1: it is not there */
	char word[CONFIG_WORD];
};

/* Finds a place; `make`: groups and lists on the way that are absent are made, items are not. False: there is no such place. */
bool config_find(json_t *config, const char *path, bool make, struct config_spot *spot);
/* What it holds, borrowed; NULL: nothing. */
json_t *config_value(const struct config_spot *spot);
/* Puts a value there (a new reference is taken); an item that is not there comes last and is given its name. */
bool config_put(const struct config_spot *spot, json_t *value);
/* Takes away what it holds; false: nothing. */
bool config_drop(const struct config_spot *spot);

#endif
