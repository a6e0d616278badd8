/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * REST: sessions. Workers own them, so they are read and cleared by calls to the workers, in bounded slices with a cursor: worker in the upper
 * 16 bits, place in its table below.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "manage/pages.h"
#include "manage/problem.h"
#include "runtime/process/process.h"
#include "runtime/look/quality_show.h"

enum { SLICE = 1024, SLICES_PER_REQUEST = 4096, CURSOR_BITS = 48 };

struct slice {
	struct worker *worker;
	const struct filter *filter;
	json_t *list; /* NULL: clear what matches */
	uint64_t cursor;
	uint64_t cleared;
};

static const char *protocol_name(uint8_t proto, char *text, size_t size)
{
	static const char *const names[256] = {
		[1] = "icmp", [6] = "tcp", [17] = "udp", [58] = "icmpv6", [132] = "sctp"
	};

	if (names[proto])
		return names[proto];
	snprintf(text, size, "%u", proto);
	return text;
}

static json_t *tuple_json(const struct tuple *t)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	int family = t->family == FAMILY_V4 ? AF_INET : AF_INET6;

	inet_ntop(family, t->src.bytes, src, sizeof(src));
	inet_ntop(family, t->dst.bytes, dst, sizeof(dst));
	return json_pack("{s:s,s:i,s:s,s:i}", "source", src, "sourcePort", ntohs(t->sport), "destination",
	                 dst, "destinationPort", ntohs(t->dport));
}

static void show_functions(struct worker *w, struct session *s, json_t *out)
{
	uint64_t set = w->engine->layouts[s->layout];

	for (; set; set &= set - 1) {
		unsigned id = (unsigned)__builtin_ctzll(set);
		const struct nf *nf = w->snapshot->nfs[id];
		json_t *view;

		if (!nf || !nf->klass->show_session)
			continue;
		view = json_object();
		nf->klass->show_session(nf, w->snapshot->nf_snapshots[id], s, view);
		json_object_set_new(out, nf->name, view);
	}
}

static json_t *session_json(struct worker *w, struct session *s)
{
	const struct path *path = w->snapshot->paths[s->path];
	struct tuple forward, answer;
	json_t *functions = json_object(), *json;
	char protocol[8];

	session_tuple(s, 0, &forward);
	session_tuple(s, 1, &answer);
	show_functions(w, s, functions);
	json = json_pack("{s:s,s:s,s:s,s:o,s:o,s:I,s:[I,I],s:[I,I],s:b,s:i,s:o}", "path",
	                 path ? path->name : "?", "protocol",
	                 protocol_name(forward.proto, protocol, sizeof(protocol)), "class",
	                 session_class_names[s->klass], "forward", tuple_json(&forward), "answer",
	                 tuple_json(&answer), "idleMs", (json_int_t)(uint32_t)(w->now_ms - s->last_seen),
	                 "packets", (json_int_t)s->packets[0], (json_int_t)s->packets[1], "bytes",
	                 (json_int_t)s->bytes[0], (json_int_t)s->bytes[1], "replied",
	                 (s->flags & SESSION_REPLIED) != 0, "worker", w->id, "functions", functions);
	if (forward.vlan)
		json_object_set_new(json, "vlan", json_integer(forward.vlan));
	if (forward.proto == IPPROTO_TCP)
		json_object_set_new(json, "tcp", quality_session(w, s));
	return json;
}

static void visit(void *context, struct session *s)
{
	struct slice *slice = context;
	json_t *json = session_json(slice->worker, s);
	char id[32];

	snprintf(id, sizeof(id), "%u-%llu", slice->worker->id,
	         (unsigned long long)flow_id(slice->worker->table, s));
	json_object_set_new(json, "id", json_string(id));
	if (filter_match(slice->filter, json)) {
		if (slice->list) {
			json_array_append(slice->list, json);
		} else {
			session_close(slice->worker, s);
			slice->cleared++;
		}
	}
	json_decref(json);
}

static void walk_slice(struct worker *w, void *argument)
{
	struct slice *slice = argument;

	slice->worker = w;
	flow_walk(w->table, &slice->cursor, SLICE, visit, slice);
}

static uint64_t join(unsigned worker, uint64_t cursor)
{
	return (uint64_t)worker << CURSOR_BITS | cursor;
}

/* Walks on from *at until enough was found, the end is reached, or the request has taken its share; *at 0: the end. */
static void walk(struct engine *engine, struct slice *slice, uint64_t *at, size_t enough)
{
	unsigned worker = (unsigned)(*at >> CURSOR_BITS);

	slice->cursor = *at & ((UINT64_C(1) << CURSOR_BITS) - 1);
	*at = 0;
	for (unsigned n = 0; worker < engine->sizes.workers; n++) {
		engine_call(engine, worker, walk_slice, slice);
		if (!slice->cursor)
			worker++;
		if (worker < engine->sizes.workers &&
		    (n == SLICES_PER_REQUEST || (slice->list && json_array_size(slice->list) >= enough))) {
			*at = join(worker, slice->cursor);
			return;
		}
	}
}

static void get_sessions(const struct rest_request *request, struct rest_reply *reply)
{
	struct engine *engine = ((struct process *)request->user)->engine;
	struct slice slice = { 0 };
	struct filter *filter;
	struct page page;
	uint64_t at = 0;
	char cursor[24];

	if (!page_of_request(request, reply, &page) || (page.cursor && !page_number(&page, reply, &at)))
		return;
	if (!filter_of_request(request, reply, &filter))
		return;
	slice.filter = filter;
	slice.list = json_array();
	walk(engine, &slice, &at, page.limit);
	filter_free(filter);
	if (at) {
		snprintf(cursor, sizeof(cursor), "%llu", (unsigned long long)at);
		page_next(request, reply, cursor);
	}
	rest_reply_json(reply, 200, slice.list);
}

static void delete_sessions(const struct rest_request *request, struct rest_reply *reply)
{
	struct engine *engine = ((struct process *)request->user)->engine;
	struct slice slice = { 0 };
	struct filter *filter;
	uint64_t at = 0;

	if (!filter_of_request(request, reply, &filter))
		return;
	slice.filter = filter;
	do
		walk(engine, &slice, &at, 0);
	while (at);
	filter_free(filter);
	rest_reply_json(reply, 200, json_pack("{s:I}", "cleared", (json_int_t)slice.cleared));
}

const struct rest_route session_routes[] = {
	{ .pattern = "/v1/state/sessions",
	  .summary = "Live sessions",
	  .get = { .handle = get_sessions,
	           .summary = "Filtered (?filter=) and paged (?limit=, ?cursor=); a page may hold some more "
	                      "than asked for",
	           .query = "filter limit cursor" },
	  .del = { .handle = delete_sessions,
	           .summary = "Clear those that match ?filter=",
	           .query = "filter",
	           .statuses = "200" },
	  .flags = REST_SLOW },
	{ .pattern = NULL },
};
