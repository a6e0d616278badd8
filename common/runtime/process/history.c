/* SPDX-License-Identifier: BSD-3-Clause */
/* Revisions of the document, and confirmations. See history.h. */
#include "runtime/process/history.h"

#include <stdlib.h>
#include <time.h>

#include "manage/events.h"
#include "manage/log.h"
#include "runtime/process/process.h"

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void say_errors(const char *event, struct errors *errors)
{
	char line[1024];

	for (size_t i = 0; i < errors->count; i++) {
		error_format(&errors->list[i], line, sizeof(line));
		log_warn(event, "error=%s", line);
	}
	errors_free(errors);
}

bool history_open(struct history *history, const char *folder, const char *startup, struct conf **saved,
                  struct errors *errors)
{
	struct errors damaged = ERRORS_NONE;

	*saved = NULL;
	if (!folder)
		return true;
	history->kept = revisions_open(folder, &damaged);
	if (!history->kept) {
		errors_move(errors, &damaged, NULL);
		return false;
	}
	history->startup_digest = revisions_digest(startup, errors);
	if (!history->startup_digest)
		return false;
	enum revisions_boot boot = revisions_boot(history->kept, history->startup_digest, saved, &damaged);
	if (boot == REVISIONS_BOOT_STARTUP_CHANGED)
		log_warn("saved-revision-passed-over", "reason=%s revision=%llu",
		         "the startup file has changed since it was saved",
		         (unsigned long long)revisions_saved(history->kept));
	say_errors("revision-damaged", &damaged);
	return true;
}

void history_close(struct history *history)
{
	if (history->kept)
		revisions_close(history->kept);
	free(history->startup_digest);
	conf_free(history->former);
	*history = (struct history){ 0 };
}

static struct conf *running(struct process *p)
{
	pthread_mutex_lock(&p->engine->lock);
	struct conf *document = conf_clone(p->engine->document);
	pthread_mutex_unlock(&p->engine->lock);
	return document;
}

void history_note(struct process *p, const char *author, const char *comment)
{
	struct errors errors = ERRORS_NONE;

	if (!p->history.kept)
		return;
	struct conf *document = running(p),
	            *newest = revisions_get(p->history.kept, revisions_current(p->history.kept), &errors);
	errors_free(&errors); /* there may be none yet */
	if (!newest || !conf_equal(newest, document))
		revisions_commit(p->history.kept, document, author, comment, p->history.startup_digest,
		                 &errors);
	conf_free(newest);
	conf_free(document);
	say_errors("revision-not-kept", &errors);
}

void history_await(struct process *p, struct conf *former, unsigned seconds)
{
	conf_free(p->history.former);
	p->history.former = former;
	p->history.deadline_ms = now_ms() + 1000 * (uint64_t)seconds;
}

bool history_confirm(struct process *p)
{
	bool awaited = p->history.former;

	conf_free(p->history.former);
	p->history.former = NULL;
	return awaited;
}

bool history_undo(struct process *p, const char *author, struct errors *errors)
{
	struct conf *former = p->history.former;

	p->history.former = NULL;
	if (!engine_apply(p->engine, former, false, errors)) {
		conf_free(former);
		return false;
	}
	history_note(p, author, "the change was not confirmed");
	events_add(p->events, "change-undone", p->engine->sizes.name, NULL,
	           "back at what was there before, as revision %llu",
	           (unsigned long long)p->engine->revision);
	return true;
}

void history_poll(struct process *p)
{
	struct errors errors = ERRORS_NONE;

	if (pthread_mutex_trylock(&p->changes) != 0)
		return; /* a change is under way: it is looked at again in a second */
	if (p->history.former && now_ms() >= p->history.deadline_ms)
		history_undo(p, p->program, &errors);
	pthread_mutex_unlock(&p->changes);
	say_errors("change-not-undone", &errors);
}
