/* SPDX-License-Identifier: BSD-3-Clause */
/* Options as tables. See options.h. */
#include "manage/options.h"

void options_getopt(const struct option_row *rows, struct option options[OPTIONS_MAX])
{
	unsigned n = 0;

	for (; rows->name && n < OPTIONS_MAX - 1; rows++)
		options[n++] = (struct option){ rows->name, rows->argument ? required_argument : no_argument,
			                        NULL, rows->letter };
	options[n] = (struct option){ NULL, 0, NULL, 0 };
}

void options_print(const struct option_row *rows, FILE *to)
{
	char text[64];

	for (; rows->name; rows++) {
		snprintf(text, sizeof(text), "--%s%s%s", rows->name, rows->argument ? " " : "",
		         rows->argument ? rows->argument : "");
		fprintf(to, "  %-30s %s\n", text, rows->help);
	}
}

json_t *options_json(const struct option_row *rows)
{
	json_t *list = json_array();

	for (; rows->name; rows++)
		json_array_append_new(list, json_pack("{s:s,s:s*,s:s}", "name", rows->name, "argument",
		                                      rows->argument, "help", rows->help));
	return list;
}
