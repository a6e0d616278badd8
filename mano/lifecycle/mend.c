/* SPDX-License-Identifier: BSD-3-Clause */
/* What can be mended without asking anybody. See mend.h. */
#include "lifecycle/mend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lifecycle/doctor.h"
#include "lifecycle/leftovers.h"
#include "manage/log.h"
#include "util/memory.h"

#define HUGEPAGES_FILE "/proc/sys/vm/nr_hugepages"

/* Hugepages that are asked for: the packet memory of two processes, and never more than this part of what is free. */
enum { HUGE_KB = 256 << 10, HUGE_PART = 4 };

struct mend {
	struct manager *manager;
	json_t *actions;
	bool dry_run;
};

/* Notes an action; takes the texts over. failure: why it was not done; NULL: it was, or would be. */
static void note(struct mend *m, const char *check, char *action, char *failure)
{
	json_t *noted =
	        json_pack("{s:s,s:s,s:b}", "check", check, "action", action, "done", !m->dry_run && !failure);

	if (failure)
		json_object_set_new(noted, "detail", json_string(failure));
	json_array_append_new(m->actions, noted);
	if (!m->dry_run)
		log_info("mended", "check=%s action=%s failure=%s", check, action, failure ? failure : "");
	free(action);
	free(failure);
}

static void mend_leftover(void *user, const char *name, enum leftover kind)
{
	struct mend *m = user;
	struct errors errors = ERRORS_NONE;
	bool mendable = kind == LEFTOVER_FOLDER || kind == LEFTOVER_SOCKET;

	if (!mendable) /* a check may be under way in its folder; what runs or is not ours is not for us to end */
		return;
	bool removed = m->dry_run || leftover_remove(m->manager, name, kind, &errors);
	note(m, "leftovers", text_format("remove %s/%s", m->manager->options.run_folder, name),
	     removed ? NULL : text_copy(errors.list[0].detail));
	errors_free(&errors);
}

static void mend_elsewhere(void *user, const char *path)
{
	struct mend *m = user;
	struct errors errors = ERRORS_NONE;
	bool removed = m->dry_run || leftover_remove_elsewhere(m->manager, path, &errors);

	note(m, "leftovers", text_format("remove %s", path),
	     removed ? NULL : text_copy(errors.list[0].detail));
	errors_free(&errors);
}

static void mend_tap(void *user, const struct tap_left *tap)
{
	struct mend *m = user;
	struct errors errors = ERRORS_NONE;
	bool removed = m->dry_run || leftover_remove_tap(tap, &errors);
	char *text = tap_left_text(tap);

	note(m, "leftovers", text_format("remove %s", text),
	     removed ? NULL : text_copy(errors.list[0].detail));
	free(text);
	errors_free(&errors);
}

/* --- namespaces --- */

static void mend_netns(struct mend *m, const char *netns)
{
	char *path = text_format("/run/netns/%s", netns), *failure = NULL;

	if (host_netns_stale(netns)) {
		if (!m->dry_run && unlink(path) < 0)
			failure = text_copy(strerror(errno));
		note(m, "namespaces", text_format("remove %s, the name of a namespace that is gone", path),
		     failure);
	}
	free(path);
}

static void mend_namespaces(struct mend *m)
{
	json_t *names = doctor_namespaces(m->manager), *name;
	size_t i;

	json_array_foreach(names, i, name) mend_netns(m, json_string_value(name));
	json_decref(names);
}

/* --- hugepages --- */

/* NULL, or why not. */
static char *ask_hugepages(uint64_t total)
{
	FILE *file = fopen(HUGEPAGES_FILE, "we");
	bool written = file && fprintf(file, "%llu\n", (unsigned long long)total) > 0;
	int error = errno;

	if (file && fclose(file)) {
		written = false;
		error = errno;
	}
	if (!written)
		return text_format("%s: %s", HUGEPAGES_FILE, strerror(error));
	struct host_memory now = host_memory();
	return now.hugepages_free ? NULL : text_copy("the kernel has no memory in one piece for them");
}

static void mend_hugepages(struct mend *m)
{
	struct host_memory memory = host_memory();
	uint64_t kb = memory.available_kb / HUGE_PART < HUGE_KB ? memory.available_kb / HUGE_PART : HUGE_KB;

	if (memory.hugepages_free || !memory.hugepage_kb || kb < memory.hugepage_kb)
		return;
	uint64_t total = memory.hugepages + kb / memory.hugepage_kb;
	note(m, "hugepages",
	     text_format("sysctl vm.nr_hugepages=%llu, until the next boot", (unsigned long long)total),
	     m->dry_run ? NULL : ask_hugepages(total));
}

json_t *doctor_mend(struct manager *manager, bool dry_run)
{
	struct mend m = { manager, json_array(), dry_run };

	leftovers_each(manager, mend_leftover, &m);
	leftovers_elsewhere(mend_elsewhere, &m);
	leftovers_taps(manager, mend_tap, &m);
	mend_namespaces(&m);
	mend_hugepages(&m);
	json_t *answer = doctor_show(manager);
	json_object_set_new(answer, "dryRun", json_boolean(dry_run));
	json_object_set_new(answer, "actions", m.actions);
	return answer;
}
