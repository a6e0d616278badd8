/* SPDX-License-Identifier: BSD-3-Clause */
/* Hears the events of a process. See listener.h. All data is the listener's thread's, but `stop`. */
#include "lifecycle/listener.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lifecycle/unit.h"
#include "manage/events.h"
#include "util/memory.h"

enum { CONNECT_MS = 500, AGAIN_MS = 200, STACK = 256 << 10 };

struct listener {
	struct unit *unit;
	pthread_t thread;
	int wake; /* eventfd: `stop` was set */
	atomic_bool stop;
	struct http_client *client;
	pid_t pid;      /* whose events they are */
	uint64_t last;  /* id of the last that was heard: behind it the next life goes on */
	uint64_t heard; /* the same of this very process: where its folder was lost it counts anew */
	bool first; /* nothing was heard of any process of the unit: what it has forgotten is nothing lost */
	struct listener_budget budget;
	uint64_t lost; /* not yet told of */
};

bool listener_may(struct listener_budget *budget, uint64_t now)
{
	double fresh =
	        budget->filled ? (double)(now - budget->filled) * LISTENER_RATE / 1000 : LISTENER_BURST;

	budget->left = budget->left + fresh < LISTENER_BURST ? budget->left + fresh : LISTENER_BURST;
	budget->filled = now;
	if (budget->left < 1)
		return false;
	budget->left--;
	return true;
}

static pid_t present(struct unit *unit)
{
	pthread_mutex_lock(&unit->manager->lock);
	pid_t pid = unit->taking ? 0 : unit->child.pid; /* else its predecessor may answer yet */
	pthread_mutex_unlock(&unit->manager->lock);
	return pid;
}

static void tell_lost(struct listener *listener)
{
	if (!listener->lost)
		return;
	events_add(listener->unit->manager->events, "events-lost", listener->unit->name,
	           json_pack("{s:I}", "lost", (json_int_t)listener->lost),
	           "%llu events of the process were left out: it said too many, or had forgotten them",
	           (unsigned long long)listener->lost);
	listener->lost = 0;
}

/* The name by which we know what a process speaks of: a VNF in a service process, else the process itself. malloc'd. */
static char *subject_of(const struct unit *unit, const char *said)
{
	bool is_vnf = false;

	if (!*unit->vnf) {
		pthread_mutex_lock(&unit->manager->lock);
		const struct service *service = manager_service(unit->manager, unit->service);
		is_vnf = service && descriptor_vnf(service->document, said);
		pthread_mutex_unlock(&unit->manager->lock);
	}
	return is_vnf ? text_format("%s/%s", unit->service, said) : text_copy(unit->name);
}

static const char *text_of(const json_t *event, const char *member)
{
	const char *text = json_string_value(json_object_get(event, member));

	return text ? text : "";
}

/* Its own id and time are kept, beside its details: {process, processEvent, processTime, about}. */
static json_t *details_of(const struct listener *listener, const json_t *event)
{
	json_t *given = json_object_get(event, "details"),
	       *details = json_is_object(given) ? json_deep_copy(given) : json_object();

	json_object_set_new(details, "process", json_string(listener->unit->name));
	json_object_set_new(details, "pid", json_integer(listener->pid));
	json_object_set_new(details, "processEvent", json_integer((json_int_t)listener->last));
	json_object_set(details, "processTime", json_object_get(event, "time"));
	json_object_set(details, "about", json_object_get(event, "subject"));
	return details;
}

static void merge(struct listener *listener, const json_t *event)
{
	char *subject = subject_of(listener->unit, text_of(event, "subject"));

	events_add(listener->unit->manager->events, text_of(event, "kind"), subject,
	           details_of(listener, event), "%s", text_of(event, "message"));
	free(subject);
}

static void hear(struct listener *listener, const json_t *event)
{
	if (strcmp(text_of(event, "kind"), "gap") == 0) {
		if (!listener->first)
			listener->lost += (uint64_t)json_integer_value(json_object_get(event, "lost"));
	} else if (*text_of(event, "kind") && listener_may(&listener->budget, unit_now())) {
		tell_lost(listener);
		merge(listener, event);
	} else {
		listener->lost++;
	}
}

static bool on_event(void *user, const struct http_event *event)
{
	struct listener *listener = user;

	if (event) {
		json_t *json = json_loads(event->data, 0, NULL);
		char *end = NULL;
		uint64_t id = event->id ? strtoull(event->id, &end, 10) : 0;

		if (end && !*end && id > listener->heard && json_is_object(json)) {
			listener->last = listener->heard = id;
			hear(listener, json);
			listener->first = false;
		}
		json_decref(json);
	}
	return !atomic_load(&listener->stop) && present(listener->unit) == listener->pid;
}

/* Follows the process that runs now for as long as it answers. */
static void follow(struct listener *listener, pid_t pid)
{
	struct http_reply reply = { 0 };

	if (pid != listener->pid)
		listener->heard = 0;
	listener->pid = pid;
	char *path = text_format("/v1/events?last=%llu", (unsigned long long)listener->last);
	struct http_request request = { .target = listener->unit->socket,
		                        .path = path,
		                        .timeout_ms = CONNECT_MS };
	http_events(listener->client, &request, on_event, listener, &reply);
	http_reply_free(&reply);
	free(path);
}

static void *run(void *argument)
{
	struct listener *listener = argument;
	struct pollfd set = { .fd = listener->wake, .events = POLLIN };

	while (!atomic_load(&listener->stop)) {
		pid_t pid = present(listener->unit);

		if (pid > 0)
			follow(listener, pid);
		else
			tell_lost(listener);
		if (!atomic_load(&listener->stop))
			poll(&set, 1, AGAIN_MS);
	}
	tell_lost(listener);
	return NULL;
}

static void listener_free(struct listener *listener)
{
	http_client_free(listener->client);
	if (listener->wake >= 0)
		close(listener->wake);
	free(listener);
}

struct listener *listener_start(struct unit *unit)
{
	struct listener *listener = memory_new(1, sizeof(*listener));
	pthread_attr_t attributes;

	listener->unit = unit;
	listener->first = true;
	listener->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	listener->client = http_client_new();
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	bool begun = listener->wake >= 0 && listener->client &&
	             pthread_create(&listener->thread, &attributes, run, listener) == 0;
	pthread_attr_destroy(&attributes);
	if (begun)
		return listener;
	listener_free(listener);
	return NULL;
}

void listener_ask_stop(struct listener *listener)
{
	if (!listener)
		return;
	atomic_store(&listener->stop, true);
	eventfd_write(listener->wake, 1);
}

void listener_stop(struct listener *listener)
{
	if (!listener)
		return;
	listener_ask_stop(listener);
	pthread_join(listener->thread, NULL);
	listener_free(listener);
}
