/* SPDX-License-Identifier: BSD-3-Clause */
/* What a program tells of its classes. See about.h. */
#include "runtime/process/about.h"

#include <stdio.h>
#include <stdlib.h>

#include "runtime/engine.h"

bool about_print(const struct nf_class *const *classes, const char *kind)
{
	const struct nf_class *class = class_find(classes, kind);
	char *text = class && class->schema ? schema_to_markdown(class->schema, "Configuration") : NULL;

	if (!class)
		return false;
	printf("%s", text ? text : "");
	printf("\n## Counters and reasons for drops\n\n| counter | drop | meaning |\n|---|---|---|\n");
	for (const struct nf_counter *i = class->counters; i && i->name; i++)
		printf("| %s | %s | %s |\n", i->name, i->drop ? "yes" : "no", i->help);
	free(text);
	return true;
}

static json_t *counters_json(const struct nf_counter *counters)
{
	json_t *list = json_array();

	for (; counters && counters->name; counters++)
		json_array_append_new(list, json_pack("{s:s,s:b,s:s}", "name", counters->name, "drop",
		                                      counters->drop, "help", counters->help));
	return list;
}

json_t *about_json(const struct nf_class *const *classes)
{
	json_t *functions = json_array();

	for (; *classes; classes++)
		json_array_append_new(functions, json_pack("{s:s,s:s,s:o,s:o}", "name", (*classes)->name,
		                                           "help", (*classes)->help, "schema",
		                                           schema_to_openapi((*classes)->schema), "counters",
		                                           counters_json((*classes)->counters)));
	return json_pack("{s:o,s:o}", "engine", schema_to_openapi(engine_schema), "functions", functions);
}
