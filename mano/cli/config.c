/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config: one function's configuration, whole or a value in it by its path (rules[web].action). A value is changed in what was read, and written back
 * only if nobody has changed it meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/config.h"

enum { PATH_SIZE = 512 };

static const char usage[] =
        "config get SERVICE/VNF [PATH] | config set SERVICE/VNF PATH VALUE | config unset "
        "SERVICE/VNF PATH | config set|diff SERVICE/VNF -f FILE";

/* --- places --- */

/* The number of a list's item by key or number, -1: there is none. */
static ssize_t find_item(const json_t *list, const char *key)
{
	json_t *item;
	size_t i;
	char *end;
	unsigned long number = strtoul(key, &end, 10);

	json_array_foreach((json_t *)(uintptr_t)list, i, item)
	{
		if (strcmp(cli_text(item, "name"), key) == 0)
			return (ssize_t)i;
	}
	return *key && !*end && number < json_array_size(list) ? (ssize_t)number : -1;
}

/* What a place holds, borrowed; NULL: nothing yet. */
static json_t *held(const struct config_spot *spot)
{
	if (!spot->is_item)
		return json_object_get(spot->parent, spot->word);
	return spot->index < 0 ? NULL : json_array_get(spot->parent, (size_t)spot->index);
}

/* The member `word` of a group, made (a group, or a list) if it is absent and `make`. */
static json_t *member(json_t *group, const char *word, bool make, bool list)
{
	json_t *found = json_object_get(group, word);

	if (!found && make && json_is_object(group)) {
		found = list ? json_array() : json_object();
		json_object_set_new(group, word, found);
	}
	return found;
}

/* One step: the name and, in brackets, the item. False: there is no such place. */
static bool take_step(const char **path, struct config_spot *spot, bool make)
{
	size_t length = strcspn(*path, ".[");

	spot->is_item = false;
	snprintf(spot->word, sizeof(spot->word), "%.*s", (int)length, *path);
	*path += length;
	if (!spot->word[0] || !json_is_object(spot->parent))
		return false;
	if (**path != '[')
		return true;
	length = strcspn(*path, "]");
	if ((*path)[length] != ']' || length < 2)
		return false;
	spot->parent = member(spot->parent, spot->word, make, true);
	spot->is_item = true;
	snprintf(spot->word, sizeof(spot->word), "%.*s", (int)length - 1, *path + 1);
	spot->index = find_item(spot->parent, spot->word);
	*path += length + 1;
	return json_is_array(spot->parent);
}

bool config_find(json_t *config, const char *path, bool make, struct config_spot *spot)
{
	spot->parent = config;
	while (take_step(&path, spot, make)) {
		if (!*path)
			return true;
		if (*path++ != '.')
			return false;
		spot->parent = spot->is_item ? held(spot) : member(spot->parent, spot->word, make, false);
	}
	return false;
}

json_t *config_value(const struct config_spot *spot)
{
	return held(spot);
}

bool config_put(const struct config_spot *spot, json_t *value)
{
	if (!spot->is_item)
		return json_object_set(spot->parent, spot->word, value) == 0;
	if (spot->index >= 0)
		return json_array_set(spot->parent, (size_t)spot->index, value) == 0;
	if (json_is_object(value) && !json_object_get(value, "name"))
		json_object_set_new(value, "name", json_string(spot->word));
	return json_array_append(spot->parent, value) == 0;
}

bool config_drop(const struct config_spot *spot)
{
	if (!held(spot))
		return false;
	return spot->is_item ? json_array_remove(spot->parent, (size_t)spot->index) == 0
	                     : json_object_del(spot->parent, spot->word) == 0;
}

/* --- the verb --- */

static int no_place(const char *path)
{
	fprintf(stderr,
	        "sluice: the configuration has no \"%s\"; sluice config get shows it, sluice explain what it "
	        "may have\n",
	        path);
	return CLI_NOT_FOUND;
}

static int get(struct cli *cli, const char *path, const char *place)
{
	struct config_spot spot;
	json_t *config, *value;
	int status = cli_request(cli, "GET", path, NULL, &config);

	if (status != CLI_DONE)
		return status;
	value = !place ? config : config_find(config, place, false, &spot) ? config_value(&spot) : NULL;
	if (!value)
		status = no_place(place);
	else if (json_is_string(value) && !cli_structured(cli))
		puts(json_string_value(value));
	else if (cli->output == OUTPUT_YAML)
		yaml_print(value);
	else
		cli_print_json(value);
	json_decref(config);
	return status;
}

/* What a word means as a value: JSON if it reads as JSON, else a string. */
static json_t *value_of(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	return value ? value : json_string(text);
}

/* text: NULL: take the place away. */
static int change(struct cli *cli, const char *path, const char *place, const char *text)
{
	struct config_spot spot;
	json_t *config, *value;
	bool found;
	int status = cli_request(cli, "GET", path, NULL, &config);

	if (status != CLI_DONE)
		return status;
	value = text ? value_of(text) : NULL;
	found = config_find(config, place, text != NULL, &spot);
	if (found && (value ? config_put(&spot, value) : config_drop(&spot))) {
		cli->if_match = true;
		status = cli_change(cli, "PUT", path, config);
	} else {
		status = no_place(place);
	}
	json_decref(value);
	json_decref(config);
	return status;
}

/* The whole configuration from a file: set, or what it would change. */
static int whole(struct cli *cli, const char *path, bool diff)
{
	json_t *body;
	int status = cli_read_file(cli);

	if (status != CLI_DONE)
		return status;
	body = conf_to_json(cli->document);
	status = diff ? cli_diff(cli, "PUT", path, body) : cli_change(cli, "PUT", path, body);
	json_decref(body);
	return status;
}

int command_config(struct cli *cli)
{
	char service[128], path[PATH_SIZE];
	const char *verb = cli->count > 1 ? cli->words[0] : "", *vnf, *place;

	if (cli->count < 2 || !cli_split(cli->words[1], service, sizeof(service), &vnf) || !vnf)
		return cli_usage(usage);
	place = cli->count > 2 ? cli->words[2] : NULL;
	snprintf(path, sizeof(path), "/v1/services/%s/vnfs/%s/config", service, vnf);
	if (strcmp(verb, "get") == 0 && cli->count <= 3)
		return get(cli, path, place);
	if (strcmp(verb, "set") == 0 && cli->count == 4)
		return change(cli, path, place, cli->words[3]);
	if (strcmp(verb, "unset") == 0 && cli->count == 3)
		return change(cli, path, place, NULL);
	if ((strcmp(verb, "set") == 0 || strcmp(verb, "diff") == 0) && cli->file && !place)
		return whole(cli, path, strcmp(verb, "diff") == 0);
	return cli_usage(usage);
}
