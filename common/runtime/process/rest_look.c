/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: traces and captures, one of each at a time; see trace.h, capture.h. Handlers run on the server's threads. */
#include "manage/problem.h"
#include "runtime/look/capture.h"
#include "runtime/process/process.h"
#include "runtime/look/trace.h"

enum {
	TRACE_PACKETS = 50,
	TRACE_SECONDS = 30,
	CAPTURE_PACKETS = 100000,
	CAPTURE_PACKETS_MAX = 1000000000,
	CAPTURE_SECONDS = 60,
	LOOK_SECONDS_MAX = 86400,
};

static struct engine *engine_of(const struct rest_request *request)
{
	return ((struct process *)request->user)->engine;
}

/* A whole number of the body in its range; false with an error. */
static bool number(const json_t *body, const char *name, json_int_t max, json_int_t otherwise,
                   unsigned *value, struct errors *errors)
{
	const json_t *given = json_object_get(body, name);
	json_int_t n = given ? json_integer_value(given) : otherwise;

	*value = (unsigned)n;
	if ((!given || json_is_integer(given)) && n >= 1 && n <= max)
		return true;
	errors_add(errors, name, "out-of-range", NULL, 0, "expected a number from 1 to %lld", (long long)max);
	return false;
}

static bool known_members(const json_t *body, const char *const *names, struct errors *errors)
{
	const char *name;
	json_t *value;
	bool known = true;

	json_object_foreach((json_t *)(uintptr_t)body, name, value)
	{
		unsigned i = 0;

		while (names[i] && strcmp(names[i], name) != 0)
			i++;
		if (names[i])
			continue;
		errors_add(errors, name, "unknown", NULL, 0, "there is no \"%s\" here", name);
		known = false;
	}
	return known;
}

static bool read_options(struct engine *engine, const json_t *body, struct trace_options *options,
                         struct sift *sift, struct errors *errors)
{
	static const char *const names[] = { "filter", "packets", "seconds", "token", "follow", NULL };
	unsigned token = 0;
	bool valid = known_members(body, names, errors);

	valid &= number(body, "packets", TRACE_PACKETS_MAX, TRACE_PACKETS, &options->packets, errors);
	valid &= number(body, "seconds", TRACE_SECONDS_MAX, TRACE_SECONDS, &options->seconds, errors);
	if (json_object_get(body, "token"))
		valid &= number(body, "token", 255, 0, &token, errors);
	options->token = (uint8_t)token;
	options->follow = json_is_true(json_object_get(body, "follow"));
	options->sift = sift;
	return valid && sift_compile(engine, json_object_get(body, "filter"), sift, errors);
}

static void post_trace(const struct rest_request *request, struct rest_reply *reply)
{
	struct engine *engine = engine_of(request);
	struct trace_options options = { 0 };
	struct errors errors = ERRORS_NONE;
	struct sift sift;

	if (!read_options(engine, request->json, &options, &sift, &errors)) {
		rest_problem_errors(reply, 422, &errors, "the trace was refused");
	} else if (trace_start(engine, &options, &errors)) {
		rest_reply_json(reply, 201, trace_show(engine));
	} else {
		sift_free(&sift);
		rest_problem_errors(reply, 409, &errors, "the trace was refused");
	}
	errors_free(&errors);
}

static void get_trace(const struct rest_request *request, struct rest_reply *reply)
{
	json_t *json = trace_show(engine_of(request));

	if (json)
		rest_reply_json(reply, 200, json);
	else
		rest_problem(reply, 404, "there is no trace; POST /v1/trace begins one");
}

static void delete_trace(const struct rest_request *request, struct rest_reply *reply)
{
	trace_clear(engine_of(request));
	rest_reply_status(reply, 204);
}

/* --- capture --- */

static bool read_capture(struct engine *engine, const json_t *body, struct capture_options *options,
                         struct errors *errors)
{
	static const char *const names[] = { "filter", "at", "snap", "packets", "seconds", NULL };
	const json_t *at = json_object_get(body, "at");
	bool valid = known_members(body, names, errors);

	valid &= number(body, "packets", CAPTURE_PACKETS_MAX, CAPTURE_PACKETS, &options->packets, errors);
	valid &= number(body, "seconds", LOOK_SECONDS_MAX, CAPTURE_SECONDS, &options->seconds, errors);
	valid &= number(body, "snap", CAPTURE_SNAP_MAX, CAPTURE_SNAP_MAX, &options->snap, errors);
	if (options->snap < CAPTURE_SNAP_MIN)
		options->snap = CAPTURE_SNAP_MIN;
	options->at = at;
	if (at && !json_is_array(at)) {
		errors_add(errors, "at", "bad-type", NULL, 0, "expected a list of names");
		valid = false;
	}
	return valid && sift_compile(engine, json_object_get(body, "filter"), &options->sift, errors);
}

static bool is_busy(const struct errors *errors)
{
	return errors->count && strcmp(errors->list[0].code, "busy") == 0;
}

static void post_capture(const struct rest_request *request, struct rest_reply *reply)
{
	struct engine *engine = engine_of(request);
	struct capture_options options = { 0 };
	struct errors errors = ERRORS_NONE;

	if (!read_capture(engine, request->json, &options, &errors)) {
		rest_problem_errors(reply, 422, &errors, "the capture was refused");
	} else if (capture_start(engine, &options, &errors)) {
		rest_reply_json(reply, 201, capture_show(engine));
	} else {
		sift_free(&options.sift);
		rest_problem_errors(reply, is_busy(&errors) ? 409 : 422, &errors, "the capture was refused");
	}
	errors_free(&errors);
}

static void get_capture(const struct rest_request *request, struct rest_reply *reply)
{
	json_t *json = capture_show(engine_of(request));

	if (json)
		rest_reply_json(reply, 200, json);
	else
		rest_problem(reply, 404, "there is no capture; POST /v1/capture begins one");
}

static void delete_capture(const struct rest_request *request, struct rest_reply *reply)
{
	capture_clear(engine_of(request));
	rest_reply_status(reply, 204);
}

static void get_packets(const struct rest_request *request, struct rest_reply *reply)
{
	capture_stream(engine_of(request), reply);
}

const struct rest_route look_routes[] = {
	{ .pattern = "/v1/trace",
	  .summary = "The walk of marked packets through the engine",
	  .get = { .handle = get_trace, .summary = "What was written down so far", .statuses = "200 404" },
	  .post = { .handle = post_trace,
	            .summary = "Begin: {filter: {rules, port, oneWay}, packets, seconds}; one at a time",
	            .statuses = "201 409 422" },
	  .del = { .handle = delete_trace, .summary = "End it and forget it", .statuses = "204 404" } },
	{ .pattern = "/v1/capture",
	  .summary = "Packets at gates",
	  .get = { .handle = get_capture,
	           .summary = "Whether it runs, how many packets, how many lost",
	           .statuses = "200 404" },
	  .post = { .handle = post_capture,
	            .summary = "Begin: {filter, at: [port or function], snap, packets, seconds}; one at a "
	                       "time",
	            .statuses = "201 409 422" },
	  .del = { .handle = delete_capture, .summary = "End it and forget it", .statuses = "204 404" } },
	{ .pattern = "/v1/capture/packets",
	  .summary = "What was captured, as it comes, until the capture ends",
	  .get = { .handle = get_packets,
	           .summary = "pcapng",
	           .role = ROLE_OPERATOR,
	           .types = "application/x-pcapng",
	           .statuses = "200 404 409" } },
	{ .pattern = NULL },
};
