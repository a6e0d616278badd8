/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Certificates: what the authority issues is believed by a trust in it for as long as it holds and for its
 * purpose alone; what is due is issued anew. Time is given, so that a year passes at once.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>

#include "manage/pki.h"
#include "manage/trust.h"
#include "util/atomic_file.h"

enum { DAY = 86400 };

static const time_t now = 1800000000;
static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/sluice-test-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

static void make_authority(void)
{
	struct errors errors = ERRORS_NONE;
	assert_true(pki_authority(folder, now, &errors));
	assert_int_equal(errors.count, 0);
}

static void issue(const struct pki_order *order)
{
	struct errors errors = ERRORS_NONE;
	assert_true(pki_issue(folder, order, now, &errors));
}

static struct trust *trust_in(const char *name)
{
	char path[128], *text;
	size_t length;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	assert_int_equal(atomic_file_read(path, 65536, &text, &length), 0);
	struct trust *trust = trust_new(text, length);
	free(text);
	assert_non_null(trust);
	return trust;
}

/* Presents FOLDER/NAME.crt; what is found wrong with it, NULL: nothing. */
static const char *present(struct trust *trust, const char *name, time_t when, struct caller *caller)
{
	char path[128];
	const char *why = "";
	unsigned char *der = NULL;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	int length = i2d_X509(certificate, &der);
	memset(caller, 0, sizeof *caller);
	assert_true(trust_check(trust, der, (size_t)length, when, caller, &why) == (why == NULL));
	OPENSSL_free(der);
	X509_free(certificate);
	return why;
}

static void a_client_is_believed_in_its_time_and_role(void **state)
{
	struct pki_order order = { PKI_CLIENT, folder, "c", "alice", "operator", NULL, 0 };
	struct caller caller;
	(void)state;
	make_authority();
	issue(&order);
	struct trust *trust = trust_in("ca.crt");
	assert_null(present(trust, "c.crt", now, &caller));
	assert_int_equal(caller.role, ROLE_OPERATOR);
	assert_string_equal(caller.subject, "alice");
	assert_string_equal(caller.how, "certificate");
	assert_non_null(strstr(present(trust, "c.crt", now + 366 * DAY, &caller), "expired"));
	assert_int_equal(caller.role, ROLE_NONE);
	assert_non_null(strstr(present(trust, "c.crt", now - DAY, &caller), "not valid yet"));
	trust_release(trust);
}

static void what_is_no_client_is_not_believed(void **state)
{
	struct pki_order order = { PKI_SERVER, folder, "s", "edge", "admin", NULL, 0 };
	struct caller caller;
	(void)state;
	make_authority();
	issue(&order);
	struct trust *trust = trust_in("ca.crt");
	assert_non_null(strstr(present(trust, "s.crt", now, &caller), "not one of a client"));
	assert_non_null(strstr(present(trust, "ca.crt", now, &caller), "not one of a client"));
	assert_int_equal(caller.role, ROLE_NONE);
	trust_release(trust);
}

static void roles_are_exact(void **state)
{
	static const char *const units[] = {
		NULL, "root", "Admin", "admin ", "administrators", "viewer,admin"
	};
	struct caller caller;
	(void)state;
	make_authority();
	struct trust *trust = trust_in("ca.crt");
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		struct pki_order order = { PKI_CLIENT, folder, "c", "bob", units[i], NULL, 0 };
		issue(&order);
		assert_null(present(trust, "c.crt", now, &caller));
		assert_int_equal(caller.role, ROLE_NONE);
	}
	trust_release(trust);
}

static void another_authority_is_not_believed(void **state)
{
	struct pki_order order = { PKI_CLIENT, folder, "c", "eve", "admin", NULL, 0 };
	struct caller caller;
	char first[80], second[80];
	(void)state;
	make_authority();
	struct trust *trust = trust_in("ca.crt");
	snprintf(first, sizeof first, "%s/ca.crt", folder);
	snprintf(second, sizeof second, "%s/old.crt", folder);
	assert_int_equal(rename(first, second), 0);
	make_authority();
	issue(&order);
	assert_non_null(strstr(present(trust, "c.crt", now, &caller), "authority"));
	trust_release(trust);
}

static void keys_are_secret(void **state)
{
	struct pki_order order = { PKI_SERVER, folder, "server", "sluiced", NULL, NULL, 0 };
	static const char *const keys[] = { "ca.key", "server.key" };
	(void)state;
	make_authority();
	issue(&order);
	for (size_t i = 0; i < 2; i++) {
		struct stat status;
		char path[128];
		snprintf(path, sizeof path, "%s/%s", folder, keys[i]);
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 07777, 0600);
	}
}

static void due_is_what_is_absent_old_foreign_or_lacks_a_host(void **state)
{
	static const char *const hosts[] = { "localhost", "127.0.0.1", "::1", NULL }, *const more[] = {
		"localhost", "192.0.2.1", NULL
	};
	struct pki_order order = { PKI_SERVER, folder, "server", "sluiced", NULL, hosts, 90 };
	struct errors errors = ERRORS_NONE;
	bool issued;
	(void)state;
	make_authority();
	assert_true(pki_due(folder, &order, now));
	assert_true(pki_renew(folder, &order, now, &issued, &errors));
	assert_true(issued);
	assert_true(pki_renew(folder, &order, now + 59 * DAY, &issued, &errors));
	assert_false(issued);
	assert_true(pki_due(folder, &order, now + 61 * DAY));
	order.hosts = more;
	assert_true(pki_due(folder, &order, now));
	order.hosts = hosts;
	assert_true(pki_renew(folder, &order, now + 61 * DAY, &issued, &errors));
	assert_true(issued);
	assert_false(pki_due(folder, &order, now + 62 * DAY));
}

static void the_end_of_an_authority_is_seen_before_it_comes(void **state)
{
	(void)state;
	assert_int_equal(pki_days_left(folder, now), PKI_CA_DAYS);
	make_authority();
	assert_int_equal(pki_days_left(folder, now), PKI_CA_DAYS);
	assert_int_equal(pki_days_left(folder, now + (time_t)(PKI_CA_DAYS - 100) * DAY), 100);
	assert_int_equal(pki_days_left(folder, now + (time_t)PKI_CA_DAYS * DAY + 1), 0);
	assert_int_equal(pki_days_left(folder, now + (time_t)PKI_CA_DAYS * 2 * DAY), 0);
}

static void an_authority_is_never_replaced_by_itself(void **state)
{
	struct errors errors = ERRORS_NONE;
	char path[128];
	(void)state;
	make_authority();
	snprintf(path, sizeof path, "%s/ca.key", folder);
	assert_int_equal(truncate(path, 10), 0);
	assert_false(pki_authority(folder, now, &errors));
	assert_string_equal(errors.list[0].code, "certificate-failed");
	errors_free(&errors);
}

/* What is there is served, whoever made it; what is not there cannot be made. */
static void without_its_key_nothing_is_issued(void **state)
{
	const char *const hosts[] = { "localhost", NULL };
	struct pki_order order = { PKI_SERVER, folder, "server", "x", NULL, hosts, 0 };
	struct errors errors = ERRORS_NONE;
	bool issued = true;
	char path[128];
	(void)state;
	make_authority();
	assert_true(pki_renew(folder, &order, now, &issued, &errors));
	snprintf(path, sizeof path, "%s/ca.key", folder);
	assert_int_equal(unlink(path), 0);
	assert_true(pki_authority(folder, now, &errors));
	assert_true(access(path, F_OK) < 0);
	assert_true(pki_renew(folder, &order, now + 1000 * DAY, &issued, &errors));
	assert_false(issued);
	snprintf(path, sizeof path, "%s/server.key", folder);
	assert_int_equal(unlink(path), 0);
	assert_false(pki_renew(folder, &order, now, &issued, &errors));
	assert_non_null(strstr(errors.list[0].detail, "ca.key"));
	errors_free(&errors);
}

static void bytes_that_are_no_certificate_are_refused(void **state)
{
	struct caller caller = { 0 };
	const char *why;
	(void)state;
	make_authority();
	struct trust *trust = trust_in("ca.crt");
	assert_false(trust_check(trust, (const unsigned char *)"\x30\x82\xff\xff", 4, now, &caller, &why));
	assert_false(trust_check(trust, (const unsigned char *)"", 0, now, &caller, &why));
	assert_int_equal(caller.role, ROLE_NONE);
	assert_null(trust_new("nothing", 7));
	trust_release(trust);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_client_is_believed_in_its_time_and_role),
		TEST(what_is_no_client_is_not_believed),
		TEST(roles_are_exact),
		TEST(another_authority_is_not_believed),
		TEST(keys_are_secret),
		TEST(due_is_what_is_absent_old_foreign_or_lacks_a_host),
		TEST(the_end_of_an_authority_is_seen_before_it_comes),
		TEST(an_authority_is_never_replaced_by_itself),
		TEST(without_its_key_nothing_is_issued),
		TEST(bytes_that_are_no_certificate_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
