/* SPDX-License-Identifier: BSD-3-Clause */
/* Client certificates; see trust.h. */
#include "manage/trust.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct trust {
	atomic_uint references;
	X509_STORE *store;
};

/* Authorities, and lists of what they have revoked. */
static unsigned add_all(X509_STORE *store, const STACK_OF(X509_INFO) * all)
{
	unsigned authorities = 0;
	for (int i = 0; i < sk_X509_INFO_num(all); i++) {
		const X509_INFO *one = sk_X509_INFO_value(all, i);
		if (one->x509)
			authorities += X509_STORE_add_cert(store, one->x509) == 1;
		if (one->crl && X509_STORE_add_crl(store, one->crl) == 1)
			X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	}
	return authorities;
}

struct trust *trust_new(const char *pem, size_t length)
{
	struct trust *trust = calloc(1, sizeof *trust);
	BIO *bio = BIO_new_mem_buf(pem, (int)length);
	STACK_OF(X509_INFO) *all = bio ? PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL) : NULL;
	bool good = trust && all && (trust->store = X509_STORE_new()) && add_all(trust->store, all);
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	BIO_free(bio);
	ERR_clear_error();
	if (good) {
		atomic_store(&trust->references, 1);
		return trust;
	}
	if (trust)
		X509_STORE_free(trust->store);
	free(trust);
	return NULL;
}

struct trust *trust_hold(struct trust *trust)
{
	if (trust)
		atomic_fetch_add(&trust->references, 1);
	return trust;
}

void trust_release(struct trust *trust)
{
	if (!trust || atomic_fetch_sub(&trust->references, 1) > 1)
		return;
	X509_STORE_free(trust->store);
	free(trust);
}

static const char *reason(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "the client certificate has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "the client certificate is not valid yet";
	case X509_V_ERR_CERT_REVOKED:
		return "the client certificate was revoked";
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_CRL_HAS_EXPIRED:
		return "the list of revoked certificates of its authority is missing or too old";
	case X509_V_ERR_INVALID_PURPOSE:
		return "the certificate is not one of a client (extended key usage clientAuth)";
	default:
		return "the client certificate is not of an authority that is trusted here";
	}
}

/* CA certificates and those without extended key usage would pass OpenSSL's check of purpose. */
static bool is_client(X509 *certificate)
{
	return !X509_check_ca(certificate) && X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE &&
	       X509_get_extended_key_usage(certificate) & XKU_SSL_CLIENT;
}

static bool verify(struct trust *trust, X509 *certificate, time_t now, const char **why)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	bool good = context && X509_STORE_CTX_init(context, trust->store, certificate, NULL);
	if (good) {
		X509_STORE_CTX_set_time(context, 0, now);
		X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT);
		good = X509_verify_cert(context) == 1;
		*why = good ? NULL : reason(X509_STORE_CTX_get_error(context));
	} else {
		*why = "no memory to check the client certificate";
	}
	X509_STORE_CTX_free(context);
	ERR_clear_error();
	if (good && !is_client(certificate)) {
		*why = reason(X509_V_ERR_INVALID_PURPOSE);
		return false;
	}
	return good;
}

/* The only value of a field of the subject as printable UTF-8; false: it is absent, repeated, too long, or
 * has a control character in it. */
static bool read_field(X509 *certificate, int id, char *text, size_t size)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(name, id, -1);
	unsigned char *utf8 = NULL;
	if (at < 0 || X509_NAME_get_index_by_NID(name, id, at) >= 0)
		return false;
	int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	bool good = length > 0 && (size_t)length < size;
	for (int i = 0; good && i < length; i++)
		good = utf8[i] >= 0x20 && utf8[i] != 0x7f;
	if (good)
		memcpy(text, utf8, (size_t)length);
	text[good ? length : 0] = 0;
	OPENSSL_free(utf8);
	return good;
}

static void map(X509 *certificate, struct caller *caller)
{
	char unit[16];
	caller->how = "certificate";
	if (read_field(certificate, NID_commonName, caller->subject, sizeof caller->subject) &&
	    read_field(certificate, NID_organizationalUnitName, unit, sizeof unit))
		caller->role = role_parse(unit);
}

bool trust_check(struct trust *trust, const unsigned char *der, size_t length, time_t now,
                 struct caller *caller, const char **why)
{
	const unsigned char *at = der;
	X509 *certificate = d2i_X509(NULL, &at, (long)length);
	bool good = certificate && at == der + length;
	*why = good ? NULL : "the client certificate cannot be read";
	good = good && verify(trust, certificate, now, why);
	if (good)
		map(certificate, caller);
	X509_free(certificate);
	ERR_clear_error();
	return good;
}
