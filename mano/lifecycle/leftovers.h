/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the dead left in the run folder: folders of services that are gone, sockets that nobody listens on. Known by what is
 * there, not by what was remembered. The caller holds `change`, or is alone: else what is new is taken for old.
 */
#ifndef SLUICE_LIFECYCLE_LEFTOVERS_H
#define SLUICE_LIFECYCLE_LEFTOVERS_H

#include "lifecycle/manager.h"

enum leftover {
	LEFTOVER_FOLDER,    /* of a service that is gone; nothing runs in it */
	LEFTOVER_TEMPORARY, /* of a check that was cut off, or is under way */
	LEFTOVER_SOCKET,    /* nobody listens on it */
	LEFTOVER_ALIVE,     /* a folder of no service, and a process runs in it */
	LEFTOVER_FOREIGN,   /* it does not look like ours */
};

/* Visits each; name: below the run folder. */
void leftovers_each(struct manager *manager, void (*visit)(void *user, const char *name, enum leftover kind),
                    void *user);

/* Removes one that is neither alive nor foreign. False with an error. */
bool leftover_remove(struct manager *manager, const char *name, enum leftover kind, struct errors *errors);

/* What dead processes of ours left elsewhere: folders and files named sluice-NAME-PID where the packet engine, shared memory and hugepages have theirs. Ours: by
 * their name and owner; dead: no process has that number, and no file is locked. */
void leftovers_elsewhere(void (*visit)(void *user, const char *path), void *user);
/* Removes one. False with an error. */
bool leftover_remove_elsewhere(struct manager *manager, const char *path, struct errors *errors);

/* A TAP that a process of ours made to outlive it, and that neither a service nor a process has any more. */
struct tap_left {
	char *netns, *folder; /* netns "": ours; the folder that it was made for, below the run folder */
	char name[16];
};

/* Visits each; in our namespace and those of `ip netns`. */
void leftovers_taps(struct manager *manager, void (*visit)(void *user, const struct tap_left *tap),
                    void *user);
/* Removes one, unless somebody has taken it up meanwhile. False with an error. */
bool leftover_remove_tap(const struct tap_left *tap, struct errors *errors);
/* "TAP x in network namespace y"; to be freed. */
char *tap_left_text(const struct tap_left *tap);

/* Whether a process runs in a folder, or listens there. */
bool leftover_is_alive(struct manager *manager, const char *folder);

#endif
