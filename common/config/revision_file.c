/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file of a revision is one JSON object in three lines: everything about it, the configuration, the closing
 * bracket. So the first line alone answers `history`, and the last one says that the file is whole, without parsing
 * a configuration that may be many megabytes. Holds no data; any thread.
 */
#include "config/revision_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "config/source.h"
#include "util/atomic_file.h"
#include "util/memory.h"

#define HEAD_BYTES 65536
#define TAIL       "\n}\n"

static void time_text(char text[32])
{
	time_t now = time(NULL);
	struct tm parts;

	gmtime_r(&now, &parts);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* The first line: an object whose closing bracket has become the comma before "config". */
static char *head_text(const struct revision *revision)
{
	char now[32];

	time_text(now);
	json_t *head = json_pack("{s:I, s:s, s:s, s:s, s:s}", "number", (json_int_t)revision->number, "time",
	                         now, "author", revision->author, "comment", revision->comment,
	                         "startupDigest", revision->startup_digest);
	char *text = head ? json_dumps(head, JSON_COMPACT) : NULL;
	json_decref(head);
	if (text)
		text[strlen(text) - 1] = ',';
	return text;
}

static char *whole_text(const struct revision *revision, const struct conf *conf)
{
	json_t *json = conf_to_json(conf);
	char *head = head_text(revision), *config = json_dumps(json, JSON_COMPACT);
	char *text = head && config ? text_format("%s\n\"config\":%s" TAIL, head, config) : NULL;

	json_decref(json);
	free(head);
	free(config);
	return text;
}

bool revision_file_write(const char *file, const struct revision *revision, const struct conf *conf,
                         struct errors *errors)
{
	char *text = whole_text(revision, conf);
	size_t before = errors->count;
	int error;

	if (!text)
		errors_add(errors, NULL, "not-utf8", file, 0, "author or comment is not UTF-8");
	else if (strcspn(text, "\n") >= HEAD_BYTES - 2)
		errors_add(errors, NULL, "too-large", file, 0, "author and comment exceed %d bytes",
		           HEAD_BYTES);
	else if ((error = atomic_file_write(file, text, strlen(text), 0640)))
		errors_add(errors, NULL, "cannot-write", file, 0, "cannot write the revision: %s",
		           strerror(error));
	free(text);
	return errors->count == before;
}

static void damaged(const char *file, unsigned line, const char *what, struct errors *errors)
{
	errors_add(errors, NULL, "damaged", file, line, "not a whole revision: %s", what);
}

/* The first line with its comma turned back into a bracket, if the file ends as it must; malloc'd. */
static char *read_head(const char *file, struct errors *errors)
{
	FILE *stream = fopen(file, "re");
	char *line = memory_new(HEAD_BYTES, 1), tail[sizeof(TAIL)] = "";
	bool fine = stream && fgets(line, HEAD_BYTES, stream) &&
	            !fseek(stream, -(long)strlen(TAIL), SEEK_END) &&
	            fread(tail, 1, strlen(TAIL), stream) == strlen(TAIL) && !strcmp(tail, TAIL);
	size_t length = strlen(line);

	if (!stream)
		errors_add(errors, NULL, "cannot-read", file, 0, "%s", strerror(errno));
	else
		fclose(stream);
	if (stream && (!fine || length < 2 || strcmp(line + length - 2, ",\n"))) {
		damaged(file, 0, "its beginning or end is missing", errors);
		fine = false;
	}
	if (fine) {
		strcpy(line + length - 2, "}");
		return line;
	}
	free(line);
	return NULL;
}

/* Fills a revision from the members of its object. */
static bool take(const json_t *json, uint64_t number, struct revision *revision)
{
	json_int_t found;
	const char *when, *author, *comment, *digest;

	if (json_unpack((json_t *)json, "{s:I, s:s, s:s, s:s, s:s}", "number", &found, "time", &when,
	                "author", &author, "comment", &comment, "startupDigest", &digest) ||
	    (uint64_t)found != number)
		return false;
	*revision = (struct revision){ .number = number,
		                       .time = text_copy(when),
		                       .author = text_copy(author),
		                       .comment = text_copy(comment),
		                       .startup_digest = text_copy(digest) };
	return true;
}

bool revision_file_head(const char *file, uint64_t number, struct revision *revision, struct errors *errors)
{
	char *line = read_head(file, errors);

	if (!line)
		return false;
	json_t *json = json_loads(line, 0, NULL);
	bool fine = json && take(json, number, revision);
	if (!fine)
		damaged(file, 1, "expected number, time, author, comment, startupDigest", errors);
	json_decref(json);
	free(line);
	return fine;
}

struct conf *revision_file_config(const char *file, uint64_t number, struct errors *errors)
{
	char *text = NULL;
	size_t length;
	json_error_t where;
	struct conf *conf = NULL;
	int error = atomic_file_read(file, 4 * SOURCE_BYTES, &text, &length);

	if (error) {
		errors_add(errors, NULL, "cannot-read", file, 0, "%s", strerror(error));
		return NULL;
	}
	json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
	if (!json)
		damaged(file, (unsigned)where.line, where.text, errors);
	else if ((uint64_t)json_integer_value(json_object_get(json, "number")) != number)
		damaged(file, 1, "the number is another's", errors);
	else
		conf = conf_from_json(json_object_get(json, "config"), errors);
	json_decref(json);
	free(text);
	return conf;
}

void revision_clear(struct revision *revision)
{
	free(revision->time);
	free(revision->author);
	free(revision->comment);
	free(revision->startup_digest);
}

static char *hexadecimal(const unsigned char *bytes, unsigned length)
{
	char *text = memory_new(2 * length + 1, 1);

	for (unsigned i = 0; i < length; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	return text;
}

char *revisions_digest(const char *startup_file, struct errors *errors)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	struct source source;
	struct errors wrong = ERRORS_NONE;

	if (!startup_file)
		return text_copy("");
	bool fine = source_read_file(&source, startup_file, &wrong) && !errors_any(&wrong) &&
	            EVP_Digest(source.text, source.length, digest, &length, EVP_sha256(), NULL);
	if (!fine && !errors_any(&wrong))
		errors_add(&wrong, NULL, "no-digest", startup_file, 0, "SHA-256 is not available");
	errors_move(errors, &wrong, NULL);
	source_free(&source);
	return fine ? hexadecimal(digest, length) : NULL;
}
