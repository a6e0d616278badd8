/* SPDX-License-Identifier: BSD-3-Clause */
/* Tokens and their file; see tokens.h. */
#include "manage/tokens.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "manage/file_stamp.h"
#include "manage/log.h"
#include "manage/timestamp.h"
#include "util/atomic_file.h"
#include "util/memory.h"

enum { FILE_BOUND = 4 << 20, DIGEST = SHA256_DIGEST_LENGTH };

static const char prefix[] = "sluice_";

struct token {
	char *name, *author;
	enum role role;
	time_t created, expires;
	unsigned char digest[DIGEST];
};

struct tokens {
	pthread_mutex_t lock;
	char *file;
	struct file_stamp stamp;
	time_t looked;
	struct token *list;
	size_t count;
};

static void clear(struct tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++) {
		free(tokens->list[i].name);
		free(tokens->list[i].author);
	}
	free(tokens->list);
	tokens->list = NULL;
	tokens->count = 0;
}

/* --- the file --- */

static bool digest_read(const char *text, unsigned char *digest)
{
	if (!text || strlen(text) != 2 * DIGEST)
		return false;
	for (unsigned i = 0; i < DIGEST; i++)
		if (sscanf(text + 2 * i, "%2hhx", &digest[i]) != 1)
			return false;
	return true;
}

static void hex_write(const unsigned char *bytes, size_t count, char *text)
{
	for (size_t i = 0; i < count; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

static bool token_read(const json_t *item, struct token *token)
{
	const char *name = json_string_value(json_object_get(item, "name")),
	           *author = json_string_value(json_object_get(item, "author"));
	*token = (struct token){ .role = role_parse(json_string_value(json_object_get(item, "role"))),
		                 .created = (time_t)json_integer_value(json_object_get(item, "created")),
		                 .expires = (time_t)json_integer_value(json_object_get(item, "expires")) };
	if (!name || !token->role ||
	    !digest_read(json_string_value(json_object_get(item, "sha256")), token->digest))
		return false;
	token->name = text_copy(name);
	token->author = text_copy(author ? author : "");
	return true;
}

static bool take_all(struct tokens *tokens, const json_t *array)
{
	size_t count = json_array_size(array);
	clear(tokens);
	if (!json_is_array(array) || count > TOKENS_MAX)
		return false;
	tokens->list = memory_new(count + 1, sizeof *tokens->list);
	for (size_t i = 0; i < count; i++)
		if (token_read(json_array_get(array, i), &tokens->list[tokens->count]))
			tokens->count++;
	return tokens->count == count;
}

/* A file that cannot be read is no tokens at all: nobody is let in by what may be wrong. */
static bool load(struct tokens *tokens)
{
	char *text = NULL;
	size_t length = 0;
	int error = atomic_file_read(tokens->file, FILE_BOUND, &text, &length);
	json_t *document = error ? NULL : json_loadb(text, length, 0, NULL);
	bool good = error == ENOENT || take_all(tokens, json_object_get(document, "tokens"));
	if (error || !good)
		clear(tokens);
	json_decref(document);
	free(text);
	return good;
}

/* Lock held. */
static void look_again(struct tokens *tokens, time_t now)
{
	if (now == tokens->looked)
		return;
	tokens->looked = now;
	if (file_stamp_changed(&tokens->stamp, tokens->file) && !load(tokens))
		log_error("tokens-damaged", "file=%s", tokens->file);
}

static json_t *token_show(const struct token *token)
{
	char text[TIMESTAMP_SIZE];
	json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "name", token->name, "role", role_name(token->role),
	                         "created", timestamp_write(token->created, text), "author", token->author);
	if (token->expires)
		json_object_set_new(json, "expires", json_string(timestamp_write(token->expires, text)));
	return json;
}

static json_t *token_write(const struct token *token)
{
	char digest[2 * DIGEST + 1];
	hex_write(token->digest, DIGEST, digest);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "name", token->name, "author", token->author,
	                 "role", role_name(token->role), "created", (json_int_t)token->created, "expires",
	                 (json_int_t)token->expires, "sha256", digest);
}

/* Lock held. */
static bool save(struct tokens *tokens, struct errors *errors)
{
	json_t *list = json_array(), *document = json_pack("{s:o}", "tokens", list);
	for (size_t i = 0; i < tokens->count; i++)
		json_array_append_new(list, token_write(&tokens->list[i]));
	char *text = json_dumps(document, JSON_INDENT(1));
	int error = text ? atomic_file_write(tokens->file, text, strlen(text), 0600) : ENOMEM;
	json_decref(document);
	free(text);
	if (error)
		errors_add(errors, NULL, "write-failed", tokens->file, 0, "%s", strerror(error));
	file_stamp_changed(&tokens->stamp, tokens->file);
	return !error;
}

struct tokens *tokens_open(const char *file, struct errors *errors)
{
	struct tokens *tokens = memory_new(1, sizeof *tokens);
	pthread_mutex_init(&tokens->lock, NULL);
	tokens->file = text_copy(file);
	file_stamp_changed(&tokens->stamp, file);
	if (load(tokens))
		return tokens;
	errors_add(errors, NULL, "tokens-damaged", file, 0, "is not a file of tokens");
	tokens_close(tokens);
	return NULL;
}

void tokens_close(struct tokens *tokens)
{
	if (!tokens)
		return;
	clear(tokens);
	pthread_mutex_destroy(&tokens->lock);
	free(tokens->file);
	free(tokens);
}

/* --- use --- */

static size_t find(const struct tokens *tokens, const char *name)
{
	size_t i = 0;
	while (i < tokens->count && strcmp(tokens->list[i].name, name))
		i++;
	return i;
}

static bool is_name(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t length = name ? strlen(name) : 0;
	return length && length <= 63 && strspn(name, letters) == length && !strchr("._-", name[0]);
}

static bool order_fine(const struct tokens *tokens, const struct token_order *order, struct errors *errors)
{
	if (!is_name(order->name))
		errors_add(errors, "name", "bad-name", NULL, 0,
		           "expected a letter or digit and at most 62 more of A-Z a-z 0-9 . _ -");
	else if (find(tokens, order->name) < tokens->count)
		errors_add(errors, "name", "exists", NULL, 0, "there is a token \"%s\" already", order->name);
	else if (tokens->count == TOKENS_MAX)
		errors_add(errors, NULL, "too-many", NULL, 0, "there are %d tokens; revoke some", TOKENS_MAX);
	else
		return true;
	return false;
}

static void digest_of(const char *text, unsigned char *digest)
{
	SHA256((const unsigned char *)text, strlen(text), digest);
}

static void append(struct tokens *tokens, const struct token_order *order, time_t now, const char *text)
{
	tokens->list = realloc(tokens->list, (tokens->count + 1) * sizeof *tokens->list);
	if (!tokens->list)
		abort();
	struct token *token = &tokens->list[tokens->count++];
	*token = (struct token){ .name = text_copy(order->name),
		                 .author = text_copy(order->author ? order->author : ""),
		                 .role = order->role,
		                 .created = now,
		                 .expires = order->expires };
	digest_of(text, token->digest);
}

static void remove_at(struct tokens *tokens, size_t i)
{
	free(tokens->list[i].name);
	free(tokens->list[i].author);
	memmove(&tokens->list[i], &tokens->list[i + 1], (--tokens->count - i) * sizeof *tokens->list);
}

bool tokens_create(struct tokens *tokens, const struct token_order *order, time_t now, char *text,
                   struct errors *errors)
{
	unsigned char secret[32];
	if (RAND_bytes(secret, sizeof secret) != 1) {
		errors_add(errors, NULL, "no-randomness", NULL, 0, "the generator of random numbers fails");
		return false;
	}
	strcpy(text, prefix);
	hex_write(secret, sizeof secret, text + strlen(prefix));
	OPENSSL_cleanse(secret, sizeof secret);
	pthread_mutex_lock(&tokens->lock);
	look_again(tokens, now);
	bool done = order_fine(tokens, order, errors);
	if (done) {
		append(tokens, order, now, text);
		done = save(tokens, errors);
		if (!done)
			remove_at(tokens, tokens->count - 1);
	}
	pthread_mutex_unlock(&tokens->lock);
	if (!done)
		OPENSSL_cleanse(text, TOKEN_LENGTH + 1);
	return done;
}

bool tokens_check(struct tokens *tokens, const char *text, time_t now, struct caller *caller)
{
	const struct token *found = NULL;
	unsigned char digest[DIGEST];
	digest_of(text, digest);
	pthread_mutex_lock(&tokens->lock);
	look_again(tokens, now);
	for (size_t i = 0; i < tokens->count; i++)
		if (!CRYPTO_memcmp(tokens->list[i].digest, digest, DIGEST))
			found = &tokens->list[i];
	bool valid = found && (!found->expires || now < found->expires);
	if (valid) {
		caller->role = found->role;
		caller->how = "token";
		snprintf(caller->subject, sizeof caller->subject, "%s", found->name);
	}
	pthread_mutex_unlock(&tokens->lock);
	return valid;
}

bool tokens_alive(struct tokens *tokens, const char *name, time_t now)
{
	pthread_mutex_lock(&tokens->lock);
	look_again(tokens, now);
	size_t i = find(tokens, name);
	bool alive = i < tokens->count && (!tokens->list[i].expires || now < tokens->list[i].expires);
	pthread_mutex_unlock(&tokens->lock);
	return alive;
}

json_t *tokens_list(struct tokens *tokens)
{
	json_t *list = json_array();
	pthread_mutex_lock(&tokens->lock);
	for (size_t i = 0; i < tokens->count; i++)
		json_array_append_new(list, token_show(&tokens->list[i]));
	pthread_mutex_unlock(&tokens->lock);
	return list;
}

json_t *tokens_show(struct tokens *tokens, const char *name)
{
	pthread_mutex_lock(&tokens->lock);
	size_t i = find(tokens, name);
	json_t *json = i < tokens->count ? token_show(&tokens->list[i]) : NULL;
	pthread_mutex_unlock(&tokens->lock);
	return json;
}

int tokens_revoke(struct tokens *tokens, const char *name, struct errors *errors)
{
	pthread_mutex_lock(&tokens->lock);
	size_t i = find(tokens, name);
	int done = i < tokens->count;
	if (done) {
		/* Revoked here even if it cannot be written: the caller is told that it may come back. */
		remove_at(tokens, i);
		done = save(tokens, errors) ? 1 : -1;
	}
	pthread_mutex_unlock(&tokens->lock);
	return done;
}
