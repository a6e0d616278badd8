/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may do what here. At its first start sluiced makes an authority of its own, a certificate for itself, and a
 * certificate and a token for an admin, all in STATE/access: there is no default password to change or to forget. REST:
 * tokens, and who one is.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "manage/access.h"
#include "manage/audit.h"
#include "manage/log.h"
#include "manage/pages.h"
#include "manage/pki.h"
#include "manage/problem.h"
#include "manage/timestamp.h"
#include "util/atomic_file.h"
#include "util/memory.h"

enum { HOSTS_MAX = 64, HOST_TEXT = 256 };

/* --- names of this host --- */

struct hosts {
	char text[HOSTS_MAX][HOST_TEXT];
	const char *list[HOSTS_MAX + 1];
	size_t count;
};

static void add_host(struct hosts *hosts, const char *host, size_t length)
{
	if (hosts->count == HOSTS_MAX || !length || length >= HOST_TEXT)
		return;
	memcpy(hosts->text[hosts->count], host, length);
	hosts->list[hosts->count] = hosts->text[hosts->count];
	hosts->count++;
}

static void add_interfaces(struct hosts *hosts)
{
	struct ifaddrs *all, *one;
	char host[HOST_TEXT];

	if (getifaddrs(&all))
		return;
	for (one = all; one; one = one->ifa_next) {
		int family = one->ifa_addr ? one->ifa_addr->sa_family : 0;
		socklen_t size =
		        family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

		if ((family == AF_INET || family == AF_INET6) &&
		    !getnameinfo(one->ifa_addr, size, host, sizeof(host), NULL, 0, NI_NUMERICHOST) &&
		    !strchr(host, '%')) /* link-local addresses mean something only with their interface */
			add_host(hosts, host, strlen(host));
	}
	freeifaddrs(all);
}

/* Of "192.0.2.1:443", "[::1]:443"; "*:443" means all addresses of this host. */
static void add_listener(struct hosts *hosts, const char *address)
{
	size_t length = (size_t)(strrchr(address, ':') - address);

	if (!length || address[0] == '*')
		add_interfaces(hosts);
	else if (address[0] == '[')
		add_host(hosts, address + 1, length - 2);
	else
		add_host(hosts, address, length);
}

static void find_hosts(const struct api_options *options, struct hosts *hosts)
{
	static const char *const usual[] = { "localhost", "127.0.0.1", "::1" };
	char name[HOST_TEXT] = "";

	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		add_host(hosts, usual[i], strlen(usual[i]));
	gethostname(name, sizeof(name) - 1);
	add_host(hosts, name, strlen(name));
	for (unsigned i = 0; i < options->names_count; i++)
		add_host(hosts, options->names[i], strlen(options->names[i]));
	for (unsigned i = 0; i < options->listen_count; i++)
		add_listener(hosts, options->listen[i]);
}

/* --- certificates --- */

static bool renew(const struct api *api, struct errors *errors)
{
	struct hosts *hosts = memory_new(1, sizeof(*hosts));
	const char *folder = api->access_folder;
	time_t now = time(NULL);
	bool server = false, admin = false;

	find_hosts(api->options, hosts);
	struct pki_order ours = { PKI_SERVER, folder, "server", "sluiced", NULL, hosts->list, 0 },
	                 theirs = { PKI_CLIENT, folder, "admin", "admin", "admin", NULL, 0 };
	bool done = pki_authority(folder, now, errors) && pki_renew(folder, &ours, now, &server, errors) &&
	            pki_renew(folder, &theirs, now, &admin, errors);
	if (server)
		log_info("certificate-issued", "file=%s/server.crt", folder);
	if (admin)
		log_info("certificate-issued", "file=%s/admin.crt for=admin", folder);
	free(hosts);
	return done;
}

void api_renew(struct api *api)
{
	struct errors errors = ERRORS_NONE;
	char line[512];

	if (!renew(api, &errors) && errors.count) {
		error_format(&errors.list[0], line, sizeof(line));
		log_error("certificate-failed", "error=%s", line);
	}
	errors_free(&errors);
}

/* --- the first start --- */

/* The first token, as long as there is none. */
static bool first_token(const struct api *api, struct errors *errors)
{
	char *path = text_format("%s/admin.token", api->access_folder), text[TOKEN_LENGTH + 2];
	struct token_order order = { "admin", ROLE_ADMIN, 0, "the first start" };
	json_t *list = tokens_list(access_tokens(api->access));
	bool wanted = json_array_size(list) == 0 && access(path, F_OK) != 0,
	     made = wanted && tokens_create(access_tokens(api->access), &order, time(NULL), text, errors);
	int error = 0;

	if (made) {
		text[TOKEN_LENGTH] = '\n';
		error = atomic_file_write(path, text, TOKEN_LENGTH + 1, 0600);
		if (error)
			errors_add(errors, NULL, "write-failed", path, 0, "%s", strerror(error));
		else
			log_info("access-made", "authority=%s/ca.crt certificate=%s/admin.crt token=%s",
			         api->access_folder, api->access_folder, path);
	}
	explicit_bzero(text, sizeof(text));
	json_decref(list);
	free(path);
	return !wanted || (made && !error);
}

bool access_prepare(struct api *api, struct errors *errors)
{
	const char *state = api->manager->options.state_folder;
	char *audit = text_format("%s/audit", state);
	struct audit_options options = { .folder = audit };
	bool done;

	api->access_folder = text_format("%s/access", state);
	if (mkdir(api->access_folder, 0700) && errno != EEXIST)
		errors_add(errors, NULL, "access-failed", api->access_folder, 0, "%s", strerror(errno));
	else if (renew(api, errors) && (api->audit = audit_open(&options, errors)))
		api->access = access_open(api->access_folder, NULL, errors);
	done = api->access && first_token(api, errors);
	free(audit);
	return done;
}

bool access_context(const struct api *api, const char *address, struct errors *errors)
{
	const char *folder = api->access_folder, *port = strrchr(address, ':');
	bool all = strncmp(address, "[::]:", 5) == 0 || strncmp(address, "0.0.0.0:", 8) == 0;
	char *path = text_format("%s/contexts.cfg", folder),
	     *text = text_format(
	             "current = \"admin\";\ncontexts = ( { name = \"admin\"; server = "
	             "\"https://%s%s\";\n  cacert = \"%s/ca.crt\"; cert = \"%s/admin.crt\"; key = "
	             "\"%s/admin.key\"; } );\n",
	             all ? "localhost" : "", all ? port : address, folder, folder, folder);
	int error = atomic_file_write(path, text, strlen(text), 0600);

	if (error)
		errors_add(errors, NULL, "write-failed", path, 0, "%s", strerror(error));
	free(text);
	free(path);
	return !error;
}

/* --- REST --- */

static struct tokens *tokens_of(const struct rest_request *request)
{
	return access_tokens(api_of(request)->access);
}

static void get_tokens(const struct rest_request *request, struct rest_reply *reply)
{
	page_reply(request, reply, tokens_list(tokens_of(request)));
}

static void get_token(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "token");
	json_t *token = tokens_show(tokens_of(request), name);

	if (token)
		rest_reply_json(reply, 200, token);
	else
		rest_problem(reply, 404, "there is no token \"%s\"", name);
}

static void check_members(const json_t *body, struct errors *errors)
{
	static const char *const known[] = { "name", "role", "expires" };
	const char *name;
	json_t *value;

	if (!json_is_object(body))
		errors_add(errors, "", "bad-type", NULL, 0, "expected {\"name\", \"role\", \"expires\"}");
	json_object_foreach((json_t *)(uintptr_t)body, name, value)
	{
		bool found = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			found |= strcmp(known[i], name) == 0;
		if (!found)
			errors_add(errors, name, "unknown-member", NULL, 0, "there is no such member");
		else if (!json_is_string(value))
			errors_add(errors, name, "bad-type", NULL, 0, "expected a string");
	}
}

/* What is asked for; errors if it is not fit. */
static struct token_order read_order(const json_t *body, time_t now, struct errors *errors)
{
	const char *role = json_string_value(json_object_get(body, "role")),
	           *expires = json_string_value(json_object_get(body, "expires"));
	struct token_order order = { .name = json_string_value(json_object_get(body, "name")),
		                     .role = role_parse(role) };

	check_members(body, errors);
	if (!errors_any(errors) && !order.role)
		errors_add(errors, "role", "bad-value", NULL, 0, "expected viewer, operator or admin");
	if (!errors_any(errors) && expires && !timestamp_read_end(expires, now, &order.expires))
		errors_add(errors, "expires", "bad-value", NULL, 0,
		           "expected a span (90d, 12h, 30m, 45s) or a time to come "
		           "(2030-01-31T12:00:00Z), not \"%s\"",
		           expires);
	return order;
}

static void refuse_token(struct rest_reply *reply, const struct errors *errors)
{
	const char *code = errors->list[0].code;
	unsigned status = strcmp(code, "exists") == 0 || strcmp(code, "too-many") == 0              ? 409
	                  : strcmp(code, "write-failed") == 0 || strcmp(code, "no-randomness") == 0 ? 503
	                                                                                            : 422;

	rest_problem_errors(reply, status, errors, "%s", errors->list[0].detail);
	if (status == 503)
		rest_reply_header(reply, "Retry-After", "10");
}

static void post_token(const struct rest_request *request, struct rest_reply *reply)
{
	struct errors errors = ERRORS_NONE;
	time_t now = time(NULL);
	struct token_order order = read_order(request->json, now, &errors);
	char text[TOKEN_LENGTH + 1], author[AUTHOR_SIZE];

	if (reply_no_dry_run(request, reply)) {
		errors_free(&errors);
		return;
	}
	order.author = author_of(request, author, sizeof(author));
	if (!errors_any(&errors) && tokens_create(tokens_of(request), &order, now, text, &errors)) {
		json_t *token = tokens_show(tokens_of(request), order.name);

		rest_reply_note(reply, json_deep_copy(token));
		json_object_set_new(token, "token", json_string(text));
		rest_reply_json(reply, 201, token);
		rest_reply_location(reply, "/v1/tokens/%s", order.name);
		rest_reply_header(reply, "Cache-Control", "no-store");
		explicit_bzero(text, sizeof(text));
	} else {
		refuse_token(reply, &errors);
	}
	errors_free(&errors);
}

static void delete_token(const struct rest_request *request, struct rest_reply *reply)
{
	struct errors errors = ERRORS_NONE;
	const char *name = rest_param(request, "token");

	if (reply_no_dry_run(request, reply))
		return;
	int done = tokens_revoke(tokens_of(request), name, &errors);

	if (!done)
		rest_problem(reply, 404, "there is no token \"%s\"", name);
	else if (done < 0)
		refuse_token(reply, &errors);
	errors_free(&errors);
}

static void get_whoami(const struct rest_request *request, struct rest_reply *reply)
{
	const struct caller *caller = &request->caller;

	rest_reply_json(reply, 200,
	                json_pack("{s:s,s:s,s:s,s:s}", "subject", caller->subject, "role",
	                          role_name(caller->role), "how", caller->how, "address", caller->address));
}

const struct rest_route access_routes[] = {
	{ .pattern = "/v1/tokens",
	  .summary = "Tokens that let their owners in",
	  .get = { .handle = get_tokens,
	           .summary = "List them",
	           .role = ROLE_ADMIN,
	           .query = "filter limit cursor",
	           .answer = "Token[]" },
	  .post = { .handle = post_token,
	            .summary = "Make one: the only time that it is shown",
	            .body = "TokenOrder",
	            .answer = "NewToken",
	            .role = ROLE_ADMIN,
	            .statuses = "201 409 422" },
	  .body_limit = 4096 },
	{ .pattern = "/v1/tokens/{token}",
	  .summary = "One token",
	  .get = { .handle = get_token,
	           .summary = "Read it",
	           .answer = "Token",
	           .role = ROLE_ADMIN,
	           .statuses = "200 404" },
	  .del = { .handle = delete_token,
	           .summary = "Revoke it",
	           .role = ROLE_ADMIN,
	           .statuses = "204 404" } },
	{ .pattern = "/v1/whoami",
	  .summary = "Who one is here",
	  .get = { .handle = get_whoami, .summary = "Subject and role", .answer = "Caller" } },
	{ .pattern = NULL },
};
