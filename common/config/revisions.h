/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configurations that a process has run, one file each in a folder of its own: NNNNNNNN.json holding number, time,
 * author, comment, the digest of the startup file that it grew from, and the configuration. The operator's startup
 * file is never written: what was changed since lives here, and a revision marked as saved is what boots, for as long
 * as the startup file is the same. A struct revisions belongs to one thread, or is locked by its owner.
 *
 * A folder may hold files that a crash or a disk has damaged: they are reported, skipped, and never in the way.
 */
#ifndef SLUICE_CONFIG_REVISIONS_H
#define SLUICE_CONFIG_REVISIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/conf.h"

/* As many are kept; fewer, but not below the least, when together they exceed the bytes. The saved one always is. */
#define REVISIONS_KEPT  50
#define REVISIONS_LEAST 20
#define REVISIONS_BYTES ((uint64_t)256 << 20)

struct revisions;

struct revision {
	uint64_t number; /* from 1 */
	char *time;      /* RFC 3339, UTC */
	char *author;
	char *comment;
	char *startup_digest; /* as revisions_digest() gives it; "" for none */
	bool saved;
};

struct revision_list {
	struct revision *list; /* oldest first */
	size_t count;
};

enum revisions_boot {
	REVISIONS_BOOT_STARTUP, /* nothing was saved: the startup file */
	REVISIONS_BOOT_SAVED,   /* the saved revision: the startup file is as it was */
	REVISIONS_BOOT_STARTUP_CHANGED, /* the startup file: it was changed after the save, and the log should say so */
	REVISIONS_BOOT_SAVED_DAMAGED, /* the startup file: the saved revision cannot be read, errors say why */
};

/*
 * Opens a folder, which is made if absent (its parent must exist). NULL with an error if that is impossible; damaged
 * files in it add errors too, but the folder is opened all the same.
 */
struct revisions *revisions_open(const char *folder, struct errors *errors);
void revisions_close(struct revisions *revisions);

/*
 * SHA-256, in hexadecimal, of a startup file with everything that it includes, malloc'd; "" for a NULL name. NULL
 * with errors if it cannot be read. Without includes it is what sha256sum prints.
 */
char *revisions_digest(const char *startup_file, struct errors *errors);

/* Writes a new revision and drops those too old. Its number, or 0 with an error (disk full ...) and nothing changed. */
uint64_t revisions_commit(struct revisions *revisions, const struct conf *conf, const char *author,
                          const char *comment, const char *startup_digest, struct errors *errors);

/* The configuration of a revision, the caller's to free; NULL with an error. */
struct conf *revisions_get(struct revisions *revisions, uint64_t number, struct errors *errors);

/* All that can be read. Damaged ones are not listed and add an error each. */
struct revision_list revisions_list(struct revisions *revisions, struct errors *errors);
void revision_list_free(struct revision_list *list);

/* The newest, and the one marked for boot; 0: none. */
uint64_t revisions_current(const struct revisions *revisions);
uint64_t revisions_saved(const struct revisions *revisions);

/* The one before the newest that can be read; 0: none. */
uint64_t revisions_former(const struct revisions *revisions);

/* Marks a revision for boot (`config save`); false with an error. 0 takes the mark away. */
bool revisions_save(struct revisions *revisions, uint64_t number, struct errors *errors);

/* What to start with. *conf is set for REVISIONS_BOOT_SAVED alone, the caller's to free. */
enum revisions_boot revisions_boot(struct revisions *revisions, const char *startup_digest,
                                   struct conf **conf, struct errors *errors);

#endif
