/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON values as YAML, by libyaml's emitter, which knows what must be quoted; strings that would read as something else are quoted here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "cli/cli.h"

/* Whether a plain scalar would be read as a number, a truth value or nothing, by YAML 1.1 or 1.2. */
static bool must_quote(const char *text)
{
	static const char *const words[] = { "true", "false", "yes",  "no",   "on",    "off", "null", "~",
		                             "y",    "n",     ".nan", ".inf", "-.inf", "=",   "<<" };
	char *end;

	if (!*text || strchr("0123456789+-.", *text))
		return true;
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	strtod(text, &end);
	return !*end;
}

static void emit_scalar(yaml_emitter_t *emitter, const char *text, bool quote)
{
	yaml_event_t event;

	yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
	                             quote ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE);
	yaml_emitter_emit(emitter, &event);
}

static void emit_value(yaml_emitter_t *emitter, const json_t *value);

static void emit_list(yaml_emitter_t *emitter, const json_t *list)
{
	yaml_event_t event;
	json_t *item;
	size_t i;

	yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE);
	yaml_emitter_emit(emitter, &event);
	json_array_foreach((json_t *)(uintptr_t)list, i, item) emit_value(emitter, item);
	yaml_sequence_end_event_initialize(&event);
	yaml_emitter_emit(emitter, &event);
}

static void emit_object(yaml_emitter_t *emitter, const json_t *object)
{
	yaml_event_t event;
	const char *name;
	json_t *value;

	yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE);
	yaml_emitter_emit(emitter, &event);
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		emit_scalar(emitter, name, must_quote(name));
		emit_value(emitter, value);
	}
	yaml_mapping_end_event_initialize(&event);
	yaml_emitter_emit(emitter, &event);
}

static void emit_value(yaml_emitter_t *emitter, const json_t *value)
{
	char *text;

	if (json_is_object(value)) {
		emit_object(emitter, value);
	} else if (json_is_array(value)) {
		emit_list(emitter, value);
	} else if (json_is_string(value)) {
		emit_scalar(emitter, json_string_value(value), must_quote(json_string_value(value)));
	} else {
		text = json_dumps(value, JSON_ENCODE_ANY);
		emit_scalar(emitter, text ? text : "null", false);
		free(text);
	}
}

static int write_out(void *user, unsigned char *text, size_t length)
{
	char *last = user;

	if (length)
		*last = (char)text[length - 1];
	return fwrite(text, 1, length, stdout) == length;
}

void yaml_print(const json_t *data)
{
	yaml_emitter_t emitter;
	yaml_event_t event;
	char last = '\n';

	yaml_emitter_initialize(&emitter);
	yaml_emitter_set_output(&emitter, write_out, &last);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
	yaml_emitter_emit(&emitter, &event);
	yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
	yaml_emitter_emit(&emitter, &event);
	emit_value(&emitter, data);
	yaml_document_end_event_initialize(&event, 1);
	yaml_emitter_emit(&emitter, &event);
	yaml_stream_end_event_initialize(&event);
	yaml_emitter_emit(&emitter, &event);
	yaml_emitter_flush(&emitter);
	yaml_emitter_delete(&emitter);
	if (last != '\n') /* libyaml leaves it to whoever writes the next document */
		putchar('\n');
}
