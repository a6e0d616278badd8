/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The REST server's life: made, given routes, started by its first listener, stopped in order.
 *
 * Handlers run on a pool of our own, with the connection suspended meanwhile, rather than on the HTTP
 * library's thread pool: the library ties each connection to one of its threads, so that a handler which
 * waits would hold up every connection that happens to share its thread. The price is two thread switches a
 * request, some tens of microseconds.
 */
#include "manage/rest_private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	FLUSH_TURN_US = 5000,
	FLUSH_TURNS = 400,
	FLUSH_FRESH = 100,  /* for who has come and said nothing, and for who reads a stream */
	FLUSH_HURRIED = 40, /* for all, where something waits for our end */
	FLUSH_QUIET = 10
};

static unsigned or_default(unsigned value, unsigned otherwise)
{
	return value ? value : otherwise;
}

static unsigned rate_of(const struct rest_options *options)
{
	return or_default(options->rate, 100);
}

static unsigned burst_of(const struct rest_options *options)
{
	return or_default(options->burst, 200);
}

static void take_limits(struct limits *mine, const struct rest_options *options)
{
	unsigned header = or_default(options->header, 16 << 10);
	mine->connections = or_default(options->connections, 256);
	mine->streams = or_default(options->streams, 64);
	mine->per_client = or_default(options->per_client, 64);
	mine->handshakes = or_default(options->handshakes, 64);
	mine->body = options->body ? options->body : REST_BODY_LIMIT;
	mine->header = header < REST_HEADER_MAX ? header : REST_HEADER_MAX;
	mine->idle_s = or_default(options->idle_s, 60);
	mine->header_s = or_default(options->header_s, 10);
	mine->body_s = or_default(options->body_s, 30);
}

static void set_options(struct rest *rest, const struct rest_options *options)
{
	struct rest_options *mine = &rest->options;
	if (options)
		*mine = *options;
	mine->threads = or_default(mine->threads, 8);
	if (mine->threads < 2)
		mine->threads = 2;
	mine->queue = or_default(mine->queue, 64);
	take_limits(&rest->limits, mine);
	rest->access = mine->access;
}

void rest_set_limits(struct rest *rest, const struct rest_options *limits)
{
	take_limits(&rest->limits, limits);
	rates_set(rest->rates, rate_of(limits), burst_of(limits));
}

void rest_set_access(struct rest *rest, struct access *access)
{
	rest->access = access;
}

struct rest *rest_new(const struct rest_options *options)
{
	struct rest *rest = calloc(1, sizeof *rest);
	pthread_condattr_t monotonic;
	if (!rest)
		return NULL;
	signal(SIGPIPE, SIG_IGN);
	json_object_seed(0);
	set_options(rest, options);
	pthread_mutex_init(&rest->stream_lock, NULL);
	pthread_mutex_init(&rest->connection_lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&rest->stream_change, &monotonic);
	pthread_condattr_destroy(&monotonic);
	rest->pool = pool_new(rest->options.threads, rest->options.queue, exchange_run);
	rest->rates = rates_new(rate_of(&rest->options), burst_of(&rest->options));
	if (rest->pool && rest->rates && thread_start(&rest->ticker, stream_ticker, rest))
		return rest;
	pool_free(rest->pool);
	rates_free(rest->rates);
	free(rest);
	return NULL;
}

/* Two patterns that no path could tell apart: names of parameters do not count. */
static bool same_pattern(const struct pattern *a, const struct pattern *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		const struct segment *x = &a->segments[i], *y = &b->segments[i];
		if (x->kind != y->kind || (x->kind == SEGMENT_LITERAL && strcmp(x->text, y->text)) ||
		    (x->kind == SEGMENT_ACTION && strcmp(x->action, y->action)))
			return false;
	}
	return true;
}

static bool add_route(struct rest *rest, const struct rest_route *route, struct errors *errors)
{
	struct pattern pattern;
	if (!pattern_parse(&pattern, route, errors))
		return false;
	for (size_t i = 0; i < rest->pattern_count; i++) {
		if (same_pattern(&rest->patterns[i], &pattern)) {
			errors_add(errors, NULL, "bad-route", NULL, 0, "route %s is there already, as %s",
			           route->pattern, rest->patterns[i].route->pattern);
			pattern_free(&pattern);
			return false;
		}
	}
	struct pattern *patterns = realloc(rest->patterns, (rest->pattern_count + 1) * sizeof *patterns);
	if (!patterns) {
		pattern_free(&pattern);
		return false;
	}
	rest->patterns = patterns;
	rest->patterns[rest->pattern_count++] = pattern;
	return true;
}

bool rest_add(struct rest *rest, const struct rest_route *routes, struct errors *errors)
{
	bool good = true;
	for (; routes->pattern; routes++)
		good &= add_route(rest, routes, errors);
	return good;
}

const struct rest_route *rest_route_at(const struct rest *rest, size_t i)
{
	return i < rest->pattern_count ? rest->patterns[i].route : NULL;
}

/* Whether anybody is to be answered yet; fresh: we have begun to end just now. */
static bool is_awaited(struct rest *rest, bool fresh)
{
	unsigned streams = fresh ? 0 : streams_open(rest);
	return atomic_load(&rest->exchanges) > streams ||
	       (!rest->hurried && (listeners_wanted(rest) || connections_speak(rest, fresh)));
}

/*
 * Whoever has asked gets an answer within 2 s, be it that we end; who has only come may ask for a moment yet, and who follows a stream take its end.
 * What the HTTP threads hold in their hands is not seen from here: it must be quiet for a while.
 */
static void flush(struct rest *rest)
{
	int quiet = 0, turns = rest->hurried ? FLUSH_HURRIED : FLUSH_TURNS;
	for (int i = 0; i < turns && quiet < FLUSH_QUIET; i++) {
		bool awaited = is_awaited(rest, i < FLUSH_FRESH);
		if (rest->hurried && !awaited)
			return;
		quiet = awaited ? 0 : quiet + 1;
		usleep(FLUSH_TURN_US);
	}
}

void rest_hurry(struct rest *rest)
{
	if (rest)
		rest->hurried = true;
}

void rest_stop(struct rest *rest)
{
	if (!rest)
		return;
	listeners_close(rest);
	pthread_mutex_lock(&rest->stream_lock);
	atomic_store(&rest->stopping, true);
	pthread_mutex_unlock(&rest->stream_lock);
	streams_end(rest);
	pool_drain(rest->pool);
	flush(rest);
	listeners_free(rest);
	pool_free(rest->pool);
	rates_free(rest->rates);
	pthread_join(rest->ticker, NULL);
	for (size_t i = 0; i < rest->pattern_count; i++)
		pattern_free(&rest->patterns[i]);
	free(rest->patterns);
	pthread_cond_destroy(&rest->stream_change);
	pthread_mutex_destroy(&rest->stream_lock);
	pthread_mutex_destroy(&rest->connection_lock);
	free(rest);
}
