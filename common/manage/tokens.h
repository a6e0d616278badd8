/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bearer tokens. A token is 256 random bits in hexadecimal behind "sluice_"; kept is its SHA-256 alone. That
 * needs no salt and no slow key derivation, which protect secrets that can be guessed: 2^256 cannot be tried
 * at any speed. They live in one JSON file, mode 0600, written whole or not at all. Another process may read
 * the same file: it is read again, at most once a second, when it has changed. Any thread; guarded by a lock.
 */
#ifndef SLUICE_MANAGE_TOKENS_H
#define SLUICE_MANAGE_TOKENS_H

#include <stdbool.h>
#include <time.h>

#include <jansson.h>

#include "manage/role.h"
#include "util/errors.h"

enum { TOKEN_LENGTH = 7 + 64, TOKENS_MAX = 1024 };

struct tokens;

struct token_order {
	const char *name; /* [A-Za-z0-9][A-Za-z0-9._-]{0,62}, not yet given */
	enum role role;
	time_t expires; /* 0: never */
	const char *author;
};

/* Takes up a file, which need not be there yet. NULL with an error if it is there and damaged. */
struct tokens *tokens_open(const char *file, struct errors *errors);
void tokens_close(struct tokens *tokens);

/* Makes a token and writes it to `text` (TOKEN_LENGTH + 1 bytes), the only time that it is shown. False with
 * an error (codes "bad-name", "exists", "too-many", "write-failed"). */
bool tokens_create(struct tokens *tokens, const struct token_order *order, time_t now, char *text,
                   struct errors *errors);

/* Whose token this is: role and subject of *caller. False: nobody's, or its time is over. In constant time
 * with regard to the token. */
bool tokens_check(struct tokens *tokens, const char *text, time_t now, struct caller *caller);

/* Whether a token of that name still lets its owner in. */
bool tokens_alive(struct tokens *tokens, const char *name, time_t now);

/* [{name, role, created, expires, author}], oldest first; new reference. */
json_t *tokens_list(struct tokens *tokens);
/* One of them; NULL: no such. */
json_t *tokens_show(struct tokens *tokens, const char *name);

/* 1: revoked; 0: there is none of that name; -1 with an error. */
int tokens_revoke(struct tokens *tokens, const char *name, struct errors *errors);

#endif
