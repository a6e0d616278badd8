/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder of access; see access.h. `lock` guards all but the tokens, which have their own. */
#include "manage/access.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "manage/file_stamp.h"
#include "manage/log.h"
#include "manage/trust.h"
#include "util/atomic_file.h"
#include "util/memory.h"

enum { FILE_BOUND = 1 << 20 };
enum { SERVER_CERTIFICATE, SERVER_KEY, CLIENTS_CA, CA, FILES };

static const char *const names[FILES] = { "server.crt", "server.key", "clients-ca.crt", "ca.crt" };

struct access {
	pthread_mutex_t lock;
	char *path[FILES];
	struct file_stamp stamps[FILES];
	time_t looked;
	char *certificate, *key; /* PEM, which fit together; NULL: none yet */
	bool unfit;              /* what was read last did not fit together: it is read again until it does */
	bool untrusted;          /* whom to trust could not be read: it is tried again until it can */
	struct trust *trust;
	struct tokens *tokens;
};

/* --- reading --- */

static bool pair_fits(const char *certificate, const char *key)
{
	BIO *a = BIO_new_mem_buf(certificate, -1), *b = BIO_new_mem_buf(key, -1);
	X509 *x509 = a ? PEM_read_bio_X509(a, NULL, NULL, NULL) : NULL;
	EVP_PKEY *private = b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;
	bool fits = x509 && private && X509_check_private_key(x509, private) == 1;
	X509_free(x509);
	EVP_PKEY_free(private);
	BIO_free(a);
	BIO_free(b);
	ERR_clear_error();
	return fits;
}

static char *read_text(const char *path, size_t *length)
{
	char *text = NULL;
	errno = atomic_file_read(path, FILE_BOUND, &text, length);
	return errno ? NULL : text;
}

static void free_secret(char *text)
{
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

static void load_server(struct access *access)
{
	size_t length;
	char *certificate = read_text(access->path[SERVER_CERTIFICATE], &length),
	     *key = read_text(access->path[SERVER_KEY], &length);
	bool told = access->unfit;
	access->unfit = !certificate || !key || !pair_fits(certificate, key);
	if (access->unfit) {
		if (access->certificate && !told)
			log_error("certificate-refused", "file=%s text=%s", access->path[SERVER_CERTIFICATE],
			          "it and its key do not fit together; the former one stays");
		free(certificate);
		free_secret(key);
		return;
	}
	if (access->certificate)
		log_info("certificate-loaded", "file=%s", access->path[SERVER_CERTIFICATE]);
	free(access->certificate);
	free_secret(access->key);
	access->certificate = certificate;
	access->key = key;
}

/* One that is there and cannot be read now (no descriptor is left, say) is no reason to believe others than it names: the former
 * trust stays, and it is tried again. */
static void load_trust(struct access *access)
{
	size_t length = 0;
	const char *path = access->path[CLIENTS_CA];
	char *text = read_text(path, &length);
	if (!text && errno == ENOENT) {
		path = access->path[CA];
		text = read_text(path, &length);
	}
	access->untrusted = !text && errno != ENOENT;
	if (access->untrusted) {
		log_limited(LOG_LEVEL_ERROR, "trust-unreadable", "file=%s text=%s", path, strerror(errno));
		return;
	}
	struct trust *trust = text ? trust_new(text, length) : NULL;
	if (text && !trust)
		log_error("trust-damaged", "file=%s", path);
	trust_release(access->trust);
	access->trust = trust;
	free(text);
}

/* Lock held. */
static void look_again(struct access *access, time_t now)
{
	bool changed[FILES];
	if (now == access->looked)
		return;
	access->looked = now;
	for (unsigned i = 0; i < FILES; i++)
		changed[i] = file_stamp_changed(&access->stamps[i], access->path[i]);
	if (changed[SERVER_CERTIFICATE] || changed[SERVER_KEY] || access->unfit)
		load_server(access);
	if (changed[CLIENTS_CA] || changed[CA] || access->untrusted)
		load_trust(access);
}

struct access *access_open(const char *folder, const char *tokens_file, struct errors *errors)
{
	struct access *access = memory_new(1, sizeof *access);
	char *tokens = tokens_file ? text_copy(tokens_file) : text_format("%s/tokens.json", folder);
	pthread_mutex_init(&access->lock, NULL);
	for (unsigned i = 0; i < FILES; i++)
		access->path[i] = text_format("%s/%s", folder, names[i]);
	access->tokens = tokens_open(tokens, errors);
	free(tokens);
	if (access->tokens)
		return access;
	access_close(access);
	return NULL;
}

void access_close(struct access *access)
{
	if (!access)
		return;
	for (unsigned i = 0; i < FILES; i++)
		free(access->path[i]);
	free(access->certificate);
	free_secret(access->key);
	trust_release(access->trust);
	tokens_close(access->tokens);
	pthread_mutex_destroy(&access->lock);
	free(access);
}

/* --- use --- */

struct tokens *access_tokens(struct access *access)
{
	return access->tokens;
}

bool access_server(struct access *access, time_t now, char **certificate, char **key)
{
	pthread_mutex_lock(&access->lock);
	look_again(access, now);
	bool there = access->certificate;
	*certificate = text_copy(access->certificate);
	*key = text_copy(access->key);
	pthread_mutex_unlock(&access->lock);
	return there;
}

struct trust *access_trust(struct access *access, time_t now)
{
	pthread_mutex_lock(&access->lock);
	look_again(access, now);
	struct trust *trust = trust_hold(access->trust);
	pthread_mutex_unlock(&access->lock);
	return trust;
}

const char *access_bearer(const char *authorization)
{
	static const char scheme[] = "Bearer ";
	if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1))
		return NULL;
	authorization += sizeof scheme - 1;
	return authorization + strspn(authorization, " ");
}
