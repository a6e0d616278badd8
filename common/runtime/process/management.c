/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * REST of a datapath process over TCP, with the certificates in its folder: those that sluiced puts there,
 * or, if there is no authority yet, its own. And the audit log, which is kept in any case. Main thread.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manage/access_setup.h"
#include "manage/audit.h"
#include "manage/events.h"
#include "manage/log.h"
#include "runtime/process/process.h"
#include "util/memory.h"

/* The folder may lie in memory. */
enum { AUDIT_FILE_BYTES = 512 << 10, AUDIT_FILE_COUNT = 4 };
enum { RENEW_S = 3600 };

static void on_done(const struct rest_request *request, const struct rest_reply *reply, uint64_t microseconds,
                    void *user)
{
	struct process *p = user;

	(void)microseconds;
	audit_request(p->audit, request, reply, true);
}

/* HTTP thread. */
static void on_refused(const struct rest_request *request, const struct rest_reply *reply, void *user)
{
	struct process *p = user;

	audit_request(p->audit, request, reply, false);
}

static bool exists(const char *folder, const char *name)
{
	char *path = text_format("%s/%s", folder, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/* Somebody else gives us certificates: there is no key of the authority here. */
static bool are_given(const struct process *p)
{
	return exists(p->directory, "ca.crt") && !exists(p->directory, "ca.key");
}

/* Issues those that are missing, too old, or of other names. */
static bool renew(const struct process *p, struct errors *errors)
{
	struct access_hosts *hosts = memory_new(1, sizeof(*hosts));
	bool done;

	access_hosts_usual(hosts);
	access_hosts_listener(hosts, p->listen);
	done = access_renew(p->directory, p->engine->sizes.name, hosts, errors);
	free(hosts);
	return done;
}

/* Certificates of our own, unless somebody else gives them to us: then there is no key of the authority
 * here. */
static bool own_certificates(const struct process *p, struct errors *errors)
{
	if (are_given(p))
		return true;
	return renew(p, errors) && access_first_token(p->directory, p->access, errors) &&
	       access_context(p->directory, p->listen, errors);
}

static void read_limits(const struct conf *limits, struct rest_options *options)
{
	char why[256];

	for (size_t i = 0; i < conf_count(limits); i++)
		rest_limit(options, conf_at(limits, i)->name, conf_at(limits, i)->integer, why, sizeof(why));
}

bool management_open(struct process *p, const struct conf *document, struct rest_options *options,
                     struct errors *errors)
{
	const struct conf *manage = conf_get(document, "manage");
	struct audit_options audit = { p->directory, AUDIT_FILE_BYTES, AUDIT_FILE_COUNT };

	options->done = on_done;
	options->refused = on_refused;
	read_limits(conf_get(manage, "limits"), options);
	read_limits(conf_get(manage, "limits"), &p->limits);
	p->audit = audit_open(&audit, errors);
	p->listen = text_copy(conf_string(manage, "listen", NULL));
	p->listening = !p->listen;
	if (!p->audit || !p->listen)
		return p->audit;
	p->access = options->access = access_open(p->directory, NULL, errors);
	return p->access && own_certificates(p, errors);
}

/* What the document that runs says, if it has changed. An engine that is being changed is looked at the next time. */
static void read_again(struct process *p)
{
	struct rest_options limits = { 0 };
	const struct conf *manage;

	if (pthread_mutex_trylock(&p->engine->lock) != 0)
		return;
	if (p->engine->document && p->engine->revision != p->manage_revision) {
		p->manage_revision = p->engine->revision;
		manage = conf_get(p->engine->document, "manage");
		const char *listen = conf_string(manage, "listen", NULL);

		read_limits(conf_get(manage, "limits"), &limits);
		p->listening &= memcmp(&limits, &p->limits, sizeof(limits)) == 0 && !listen == !p->listen &&
		                (!listen || strcmp(listen, p->listen) == 0);
		p->limits = limits;
		free(p->listen);
		p->listen = text_copy(listen);
	}
	pthread_mutex_unlock(&p->engine->lock);
}

/* Certificates are those of the address; nobody could come by TCP before the first. */
static bool admits(struct process *p, struct errors *errors)
{
	if (!p->access) {
		p->access = access_open(p->directory, NULL, errors);
		rest_set_access(p->rest, p->access);
	}
	return p->access && own_certificates(p, errors);
}

static void listen_there(struct process *p)
{
	struct errors errors = ERRORS_NONE;
	struct rest_tcp where = { p->listen };
	char bound[64];

	rest_set_limits(p->rest, &p->limits);
	if (p->listen && !admits(p, &errors))
		p->listening = false;
	else
		p->listening = rest_move_tcp(p->rest, p->listen ? &where : NULL, bound, &errors);
	if (p->listening && p->listen) {
		log_info("listening", "address=%s", bound);
		events_add(p->events, "listening", p->engine->sizes.name, NULL, "REST is served at %s",
		           bound);
	} else if (p->listening) {
		log_info("not-listening", "text=REST is served on the control socket alone");
	} else if (errors.count) {
		log_limited(LOG_LEVEL_ERROR, "listen-failed", "text=%s", errors.list[0].detail);
	}
	errors_free(&errors);
}

/* A process may run for longer than its certificates. */
static void look_after_certificates(struct process *p)
{
	struct errors errors = ERRORS_NONE;

	p->certificates_age++;
	if (p->certificates_age < RENEW_S || !p->listen || !p->access || are_given(p))
		return;
	p->certificates_age = 0;
	if (!renew(p, &errors) && errors.count)
		log_error("certificate-failed", "text=%s", errors.list[0].detail);
	errors_free(&errors);
}

void management_poll(struct process *p)
{
	read_again(p);
	if (!p->listening)
		listen_there(p);
	look_after_certificates(p);
	rest_tend(p->rest);
}

void management_close(struct process *p)
{
	audit_close(p->audit);
	access_close(p->access);
	free(p->listen);
	free(p->directory);
}
