/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue of the audit and the thread that writes it; see audit.h. `lock` guards the queue and the counts. */
#include "manage/audit_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manage/log.h"
#include "manage/pages.h"
#include "manage/rest_private.h"
#include "manage/timestamp.h"
#include "util/memory.h"

/* Lines that may wait; refusals a second that are noted, so that who knocks in vain cannot push out what
 * others did. */
enum { QUEUE = 1024, REFUSALS_S = 20, ID_TEXT = 24 };

struct audit {
	pthread_mutex_t lock;
	pthread_cond_t work, written;
	pthread_t thread;
	json_t *queue[QUEUE];
	uint64_t head, tail; /* lines taken by the writer, put by requests */
	uint64_t done;       /* lines that were written, or could not be */
	uint64_t next, lost;
	time_t second;
	unsigned refusals;
	bool stopping;
	struct audit_files files; /* the writer's, but for reading */
};

/* --- the writer --- */

static void write_line(struct audit *audit, json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT), *full = text ? text_format("%s\n", text) : NULL;
	int error = full ? audit_files_append(&audit->files, full, strlen(full)) : ENOMEM;
	if (error) {
		log_limited(LOG_LEVEL_ERROR, "audit-lost", "text=%s", strerror(error));
		pthread_mutex_lock(&audit->lock);
		json_t *before = json_object_get(line, "lost");
		audit->lost += 1 + (uint64_t)json_integer_value(before);
		pthread_mutex_unlock(&audit->lock);
	}
	free(full);
	free(text);
}

static void *write_lines(void *argument)
{
	struct audit *audit = argument;
	pthread_mutex_lock(&audit->lock);
	while (!audit->stopping || audit->head < audit->tail) {
		if (audit->head == audit->tail) {
			pthread_cond_wait(&audit->work, &audit->lock);
			continue;
		}
		uint64_t end = audit->tail, begin = audit->head;
		pthread_mutex_unlock(&audit->lock);
		for (uint64_t i = begin; i < end; i++)
			write_line(audit, audit->queue[i % QUEUE]);
		audit_files_sync(&audit->files);
		pthread_mutex_lock(&audit->lock);
		for (uint64_t i = begin; i < end; i++)
			json_decref(audit->queue[i % QUEUE]);
		audit->head = audit->done = end;
		pthread_cond_broadcast(&audit->written);
	}
	pthread_mutex_unlock(&audit->lock);
	return NULL;
}

struct audit *audit_open(const struct audit_options *options, struct errors *errors)
{
	struct audit *audit = memory_new(1, sizeof *audit);
	pthread_condattr_t monotonic;
	pthread_mutex_init(&audit->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&audit->work, NULL);
	pthread_cond_init(&audit->written, &monotonic);
	pthread_condattr_destroy(&monotonic);
	audit_files_open(&audit->files, options);
	audit->next = audit->files.last + 1;
	if (thread_start(&audit->thread, write_lines, audit))
		return audit;
	errors_add(errors, NULL, "no-resources", NULL, 0, "no thread for the audit log");
	audit_files_close(&audit->files);
	free(audit);
	return NULL;
}

void audit_close(struct audit *audit)
{
	if (!audit)
		return;
	pthread_mutex_lock(&audit->lock);
	audit->stopping = true;
	pthread_cond_signal(&audit->work);
	pthread_mutex_unlock(&audit->lock);
	pthread_join(audit->thread, NULL);
	audit_files_close(&audit->files);
	pthread_cond_destroy(&audit->written);
	pthread_cond_destroy(&audit->work);
	pthread_mutex_destroy(&audit->lock);
	free(audit);
}

/* --- requests --- */

/* Lock held. */
static bool has_room(struct audit *audit, bool refusal, time_t now)
{
	if (now != audit->second) {
		audit->second = now;
		audit->refusals = 0;
	}
	audit->refusals += refusal;
	return audit->tail - audit->head < QUEUE && (!refusal || audit->refusals <= REFUSALS_S);
}

/* Lock held; takes the line over. */
static void put(struct audit *audit, json_t *line)
{
	json_object_set_new(line, "id", json_integer((json_int_t)audit->next++));
	if (audit->lost)
		json_object_set_new(line, "lost", json_integer((json_int_t)audit->lost));
	audit->lost = 0;
	audit->queue[audit->tail++ % QUEUE] = line;
	pthread_cond_signal(&audit->work);
}

/* Lock held. */
static void wait_written(struct audit *audit)
{
	uint64_t mine = audit->tail;
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += AUDIT_WAIT_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (audit->done < mine && !pthread_cond_timedwait(&audit->written, &audit->lock, &until))
		;
}

void audit_request(struct audit *audit, const struct rest_request *request, const struct rest_reply *reply,
                   bool wait)
{
	unsigned status = rest_reply_get_status(reply);
	json_t *line = audit ? audit_line(request, reply) : NULL;
	char now[TIMESTAMP_SIZE];
	if (!line)
		return;
	json_object_set_new(line, "time", json_string(timestamp_now(now)));
	pthread_mutex_lock(&audit->lock);
	bool room = has_room(audit, status == 401 || status == 403, time(NULL));
	if (room)
		put(audit, line);
	else
		audit->lost++;
	if (room && wait)
		wait_written(audit);
	pthread_mutex_unlock(&audit->lock);
	if (!room)
		json_decref(line);
}

/* --- reading --- */

json_t *audit_list(struct audit *audit, uint64_t before, unsigned limit, const struct filter *filter)
{
	pthread_mutex_lock(&audit->lock);
	wait_written(audit); /* what was refused did not wait for its line */
	pthread_mutex_unlock(&audit->lock);
	return audit_files_list(&audit->files, before, limit, filter);
}

static void get_lines(const struct rest_request *request, struct rest_reply *reply)
{
	struct filter *filter;
	struct page page;
	uint64_t before;
	char cursor[ID_TEXT];
	if (!page_of_request(request, reply, &page) || !page_number(&page, reply, &before) ||
	    !filter_of_request(request, reply, &filter))
		return;
	json_t *list = audit_list(request->user, before, page.limit + 1, filter);
	if (json_array_size(list) > page.limit) {
		json_array_remove(list, page.limit);
		json_t *last = json_array_get(list, page.limit - 1);
		snprintf(cursor, sizeof cursor, "%" JSON_INTEGER_FORMAT,
		         json_integer_value(json_object_get(last, "id")));
		page_next(request, reply, cursor);
	}
	rest_reply_json(reply, 200, list);
	filter_free(filter);
}

struct rest_route audit_route(struct audit *audit, const char *pattern)
{
	return (struct rest_route){
		.pattern = pattern,
		.summary = "Who changed what",
		.get = { .handle = get_lines,
		         .summary = "Newest first",
		         .answer = "AuditLine[]",
		         .query = "filter limit cursor",
		         .role = ROLE_ADMIN },
		.flags = REST_SLOW,
		.user = audit,
	};
}
