/* SPDX-License-Identifier: BSD-3-Clause */
/* What control threads ask of the checker: its life, its targets, what is known of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lb/health/checker.h"

static void free_wires(struct health *h)
{
	for (unsigned i = 0; h->in && i < h->options.workers; i++)
		free(h->in[i]);
	free(h->in);
	free(h->out);
}

static struct wire *new_wire(void)
{
	struct wire *w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);

	if (w)
		memset(w, 0, offsetof(struct wire, slots));
	return w;
}

static bool make_wires(struct health *h)
{
	if (!h->options.workers)
		return true;
	h->out = new_wire();
	h->in = calloc(h->options.workers, sizeof(*h->in));
	for (unsigned i = 0; h->in && i < h->options.workers; i++)
		if ((h->in[i] = new_wire()) == NULL)
			return false;
	return h->out && h->in;
}

static void free_health(struct health *h)
{
	for (unsigned i = 0; i < h->count; i++)
		free(h->targets[i]);
	free(h->targets);
	free(h->changes);
	free_wires(h);
	if (h->epoll >= 0)
		close(h->epoll);
	if (h->wake >= 0)
		close(h->wake);
	sem_destroy(&h->started);
	pthread_mutex_destroy(&h->lock);
	free(h);
	curl_global_cleanup();
}

struct health *health_start(const struct health_options *options, health_changed_fn *changed, void *context,
                            struct errors *errors)
{
	struct health *h = calloc(1, sizeof(*h));

	if (h) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		h->options = *options;
		snprintf(h->name, sizeof(h->name), "health-%s", options->name);
		h->changed = changed;
		h->context = context;
		h->random = options->seed | 1;
		h->space = (struct space){ .tun = -1, .control = { -1, -1 } };
		pthread_mutex_init(&h->lock, NULL);
		sem_init(&h->started, 0, 0);
		h->epoll = epoll_create1(EPOLL_CLOEXEC);
		h->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (make_wires(h) && h->epoll >= 0 && h->wake >= 0)
			return h;
		free_health(h);
	}
	errors_add(errors, NULL, "no-memory", NULL, 0, "not enough memory for health checks");
	return NULL;
}

static void wake(struct health *h)
{
	uint64_t one = 1;

	if (write(h->wake, &one, sizeof(one)) < 0)
		errno = 0; /* it is awake already */
}

static bool start_thread(struct health *h, struct errors *errors)
{
	if (h->running)
		return true;
	h->start_errors = errors;
	if (pthread_create(&h->thread, NULL, checker_main, h) != 0) {
		errors_add(errors, NULL, "no-thread", NULL, 0, "no thread for health checks: %s",
		           strerror(errno));
		return false;
	}
	while (sem_wait(&h->started) != 0)
		continue;
	if (!h->running)
		pthread_join(h->thread, NULL);
	return h->running;
}

int health_sources(struct health *h, const struct ip_addr *source4, const struct ip_addr *source6,
                   struct errors *errors)
{
	const struct ip_addr *wanted[2] = { source4, source6 };
	bool well = true;

	pthread_mutex_lock(&h->lock);
	for (unsigned i = 0; i < 2; i++) {
		if (h->running && h->out && !space_address(&h->space, &h->source[i], wanted[i], errors))
			well = false;
		else
			h->source[i] = *wanted[i];
	}
	pthread_mutex_unlock(&h->lock);
	return well ? 0 : -1;
}

/* --- targets --- */

static struct target *target_by_id(const struct health *h, uint32_t id)
{
	unsigned low = 0, high = h->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (h->targets[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < h->count && h->targets[low]->id == id ? h->targets[low] : NULL;
}

static bool same(const struct target *t, const struct health_target *wanted)
{
	return ip_addr_equal(&t->address, &wanted->address) && t->port == wanted->port &&
	       memcmp(&t->check, wanted->check, sizeof(t->check)) == 0;
}

static struct target *new_target(const struct health_target *wanted)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->id = wanted->id;
	t->address = wanted->address;
	t->port = wanted->port;
	memcpy(&t->check, wanted->check, sizeof(t->check));
	t->ops = probe_ops_of((enum health_kind)t->check.kind);
	t->fd = -1;
	t->track.assumed = wanted->assumed;
	return t;
}

static int by_id(const void *a, const void *b)
{
	uint32_t left = (*(struct target *const *)a)->id, right = (*(struct target *const *)b)->id;

	return left < right ? -1 : left > right;
}

/* Targets of these that are not among the old ones. */
static void free_new(struct target **list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!list[i]->kept)
			free(list[i]);
		else
			list[i]->kept = false;
	free(list);
}

/* The new list: old targets where nothing changed, new ones else. NULL: not enough memory. */
static struct target **make_list(struct health *h, const struct health_target *targets, unsigned n)
{
	struct target **list = calloc(n + 1, sizeof(*list));

	for (unsigned i = 0; list && i < n; i++) {
		struct target *old = target_by_id(h, targets[i].id);

		list[i] = old && !old->kept && same(old, &targets[i]) ? old : new_target(&targets[i]);
		if (!list[i]) {
			free_new(list, i);
			return NULL;
		}
		list[i]->kept = list[i] == old;
	}
	return list;
}

static void replace(struct health *h, struct target **list, unsigned n)
{
	for (unsigned i = 0; i < h->count; i++) {
		struct target *t = h->targets[i];

		if (t->kept)
			continue;
		probe_abort(h, t);
		t->after = h->gone;
		h->gone = t;
	}
	free(h->targets);
	for (unsigned i = 0; i < n; i++)
		list[i]->kept = false;
	qsort(list, n, sizeof(*list), by_id);
	h->targets = list;
	h->count = n;
	h->next = 0;
}

static bool sources_suffice(const struct health *h, const struct health_target *targets, unsigned n,
                            struct errors *errors)
{
	char text[NET_TEXT];

	for (unsigned i = 0; h->out && i < n; i++) {
		if (h->source[targets[i].address.family == 4 ? 0 : 1].family)
			continue;
		ip_addr_format(&targets[i].address, text, sizeof(text));
		errors_add(errors, NULL, "no-health-source", NULL, 0,
		           "%s cannot be checked without a source address of IPv%u", text,
		           targets[i].address.family);
		return false;
	}
	return true;
}

int health_set(struct health *h, const struct health_target *targets, unsigned n, struct errors *errors)
{
	struct target **list;

	if (n > HEALTH_TARGETS_MAX) {
		errors_add(errors, NULL, "too-many", NULL, 0, "%u targets of health checks, at most %d are",
		           n, HEALTH_TARGETS_MAX);
		return -1;
	}
	if (!sources_suffice(h, targets, n, errors) || (n && !start_thread(h, errors)))
		return -1;
	pthread_mutex_lock(&h->lock);
	list = make_list(h, targets, n);
	if (list)
		replace(h, list, n);
	pthread_mutex_unlock(&h->lock);
	if (!list) {
		errors_add(errors, NULL, "no-memory", NULL, 0, "not enough memory for %u health checks", n);
		return -1;
	}
	wake(h);
	return 0;
}

bool health_show(struct health *h, uint32_t id, struct health_view *view)
{
	const struct target *t;
	uint64_t now = checker_now();

	pthread_mutex_lock(&h->lock);
	t = target_by_id(h, id);
	if (t) {
		*view = t->view;
		view->state = t->track.state;
		view->held = track_held(&t->track);
		view->penalty = track_penalty(&t->track, &t->check, now);
	}
	pthread_mutex_unlock(&h->lock);
	return t != NULL;
}

void health_stop(struct health *h)
{
	if (!h)
		return;
	atomic_store(&h->stopping, true);
	wake(h);
	if (h->running)
		pthread_join(h->thread, NULL);
	free_health(h);
}
