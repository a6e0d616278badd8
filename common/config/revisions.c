/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The folder of revisions: which there are, which is marked for boot, which are dropped. What one file holds is
 * revision_file.c's. The list of numbers is read once, at opening: the folder is ours alone.
 */
#include "config/revisions.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/revision_file.h"
#include "util/atomic_file.h"
#include "util/memory.h"

struct entry {
	uint64_t number;
	uint64_t bytes;
	bool damaged;
};

struct revisions {
	char *folder;
	struct entry *entries; /* by number */
	size_t count;
	uint64_t saved; /* 0: none */
};

static char *file_of(const struct revisions *r, uint64_t number)
{
	return text_format("%s/%08" PRIu64 ".json", r->folder, number);
}

static char *mark_of(const struct revisions *r)
{
	return text_format("%s/saved", r->folder);
}

static struct entry *find(const struct revisions *r, uint64_t number)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->entries[i].number == number)
			return &r->entries[i];
	return NULL;
}

static void add_entry(struct revisions *r, struct entry entry)
{
	r->entries = memory_grow(r->entries, r->count, sizeof(*r->entries));
	r->entries[r->count++] = entry;
}

static void drop_entry(struct revisions *r, size_t at)
{
	char *file = file_of(r, r->entries[at].number);

	unlink(file);
	free(file);
	r->count--;
	memmove(&r->entries[at], &r->entries[at + 1], (r->count - at) * sizeof(*r->entries));
}

static uint64_t size_of(const char *file)
{
	struct stat status;

	return stat(file, &status) ? 0 : (uint64_t)status.st_size;
}

static void check_entry(struct revisions *r, struct entry *entry, struct errors *errors)
{
	struct revision revision;
	char *file = file_of(r, entry->number);

	entry->bytes = size_of(file);
	entry->damaged = !revision_file_head(file, entry->number, &revision, errors);
	if (!entry->damaged)
		revision_clear(&revision);
	free(file);
}

/* The number in NNNNNNNN.json; 0 for other names. *rest is what follows it. */
static uint64_t number_of(const char *name, const char **rest)
{
	size_t digits = strspn(name, "0123456789");

	if (digits < 8 || digits > 18 || strncmp(name + digits, ".json", 5))
		return 0;
	*rest = name + digits + 5;
	return strtoull(name, NULL, 10);
}

/* Takes note of a file of the folder; what a crash left half-written beside its place is removed. */
static void visit(struct revisions *r, const char *name)
{
	const char *rest = "";
	uint64_t number = number_of(name, &rest);

	if (number && !rest[0]) {
		add_entry(r, (struct entry){ .number = number });
	} else if ((number && rest[0] == '.') || !strncmp(name, "saved.", 6)) {
		char *file = text_format("%s/%s", r->folder, name);
		unlink(file);
		free(file);
	}
}

static int by_number(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static bool scan_folder(struct revisions *r, struct errors *errors)
{
	DIR *folder = opendir(r->folder);

	if (!folder) {
		errors_add(errors, NULL, "cannot-read", r->folder, 0,
		           "cannot open the folder of revisions: %s", strerror(errno));
		return false;
	}
	for (struct dirent *found; (found = readdir(folder));)
		visit(r, found->d_name);
	closedir(folder);
	if (r->count)
		qsort(r->entries, r->count, sizeof(*r->entries), by_number);
	for (size_t i = 0; i < r->count; i++)
		check_entry(r, &r->entries[i], errors);
	return true;
}

static void read_mark(struct revisions *r, struct errors *errors)
{
	char *file = mark_of(r), *text = NULL, *end = NULL;
	size_t length;
	int error = atomic_file_read(file, 64, &text, &length);

	if (!error) {
		r->saved = strtoull(text, &end, 10);
		if (*end != '\n' || !find(r, r->saved)) {
			errors_add(errors, NULL, "damaged", file, 1,
			           "expected the number of a revision that is there");
			r->saved = 0;
		}
	} else if (error != ENOENT) {
		errors_add(errors, NULL, "cannot-read", file, 0, "%s", strerror(error));
	}
	free(text);
	free(file);
}

struct revisions *revisions_open(const char *folder, struct errors *errors)
{
	if (mkdir(folder, 0750) && errno != EEXIST) {
		errors_add(errors, NULL, "cannot-write", folder, 0, "cannot make the folder of revisions: %s",
		           strerror(errno));
		return NULL;
	}
	struct revisions *r = memory_new(1, sizeof(*r));
	r->folder = text_copy(folder);
	if (!scan_folder(r, errors)) {
		revisions_close(r);
		return NULL;
	}
	read_mark(r, errors);
	return r;
}

void revisions_close(struct revisions *revisions)
{
	if (!revisions)
		return;
	free(revisions->folder);
	free(revisions->entries);
	free(revisions);
}

static uint64_t bytes_of_all(const struct revisions *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->count; i++)
		sum += r->entries[i].bytes;
	return sum;
}

/* Drops the oldest that may go, until what is left is few enough and small enough. */
static void prune(struct revisions *r)
{
	for (size_t i = 0; i + 1 < r->count;) {
		bool many = r->count > REVISIONS_KEPT;
		bool large = r->count > REVISIONS_LEAST && bytes_of_all(r) > REVISIONS_BYTES;
		if (!many && !large)
			return;
		if (r->entries[i].number == r->saved)
			i++;
		else
			drop_entry(r, i);
	}
}

uint64_t revisions_commit(struct revisions *r, const struct conf *conf, const char *author,
                          const char *comment, const char *startup_digest, struct errors *errors)
{
	/* Above the damaged ones too: a number never names two configurations. */
	uint64_t number = r->count ? r->entries[r->count - 1].number + 1 : 1;
	struct revision revision = { .number = number,
		                     .author = (char *)(author ? author : ""),
		                     .comment = (char *)(comment ? comment : ""),
		                     .startup_digest = (char *)(startup_digest ? startup_digest : "") };
	char *file = file_of(r, number);
	bool fine = revision_file_write(file, &revision, conf, errors);

	if (fine) {
		add_entry(r, (struct entry){ .number = number, .bytes = size_of(file) });
		prune(r);
	}
	free(file);
	return fine ? number : 0;
}

struct conf *revisions_get(struct revisions *r, uint64_t number, struct errors *errors)
{
	if (!find(r, number)) {
		errors_add(errors, NULL, "no-such-revision", NULL, 0, "there is no revision %" PRIu64,
		           number);
		return NULL;
	}
	char *file = file_of(r, number);
	struct conf *conf = revision_file_config(file, number, errors);
	free(file);
	return conf;
}

struct revision_list revisions_list(struct revisions *r, struct errors *errors)
{
	struct revision_list all = { memory_new(r->count, sizeof(*all.list)), 0 };

	for (size_t i = 0; i < r->count; i++) {
		uint64_t number = r->entries[i].number;
		char *file = file_of(r, number);
		if (revision_file_head(file, number, &all.list[all.count], errors))
			all.list[all.count++].saved = number == r->saved;
		free(file);
	}
	return all;
}

void revision_list_free(struct revision_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		revision_clear(&list->list[i]);
	free(list->list);
	*list = (struct revision_list){ NULL, 0 };
}

uint64_t revisions_current(const struct revisions *r)
{
	for (size_t i = r->count; i-- > 0;)
		if (!r->entries[i].damaged)
			return r->entries[i].number;
	return 0;
}

uint64_t revisions_former(const struct revisions *r)
{
	bool newest = true;

	for (size_t i = r->count; i-- > 0;) {
		if (r->entries[i].damaged)
			continue;
		if (!newest)
			return r->entries[i].number;
		newest = false;
	}
	return 0;
}

uint64_t revisions_saved(const struct revisions *r)
{
	return r->saved;
}

/* Writes the mark, or removes it; an errno value. */
static int write_mark(const char *file, uint64_t number)
{
	char text[32];

	if (number == 0)
		return unlink(file) && errno != ENOENT ? errno : 0;
	int length = snprintf(text, sizeof(text), "%" PRIu64 "\n", number);
	return atomic_file_write(file, text, (size_t)length, 0640);
}

bool revisions_save(struct revisions *r, uint64_t number, struct errors *errors)
{
	if (number && !find(r, number)) {
		errors_add(errors, NULL, "no-such-revision", NULL, 0, "there is no revision %" PRIu64,
		           number);
		return false;
	}
	char *file = mark_of(r);
	int error = write_mark(file, number);
	if (error)
		errors_add(errors, NULL, "cannot-write", file, 0, "cannot mark the revision: %s",
		           strerror(error));
	else
		r->saved = number;
	free(file);
	return !error;
}

enum revisions_boot revisions_boot(struct revisions *r, const char *startup_digest, struct conf **conf,
                                   struct errors *errors)
{
	struct revision revision;

	*conf = NULL;
	if (!r->saved)
		return REVISIONS_BOOT_STARTUP;
	char *file = file_of(r, r->saved);
	bool readable = revision_file_head(file, r->saved, &revision, errors);
	free(file);
	if (!readable)
		return REVISIONS_BOOT_SAVED_DAMAGED;
	bool same = !strcmp(revision.startup_digest, startup_digest ? startup_digest : "");
	revision_clear(&revision);
	if (!same)
		return REVISIONS_BOOT_STARTUP_CHANGED;
	*conf = revisions_get(r, r->saved, errors);
	return *conf ? REVISIONS_BOOT_SAVED : REVISIONS_BOOT_SAVED_DAMAGED;
}
