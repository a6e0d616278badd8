/* SPDX-License-Identifier: BSD-3-Clause */
/* The authority and what it issues; see pki.h. Serial numbers are 159 random bits (RFC 5280 4.1.2.2). */
#include "manage/pki.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "manage/strbuf.h"
#include "util/atomic_file.h"
#include "util/memory.h"

enum { FILE_BOUND = 1 << 16, SKEW_S = 300, DAY_S = 24 * 3600 };

/* A certificate and its key; either may be NULL. */
struct pair {
	X509 *certificate;
	EVP_PKEY *key;
};

static void pair_free(struct pair *pair)
{
	X509_free(pair->certificate);
	EVP_PKEY_free(pair->key);
	*pair = (struct pair){ NULL, NULL };
}

static bool fail(struct errors *errors, const char *path, const char *what)
{
	errors_add(errors, NULL, "certificate-failed", path, 0, "%s", what);
	return false;
}

/* --- files --- */

static BIO *read_pem(const char *folder, const char *name, const char *suffix)
{
	char *path = text_format("%s/%s.%s", folder, name, suffix), *text = NULL;
	size_t length = 0;
	BIO *bio = NULL;
	if (atomic_file_read(path, FILE_BOUND, &text, &length) == 0 && (bio = BIO_new(BIO_s_mem())))
		BIO_write(bio, text, (int)length);
	if (text)
		OPENSSL_cleanse(text, length);
	free(text);
	free(path);
	return bio;
}

static struct pair pair_read(const char *folder, const char *name)
{
	BIO *certificate = read_pem(folder, name, "crt"), *key = read_pem(folder, name, "key");
	struct pair pair = { NULL, NULL };
	if (certificate)
		pair.certificate = PEM_read_bio_X509(certificate, NULL, NULL, NULL);
	if (key)
		pair.key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	BIO_free(certificate);
	BIO_free(key);
	return pair;
}

static bool write_pem(const char *folder, const char *name, const char *suffix, BIO *bio, mode_t mode,
                      struct errors *errors)
{
	char *path = text_format("%s/%s.%s", folder, name, suffix), *data;
	long length = BIO_get_mem_data(bio, &data);
	int error = atomic_file_write(path, data, (size_t)length, mode);
	if (error)
		fail(errors, path, strerror(error));
	free(path);
	return !error;
}

/* The key first: a certificate without its key is due, a key without its certificate, too. */
static bool pair_write(const struct pair *pair, const char *folder, const char *name, struct errors *errors)
{
	BIO *certificate = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
	bool done = certificate && key && PEM_write_bio_X509(certificate, pair->certificate) &&
	            PEM_write_bio_PKCS8PrivateKey(key, pair->key, NULL, NULL, 0, NULL, NULL);
	if (!done)
		fail(errors, folder, "cannot write a key or a certificate as PEM");
	done = done && write_pem(folder, name, "key", key, 0600, errors) &&
	       write_pem(folder, name, "crt", certificate, 0644, errors);
	BIO_free(certificate);
	BIO_free(key);
	return done;
}

/* --- contents --- */

static bool set_serial(X509 *certificate)
{
	unsigned char bytes[20];
	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and always 20 bytes long */
	BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
	bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	BN_free(number);
	return set;
}

static bool add_name(X509_NAME *name, const char *field, const char *text)
{
	return !text ||
	       X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0);
}

static bool add_extension(X509 *certificate, X509 *issuer, int id, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, id, value);
	bool added = extension && X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return added;
}

static bool is_address(const char *host)
{
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
	ASN1_OCTET_STRING_free(address);
	return address;
}

static bool add_hosts(X509 *certificate, X509 *issuer, const char *const *hosts)
{
	struct strbuf text = { 0 };
	for (; hosts && *hosts; hosts++)
		strbuf_printf(&text, "%s%s:%s", text.length ? "," : "", is_address(*hosts) ? "IP" : "DNS",
		              *hosts);
	bool added = !text.length || add_extension(certificate, issuer, NID_subject_alt_name, text.text);
	strbuf_free(&text);
	return added;
}

static bool begin_certificate(X509 *certificate, EVP_PKEY *key, const char *common_name, const char *unit,
                              time_t now, unsigned days)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	return X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
	       X509_time_adj_ex(X509_getm_notBefore(certificate), 0, -SKEW_S, &now) &&
	       X509_time_adj_ex(X509_getm_notAfter(certificate), (int)days, 0, &now) &&
	       X509_set_pubkey(certificate, key) && add_name(name, "O", "Sluice") &&
	       add_name(name, "OU", unit) && add_name(name, "CN", common_name);
}

static bool fill_authority(const struct pair *pair, time_t now)
{
	X509 *mine = pair->certificate;
	return begin_certificate(mine, pair->key, "Sluice management authority", NULL, now, PKI_CA_DAYS) &&
	       X509_set_issuer_name(mine, X509_get_subject_name(mine)) &&
	       add_extension(mine, mine, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	       add_extension(mine, mine, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	       add_extension(mine, mine, NID_subject_key_identifier, "hash") &&
	       X509_sign(mine, pair->key, EVP_sha256());
}

static bool fill_issued(const struct pair *pair, const struct pair *issuer, const struct pki_order *order,
                        time_t now)
{
	X509 *mine = pair->certificate, *by = issuer->certificate;
	const char *purpose = order->purpose == PKI_SERVER ? "serverAuth" : "clientAuth";
	return begin_certificate(mine, pair->key, order->common_name, order->unit, now,
	                         order->days ? order->days : PKI_DAYS) &&
	       X509_set_issuer_name(mine, X509_get_subject_name(by)) &&
	       add_extension(mine, by, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(mine, by, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(mine, by, NID_ext_key_usage, purpose) &&
	       add_extension(mine, by, NID_subject_key_identifier, "hash") &&
	       add_extension(mine, by, NID_authority_key_identifier, "keyid:always") &&
	       add_hosts(mine, by, order->hosts) && X509_sign(mine, issuer->key, EVP_sha256());
}

/* --- orders --- */

static struct pair pair_new(void)
{
	return (struct pair){ X509_new(), EVP_EC_gen("P-256") };
}

static bool authority_usable(const struct pair *authority)
{
	return authority->certificate && authority->key &&
	       X509_check_private_key(authority->certificate, authority->key) == 1;
}

bool pki_keyless(const char *folder)
{
	char *certificate = text_format("%s/ca.crt", folder), *key = text_format("%s/ca.key", folder);
	bool keyless = access(certificate, F_OK) == 0 && access(key, F_OK) < 0 && errno == ENOENT;
	free(certificate);
	free(key);
	return keyless;
}

bool pki_authority(const char *folder, time_t now, struct errors *errors)
{
	if (pki_keyless(folder))
		return true;
	char *certificate = text_format("%s/ca.crt", folder);
	bool there = access(certificate, F_OK) == 0, done;
	struct pair pair = there ? pair_read(folder, "ca") : pair_new();
	if (there) /* never replaced by itself: all that it issued would be worth nothing */
		done = authority_usable(&pair) ||
		       fail(errors, certificate, "is unreadable, or ca.key beside it is not its key");
	else
		done = pair.certificate && pair.key && fill_authority(&pair, now)
		               ? pair_write(&pair, folder, "ca", errors)
		               : fail(errors, certificate, "cannot make the authority");
	pair_free(&pair);
	free(certificate);
	return done;
}

unsigned pki_days_left(const char *folder, time_t now)
{
	struct pair pair = pair_read(folder, "ca");
	struct tm end_tm;
	unsigned days = PKI_CA_DAYS;
	if (pair.certificate && ASN1_TIME_to_tm(X509_get0_notAfter(pair.certificate), &end_tm)) {
		time_t end = timegm(&end_tm);
		days = end > now ? (unsigned)((end - now) / DAY_S) : 0;
	}
	pair_free(&pair);
	return days;
}

bool pki_issue(const char *authority, const struct pki_order *order, time_t now, struct errors *errors)
{
	struct pair issuer = pair_read(authority, "ca"), pair = pair_new();
	bool done;
	if (!authority_usable(&issuer))
		done = fail(errors, authority, "the authority (ca.crt, ca.key) is not usable");
	else if (!pair.certificate || !pair.key || !fill_issued(&pair, &issuer, order, now))
		done = fail(errors, order->folder, "cannot make the certificate");
	else
		done = pair_write(&pair, order->folder, order->name, errors);
	pair_free(&pair);
	pair_free(&issuer);
	return done;
}

static bool names_host(X509 *certificate, const char *host)
{
	return is_address(host) ? X509_check_ip_asc(certificate, host, 0) == 1
	                        : X509_check_host(certificate, host, 0, 0, NULL) == 1;
}

/* Two thirds of its time are over, or it has not begun. */
static bool is_old(X509 *certificate, time_t now)
{
	struct tm begin_tm, end_tm;
	if (!ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &begin_tm) ||
	    !ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end_tm))
		return true;
	time_t begin = timegm(&begin_tm), end = timegm(&end_tm);
	return now < begin || now >= begin + (end - begin) / 3 * 2;
}

static bool is_current(const struct pair *pair, const struct pair *issuer, const struct pki_order *order,
                       time_t now)
{
	if (!authority_usable(pair) || !issuer->certificate || is_old(pair->certificate, now) ||
	    X509_verify(pair->certificate, X509_get0_pubkey(issuer->certificate)) != 1)
		return false;
	for (const char *const *host = order->hosts; host && *host; host++)
		if (!names_host(pair->certificate, *host))
			return false;
	return true;
}

bool pki_due(const char *authority, const struct pki_order *order, time_t now)
{
	struct pair pair = pair_read(order->folder, order->name), issuer = pair_read(authority, "ca");
	bool due = !is_current(&pair, &issuer, order, now);
	pair_free(&pair);
	pair_free(&issuer);
	return due;
}

/* Nothing can be issued: what somebody else has put there is as it is, or is missed. */
static bool usable_as_it_is(const struct pki_order *order, struct errors *errors)
{
	struct pair pair = pair_read(order->folder, order->name);
	char *certificate = text_format("%s/%s.crt", order->folder, order->name);
	bool done =
	        authority_usable(&pair) ||
	        fail(errors, certificate,
	             "is unreadable, or the key beside it is not its own, and without ca.key none is issued");
	pair_free(&pair);
	free(certificate);
	return done;
}

bool pki_renew(const char *authority, const struct pki_order *order, time_t now, bool *issued,
               struct errors *errors)
{
	bool keyless = pki_keyless(authority), due = !keyless && pki_due(authority, order, now);
	if (issued)
		*issued = due;
	if (keyless)
		return usable_as_it_is(order, errors);
	return !due || pki_issue(authority, order, now, errors);
}
