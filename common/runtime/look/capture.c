/* SPDX-License-Identifier: BSD-3-Clause */
/* Capture: its life, and the stream. Control side and HTTP thread; see capture.h. */
#include "runtime/look/capture.h"

#include <stdlib.h>
#include <time.h>

#include "manage/problem.h"
#include "manage/rest.h"
#include "runtime/look/watch.h"
#include "runtime/worker.h"

enum { BLOCK_ROOM = CAPTURE_SNAP_MAX + 256 };

struct capture {
	_Atomic unsigned holders; /* the engine, the stream */
	_Atomic bool running;
	_Atomic uint64_t packets; /* streamed */
	uint64_t packets_max;
	_Atomic uint64_t until; /* ns, CLOCK_MONOTONIC */
	unsigned workers, gates;
	struct sift sift;
	uint32_t snap;
	char gate_names[CAPTURE_GATES_MAX][NF_NAME_MAX + 8];
	pthread_mutex_t lock; /* guards stream */
	struct rest_stream *stream;
	_Atomic bool streamed; /* a stream has been given */
	struct capture_ring *rings[ENGINE_WORKERS_MAX];
	/* HTTP thread: the block being sent */
	unsigned prologue; /* blocks of the prologue sent: the section, the gates */
	size_t block_length, block_sent;
	uint8_t block[BLOCK_ROOM];
};

static uint64_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void let_go(struct capture *c)
{
	if (!c || atomic_fetch_sub(&c->holders, 1) != 1)
		return;
	for (unsigned i = 0; i < c->workers; i++)
		free(c->rings[i]);
	sift_free(&c->sift);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* --- beginning and end --- */

static uint8_t add_gate(struct capture *c, const char *name, const char *side)
{
	snprintf(c->gate_names[c->gates], sizeof(c->gate_names[0]), "%s%s", name, side);
	return (uint8_t)c->gates++;
}

/* The gates of one name, in the first ring; false: nothing has that name. Under engine->lock. */
static bool add_name(struct capture *c, const struct engine *engine, const char *name)
{
	struct capture_ring *ring = c->rings[0];
	bool found = false;

	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++) {
		const struct engine_port *port = &engine->ports[i];

		if (!port->port || (name && strcmp(port->name, name) != 0 && strcmp(port->as, name) != 0))
			continue;
		found = true;
		if (ring->port_gate[i] == CAPTURE_NO_GATE)
			ring->port_gate[i] = add_gate(c, port->name, "");
	}
	for (unsigned i = 0; i < ENGINE_NFS_MAX && name; i++) {
		if (!engine->nfs[i] || strcmp(engine->nfs[i]->name, name) != 0)
			continue;
		found = true;
		if (ring->nf_gate[0][i] != CAPTURE_NO_GATE)
			continue;
		ring->nf_gate[0][i] = add_gate(c, name, " before");
		ring->nf_gate[1][i] = add_gate(c, name, " after");
	}
	return found || !name;
}

static bool add_gates(struct capture *c, struct engine *engine, const json_t *at, struct errors *errors)
{
	const json_t *name;
	bool found = true;
	size_t i;

	memset(c->rings[0]->port_gate, CAPTURE_NO_GATE, sizeof(c->rings[0]->port_gate));
	memset(c->rings[0]->nf_gate, CAPTURE_NO_GATE, sizeof(c->rings[0]->nf_gate));
	pthread_mutex_lock(&engine->lock);
	if (!at)
		add_name(c, engine, NULL);
	json_array_foreach(at, i, name)
	{
		const char *text = json_string_value(name);

		if (text && add_name(c, engine, text))
			continue;
		errors_add(errors, "at", "no-such-gate", NULL, 0, "no port or function here is called \"%s\"",
		           text ? text : "");
		found = false;
	}
	pthread_mutex_unlock(&engine->lock);
	return found;
}

static void fill_rings(struct capture *c)
{
	for (unsigned i = 0; i < c->workers; i++) {
		struct capture_ring *ring = c->rings[i], *first = c->rings[0];

		ring->sift = c->sift;
		ring->snap = c->snap;
		memcpy(ring->port_gate, first->port_gate, sizeof(ring->port_gate));
		memcpy(ring->nf_gate, first->nf_gate, sizeof(ring->nf_gate));
	}
}

static struct capture *capture_new(struct engine *engine, const struct capture_options *o,
                                   struct errors *errors)
{
	struct capture *c = calloc(1, sizeof(*c));
	bool room = c != NULL;

	if (c) {
		atomic_init(&c->holders, 1);
		pthread_mutex_init(&c->lock, NULL);
		c->workers = engine->sizes.workers;
		c->snap = o->snap;
		c->packets_max = o->packets;
		atomic_init(&c->until, monotonic() + o->seconds * UINT64_C(1000000000));
	}
	for (unsigned i = 0; room && i < c->workers; i++)
		room = (c->rings[i] = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*c->rings[i]))) != NULL;
	for (unsigned i = 0; room && i < c->workers; i++)
		memset(c->rings[i], 0, offsetof(struct capture_ring, bytes));
	if (!room)
		errors_add(errors, "capture", "no-memory", NULL, 0, "not enough memory for a capture");
	if (!room || !add_gates(c, engine, o->at, errors)) {
		let_go(c);
		return NULL;
	}
	c->sift = o->sift;
	fill_rings(c);
	atomic_init(&c->running, true);
	return c;
}

static void give(struct worker *w, void *argument)
{
	const struct capture *c = argument;

	w->capture = atomic_load(&c->running) ? c->rings[w->id] : NULL;
	watch_set(w, WATCH_CAPTURE, w->capture != NULL);
}

static void give_all(struct engine *engine, struct capture *c)
{
	for (unsigned i = 0; i < c->workers; i++)
		engine_call(engine, i, give, c);
}

static void stop_locked(struct engine *engine)
{
	struct capture *c = engine->capture;

	if (!c || !atomic_load(&c->running))
		return;
	atomic_store(&c->running, false);
	give_all(engine, c);
}

bool capture_start(struct engine *engine, const struct capture_options *options, struct errors *errors)
{
	struct capture *c = capture_new(engine, options, errors);
	bool busy;

	if (!c)
		return false;
	pthread_mutex_lock(&engine->look_lock);
	busy = engine->capture && atomic_load(&engine->capture->running);
	if (!busy) {
		let_go(engine->capture);
		engine->capture = c;
		give_all(engine, c);
	}
	pthread_mutex_unlock(&engine->look_lock);
	if (!busy)
		return true;
	errors_add(errors, "capture", "busy", NULL, 0, "a capture is running; DELETE /v1/capture ends it");
	c->sift = (struct sift){ 0 }; /* the caller's still */
	let_go(c);
	return false;
}

static void wake(struct capture *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->stream)
		rest_stream_wake(c->stream);
	pthread_mutex_unlock(&c->lock);
}

void capture_clear(struct engine *engine)
{
	pthread_mutex_lock(&engine->look_lock);
	stop_locked(engine);
	if (engine->capture)
		wake(engine->capture);
	let_go(engine->capture);
	engine->capture = NULL;
	pthread_mutex_unlock(&engine->look_lock);
}

static void forget_port(struct worker *w, void *number)
{
	unsigned port = *(unsigned *)number;

	if (!w->capture)
		return;
	w->capture->port_gate[port] = CAPTURE_NO_GATE;
	sift_forget_port(&w->capture->sift, port);
}

static void forget_function(struct worker *w, void *id)
{
	if (w->capture)
		w->capture->nf_gate[0][*(unsigned *)id] = w->capture->nf_gate[1][*(unsigned *)id] =
		        CAPTURE_NO_GATE;
}

static void forget(struct engine *engine, engine_call_fn *fn, unsigned number)
{
	pthread_mutex_lock(&engine->look_lock);
	for (unsigned i = 0; engine->capture && i < engine->sizes.workers; i++)
		engine_call(engine, i, fn, &number);
	pthread_mutex_unlock(&engine->look_lock);
}

void capture_forget_port(struct engine *engine, unsigned number)
{
	forget(engine, forget_port, number);
}

void capture_forget_function(struct engine *engine, unsigned id)
{
	forget(engine, forget_function, id);
}

void capture_poll(struct engine *engine)
{
	struct capture *c;

	pthread_mutex_lock(&engine->look_lock);
	c = engine->capture;
	if (c && (monotonic() >= atomic_load(&c->until) || atomic_load(&c->packets) >= c->packets_max))
		stop_locked(engine);
	if (c)
		wake(c);
	pthread_mutex_unlock(&engine->look_lock);
}

static json_t *show_locked(const struct capture *c)
{
	json_t *gates = json_array();
	uint64_t lost = 0;

	for (unsigned i = 0; i < c->gates; i++)
		json_array_append_new(gates, json_string(c->gate_names[i]));
	for (unsigned i = 0; i < c->workers; i++)
		lost += atomic_load(&c->rings[i]->lost);
	return json_pack("{s:b,s:o,s:I,s:I}", "running", atomic_load(&c->running), "gates", gates, "streamed",
	                 (json_int_t)atomic_load(&c->packets), "lost", (json_int_t)lost);
}

json_t *capture_show(struct engine *engine)
{
	json_t *json = NULL;

	pthread_mutex_lock(&engine->look_lock);
	if (engine->capture)
		json = show_locked(engine->capture);
	pthread_mutex_unlock(&engine->look_lock);
	return json;
}

/* --- the stream: HTTP thread --- */

/* The ring whose packet is the oldest; NULL: all are empty. */
static struct capture_ring *oldest(struct capture *c, struct capture_head *head)
{
	struct capture_ring *found = NULL;
	struct capture_head other;

	for (unsigned i = 0; i < c->workers; i++) {
		if (!capture_peek(c->rings[i], &other) || (found && other.time >= head->time))
			continue;
		found = c->rings[i];
		*head = other;
	}
	return found;
}

/* Makes the next block; false: there is none now. */
static bool next_block(struct capture *c)
{
	struct capture_head head = { 0 };
	struct capture_ring *ring;

	c->block_sent = c->block_length = 0;
	if (c->prologue <= c->gates) {
		c->block_length =
		        c->prologue == 0
		                ? pcapng_section(c->block)
		                : pcapng_interface(c->block, c->gate_names[c->prologue - 1], c->snap);
		c->prologue++;
		return true;
	}
	if (atomic_load(&c->packets) >= c->packets_max || !(ring = oldest(c, &head)))
		return false;
	capture_take(ring, &head, c->block + PCAPNG_DATA);
	c->block_length = pcapng_packet(c->block, &head);
	atomic_fetch_add(&c->packets, 1);
	return true;
}

static bool is_over(const struct capture *c)
{
	return !atomic_load(&c->running) || atomic_load(&c->packets) >= c->packets_max;
}

static ssize_t read_stream(void *state, char *text, size_t size, bool idle)
{
	struct capture *c = state;
	bool over = is_over(c); /* before looking into the rings: nothing comes after it */
	size_t filled = 0;

	(void)idle;
	while (filled < size && (c->block_sent < c->block_length || next_block(c))) {
		size_t part = RTE_MIN(size - filled, c->block_length - c->block_sent);

		memcpy(text + filled, c->block + c->block_sent, part);
		c->block_sent += part;
		filled += part;
	}
	return filled || !over ? (ssize_t)filled : -1;
}

static void close_stream(void *state)
{
	struct capture *c = state;

	pthread_mutex_lock(&c->lock);
	c->stream = NULL;
	pthread_mutex_unlock(&c->lock);
	atomic_store(&c->until, 0); /* nobody reads any more */
	let_go(c);
}

static const struct rest_stream_class stream_class = { read_stream, close_stream, 0 };

void capture_stream(struct engine *engine, struct rest_reply *reply)
{
	struct rest_stream *stream;
	struct capture *c;

	pthread_mutex_lock(&engine->look_lock);
	c = engine->capture;
	if (!c) {
		rest_problem(reply, 404, "there is no capture; POST /v1/capture begins one");
	} else if (atomic_exchange(&c->streamed, true)) {
		rest_problem(reply, 409, "the packets of this capture are streamed already");
	} else {
		atomic_fetch_add(&c->holders, 1);
		stream = rest_reply_stream(reply, 200, "application/x-pcapng", &stream_class, c);
		if (stream) {
			pthread_mutex_lock(&c->lock);
			c->stream = stream;
			pthread_mutex_unlock(&c->lock);
		}
	}
	pthread_mutex_unlock(&engine->look_lock);
}
