/* SPDX-License-Identifier: BSD-3-Clause */
/* Trace, on the control side: beginning, end, and what was written down. See trace.h. */
#include <stdlib.h>
#include <time.h>

#include "runtime/look/trace.h"
#include "runtime/look/watch.h"
#include "runtime/worker.h"

/* The engine's; guarded by its own lock, so that a long apply holds up no look inside. */
struct trace {
	struct sift sift;
	uint8_t token;
	bool running;
	uint64_t until;      /* ns, CLOCK_MONOTONIC */
	_Atomic bool behind; /* see struct trace_buffer */
	struct trace_buffer *buffers[ENGINE_WORKERS_MAX];
};

static pthread_mutex_t *lock_of(struct engine *engine)
{
	return &engine->look_lock;
}

static uint64_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void give(struct worker *w, void *argument)
{
	const struct trace *trace = argument;

	w->trace = trace->running ? trace->buffers[w->id] : NULL;
	watch_set(w, WATCH_TRACE, w->trace != NULL);
}

static void give_all(struct engine *engine, struct trace *trace)
{
	for (unsigned i = 0; i < engine->sizes.workers; i++)
		engine_call(engine, i, give, trace);
}

static void trace_free(struct trace *trace)
{
	for (unsigned i = 0; trace && i < ENGINE_WORKERS_MAX; i++)
		free(trace->buffers[i]);
	if (trace)
		sift_free(&trace->sift);
	free(trace);
}

static struct trace_buffer *buffer_new(const struct trace_options *o, struct trace *trace)
{
	uint32_t size = o->packets * TRACE_STEPS;
	struct trace_buffer *b = calloc(1, sizeof(*b) + size * sizeof(b->records[0]));

	if (!b)
		return NULL;
	b->sift = trace->sift;
	b->token = trace->token;
	b->behind = &trace->behind;
	b->follow = o->follow;
	b->left = o->follow ? 0 : o->packets;
	b->next = 1;
	b->size = size;
	return b;
}

static struct trace *trace_new(const struct engine *engine, const struct trace_options *o)
{
	struct trace *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return NULL;
	trace->token = o->token ? o->token : (uint8_t)(1 + monotonic() % 255);
	trace->sift = *o->sift;
	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		trace->buffers[i] = buffer_new(o, trace);
		if (!trace->buffers[i]) {
			trace->sift = (struct sift){ 0 }; /* the caller's still */
			trace_free(trace);
			return NULL;
		}
	}
	trace->until = monotonic() + o->seconds * UINT64_C(1000000000);
	trace->running = true;
	return trace;
}

static bool start_locked(struct engine *engine, const struct trace_options *options, struct errors *errors)
{
	struct trace *trace;

	if (engine->trace && engine->trace->running) {
		errors_add(errors, "trace", "busy", NULL, 0, "a trace is running; DELETE /v1/trace ends it");
		return false;
	}
	trace = trace_new(engine, options);
	if (!trace) {
		errors_add(errors, "trace", "no-memory", NULL, 0, "not enough memory for a trace");
		return false;
	}
	trace_free(engine->trace);
	engine->trace = trace;
	give_all(engine, trace);
	return true;
}

bool trace_start(struct engine *engine, const struct trace_options *options, struct errors *errors)
{
	bool started;

	pthread_mutex_lock(lock_of(engine));
	started = start_locked(engine, options, errors);
	pthread_mutex_unlock(lock_of(engine));
	return started;
}

static void stop_locked(struct engine *engine)
{
	if (!engine->trace || !engine->trace->running)
		return;
	engine->trace->running = false;
	give_all(engine, engine->trace);
}

void trace_clear(struct engine *engine)
{
	pthread_mutex_lock(lock_of(engine));
	stop_locked(engine);
	trace_free(engine->trace);
	engine->trace = NULL;
	pthread_mutex_unlock(lock_of(engine));
}

static void forget_port(struct worker *w, void *number)
{
	if (w->trace)
		sift_forget_port(&w->trace->sift, *(unsigned *)number);
}

void trace_forget_port(struct engine *engine, unsigned number)
{
	pthread_mutex_lock(lock_of(engine));
	for (unsigned i = 0; engine->trace && engine->trace->running && i < engine->sizes.workers; i++)
		engine_call(engine, i, forget_port, &number);
	pthread_mutex_unlock(lock_of(engine));
}

void trace_poll(struct engine *engine)
{
	pthread_mutex_lock(lock_of(engine));
	if (engine->trace && engine->trace->running && monotonic() >= engine->trace->until)
		stop_locked(engine);
	pthread_mutex_unlock(lock_of(engine));
}

/* --- what was written down --- */

static const char *const step_names[TRACE_STEP_KINDS] = {
	[STEP_RECEIVED] = "received",   [STEP_FRAGMENT] = "fragment",
	[STEP_HANDED] = "handed-over",  [STEP_HIT] = "session-found",
	[STEP_MISS] = "no-session",     [STEP_PATH] = "path",
	[STEP_OPENED] = "opened",       [STEP_REFUSED] = "refused",
	[STEP_FUNCTION] = "function",   [STEP_HOP] = "hop",
	[STEP_BYPASSED] = "bypassed",   [STEP_ANSWERED] = "answered",
	[STEP_DELIVERED] = "delivered", [STEP_HELD] = "held",
	[STEP_DROPPED] = "dropped",     [STEP_SENT] = "sent",
};
static const char *const verdict_names[] = { "pass", "drop", "take" };

static void set_address(json_t *json, const char *name, const struct trace_look *look,
                        const union ipaddr *address)
{
	struct ip_addr ip = { .family = look->family };
	char text[NET_TEXT];

	memcpy(ip.bytes, address->bytes, sizeof(ip.bytes));
	ip_addr_format(&ip, text, sizeof(text));
	json_object_set_new(json, name, json_string(text));
}

static void set_mac(json_t *json, const char *name, const uint8_t mac[6])
{
	struct mac_addr address;
	char text[NET_TEXT];

	memcpy(address.bytes, mac, sizeof(address.bytes));
	mac_format(&address, text, sizeof(text));
	json_object_set_new(json, name, json_string(text));
}

static json_t *show_look(const struct trace_look *look)
{
	json_t *json = json_pack("{s:i}", "length", look->length);

	set_mac(json, "destinationMac", look->mac[0]);
	set_mac(json, "sourceMac", look->mac[1]);
	if (!look->family)
		return json;
	set_address(json, "source", look, &look->src);
	set_address(json, "destination", look, &look->dst);
	json_object_update_new(json, json_pack("{s:i,s:i,s:i,s:i,s:i,s:b}", "protocol", look->proto,
	                                       "sourcePort", rte_be_to_cpu_16(look->sport), "destinationPort",
	                                       rte_be_to_cpu_16(look->dport), "ttl", look->ttl, "dscp",
	                                       look->dscp, "fragment", look->fragment));
	if (look->proto == IPPROTO_TCP)
		json_object_set_new(json, "tcpFlags", json_integer(look->tcp_flags));
	if (look->proto == IPPROTO_ICMP || look->proto == IPPROTO_ICMPV6)
		json_object_update_new(json, json_pack("{s:i,s:i}", "icmpType", look->icmp_type, "icmpCode",
		                                       look->icmp_code));
	return json;
}

static json_t *show_record(const struct trace_record *r)
{
	json_t *json =
	        json_pack("{s:i,s:I,s:i,s:s,s:o}", "packet", r->packet, "time", (json_int_t)r->time, "worker",
	                  r->worker, "step", step_names[r->step], "before", show_look(&r->before));

	if (r->name[0])
		json_object_set_new(json, "name", json_string(r->name));
	if (r->reason)
		json_object_set_new(json, "reason", json_string(r->reason));
	if (r->by)
		json_object_set_new(json, "by", json_string(r->by));
	if (r->step == STEP_FUNCTION)
		json_object_set_new(json, "verdict", json_string(verdict_names[r->verdict]));
	if (r->step == STEP_FUNCTION && r->verdict == VERDICT_PASS)
		json_object_set_new(json, "after", show_look(&r->after));
	return json;
}

static json_t *show_locked(const struct engine *engine, const struct trace *trace)
{
	json_t *steps = json_array();
	uint64_t lost = 0, marked = 0;

	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		struct trace_buffer *b = trace->buffers[i];
		uint32_t count = atomic_load_explicit(&b->count, memory_order_acquire);

		for (uint32_t k = 0; k < count; k++)
			json_array_append_new(steps, show_record(&b->records[k]));
		lost += atomic_load(&b->lost);
		marked += atomic_load(&b->marked);
	}
	return json_pack("{s:b,s:i,s:I,s:I,s:o}", "running", trace->running, "token", trace->token, "marked",
	                 (json_int_t)marked, "lostSteps", (json_int_t)lost, "steps", steps);
}

json_t *trace_show(struct engine *engine)
{
	json_t *json = NULL;

	pthread_mutex_lock(lock_of(engine));
	if (engine->trace)
		json = show_locked(engine, engine->trace);
	pthread_mutex_unlock(lock_of(engine));
	return json;
}
