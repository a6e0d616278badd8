/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of backends. c-ares asks; a name's families are asked for together and judged when both are answered, so that one family's failure does
 * not take the other's addresses. `lock` guards the list of names and what is known of them; the thread gives it back while it waits and tells.
 */
#include "lb/health/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 32, TIMEOUT_MS = 2000, TRIES = 2, NS_MS = 1000000, SOCKET_TAG = 1 };

/* One family of a name. */
struct half {
	bool asked, answered;
	int status; /* of the last look-up: ARES_... */
	uint32_t ttl;
	unsigned count; /* what is known */
	struct ip_addr addresses[RESOLVER_ADDRESSES_MAX];
	unsigned fresh_count; /* what this look-up says */
	struct ip_addr fresh[RESOLVER_ADDRESSES_MAX];
};

struct entry {
	uint32_t id;
	uint8_t family;
	bool gone, news, known;
	unsigned pending; /* look-ups under way */
	char name[256];
	struct half halves[2]; /* IPv4, IPv6 */
	uint64_t due;          /* ns */
	struct resolver_view view;
	struct resolver *resolver;
	struct entry *next;
};

/* What a callback of c-ares belongs to. */
struct question {
	struct entry *entry;
	struct half *half;
};

struct resolver {
	char servers[512]; /* empty: the system's */
	uint32_t ttl_min, ttl_max;
	resolver_changed_fn *changed;
	void *context;
	pthread_mutex_t lock;
	pthread_cond_t judged; /* a name was looked up */
	struct entry *entries;
	pthread_t thread;
	_Atomic bool stopping;
	int epoll, wake;
	ares_channel channel;
	unsigned pending;
	bool stale; /* a look-up failed: the system's servers may have changed */
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- what an answer makes of a name --- */

static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_addr));
}

/* In order, each once; of more than there is room for the lowest, whatever the order in which the server tells them today. */
static void take_address(struct half *half, const struct ip_addr *a)
{
	unsigned at = half->fresh_count;
	int order = 1;

	while (at && (order = by_address(a, &half->fresh[at - 1])) < 0)
		at--;
	if (order == 0 || at == RESOLVER_ADDRESSES_MAX)
		return;
	if (half->fresh_count < RESOLVER_ADDRESSES_MAX)
		half->fresh_count++;
	memmove(&half->fresh[at + 1], &half->fresh[at], (half->fresh_count - 1 - at) * sizeof(*half->fresh));
	half->fresh[at] = *a;
}

/* An answer may have records that were not asked for. */
static void take_nodes(struct half *half, int family, const struct ares_addrinfo *info)
{
	half->ttl = UINT32_MAX;
	for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
		struct ip_addr a = { .family = family == AF_INET ? 4 : 6 };

		if (node->ai_family != family)
			continue;
		if (family == AF_INET)
			memcpy(a.bytes, &((struct sockaddr_in *)(void *)node->ai_addr)->sin_addr, 4);
		else
			memcpy(a.bytes, &((struct sockaddr_in6 *)(void *)node->ai_addr)->sin6_addr, 16);
		take_address(half, &a);
		if (node->ai_ttl >= 0 && (uint32_t)node->ai_ttl < half->ttl)
			half->ttl = (uint32_t)node->ai_ttl;
	}
	if (!half->fresh_count)
		half->status = ARES_ENODATA;
}

static bool is_well(const struct half *half)
{
	return half->asked && half->status == ARES_SUCCESS && half->fresh_count > 0;
}

/* New addresses of a family; true: they are others. */
static bool take_fresh(struct half *half)
{
	if (half->count == half->fresh_count &&
	    memcmp(half->addresses, half->fresh, half->count * sizeof(*half->fresh)) == 0)
		return false;
	half->count = half->fresh_count;
	memcpy(half->addresses, half->fresh, half->count * sizeof(*half->fresh));
	return true;
}

static uint32_t bounded(const struct resolver *r, uint32_t ttl)
{
	ttl = ttl > r->ttl_max ? r->ttl_max : ttl;
	return ttl < r->ttl_min ? r->ttl_min : ttl;
}

/* A family that has no addresses (any more) is believed only beside one that has; failures leave what was. */
static void judge(struct resolver *r, struct entry *e)
{
	bool any = is_well(&e->halves[0]) || is_well(&e->halves[1]), failed = !any;
	uint32_t ttl = UINT32_MAX;

	for (unsigned i = 0; i < 2; i++) {
		struct half *half = &e->halves[i];

		if (is_well(half)) {
			e->news |= take_fresh(half);
			ttl = half->ttl < ttl ? half->ttl : ttl;
		} else if (half->asked && half->status == ARES_ENODATA && any) {
			half->fresh_count = 0;
			e->news |= take_fresh(half);
		} else if (half->asked) {
			failed = true;
			snprintf(e->view.why, sizeof(e->view.why), "%s", ares_strerror(half->status));
		}
	}
	e->view.lookups++;
	e->view.failures += failed;
	e->view.ttl = failed ? r->ttl_min : bounded(r, ttl);
	e->due = now_ns(CLOCK_MONOTONIC) + (uint64_t)e->view.ttl * 1000 * NS_MS;
	r->stale |= failed;
	if (!failed)
		e->view.why[0] = '\0';
	if (any)
		e->view.answered_ns = now_ns(CLOCK_REALTIME);
	pthread_cond_broadcast(&r->judged);
}

static void answered(void *argument, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *q = argument;
	struct entry *e = q->entry;

	(void)timeouts;
	q->half->status = status;
	q->half->fresh_count = 0;
	if (status == ARES_SUCCESS)
		take_nodes(q->half, q->half == &e->halves[0] ? AF_INET : AF_INET6, info);
	if (info)
		ares_freeaddrinfo(info);
	free(q);
	e->resolver->pending--;
	if (--e->pending == 0 && status != ARES_EDESTRUCTION)
		judge(e->resolver, e);
}

static void ask_family(struct resolver *r, struct entry *e, struct half *half, int family)
{
	struct ares_addrinfo_hints hints = { .ai_family = family, .ai_flags = ARES_AI_NOSORT };
	struct question *q = malloc(sizeof(*q));

	if (!q)
		return;
	*q = (struct question){ e, half };
	half->asked = true;
	e->pending++;
	r->pending++;
	ares_getaddrinfo(r->channel, e->name, NULL, &hints, answered, q);
}

/* Counts as pending until both are asked: an answer may come at once. */
static void ask(struct resolver *r, struct entry *e)
{
	e->view.asked_ns = now_ns(CLOCK_REALTIME);
	e->pending++;
	if (e->family != RESOLVER_V6)
		ask_family(r, e, &e->halves[0], AF_INET);
	if (e->family != RESOLVER_V4)
		ask_family(r, e, &e->halves[1], AF_INET6);
	if (--e->pending == 0)
		judge(r, e);
}

/* --- the thread --- */

static void watch_socket(void *argument, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = argument;
	struct epoll_event event = { .events = (readable ? (uint32_t)EPOLLIN : 0) |
		                               (writable ? (uint32_t)EPOLLOUT : 0),
		                     .data.u64 = (uint64_t)(uint32_t)fd << 1 | SOCKET_TAG };

	if (!event.events)
		epoll_ctl(r->epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		epoll_ctl(r->epoll, EPOLL_CTL_MOD, fd, &event);
}

static bool open_channel(struct resolver *r, struct errors *errors)
{
	struct ares_options options = {
		.timeout = TIMEOUT_MS, .tries = TRIES, .sock_state_cb = watch_socket, .sock_state_cb_data = r
	};
	int status = ares_init_options(&r->channel, &options,
	                               ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);

	if (status == ARES_SUCCESS && r->servers[0])
		status = ares_set_servers_ports_csv(r->channel, r->servers);
	if (status == ARES_SUCCESS)
		return true;
	if (errors)
		errors_add(errors, NULL, "no-resolver", NULL, 0,
		           "names cannot be resolved: %s (servers: \"%s\")", ares_strerror(status),
		           r->servers);
	return false;
}

/* After a failure the system's configuration is read again, as soon as nothing is under way. */
static void renew_channel(struct resolver *r)
{
	ares_channel old = r->channel;

	if (!r->stale || r->pending)
		return;
	r->stale = false;
	if (open_channel(r, NULL))
		ares_destroy(old);
	else
		r->channel = old;
}

static void free_gone(struct resolver *r)
{
	for (struct entry **at = &r->entries; *at;) {
		struct entry *e = *at;

		if (e->gone && !e->pending) {
			*at = e->next;
			free(e);
		} else {
			at = &e->next;
		}
	}
}

static unsigned addresses_of(const struct entry *e, struct ip_addr out[RESOLVER_ADDRESSES_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < e->halves[i].count && n < RESOLVER_ADDRESSES_MAX; k++)
			out[n++] = e->halves[i].addresses[k];
	return n;
}

/* Without the lock while the callback runs; the list may change meanwhile, so it begins anew after each. */
static void tell(struct resolver *r)
{
	struct ip_addr list[RESOLVER_ADDRESSES_MAX];
	struct entry *e = r->entries;

	while (e) {
		unsigned n;
		uint32_t id = e->id;

		if (!e->news || e->gone || e->pending) {
			e = e->next;
			continue;
		}
		e->news = false;
		n = addresses_of(e, list);
		pthread_mutex_unlock(&r->lock);
		r->changed(r->context, id, list, n);
		pthread_mutex_lock(&r->lock);
		e = r->entries;
	}
}

/* Asks what is due; ms until something is next. */
static int ask_due(struct resolver *r)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC), next = now + UINT64_C(3600) * 1000 * NS_MS;

	for (struct entry *e = r->entries; e; e = e->next) {
		if (e->gone)
			continue;
		if (!e->pending && now >= e->due)
			ask(r, e);
		if (!e->pending && e->due < next)
			next = e->due;
	}
	return next <= now ? 0 : (int)((next - now) / NS_MS + 1);
}

static int wait_ms(struct resolver *r, int due)
{
	struct timeval most = { due / 1000, due % 1000 * 1000 }, room, *least;

	least = ares_timeout(r->channel, &most, &room);
	return (int)(least->tv_sec * 1000 + least->tv_usec / 1000 + 1);
}

static void take_event(struct resolver *r, const struct epoll_event *event)
{
	ares_socket_t fd = (ares_socket_t)(event->data.u64 >> 1);
	bool in = event->events & (EPOLLIN | EPOLLERR | EPOLLHUP), out = event->events & EPOLLOUT;
	uint64_t count;

	if (event->data.u64 & SOCKET_TAG)
		ares_process_fd(r->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
	else if (read(r->wake, &count, sizeof(count)) < 0)
		errno = 0; /* nobody has */
}

static void turn(struct resolver *r)
{
	struct epoll_event events[EVENTS];
	int n, timeout;

	free_gone(r);
	renew_channel(r);
	timeout = wait_ms(r, ask_due(r));
	tell(r);
	pthread_mutex_unlock(&r->lock);
	n = epoll_wait(r->epoll, events, EVENTS, timeout);
	pthread_mutex_lock(&r->lock);
	for (int i = 0; i < n; i++)
		take_event(r, &events[i]);
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void *resolver_main(void *argument)
{
	struct resolver *r = argument;

	pthread_setname_np(pthread_self(), "resolver");
	pthread_mutex_lock(&r->lock);
	while (!atomic_load(&r->stopping))
		turn(r);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* --- control side --- */

static void wake(struct resolver *r)
{
	uint64_t one = 1;

	if (write(r->wake, &one, sizeof(one)) < 0)
		errno = 0; /* it is awake already */
}

static void free_resolver(struct resolver *r)
{
	if (r->channel)
		ares_destroy(r->channel);
	for (struct entry *e = r->entries, *next; e; e = next) {
		next = e->next;
		free(e);
	}
	if (r->epoll >= 0)
		close(r->epoll);
	if (r->wake >= 0)
		close(r->wake);
	pthread_cond_destroy(&r->judged);
	pthread_mutex_destroy(&r->lock);
	free(r);
	ares_library_cleanup();
}

static bool open_waits(struct resolver *r)
{
	struct epoll_event event = { .events = EPOLLIN };

	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return r->epoll >= 0 && r->wake >= 0 && epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->wake, &event) == 0;
}

struct resolver *resolver_start(const struct resolver_options *options, resolver_changed_fn *changed,
                                void *context, struct errors *errors)
{
	struct resolver *r = calloc(1, sizeof(*r));
	pthread_condattr_t monotonic;

	if (!r) {
		errors_add(errors, NULL, "no-memory", NULL, 0, "not enough memory for a resolver");
		return NULL;
	}
	ares_library_init(ARES_LIB_INIT_ALL);
	snprintf(r->servers, sizeof(r->servers), "%s", options->servers ? options->servers : "");
	r->ttl_min = options->ttl_min ? options->ttl_min : 1;
	r->ttl_max = options->ttl_max > r->ttl_min ? options->ttl_max : r->ttl_min;
	r->changed = changed;
	r->context = context;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->judged, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (!open_waits(r))
		errors_add(errors, NULL, "no-resolver", NULL, 0, "names cannot be resolved: %s",
		           strerror(errno));
	else if (open_channel(r, errors)) {
		if (pthread_create(&r->thread, NULL, resolver_main, r) == 0)
			return r;
		errors_add(errors, NULL, "no-thread", NULL, 0, "no thread for names: %s", strerror(errno));
	}
	free_resolver(r);
	return NULL;
}

static struct entry *entry_by_id(const struct resolver *r, uint32_t id)
{
	struct entry *e = r->entries;

	while (e && (e->gone || e->id != id))
		e = e->next;
	return e;
}

static struct entry *add_entry(struct resolver *r, const struct resolver_name *name)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->id = name->id;
	e->family = name->family;
	e->known = true;
	e->resolver = r;
	snprintf(e->name, sizeof(e->name), "%s", name->name);
	e->next = r->entries;
	r->entries = e;
	return e;
}

static bool set_one(struct resolver *r, const struct resolver_name *name)
{
	struct entry *e = entry_by_id(r, name->id);

	if (e && strcmp(e->name, name->name) == 0 && e->family == name->family) {
		e->known = true;
		return true;
	}
	return add_entry(r, name) != NULL;
}

int resolver_set(struct resolver *r, const struct resolver_name *names, unsigned n, struct errors *errors)
{
	bool well = n <= RESOLVER_NAMES_MAX;

	pthread_mutex_lock(&r->lock);
	for (struct entry *e = r->entries; e; e = e->next)
		e->known = false;
	for (unsigned i = 0; well && i < n; i++)
		well = set_one(r, &names[i]);
	for (struct entry *e = r->entries; well && e; e = e->next)
		e->gone |= !e->known;
	pthread_mutex_unlock(&r->lock);
	wake(r);
	if (!well)
		errors_add(errors, NULL, "too-many", NULL, 0,
		           "%u names of backends: at most %d, and memory for them", n, RESOLVER_NAMES_MAX);
	return well ? 0 : -1;
}

static bool all_judged(const struct resolver *r)
{
	for (const struct entry *e = r->entries; e; e = e->next)
		if (!e->gone && !e->view.lookups)
			return false;
	return true;
}

void resolver_wait(struct resolver *r, uint32_t ms)
{
	uint64_t until = now_ns(CLOCK_MONOTONIC) + (uint64_t)ms * NS_MS;
	struct timespec at = { (time_t)(until / 1000000000), (long)(until % 1000000000) };

	pthread_mutex_lock(&r->lock);
	while (!all_judged(r) && pthread_cond_timedwait(&r->judged, &r->lock, &at) == 0)
		continue;
	pthread_mutex_unlock(&r->lock);
}

bool resolver_show(struct resolver *r, uint32_t id, struct resolver_view *view)
{
	const struct entry *e;

	pthread_mutex_lock(&r->lock);
	e = entry_by_id(r, id);
	if (e) {
		*view = e->view;
		view->count = addresses_of(e, view->addresses);
	}
	pthread_mutex_unlock(&r->lock);
	return e != NULL;
}

void resolver_stop(struct resolver *r)
{
	if (!r)
		return;
	atomic_store(&r->stopping, true);
	wake(r);
	pthread_join(r->thread, NULL);
	free_resolver(r);
}
