/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the TLS library asks of us: our certificate at each handshake, as it is then, so that a renewed one
 * is served from the next connection on; and what the client sent. All on the HTTP thread of the listener.
 */
#include "manage/rest_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manage/access.h"

enum { CHAIN = 4 };

static bool import(const char *certificate, const char *key, gnutls_pcert_st *chain, unsigned *length,
                   gnutls_privkey_t *into)
{
	gnutls_datum_t text = { (unsigned char *)(uintptr_t)certificate, (unsigned)strlen(certificate) },
	               secret = { (unsigned char *)(uintptr_t)key, (unsigned)strlen(key) };
	*length = CHAIN;
	if (gnutls_pcert_list_import_x509_raw(chain, length, &text, GNUTLS_X509_FMT_PEM, 0) < 0)
		return false;
	if (gnutls_privkey_init(into) >= 0) {
		if (gnutls_privkey_import_x509_raw(*into, &secret, GNUTLS_X509_FMT_PEM, NULL, 0) >= 0)
			return true;
		gnutls_privkey_deinit(*into);
	}
	for (unsigned i = 0; i < *length; i++)
		gnutls_pcert_deinit(&chain[i]);
	return false;
}

static struct access *access_of(gnutls_session_t session)
{
	struct connection *connection = connection_of(gnutls_session_get_ptr(session));
	return connection ? connection->listener->rest->access : NULL;
}

int tls_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **chain,
                    unsigned *length, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_length,
                    gnutls_privkey_t *key, unsigned *flags)
{
	struct access *access = access_of(session);
	char *certificate = NULL, *secret = NULL;
	bool good = false;
	(void)info;
	*ocsp = NULL;
	*ocsp_length = 0;
	*flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	*chain = gnutls_calloc(CHAIN, sizeof **chain); /* freed by the library, with what is in it */
	if (*chain && access && access_server(access, time(NULL), &certificate, &secret))
		good = import(certificate, secret, *chain, length, key);
	if (secret)
		gnutls_memset(secret, 0, strlen(secret));
	free(certificate);
	free(secret);
	if (!good)
		gnutls_free(*chain);
	return good ? 0 : -1;
}

static gnutls_session_t session_of(struct MHD_Connection *handle)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return info ? (gnutls_session_t)info->tls_session : NULL;
}

void tls_begin(struct MHD_Connection *handle)
{
	gnutls_session_t session = session_of(handle);
	if (session)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
}

const unsigned char *tls_peer(struct MHD_Connection *handle, size_t *length)
{
	gnutls_session_t session = session_of(handle);
	unsigned count = 0;
	const gnutls_datum_t *chain = session ? gnutls_certificate_get_peers(session, &count) : NULL;
	*length = count ? chain[0].size : 0;
	return count ? chain[0].data : NULL;
}
