/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a stranger, or a damaged file, can put before the part that decides who gets in: client certificates,
 * tokens and the headers that carry them, the file of tokens, addresses, times, and bodies on their way to
 * the audit log. Nothing but what was issued gets in, whatever the bytes; the first one chooses which part.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manage/access.h"
#include "manage/audit.h"
#include "manage/log.h"
#include "manage/pki.h"
#include "manage/timestamp.h"
#include "manage/trust.h"
#include "util/atomic_file.h"

enum { NOW = 1800000000 };

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	char folder[64], damaged[96], token[TOKEN_LENGTH + 1];
	struct tokens *tokens;
	struct trust *trust;
} f;

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void clean(void)
{
	char command[96];

	tokens_close(f.tokens);
	trust_release(f.trust);
	snprintf(command, sizeof(command), "rm -r %s", f.folder);
	if (system(command) != 0)
		fprintf(stderr, "%s is left\n", f.folder);
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	struct errors errors = ERRORS_NONE;
	struct token_order order = { "right", ROLE_ADMIN, 0, "fuzz" };
	char path[96], *text = NULL;
	size_t length = 0;

	(void)count;
	(void)arguments;
	log_set_level(LOG_LEVEL_ERROR);
	strcpy(f.folder, "/tmp/sluice-fuzz-XXXXXX");
	require(mkdtemp(f.folder) && pki_authority(f.folder, NOW, &errors), "no authority");
	atexit(clean);
	snprintf(path, sizeof(path), "%s/ca.crt", f.folder);
	require(atomic_file_read(path, 65536, &text, &length) == 0, "no ca.crt");
	f.trust = trust_new(text, length);
	free(text);
	snprintf(path, sizeof(path), "%s/tokens.json", f.folder);
	snprintf(f.damaged, sizeof(f.damaged), "%s/damaged.json", f.folder);
	f.tokens = tokens_open(path, &errors);
	require(f.trust && f.tokens && tokens_create(f.tokens, &order, NOW, f.token, &errors), "no token");
	return 0;
}

static void certificate(const uint8_t *data, size_t size)
{
	struct caller caller = { .how = "none" };
	const char *why = NULL;

	require(!trust_check(f.trust, data, size, NOW, &caller, &why),
	        "a certificate that nobody issued is believed");
	require(why && caller.role == ROLE_NONE, "refused without a reason, or with a role");
}

static void header(const char *text)
{
	struct caller caller = { .how = "none" };
	const char *token = access_bearer(text);

	require(!token || (token >= text && token <= text + strlen(text)), "a token from elsewhere");
	if (tokens_check(f.tokens, token ? token : text, NOW, &caller))
		require(strcmp(token ? token : text, f.token) == 0, "a wrong token is right");
	else
		require(caller.role == ROLE_NONE, "refused, with a role");
}

static void file_of_tokens(const uint8_t *data, size_t size)
{
	struct errors errors = ERRORS_NONE;
	struct caller caller = { .how = "none" };

	require(atomic_file_write(f.damaged, data, size, 0600) == 0, "cannot write");
	struct tokens *tokens = tokens_open(f.damaged, &errors);
	require(tokens || errors_any(&errors), "refused without a reason");
	if (tokens)
		require(!tokens_check(tokens, f.token, NOW, &caller),
		        "a token that is not in the file is right");
	json_decref(tokens ? tokens_list(tokens) : NULL);
	tokens_close(tokens);
	errors_free(&errors);
}

static void texts(const char *text)
{
	const char *why = NULL;
	time_t end = 0;

	if (!rest_tcp_check(text, &why))
		require(why != NULL, "refused without a reason");
	rest_tcp_is_at(text, "192.0.2.1/24");
	rest_tcp_is_at("192.0.2.1:1", text);
	if (timestamp_read_end(text, NOW, &end))
		require(end > NOW, "an end that is over");
	role_parse(text);
}

static void body(const uint8_t *data, size_t size)
{
	json_t *json = size < 1024 ? json_loadb((const char *)data, size, 0, NULL) : NULL;

	if (!json)
		return;
	json_t *shown = audit_redact(json), *wrapped = json_pack("{s:O}", "psk", json),
	       *hidden = audit_redact(wrapped);
	require(json_is_string(json_object_get(hidden, "psk")), "a secret is shown");
	json_decref(hidden);
	json_decref(wrapped);
	json_decref(shown);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size ? strndup((const char *)data + 1, size - 1) : NULL;

	if (!text)
		return 0;
	switch (data[0] % 5) {
	case 0:
		certificate(data + 1, size - 1);
		break;
	case 1:
		header(text);
		break;
	case 2:
		file_of_tokens(data + 1, size - 1);
		break;
	case 3:
		texts(text);
		break;
	default:
		body(data + 1, size - 1);
	}
	free(text);
	return 0;
}
