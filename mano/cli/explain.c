/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * explain: what a member of a descriptor or of a function's configuration means, from the schemas that sluiced has of itself, the engine and the
 * functions. A kind is a resource (service, vnf, chain, port, route, engine) or a function (firewall, nat).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/schema_text.h"

enum { TEXT = 512, WORD = 128 };

/* Kinds that are a part of a service. */
static const struct part {
	const char *kind, *path;
} parts[] = {
	{ "service", "" },          { "vnf", "vnfs" },
	{ "chain", "chains" },      { "port", "edge.ports" },
	{ "route", "edge.routes" }, { "edge", "edge" },
	{ "engine", "engine" },     { "timeout", "engine.timeouts" },
};
enum { PARTS = sizeof(parts) / sizeof(*parts) };

/* The member of a path; *parent is what it is a member of. NULL: there is none; *at is left at the first word that is unknown. */
static json_t *follow(json_t *schema, const char **at, json_t **parent)
{
	char word[WORD];

	*parent = NULL;
	while (schema && **at) {
		size_t length = strcspn(*at, ".[");

		snprintf(word, sizeof(word), "%.*s", (int)length, *at);
		*parent = schema;
		schema = schema_member(schema, word);
		if (!schema)
			break;
		*at += length;
		if (**at == '[') /* rules[web].action */
			*at += strcspn(*at, "]") + (strchr(*at, ']') != NULL);
		*at += **at == '.';
	}
	return schema;
}

static json_t *function_of(const json_t *schemas, const char *kind)
{
	json_t *function;
	size_t i;

	json_array_foreach(json_object_get(schemas, "functions"), i, function)
	{
		if (strcmp(cli_text(function, "name"), kind) == 0)
			return function;
	}
	return NULL;
}

static const struct part *part_of(const char *kind)
{
	for (unsigned i = 0; i < PARTS; i++) {
		size_t length = strlen(parts[i].kind);

		if (strncmp(kind, parts[i].kind, length) == 0 &&
		    (!kind[length] || strcmp(kind + length, "s") == 0))
			return &parts[i];
	}
	return NULL;
}

/* The schema of a kind, borrowed; NULL: no such kind. *help: of a function. */
static json_t *kind_schema(const json_t *schemas, const char *kind, const char **help)
{
	const struct part *part = part_of(kind);
	json_t *function = function_of(schemas, kind), *parent;
	const char *path;

	*help = "";
	if (function) {
		*help = cli_text(function, "help");
		return json_object_get(function, "schema");
	}
	if (!part)
		return NULL;
	path = part->path;
	return follow(json_object_get(schemas, "service"), &path, &parent);
}

/* --- telling --- */

static void row(const char *title, const char *text)
{
	if (*text)
		printf("%-8s %s\n", title, text);
}

static void tell_members(const json_t *schema)
{
	const char *name;
	json_t *member, *rows = json_array();
	char type[TEXT], range[TEXT], otherwise[TEXT];

	json_object_foreach(schema_members(schema), name, member)
	{
		schema_type_text(member, type, sizeof(type));
		schema_range_text(member, range, sizeof(range));
		schema_default_text(member, otherwise, sizeof(otherwise));
		json_array_append_new(rows,
		                      json_pack("{s:s,s:s+,s:s,s:s,s:s}", "member", name, "type", type,
		                                schema_requires(schema, name) ? ", required" : "", "range",
		                                range, "default", otherwise, "meaning", schema_help(member)));
	}
	if (json_array_size(rows)) {
		printf("\n");
		cli_print_table(rows, NULL);
	}
	json_decref(rows);
}

/* Functions that a VNF's config may be of. */
static void tell_functions(const json_t *schemas)
{
	json_t *function;
	size_t i;

	printf("\nby the kind of the VNF:\n");
	json_array_foreach(json_object_get(schemas, "functions"), i, function)
	        printf("  sluice explain %-12s %s\n", cli_text(function, "name"), cli_text(function, "help"));
}

static void tell(const char *path, const json_t *schema, const json_t *parent, const char *help)
{
	const char *last = strrchr(path, '.');
	char text[TEXT];

	row("PATH", path);
	schema_type_text(schema, text, sizeof(text));
	if (parent && schema_requires(parent, last ? last + 1 : path))
		strncat(text, ", required", sizeof(text) - strlen(text) - 1);
	row("TYPE", text);
	schema_range_text(schema, text, sizeof(text));
	row("RANGE", text);
	schema_default_text(schema, text, sizeof(text));
	row("DEFAULT", text);
	row("MEANING", *schema_help(schema) ? schema_help(schema) : help);
	tell_members(schema);
}

static int list_kinds(struct cli *cli, const json_t *schemas)
{
	json_t *list = json_array(), *function, *schema;
	const char *help;
	size_t i;

	for (unsigned k = 0; k < PARTS; k++) {
		schema = kind_schema(schemas, parts[k].kind, &help);
		help = schema_help(schema);
		json_array_append_new(list,
		                      json_pack("{s:s,s:s}", "name", parts[k].kind, "meaning",
		                                *help ? help : "What an operator writes of a service."));
	}
	json_array_foreach(json_object_get(schemas, "functions"), i, function)
	        json_array_append_new(list, json_pack("{s:O,s:O}", "name", json_object_get(function, "name"),
	                                              "meaning", json_object_get(function, "help")));
	cli_print(cli, list);
	json_decref(list);
	return CLI_DONE;
}

static int no_kind(const char *kind)
{
	fprintf(stderr, "sluice: nothing of kind \"%s\" can be explained; sluice explain lists kinds\n",
	        kind);
	return CLI_NOT_FOUND;
}

static int no_member(const char *path, const char *at, const json_t *parent)
{
	const char *name;
	json_t *member;

	fprintf(stderr, "sluice: %.*s has no \"%.*s\"; there %s", (int)(at - path - 1), path,
	        (int)strcspn(at, ".["), at,
	        json_object_size(schema_members(parent)) ? "are:" : "is nothing below");
	json_object_foreach(schema_members(parent), name, member) fprintf(stderr, " %s", name);
	fprintf(stderr, "\n");
	return CLI_NOT_FOUND;
}

static int explain(struct cli *cli, const json_t *schemas, const char *path)
{
	const char *at = path + strcspn(path, ".["), *help;
	json_t *schema, *parent;
	char kind[WORD];

	snprintf(kind, sizeof(kind), "%.*s", (int)(at - path), path);
	schema = kind_schema(schemas, kind, &help);
	if (!schema)
		return no_kind(kind);
	if (*at == '[')
		at += strcspn(at, "]") + (strchr(at, ']') != NULL);
	at += *at == '.';
	schema = follow(schema, &at, &parent);
	if (!schema)
		return no_member(path, at, parent);
	if (cli_structured(cli))
		cli_print(cli, schema);
	else
		tell(path, schema, parent, help);
	if (!cli_structured(cli) && strcmp(path + strlen(kind), ".config") == 0 && part_of(kind))
		tell_functions(schemas);
	return CLI_DONE;
}

int command_explain(struct cli *cli)
{
	json_t *schemas;
	int status;

	if (cli->count > 1)
		return cli_usage("explain [KIND[.MEMBER...]]");
	status = cli_request(cli, "GET", "/v1/schemas", NULL, &schemas);
	if (status == CLI_DONE)
		status = cli->count ? explain(cli, schemas, cli->words[0]) : list_kinds(cli, schemas);
	json_decref(schemas);
	return status;
}

/* --- completion --- */

/* Members of a kind below what stands already (rules. -> rules.action), with PREFIX before each. */
static void complete_members(const json_t *schemas, const char *kind, const char *word, const char *prefix)
{
	const char *dot = strrchr(word, '.'), *at, *help, *name;
	json_t *schema, *member, *parent;
	char path[TEXT];

	snprintf(path, sizeof(path), "%.*s", dot ? (int)(dot - word) : 0, word);
	at = path;
	schema = kind_schema(schemas, kind, &help);
	schema = schema ? follow(schema, &at, &parent) : NULL;
	json_object_foreach(schema_members(schema), name, member)
	        printf("%s%s%s%s\t%s\n", prefix, path, *path ? "." : "", name, schema_help(member));
}

static void complete_kinds(const json_t *schemas)
{
	json_t *function;
	size_t i;

	for (unsigned k = 0; k < PARTS; k++)
		printf("%s\n", parts[k].kind);
	json_array_foreach(json_object_get(schemas, "functions"), i, function)
	        printf("%s\n", cli_text(function, "name"));
}

void explain_complete(struct cli *cli, const char *word)
{
	const char *dot = strchr(word, '.');
	char kind[WORD], prefix[WORD + 1];
	json_t *schemas;

	if (cli_request(cli, "GET", "/v1/schemas", NULL, &schemas) != CLI_DONE)
		return;
	snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(word, "."), word);
	snprintf(prefix, sizeof(prefix), "%s.", kind);
	if (dot)
		complete_members(schemas, kind, dot + 1, prefix);
	else
		complete_kinds(schemas);
	json_decref(schemas);
}

void explain_complete_below(struct cli *cli, const char *kind, const char *word)
{
	json_t *schemas;

	if (!kind || cli_request(cli, "GET", "/v1/schemas", NULL, &schemas) != CLI_DONE)
		return;
	complete_members(schemas, kind, word, "");
	json_decref(schemas);
}
