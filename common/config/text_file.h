/* SPDX-License-Identifier: BSD-3-Clause */
/* How texts begin that people's editors write. No data of its own; any thread. */
#ifndef SLUICE_CONFIG_TEXT_FILE_H
#define SLUICE_CONFIG_TEXT_FILE_H

#include <stdbool.h>

#include "config/conf.h"

/* The text behind a byte order mark of UTF-8, which some editors write and which means nothing (RFC 3629, 6); the text itself if there is none. */
const char *text_behind_mark(const char *text);
/* Whether it begins with a byte order mark of UTF-16, which nobody reads here. */
bool text_is_utf16(const char *text);

/* The document in a JSON file; NULL with errors that name file and line. */
struct conf *conf_read_json(const char *file, struct errors *errors);
/* The same of a text that was read already; a NUL is behind it. */
struct conf *conf_parse_json(const char *text, size_t length, const char *file, struct errors *errors);

#endif
