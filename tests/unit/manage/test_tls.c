/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A server on TCP: who gets in with what, which role may what, certificates that change while it runs, and
 * the limits: headers, rate, connections, clients that are slow on purpose. Real TLS over loopback.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#include "manage/access.h"
#include "manage/client.h"
#include "manage/pki.h"
#include "manage/rest_private.h"
#include "manage/trust.h"

enum { PATIENCE_S = 30 };

static struct {
	char folder[64], bound[64], url[96], ca[96];
	uint16_t port;
	struct access *access;
	struct rest *rest;
	struct http_client *client;
	struct http_reply reply;
} t;

static void whoami(const struct rest_request *request, struct rest_reply *reply)
{
	rest_reply_json(reply, 200,
	                json_pack("{s:s, s:s, s:s, s:s}", "role", role_name(request->caller.role), "how",
	                          request->caller.how, "subject", request->caller.subject, "address",
	                          request->caller.address));
}

static const struct rest_route routes[] = {
	{ "/who", "who", .get = { .handle = whoami }, .put = { .handle = whoami } },
	{ "/keys", "keys", .get = { .handle = whoami, .role = ROLE_ADMIN },
	  .post = { .handle = whoami, .role = ROLE_ADMIN } },
	{ "/alive", "alive", .get = { .handle = whoami }, .put = { .handle = whoami }, .flags = REST_PUBLIC },
	{ 0 },
};

static void issue(const char *name, enum pki_purpose purpose, const char *unit)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost", NULL };
	struct errors errors = ERRORS_NONE;
	struct pki_order order = { purpose, t.folder, name, name, unit, purpose == PKI_SERVER ? hosts : NULL,
		                   0 };
	assert_true(pki_issue(t.folder, &order, time(NULL), &errors));
}

static void start(struct rest_options options)
{
	struct errors errors = ERRORS_NONE;
	struct rest_tcp where = { "127.0.0.1:0" };
	memset(&t, 0, sizeof t);
	strcpy(t.folder, "/tmp/sluice-test-XXXXXX");
	assert_non_null(mkdtemp(t.folder));
	assert_true(pki_authority(t.folder, time(NULL), &errors));
	issue("server", PKI_SERVER, NULL);
	options.access = t.access = access_open(t.folder, NULL, &errors);
	assert_non_null(t.access);
	t.rest = rest_new(&options);
	assert_true(rest_add(t.rest, routes, &errors));
	assert_true(rest_listen_tcp(t.rest, &where, t.bound, &errors));
	t.port = (uint16_t)atoi(strrchr(t.bound, ':') + 1);
	snprintf(t.url, sizeof t.url, "https://%s", t.bound);
	snprintf(t.ca, sizeof t.ca, "%s/ca.crt", t.folder);
	t.client = http_client_new();
}

static void stop(void)
{
	char command[128];
	http_reply_free(&t.reply);
	http_client_free(t.client);
	rest_stop(t.rest);
	access_close(t.access);
	snprintf(command, sizeof command, "rm -r %s", t.folder);
	assert_int_equal(system(command), 0);
}

/* Presents itself anew: with a certificate (NULL: none), with a token (NULL: none). */
static void be(const char *certificate, const char *token)
{
	char cert[96], key[96];
	snprintf(cert, sizeof cert, "%s/%s.crt", t.folder, certificate ? certificate : "none");
	snprintf(key, sizeof key, "%s/%s.key", t.folder, certificate ? certificate : "none");
	http_client_free(t.client);
	t.client = http_client_new();
	http_client_identify(t.client, &(struct http_identity){ t.ca, certificate ? cert : NULL,
	                                                        certificate ? key : NULL, token });
}

static unsigned ask(const char *method, const char *path, const char *header)
{
	const char *headers[] = { header, NULL };
	http_reply_free(&t.reply);
	if (!http_request(t.client,
	                  &(struct http_request){
	                          .target = t.url, .method = method, .path = path, .headers = headers },
	                  &t.reply))
		print_message("%s\n", t.reply.error);
	return t.reply.status;
}

static void assert_who(const char *role, const char *how, const char *subject)
{
	json_t *json = json_loads(t.reply.body, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json, "role")), role);
	assert_string_equal(json_string_value(json_object_get(json, "how")), how);
	assert_string_equal(json_string_value(json_object_get(json, "subject")), subject);
	assert_string_equal(json_string_value(json_object_get(json, "address")), "127.0.0.1");
	json_decref(json);
}

static void new_token(const char *name, enum role role, time_t expires, char *text)
{
	struct errors errors = ERRORS_NONE;
	struct token_order order = { name, role, expires, "test" };
	assert_true(tokens_create(access_tokens(t.access), &order, time(NULL), text, &errors));
}

/* --- who gets in --- */

static void nobody_gets_in_without_credentials(void **state)
{
	(void)state;
	start((struct rest_options){ 0 });
	be(NULL, NULL);
	assert_int_equal(ask("GET", "/who", NULL), 401);
	assert_string_equal(t.reply.content_type, "application/problem+json");
	assert_int_equal(ask("GET", "/nothing", NULL), 401);
	assert_int_equal(ask("OPTIONS", "/who", NULL), 401);
	assert_int_equal(ask("GET", "/alive", NULL), 200);
	assert_who("none", "none", "");
	assert_int_equal(ask("PUT", "/alive", NULL), 403);
	stop();
}

static void tokens_carry_their_role(void **state)
{
	char viewer[TOKEN_LENGTH + 1], operator[TOKEN_LENGTH + 1], admin[TOKEN_LENGTH + 1], header[128];
	(void)state;
	start((struct rest_options){ 0 });
	new_token("v", ROLE_VIEWER, 0, viewer);
	new_token("o", ROLE_OPERATOR, 0, operator);
	new_token("a", ROLE_ADMIN, 0, admin);
	be(NULL, viewer);
	assert_int_equal(ask("GET", "/who", NULL), 200);
	assert_who("viewer", "token", "v");
	assert_int_equal(ask("HEAD", "/who", NULL), 200);
	assert_int_equal(ask("PUT", "/who", NULL), 403);
	assert_int_equal(ask("GET", "/keys", NULL), 403);
	be(NULL, operator);
	assert_int_equal(ask("PUT", "/who", NULL), 200);
	assert_int_equal(ask("POST", "/keys", NULL), 403);
	be(NULL, admin);
	assert_int_equal(ask("POST", "/keys", NULL), 200);
	assert_who("admin", "token", "a");
	be(NULL, NULL);
	snprintf(header, sizeof header, "X-Auth-Token: %s", viewer);
	assert_int_equal(ask("GET", "/who", header), 200);
	assert_int_equal(ask("GET", "/who", "X-Auth-Token: x"), 401);
	assert_int_equal(ask("GET", "/who", "Authorization: Basic YTph"), 401);
	assert_int_equal(ask("GET", "/who", "Authorization: Bearer"), 401);
	viewer[20] ^= 1;
	be(NULL, viewer);
	assert_int_equal(ask("GET", "/who", NULL), 401);
	assert_int_equal(ask("GET", "/alive", NULL), 401);
	stop();
}

static void tokens_end(void **state)
{
	char text[TOKEN_LENGTH + 1];
	struct errors errors = ERRORS_NONE;
	(void)state;
	start((struct rest_options){ 0 });
	new_token("past", ROLE_ADMIN, time(NULL) - 1, text);
	be(NULL, text);
	assert_int_equal(ask("GET", "/who", NULL), 401);
	new_token("x", ROLE_ADMIN, 0, text);
	be(NULL, text);
	assert_int_equal(ask("GET", "/who", NULL), 200);
	assert_int_equal(tokens_revoke(access_tokens(t.access), "x", &errors), 1);
	assert_int_equal(ask("GET", "/who", NULL), 401);
	stop();
}

static void certificates_carry_their_role(void **state)
{
	char text[TOKEN_LENGTH + 1];
	(void)state;
	start((struct rest_options){ 0 });
	issue("alice", PKI_CLIENT, "operator");
	issue("nothing", PKI_CLIENT, NULL);
	issue("vnf", PKI_SERVER, "admin");
	be("alice", NULL);
	assert_int_equal(ask("PUT", "/who", NULL), 200);
	assert_who("operator", "certificate", "alice");
	assert_int_equal(ask("POST", "/keys", NULL), 403);
	new_token("a", ROLE_ADMIN, 0, text);
	be("alice", text);
	assert_int_equal(ask("POST", "/keys", NULL), 200);
	assert_who("admin", "token", "a");
	be("nothing", NULL);
	assert_int_equal(ask("GET", "/who", NULL), 403);
	be("vnf", NULL);
	assert_int_equal(ask("GET", "/who", NULL), 401);
	stop();
}

static int dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(t.port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval limit = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

/* A handshake with at most this version; the name of what was agreed on, NULL: nothing. */
static const char *handshake(int most)
{
	static char version[16];
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	int fd = dial();
	SSL_CTX_set_max_proto_version(context, most);
	SSL *ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	bool done = SSL_connect(ssl) == 1;
	snprintf(version, sizeof version, "%s", SSL_get_version(ssl));
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(fd);
	return done ? version : NULL;
}

static void nothing_older_than_tls_1_3_is_spoken(void **state)
{
	static const char plain[] = "GET /alive HTTP/1.1\r\nHost: x\r\n\r\n";
	char answer[256];
	(void)state;
	start((struct rest_options){ 0 });
	assert_string_equal(handshake(TLS1_3_VERSION), "TLSv1.3");
	assert_null(handshake(TLS1_2_VERSION));
	assert_null(handshake(TLS1_VERSION));
	int fd = dial();
	assert_int_equal(send(fd, plain, sizeof plain - 1, MSG_NOSIGNAL), sizeof plain - 1);
	ssize_t got = recv(fd, answer, sizeof answer, MSG_WAITALL);
	assert_true(got < 5 || memcmp(answer, "HTTP/", 5));
	close(fd);
	stop();
}

static void the_server_is_believed_by_its_authority_alone(void **state)
{
	(void)state;
	start((struct rest_options){ 0 });
	http_client_identify(t.client, &(struct http_identity){ 0 });
	assert_int_equal(ask("GET", "/alive", NULL), 0);
	stop();
}

static bool answers(const char *path, unsigned status)
{
	time_t end = time(NULL) + PATIENCE_S;
	bool same = ask("GET", path, NULL) == status;
	while (!same && time(NULL) < end) {
		usleep(50000);
		same = ask("GET", path, NULL) == status;
	}
	return same;
}

static void what_is_renewed_is_served_at_once(void **state)
{
	char command[300];
	(void)state;
	start((struct rest_options){ 0 });
	issue("alice", PKI_CLIENT, "viewer");
	be("alice", NULL);
	assert_int_equal(ask("GET", "/who", NULL), 200);
	/* Another authority: for a while neither side believes the other; then the server is of the new one. */
	snprintf(command, sizeof command, "cd %s && mv ca.crt old.crt && mv ca.key old.key", t.folder);
	assert_int_equal(system(command), 0);
	struct errors errors = ERRORS_NONE;
	assert_true(pki_authority(t.folder, time(NULL), &errors));
	issue("server", PKI_SERVER, NULL);
	time_t end = time(NULL) + PATIENCE_S;
	do {
		be("alice", NULL);
	} while (ask("GET", "/who", NULL) != 401 && time(NULL) < end);
	assert_int_equal(t.reply.status, 401);
	issue("alice", PKI_CLIENT, "viewer");
	be("alice", NULL);
	assert_true(answers("/who", 200));
	/* A pair that does not fit together is not taken. */
	snprintf(command, sizeof command, "cp %s/alice.key %s/server.key", t.folder, t.folder);
	assert_int_equal(system(command), 0);
	sleep(2); /* stamps are looked at once a second */
	be("alice", NULL);
	assert_int_equal(ask("GET", "/who", NULL), 200);
	stop();
}

static void addresses_are_checked(void **state)
{
	static const char *const good[] = { "127.0.0.1:1", "[::1]:0", "*:8443", ":8443",
		                            "[2001:db8::1]:65535" },
	                         *const bad[] = {
		                         "",        "127.0.0.1",   "127.0.0.1:",    "127.0.0.1:65536",
		                         "::1:80",  "localhost:1", "[127.0.0.1]:1", "127.0.0.1:1x",
		                         "[::1:80", "[*]:1"
	                         };
	const char *why;
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(rest_tcp_check(good[i], &why));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(rest_tcp_check(bad[i], &why));
}

static void a_port_that_is_taken_is_told(void **state)
{
	struct errors errors = ERRORS_NONE;
	(void)state;
	start((struct rest_options){ 0 });
	struct rest_tcp where = { t.bound };
	assert_false(rest_listen_tcp(t.rest, &where, NULL, &errors));
	assert_string_equal(errors.list[0].code, "address-taken");
	errors_free(&errors);
	stop();
}

/* A port of an address of the loopback that nobody else uses. */
static void free_address(char *text, size_t size)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f4d0109) };
	socklen_t length = sizeof here;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof here), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &length), 0);
	close(fd);
	snprintf(text, size, "127.77.1.9:%u", ntohs(here.sin_port));
}

static bool listens(const char *address)
{
	snprintf(t.url, sizeof t.url, "https://%s", address);
	t.port = (uint16_t)atoi(strrchr(address, ':') + 1);
	http_client_free(t.client);
	t.client = http_client_new();
	/* Its certificate is one of 127.0.0.1: who is there is told by the failure. */
	ask("GET", "/alive", NULL);
	return t.reply.status || !strstr(t.reply.error, "cannot reach");
}

static void a_move_to_where_nothing_can_listen_leaves_it_where_it_is(void **state)
{
	char here[64], nowhere[64], all[64];
	struct errors errors = ERRORS_NONE;
	(void)state;
	start((struct rest_options){ 0 });
	free_address(here, sizeof here);
	snprintf(nowhere, sizeof nowhere, "192.0.2.77%s", strrchr(here, ':'));
	snprintf(all, sizeof all, "*%s", strrchr(here, ':'));
	assert_true(rest_move_tcp(t.rest, &(struct rest_tcp){ here }, t.bound, &errors));
	assert_true(listens(here));
	assert_false(rest_move_tcp(t.rest, &(struct rest_tcp){ nowhere }, t.bound, &errors));
	assert_string_equal(errors.list[0].code, "listen-failed");
	assert_true(listens(here));
	/* That one is in the way. */
	assert_true(rest_move_tcp(t.rest, &(struct rest_tcp){ all }, t.bound, &errors));
	assert_true(listens(here));
	assert_true(rest_move_tcp(t.rest, &(struct rest_tcp){ here }, t.bound, &errors));
	assert_true(listens(here));
	assert_true(rest_move_tcp(t.rest, NULL, t.bound, &errors));
	assert_false(listens(here));
	errors_free(&errors);
	stop();
}

static void trust_that_cannot_be_read_stays_as_it_was(void **state)
{
	char path[96], command[256];
	struct errors errors = ERRORS_NONE;
	(void)state;
	start((struct rest_options){ 0 });
	snprintf(path, sizeof path, "%s/clients-ca.crt", t.folder);
	struct access *access = access_open(t.folder, NULL, &errors);
	struct trust *first = access_trust(access, 1);
	assert_non_null(first);
	assert_int_equal(mkdir(path, 0700), 0);
	struct trust *second = access_trust(access, 2);
	assert_ptr_equal(second, first);
	assert_int_equal(rmdir(path), 0);
	snprintf(command, sizeof command, "cp %s/ca.crt %s", t.folder, path);
	assert_int_equal(system(command), 0);
	struct trust *third = access_trust(access, 3);
	assert_non_null(third);
	assert_ptr_not_equal(third, first);
	trust_release(first);
	trust_release(second);
	trust_release(third);
	access_close(access);
	/* Nobody is believed for want of a former one. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	access = access_open(t.folder, NULL, &errors);
	assert_null(access_trust(access, 4));
	access_close(access);
	stop();
}

/* --- limits --- */

/* Two threads may look at the clock in one order and take their turn in the other. */
static void a_rate_is_kept_also_by_times_that_are_over(void **state)
{
	enum { NOW = 1000000 };
	(void)state;
	struct rates *rates = rates_new(1, 2);
	assert_int_equal(rates_take(rates, "x", NOW), 0);
	assert_int_equal(rates_take(rates, "x", NOW - 1), 0);
	assert_int_not_equal(rates_take(rates, "x", NOW), 0);
	assert_int_not_equal(rates_take(rates, "x", NOW - 1), 0);
	assert_int_not_equal(rates_take(rates, "x", NOW), 0);
	assert_int_equal(rates_take(rates, "x", 2 * NOW), 0);
	rates_free(rates);
}

static void large_headers_are_431(void **state)
{
	static char header[40000];
	(void)state;
	start((struct rest_options){ .header = 1000 });
	be(NULL, NULL);
	memset(header, 'a', 1100);
	memcpy(header, "X-Much: ", 8);
	assert_int_equal(ask("GET", "/alive", header), 431);
	assert_string_equal(t.reply.content_type, "application/problem+json");
	memset(header, 'a', sizeof header - 1);
	memcpy(header, "X-Much: ", 8);
	assert_int_equal(ask("GET", "/alive", header), 431);
	assert_int_equal(ask("GET", "/alive", NULL), 200);
	stop();
}

static void too_many_requests_are_429(void **state)
{
	unsigned status = 200;
	(void)state;
	start((struct rest_options){ .rate = 2, .burst = 5 });
	be(NULL, NULL);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask("GET", "/alive", NULL), 200);
	for (int i = 0; i < 200 && status != 429; i++)
		status = ask("GET", "/alive", NULL);
	assert_int_equal(status, 429);
	assert_string_equal(t.reply.retry_after, "1");
	assert_true(answers("/alive", 200));
	stop();
}

static void guesses_of_tokens_are_429(void **state)
{
	unsigned status = 401;
	(void)state;
	start((struct rest_options){ .rate = 1, .burst = 5 });
	be(NULL, "sluice_guess");
	for (int i = 0; i < 200 && status == 401; i++)
		status = ask("GET", "/who", NULL);
	assert_int_equal(status, 429);
	stop();
}

static void too_many_connections_are_503(void **state)
{
	struct http_client *other;
	(void)state;
	start((struct rest_options){ .per_client = 1 });
	be(NULL, NULL);
	assert_int_equal(ask("GET", "/alive", NULL), 200);
	other = t.client;
	t.client = http_client_new();
	http_client_identify(t.client, &(struct http_identity){ .cacert = t.ca });
	assert_int_equal(ask("GET", "/alive", NULL), 503);
	assert_non_null(t.reply.retry_after);
	http_client_free(other);
	assert_true(answers("/alive", 200));
	stop();
}

/* Seconds until the server ends a connection on which these bytes come, one each 100 ms; PATIENCE_S: it does
 * not. */
static unsigned lasts(SSL *ssl, int fd, const char *bytes)
{
	time_t begin = time(NULL);
	struct timeval tick = { .tv_usec = 100000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick);
	while (time(NULL) - begin < PATIENCE_S) {
		char byte;
		if (*bytes && (ssl ? SSL_write(ssl, bytes, 1) != 1 : send(fd, bytes, 1, MSG_NOSIGNAL) != 1))
			break;
		bytes += *bytes != 0;
		ssize_t got = recv(fd, &byte, 1, 0);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
	}
	return (unsigned)(time(NULL) - begin);
}

static void slow_handshakes_are_cut(void **state)
{
	(void)state;
	start((struct rest_options){ .header_s = 1 });
	int fd = dial();
	assert_true(lasts(NULL, fd, "") < PATIENCE_S);
	close(fd);
	stop();
}

static unsigned slow_request(const char *bytes)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	int fd = dial();
	SSL *ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	assert_int_equal(SSL_connect(ssl), 1);
	struct timeval quick = { .tv_usec = 100000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &quick, sizeof quick);
	char drain[4096];
	while (recv(fd, drain, sizeof drain, MSG_PEEK) > 0 && SSL_read(ssl, drain, sizeof drain) > 0)
		; /* what the server has to say after its handshake */
	unsigned seconds = lasts(ssl, fd, bytes);
	SSL_free(ssl);
	SSL_CTX_free(context);
	close(fd);
	return seconds;
}

static void slow_headers_are_cut(void **state)
{
	static char slow[2000];
	(void)state;
	start((struct rest_options){ .header_s = 1 });
	memset(slow, 'a', sizeof slow - 1);
	memcpy(slow, "GET /alive HTTP/1.1\r\nX-Slow: ", 29);
	assert_true(slow_request(slow) < PATIENCE_S);
	stop();
}

/* No client gets more time by announcing more than it may send. */
static void announced_bodies_buy_no_time(void **state)
{
	(void)state;
	start((struct rest_options){ .header_s = 20, .body_s = 1, .body = 16384 });
	assert_true(slow_request("POST /x HTTP/1.1\r\nHost:x\r\nContent-Length:99999999999\r\n\r\n") <
	            PATIENCE_S);
	stop();
}

static void too_many_open_handshakes_are_closed(void **state)
{
	int fds[3];
	(void)state;
	start((struct rest_options){ .handshakes = 2 });
	for (int i = 0; i < 3; i++)
		fds[i] = dial();
	assert_true(lasts(NULL, fds[2], "") < 8); /* long before header_s */
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
	be(NULL, NULL);
	assert_true(answers("/alive", 200));
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_gets_in_without_credentials),
		cmocka_unit_test(tokens_carry_their_role),
		cmocka_unit_test(tokens_end),
		cmocka_unit_test(certificates_carry_their_role),
		cmocka_unit_test(nothing_older_than_tls_1_3_is_spoken),
		cmocka_unit_test(the_server_is_believed_by_its_authority_alone),
		cmocka_unit_test(what_is_renewed_is_served_at_once),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(a_port_that_is_taken_is_told),
		cmocka_unit_test(a_move_to_where_nothing_can_listen_leaves_it_where_it_is),
		cmocka_unit_test(trust_that_cannot_be_read_stays_as_it_was),
		cmocka_unit_test(a_rate_is_kept_also_by_times_that_are_over),
		cmocka_unit_test(large_headers_are_431),
		cmocka_unit_test(too_many_requests_are_429),
		cmocka_unit_test(guesses_of_tokens_are_429),
		cmocka_unit_test(too_many_connections_are_503),
		cmocka_unit_test(slow_handshakes_are_cut),
		cmocka_unit_test(slow_headers_are_cut),
		cmocka_unit_test(announced_bodies_buy_no_time),
		cmocka_unit_test(too_many_open_handshakes_are_closed),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
