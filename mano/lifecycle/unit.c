/* SPDX-License-Identifier: BSD-3-Clause */
/* Units as the rest sees them: wishes, orders, what is shown of them. See unit.h. */
#include "lifecycle/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "manage/log.h"
#include "util/memory.h"

enum { SHAPE_DIGITS = 16, DOCUMENT_DIGITS = 32 };

uint64_t unit_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- wishes --- */

static void digest_text(const char *text, unsigned digits, char *into)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	EVP_Digest(text, strlen(text), bytes, &length, EVP_sha256(), NULL);
	for (unsigned i = 0; i < digits / 2; i++)
		snprintf(into + 2 * (size_t)i, 3, "%02x", bytes[i]);
}

void wish_seal(struct wish *wish)
{
	char *shape = text_format("%s\n%s\n%s\n%s\n%u", wish->program, wish->netns ? wish->netns : "",
	                          wish->cores, wish->hugepages, wish->memory_mb);

	digest_text(shape, SHAPE_DIGITS, wish->digest);
	wish->digest[SHAPE_DIGITS] = '-';
	digest_text(wish->document, DOCUMENT_DIGITS, wish->digest + SHAPE_DIGITS + 1);
	free(shape);
}

struct wish wish_copy(const struct wish *wish)
{
	struct wish copy = *wish;

	copy.program = text_copy(wish->program);
	copy.netns = text_copy(wish->netns);
	copy.cores = text_copy(wish->cores);
	copy.hugepages = text_copy(wish->hugepages);
	copy.document = text_copy(wish->document);
	return copy;
}

void wish_clear(struct wish *wish)
{
	free(wish->program);
	free(wish->netns);
	free(wish->cores);
	free(wish->hugepages);
	free(wish->document);
	*wish = (struct wish){ 0 };
}

bool wish_reshapes(const char *digest, const char *other)
{
	return strncmp(digest, other, SHAPE_DIGITS) != 0;
}

void wish_shape(const char *digest, char *shape)
{
	snprintf(shape, UNIT_DIGEST, "%.*s", *digest ? SHAPE_DIGITS + 1 : 0, digest);
}

/* --- life --- */

struct unit *unit_new(struct manager *manager, const char *service, const char *vnf)
{
	struct unit *unit = memory_new(1, sizeof(*unit));

	unit->manager = manager;
	unit->service = text_copy(service);
	unit->vnf = text_copy(vnf);
	unit->name = *vnf ? text_format("%s/%s", service, vnf) : text_copy(service);
	unit->folder = text_format("%s/%s", manager->options.run_folder, unit->name);
	unit->kept = *vnf ? text_format("%s/%s", manager->options.run_folder, service) : NULL;
	unit->socket = text_format("%s/" INSTANCE_CONTROL, unit->folder);
	unit->child = unit->next.standby = unit->next.leaving = (struct child)CHILD_NONE;
	unit->wake = unit->next.line = -1;
	return unit;
}

void unit_recall(struct unit *unit, const struct store_process *process)
{
	unit->recalled = true;
	snprintf(unit->digest, sizeof(unit->digest), "%s", process->digest);
	unit->restarts = process->restarts;
	unit->since = process->since;
	if (strcmp(process->boot, unit->manager->boot) == 0)
		unit->manager->driver->adopt(unit->folder, process->pid, process->start_time, &unit->child);
}

/* Keepers do little but wait: a small stack keeps a hundred of them small. */
bool unit_start(struct unit *unit, struct errors *errors)
{
	pthread_attr_t attributes;
	int error = 0;

	unit->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	unit->client = http_client_new();
	unit->prober = http_client_new();
	if (unit->wake < 0 || !unit->client || !unit->prober)
		error = errno ? errno : ENOMEM;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 << 10);
	unit->listener = error ? NULL : listener_start(unit);
	if (!error)
		error = unit->listener ? pthread_create(&unit->thread, &attributes, keeper_run, unit)
		                       : EAGAIN;
	pthread_attr_destroy(&attributes);
	if (error)
		unit->thread = 0; /* what failed may have written there */
	if (error)
		errors_add(errors, NULL, "no-resources", NULL, 0, "cannot watch over %s: %s", unit->name,
		           strerror(error));
	return error == 0;
}

static void unit_free(struct unit *unit)
{
	heartbeat_close(unit->watch.beats);
	child_forget(&unit->child);
	child_forget(&unit->next.standby);
	child_forget(&unit->next.leaving);
	if (unit->next.line >= 0)
		close(unit->next.line); /* one that stands by goes, then */
	wish_clear(&unit->next.wish);
	http_client_free(unit->client);
	http_client_free(unit->prober);
	if (unit->wake >= 0)
		close(unit->wake);
	wish_clear(&unit->wish);
	wish_clear(&unit->running);
	errors_free(&unit->refusal);
	free(unit->service);
	free(unit->vnf);
	free(unit->name);
	free(unit->folder);
	free(unit->kept);
	free(unit->socket);
	free(unit->error);
	free(unit->version);
	free(unit->etag);
	free(unit);
}

void unit_join(struct unit *unit)
{
	if (unit->thread)
		pthread_join(unit->thread, NULL);
	listener_stop(unit->listener);
	unit_free(unit);
}

/* --- orders --- */

static void wake(struct unit *unit)
{
	if (unit->wake >= 0)
		eventfd_write(unit->wake, 1);
}

void unit_wish(struct unit *unit, struct wish *wish)
{
	bool same = unit->wish.document && strcmp(unit->wish.digest, wish->digest) == 0;

	if (same && !unit_refused(unit)) {
		wish_clear(wish);
		return;
	}
	wish_clear(&unit->wish);
	unit->wish = *wish;
	*wish = (struct wish){ 0 };
	unit->asked++;
	wake(unit);
}

void unit_ask_restart(struct unit *unit, bool heal)
{
	unit->restart = true;
	unit->heal = heal;
	unit->asked++;
	wake(unit);
}

void unit_ask_again(struct unit *unit)
{
	unit->asked++;
	wake(unit);
}

void unit_ask_stop(struct unit *unit)
{
	unit->stop = true;
	unit->asked++;
	wake(unit);
}

void unit_ask_leave(struct unit *unit)
{
	unit->leave = true;
	listener_ask_stop(unit->listener);
	wake(unit);
}

bool unit_settled(const struct unit *unit)
{
	return unit->done >= unit->asked || unit_refused(unit);
}

bool unit_refused(const struct unit *unit)
{
	return unit->refused >= unit->asked && unit->done < unit->asked;
}

void unit_set_error(struct unit *unit, const char *text)
{
	char *copy = text_copy(text);

	if (text)
		log_warn("unit-failed", "unit=%s error=%s", unit->name, text);
	pthread_mutex_lock(&unit->manager->lock);
	free(unit->error);
	unit->error = copy;
	pthread_mutex_unlock(&unit->manager->lock);
}

static void record(struct unit *unit, const struct child *child, const char *digest)
{
	struct errors errors = ERRORS_NONE;
	struct store_process process = {
		.service = unit->service,
		.vnf = unit->vnf,
		.pid = child->pid,
		.start_time = child->start_time,
		.boot = unit->manager->boot,
		.digest = digest,
		.cores = unit->running.cores ? unit->running.cores : "",
		.restarts = unit->restarts,
		.since = unit->since,
	};

	if (!store_process_put(unit->manager->store, &process, &errors))
		log_error("store-failed", "unit=%s error=%s", unit->name, errors.list[0].detail);
	errors_free(&errors);
}

void unit_record(struct unit *unit)
{
	record(unit, &unit->child, unit->digest);
}

void unit_record_start(struct unit *unit, const struct child *child)
{
	record(unit, child, unit->running.digest);
}

void unit_set_digest(struct unit *unit, const char *digest)
{
	pthread_mutex_lock(&unit->manager->lock);
	memmove(unit->digest, digest, sizeof(unit->digest));
	pthread_mutex_unlock(&unit->manager->lock);
	unit_record(unit);
}

void unit_forget_document(struct unit *unit)
{
	char shape[UNIT_DIGEST];

	wish_shape(unit->digest, shape);
	unit_set_digest(unit, shape);
}

void unit_say_started(struct unit *unit)
{
	events_add(unit->manager->events, "vnf-started", unit->name,
	           json_pack("{s:i,s:s}", "pid", (int)unit->child.pid, "cores", unit->running.cores),
	           "started as process %d", (int)unit->child.pid);
	log_info("vnf-started", "unit=%s pid=%d cores=%s", unit->name, (int)unit->child.pid,
	         unit->running.cores);
}

/* --- showing --- */

const char *unit_state_name(enum unit_state state)
{
	static const char *const names[] = { "starting", "ready", "backing-off", "stopping", "stopped" };

	return names[state];
}

static const char *health_of(const struct unit *unit)
{
	if (unit->state == UNIT_READY && !unit->hung)
		return "healthy";
	return unit->state == UNIT_STARTING ? "starting" : "down";
}

static json_t *core_list(const char *text)
{
	json_t *list = json_array();

	while (text && *text) {
		char *end;

		json_array_append_new(list, json_integer((json_int_t)strtoul(text, &end, 10)));
		text = *end ? end + 1 : end;
	}
	return list;
}

json_t *unit_show(const struct unit *unit)
{
	json_t *shown = json_pack("{s:s,s:s,s:I,s:o,s:b}", "state", unit_state_name(unit->state), "health",
	                          health_of(unit), "restarts", (json_int_t)unit->restarts, "cores",
	                          core_list(unit->wish.cores), "drift", unit->drift);

	if (unit->child.pid > 0) {
		json_object_set_new(shown, "pid", json_integer(unit->child.pid));
		json_object_set_new(shown, "uptime",
		                    json_integer((json_int_t)time(NULL) - (json_int_t)unit->since));
	}
	if (unit->wish.program)
		json_object_set_new(shown, "program", json_string(unit->wish.program));
	if (unit->version)
		json_object_set_new(shown, "version", json_string(unit->version));
	if (unit->digest[0])
		json_object_set_new(shown, "digest", json_string(unit->digest));
	if (unit->error)
		json_object_set_new(shown, "error", json_string(unit->error));
	return shown;
}
