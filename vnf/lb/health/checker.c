/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checker's turn: what is due begins, what is late ends, packets go between the device and the workers' wires, changes are told. The lock is held
 * but for waiting and telling.
 */
#include "lb/health/checker.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENTS = 64,
	POLL_MS = 1,    /* for packets from workers, which wake nobody */
	LINGER_MS = 50, /* after the last check: its connection is still being closed */
	IDLE_MS = 100,
	FIRST_MS = 100, /* within which targets are checked first */
	NS_MS = 1000000
};

uint64_t checker_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- one check --- */

const struct probe_ops *probe_ops_of(enum health_kind kind)
{
	static const struct probe_ops *const ops[] = {
		[HEALTH_TCP] = &probe_tcp, [HEALTH_HTTP] = &probe_http, [HEALTH_HTTPS] = &probe_http,
		[HEALTH_UDP] = &probe_udp, [HEALTH_ICMP] = &probe_icmp, [HEALTH_DNS] = &probe_dns,
	};

	return ops[kind];
}

socklen_t probe_address(const struct target *t, struct sockaddr_storage *address)
{
	uint16_t port = t->check.kind == HEALTH_ICMP ? 0 : htons(t->check.port ? t->check.port : t->port);
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = port };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = port };

	memset(address, 0, sizeof(*address));
	if (t->address.family == 4) {
		memcpy(&in.sin_addr, t->address.bytes, 4);
		memcpy(address, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, t->address.bytes, 16);
	memcpy(address, &in6, sizeof(in6));
	return sizeof(in6);
}

bool probe_watch(struct health *h, struct target *t, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = t };

	if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, t->fd, &event) == 0)
		return true;
	probe_end(h, t, false, "%s", strerror(errno));
	return false;
}

static void note_change(struct health *h, const struct target *t)
{
	struct change *change;

	if (h->changed_count == h->changed_room) {
		unsigned room = h->changed_room ? h->changed_room * 2 : 16;
		struct change *list = realloc(h->changes, room * sizeof(*list));

		if (!list)
			return;
		h->changes = list;
		h->changed_room = room;
	}
	change = &h->changes[h->changed_count++];
	change->id = t->id;
	change->up = t->track.state == HEALTH_UP;
	memcpy(change->why, t->view.why, sizeof(change->why));
}

static void add_hold(struct target *t, uint64_t now)
{
	size_t used = strlen(t->view.why);

	if (track_held(&t->track))
		snprintf(t->view.why + used, sizeof(t->view.why) - used, "; held down for %u s, it flaps",
		         track_held_for(&t->track, &t->check, now) / 1000 + 1);
}

static void judge(struct health *h, struct target *t, bool passed, uint64_t now)
{
	struct health_view *view = &t->view;
	bool turned = track_result(&t->track, &t->check, passed, now);

	view->checks++;
	view->failures += !passed;
	view->checked_ns = wall_clock();
	if (passed)
		view->rtt_us = (now - t->began) / 1000;
	add_hold(t, now);
	if (!turned)
		return;
	view->changes++;
	view->changed_ns = view->checked_ns;
	note_change(h, t);
}

void probe_abort(struct health *h, struct target *t)
{
	if (!t->busy)
		return;
	t->ops->drop(h, t);
	t->busy = false;
	h->busy--;
}

void probe_end(struct health *h, struct target *t, bool passed, const char *why, ...)
{
	uint64_t now = checker_now();
	va_list args;

	if (!t->busy)
		return;
	va_start(args, why);
	vsnprintf(t->view.why, sizeof(t->view.why), why, args);
	va_end(args);
	probe_abort(h, t);
	h->quiet = now;
	judge(h, t, passed, now);
}

/* --- what is due --- */

uint32_t checker_random(struct health *h, uint32_t bound)
{
	h->random ^= h->random << 13;
	h->random ^= h->random >> 17;
	h->random ^= h->random << 5;
	return h->random % bound;
}

static uint64_t interval_of(struct health *h, const struct target *t)
{
	uint32_t tenth = t->check.interval / 10;

	return (uint64_t)(t->check.interval - tenth + checker_random(h, 2 * tenth + 1)) * NS_MS;
}

static void begin(struct health *h, struct target *t, uint64_t now)
{
	t->due = now + interval_of(h, t);
	t->began = now;
	t->deadline = now + (uint64_t)t->check.timeout * NS_MS;
	t->busy = true;
	h->busy++;
	t->ops->begin(h, t);
}

/* Begins and ends what is due, and finds out when something is next. A check that is slower than its interval delays the next. */
static void look_at_targets(struct health *h, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < h->count; i++) {
		struct target *t = h->targets[i];
		uint64_t at;

		if (!t->due)
			t->due = now + (uint64_t)checker_random(h, FIRST_MS) * NS_MS;
		if (t->busy && now >= t->deadline)
			t->ops->late(h, t);
		if (!t->busy && now >= t->due)
			begin(h, t, now);
		at = t->busy ? t->deadline : t->due;
		next = at < next ? at : next;
	}
	h->next = next;
}

/* --- packets --- */

/* What the kernel's own housekeeping sends (router solicitations, groups) stays here. */
static bool from_us(const struct health *h, const uint8_t *packet, size_t length)
{
	if (length >= 20 && packet[0] >> 4 == 4)
		return h->source[0].family && memcmp(packet + 12, h->source[0].bytes, 4) == 0;
	if (length >= 40 && packet[0] >> 4 == 6)
		return h->source[1].family && memcmp(packet + 8, h->source[1].bytes, 16) == 0 &&
		       packet[24] != 0xff;
	return false;
}

/* From the kernel to worker 0. A full wire leaves the rest in the device's queue. */
static unsigned device_to_wire(struct health *h)
{
	struct wire_slot *slot;
	unsigned n = 0;
	ssize_t got;

	while (n < WIRE_SLOTS && (slot = wire_place(h->out)) != NULL &&
	       (got = read(h->space.tun, slot->bytes, sizeof(slot->bytes))) > 0) {
		slot->length = (uint16_t)got;
		n++;
		if (from_us(h, slot->bytes, (size_t)got))
			wire_put(h->out);
	}
	return n;
}

/* From a worker to the kernel; one that the kernel refuses is lost as on any wire. */
static unsigned wire_to_device(struct health *h, struct wire *in)
{
	const struct wire_slot *slot;
	unsigned n = 0;

	while (n < WIRE_SLOTS && (slot = wire_first(in)) != NULL) {
		n += write(h->space.tun, slot->bytes, slot->length) > 0;
		wire_take(in);
	}
	return n;
}

static unsigned carry_packets(struct health *h)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h->options.workers; i++)
		n += wire_to_device(h, h->in[i]);
	return h->out ? n + device_to_wire(h) : 0;
}

/* --- the turn --- */

static int wait_ms(const struct health *h, uint64_t now)
{
	uint64_t next = h->next < h->curl_due ? h->next : h->curl_due;
	uint64_t ms = next <= now ? 0 : (next - now) / NS_MS + 1;
	bool lively = h->busy || now - h->quiet < (uint64_t)LINGER_MS * NS_MS;

	if (h->out && lively && ms > POLL_MS)
		return POLL_MS;
	if ((!h->out && h->count) || ms < IDLE_MS)
		return ms > 1000 ? 1000 : (int)ms;
	return h->count ? IDLE_MS : 1000;
}

static void clear_wake(struct health *h)
{
	uint64_t count;

	if (read(h->wake, &count, sizeof(count)) < 0)
		return; /* nobody has */
	h->next = 0;
}

static void take_event(struct health *h, const struct epoll_event *event)
{
	struct target *t = event->data.ptr;

	if (event->data.u64 & EPOLL_CURL)
		http_socket_ready(h, (int)(uint32_t)event->data.u64, event->events);
	else if (event->data.u64 == EPOLL_WAKE)
		clear_wake(h);
	else if (t->busy)
		t->ops->ready(h, t, event->events);
}

/* Changes are told without the lock, in order. Called and left with it. */
static void tell(struct health *h)
{
	struct change *changes = h->changes;
	unsigned n = h->changed_count;

	if (!n)
		return;
	h->changes = NULL;
	h->changed_count = h->changed_room = 0;
	pthread_mutex_unlock(&h->lock);
	for (unsigned i = 0; i < n; i++)
		h->changed(h->context, changes[i].id, changes[i].up, changes[i].why);
	if (h->options.told)
		h->options.told(h->context);
	free(changes);
	pthread_mutex_lock(&h->lock);
}

/* Targets that were taken away while events of theirs may have been on their way. */
static void free_gone(struct health *h)
{
	for (struct target *t = h->gone, *after; t; t = after) {
		after = t->after;
		free(t);
	}
	h->gone = NULL;
}

static void turn(struct health *h)
{
	struct epoll_event events[EVENTS];
	uint64_t now = checker_now();
	int n, timeout;

	free_gone(h);
	if (now >= h->next)
		look_at_targets(h, now);
	http_timers(h, now);
	timeout = carry_packets(h) ? 0 : wait_ms(h, now);
	tell(h);
	pthread_mutex_unlock(&h->lock);
	n = epoll_wait(h->epoll, events, EVENTS, timeout);
	pthread_mutex_lock(&h->lock);
	for (int i = 0; i < n; i++)
		take_event(h, &events[i]);
}

static bool watch(struct health *h, int fd, uint64_t tag)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = tag };

	return epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST;
}

static bool set_up(struct health *h)
{
	static const struct ip_addr none;

	if (!http_open(h) || !watch(h, h->wake, EPOLL_WAKE)) {
		errors_add(h->start_errors, NULL, "no-memory", NULL, 0,
		           "not enough memory for health checks");
		return false;
	}
	if (!h->out)
		return true;
	if (!space_open(&h->space, h->start_errors))
		return false;
	return space_address(&h->space, &none, &h->source[0], h->start_errors) &&
	       space_address(&h->space, &none, &h->source[1], h->start_errors);
}

void *checker_main(void *argument)
{
	struct health *h = argument;
	bool ready = set_up(h);

	pthread_setname_np(pthread_self(), h->name);
	h->running = ready;
	sem_post(&h->started);
	if (!ready) {
		space_close(&h->space);
		http_close(h);
		return NULL;
	}
	pthread_mutex_lock(&h->lock);
	while (!atomic_load(&h->stopping))
		turn(h);
	for (unsigned i = 0; i < h->count; i++)
		probe_abort(h, h->targets[i]);
	free_gone(h);
	pthread_mutex_unlock(&h->lock);
	space_close(&h->space);
	http_close(h);
	return NULL;
}
