/* SPDX-License-Identifier: BSD-3-Clause */
/* The first start of a server; see access_setup.h. */
#include "manage/access_setup.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manage/file_stamp.h"
#include "manage/log.h"
#include "manage/pki.h"
#include "util/atomic_file.h"
#include "util/memory.h"

/* --- names of this host --- */

static void add_host(struct access_hosts *hosts, const char *host, size_t length)
{
	if (hosts->count == ACCESS_HOSTS_MAX || !length || length >= sizeof hosts->text[0])
		return;
	memcpy(hosts->text[hosts->count], host, length);
	hosts->list[hosts->count] = hosts->text[hosts->count];
	hosts->count++;
}

void access_hosts_add(struct access_hosts *hosts, const char *host)
{
	add_host(hosts, host, strlen(host));
}

void access_hosts_usual(struct access_hosts *hosts)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	char name[256] = "";
	gethostname(name, sizeof name - 1);
	access_hosts_add(hosts, "localhost");
	access_hosts_add(hosts, "127.0.0.1");
	access_hosts_add(hosts, "::1");
	if (strspn(name, letters) == strlen(name)) /* the kernel takes anything, a certificate does not */
		access_hosts_add(hosts, name);
}

static void add_interfaces(struct access_hosts *hosts)
{
	struct ifaddrs *all;
	char host[256];
	if (getifaddrs(&all))
		return;
	for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
		int family = one->ifa_addr ? one->ifa_addr->sa_family : 0;
		socklen_t size =
		        family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
		if ((family == AF_INET || family == AF_INET6) &&
		    !getnameinfo(one->ifa_addr, size, host, sizeof host, NULL, 0, NI_NUMERICHOST) &&
		    !strchr(host, '%')) /* link-local addresses mean something only with their interface */
			access_hosts_add(hosts, host);
	}
	freeifaddrs(all);
}

void access_hosts_listener(struct access_hosts *hosts, const char *address)
{
	const char *port = strrchr(address, ':');
	size_t length = port ? (size_t)(port - address) : 0;
	if (!length || address[0] == '*')
		add_interfaces(hosts);
	else if (address[0] == '[')
		add_host(hosts, address + 1, length - 2);
	else
		add_host(hosts, address, length);
}

/* --- certificates --- */

/* For as long as what is issued now would outlive it. */
static void tell_end(const char *folder, time_t now)
{
	unsigned days = pki_days_left(folder, now);
	if (days < PKI_DAYS)
		log_warn("authority-ends", "file=%s/ca.crt days=%u text=%s", folder, days,
		         "certificates end with it: put another authority in its place, or take it away with "
		         "its "
		         "key and one is made, and give clients the new ca.crt");
}

bool access_renew(const char *folder, const char *name, const struct access_hosts *hosts,
                  struct errors *errors)
{
	struct pki_order ours = { PKI_SERVER, folder, "server", name, NULL, hosts->list, 0 },
	                 theirs = { PKI_CLIENT, folder, "admin", "admin", "admin", NULL, 0 };
	time_t now = time(NULL);
	bool server = false, admin = false;
	bool done = pki_authority(folder, now, errors) && pki_renew(folder, &ours, now, &server, errors) &&
	            (pki_keyless(folder) || pki_renew(folder, &theirs, now, &admin, errors));
	tell_end(folder, now);
	if (server)
		log_info("certificate-issued", "file=%s/server.crt", folder);
	if (admin)
		log_info("certificate-issued", "file=%s/admin.crt for=admin", folder);
	return done;
}

/* --- the admin --- */

bool access_first_token(const char *folder, struct access *access, struct errors *errors)
{
	char *path = text_format("%s/admin.token", folder), text[TOKEN_LENGTH + 2];
	struct token_order order = { "admin", ROLE_ADMIN, 0, "the first start" };
	json_t *list = tokens_list(access_tokens(access));
	struct file_stamp stamp = { 0 };
	bool wanted = json_array_size(list) == 0 && !file_stamp_changed(&stamp, path),
	     made = wanted && tokens_create(access_tokens(access), &order, time(NULL), text, errors);
	int error = 0;
	if (made) {
		text[TOKEN_LENGTH] = '\n';
		error = atomic_file_write(path, text, TOKEN_LENGTH + 1, 0600);
		if (error)
			errors_add(errors, NULL, "write-failed", path, 0, "%s", strerror(error));
		else
			log_info("access-made", "authority=%s/ca.crt certificate=%s/admin.crt token=%s",
			         folder, folder, path);
	}
	explicit_bzero(text, sizeof text);
	json_decref(list);
	free(path);
	return !wanted || (made && !error);
}

bool access_context(const char *folder, const char *address, struct errors *errors)
{
	const char *port = strrchr(address, ':');
	bool all = !strncmp(address, "[::]:", 5) || !strncmp(address, "0.0.0.0:", 8);
	char *path = text_format("%s/contexts.cfg", folder),
	     *text = text_format("current = \"admin\";\ncontexts = ( { name = \"admin\"; server = "
	                         "\"https://%s%s\";\n  cacert = \"%s/ca.crt\"; cert = \"%s/admin.crt\"; "
	                         "key = \"%s/admin.key\"; } );\n",
	                         all ? "localhost" : "", all ? port : address, folder, folder, folder);
	int error = atomic_file_write(path, text, strlen(text), 0600);
	if (error)
		errors_add(errors, NULL, "write-failed", path, 0, "%s", strerror(error));
	free(text);
	free(path);
	return !error;
}
