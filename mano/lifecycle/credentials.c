/* SPDX-License-Identifier: BSD-3-Clause */
/* Certificates of processes. See credentials.h. */
#include "lifecycle/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lifecycle/unit.h"
#include "manage/access_setup.h"
#include "manage/log.h"
#include "manage/pki.h"
#include "util/atomic_file.h"
#include "util/memory.h"

enum { PEM_BYTES = 1 << 20 };

bool credentials_open(const char *state_folder, struct errors *errors)
{
	char *folder = text_format("%s/access", state_folder);
	bool made = mkdir(folder, 0700) == 0 || errno == EEXIST;

	if (!made)
		errors_add(errors, NULL, "access-failed", folder, 0, "%s", strerror(errno));
	made = made && pki_authority(folder, time(NULL), errors);
	free(folder);
	return made;
}

static bool fail(const char *path, int error, struct errors *errors)
{
	if (error)
		errors_add(errors, NULL, "access-failed", path, 0, "%s", strerror(error));
	return !error;
}

static bool holds(const char *path, const char *text, size_t length)
{
	char *there = NULL;
	size_t size = 0;
	bool same = !atomic_file_read(path, PEM_BYTES, &there, &size) && size == length &&
	            !memcmp(there, text, size);

	free(there);
	return same;
}

/* Not written if it is there: a full disk stops no healing. */
static bool put_copy(const char *from, const char *to, const char *name, mode_t mode, struct errors *errors)
{
	char *source = text_format("%s/%s", from, name), *target = text_format("%s/%s", to, name),
	     *text = NULL;
	size_t length = 0;
	int error = atomic_file_read(source, PEM_BYTES, &text, &length);

	if (!error && !holds(target, text, length))
		error = atomic_file_write(target, text, length, mode);
	bool done = fail(target, error, errors);
	if (text)
		explicit_bzero(text, length);
	free(text);
	free(target);
	free(source);
	return done;
}

/* What we change while it runs is read where it is. */
static bool put_link(const char *from, const char *to, const char *name, struct errors *errors)
{
	char *source = text_format("%s/%s", from, name), *target = text_format("%s/%s", to, name);
	bool done = fail(target, symlink(source, target) && errno != EEXIST ? errno : 0, errors);

	free(target);
	free(source);
	return done;
}

/* What a document says of listening; malloc'd, NULL: nothing. */
static char *listen_of(const char *document)
{
	/* Most have none, and some are of many megabytes. */
	json_t *json = strstr(document, "\"listen\"") ? json_loads(document, 0, NULL) : NULL;
	char *listen =
	        text_copy(json_string_value(json_object_get(json_object_get(json, "manage"), "listen")));

	json_decref(json);
	return listen;
}

/* The operator's own, which sluiced serves, too. The key first: a certificate without it is not served. */
static bool put_pair(const char *from, const char *to, struct errors *errors)
{
	return put_copy(from, to, "server.key", 0600, errors) &&
	       put_copy(from, to, "server.crt", 0644, errors);
}

static bool issue(const char *authority, const char *folder, const char *name, const char *listen,
                  struct errors *errors)
{
	struct access_hosts *hosts = memory_new(1, sizeof(*hosts));
	struct pki_order order = { PKI_SERVER, folder, "server", name, NULL, hosts->list, 0 };
	bool issued = false;

	access_hosts_usual(hosts);
	access_hosts_listener(hosts, listen);
	bool done = put_copy(authority, folder, "ca.crt", 0644, errors) &&
	            put_link(authority, folder, "tokens.json", errors) &&
	            put_link(authority, folder, "clients-ca.crt", errors) &&
	            (pki_keyless(authority) ? put_pair(authority, folder, errors)
	                                    : pki_renew(authority, &order, time(NULL), &issued, errors));
	if (issued)
		log_info("certificate-issued", "file=%s/server.crt for=%s", folder, name);
	free(hosts);
	return done;
}

bool credentials_issue(struct manager *manager, const char *folder, const char *name, const char *document,
                       struct errors *errors)
{
	char *listen = listen_of(document),
	     *authority = text_format("%s/access", manager->options.state_folder);
	bool done = true;

	if (listen) {
		pthread_mutex_lock(&manager->credentials);
		done = issue(authority, folder, name, listen, errors);
		pthread_mutex_unlock(&manager->credentials);
	}
	free(authority);
	free(listen);
	return done;
}

/* --- all --- */

struct place {
	char *folder, *name, *document;
};

static size_t list_places(struct manager *manager, struct place **places)
{
	size_t count = 0;

	*places = NULL;
	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; i < manager->services_count; i++)
		for (size_t j = 0; j < manager->services[i]->units_count; j++) {
			const struct unit *unit = manager->services[i]->units[j];

			if (!unit->wish.document)
				continue;
			*places = memory_grow(*places, count, sizeof(**places));
			(*places)[count++] = (struct place){ text_copy(unit->folder), text_copy(unit->name),
				                             text_copy(unit->wish.document) };
		}
	pthread_mutex_unlock(&manager->lock);
	return count;
}

void credentials_renew(struct manager *manager)
{
	struct place *places;
	size_t count = list_places(manager, &places);

	for (size_t i = 0; i < count; i++) {
		struct errors errors = ERRORS_NONE;

		if (!credentials_issue(manager, places[i].folder, places[i].name, places[i].document,
		                       &errors))
			log_error("certificate-failed", "unit=%s error=%s", places[i].name,
			          errors.list[0].detail);
		errors_free(&errors);
		free(places[i].folder);
		free(places[i].name);
		free(places[i].document);
	}
	free(places);
}
