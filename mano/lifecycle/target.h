/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Targets: what an operation wants of each service that it touches, from the descriptor through documents to wishes. A
 * list belongs to one thread: the handler that validates it, then the operation that carries it out.
 */
#ifndef SLUICE_LIFECYCLE_TARGET_H
#define SLUICE_LIFECYCLE_TARGET_H

#include "lifecycle/manager.h"
#include "lifecycle/render.h"
#include "lifecycle/unit.h"

struct target {
	char *name;
	struct conf *document; /* NULL: the service shall go */
	bool is_new;           /* it was not there before */
	bool as_it_is;         /* it is looked at, not changed */
	char *prefix;          /* of its paths in errors: "services[0]." */
	struct renderings renderings;
	struct conf_diff diff; /* against what there was */
};

struct targets {
	struct target *list;
	size_t count;
};

/* Adds a target, taking the document over; the caller frees nothing of it. */
struct target *targets_add(struct targets *targets, const char *name, struct conf *document, char *prefix);
void targets_free(struct targets *targets);

/* Documents of all services that stay, and the executables that are to run them. */
void targets_render(struct manager *manager, struct targets *targets);

/* Cores that all units were given; lock held. */
struct core_use manager_core_use(const struct manager *manager);

/*
 * The wish of one process of a service. unit: as it is, NULL if there is none yet: its cores are kept if they are as many
 * as wanted, else new ones are chosen and counted in use. False with an error (too-few-cores). *shared as of cores_assign.
 */
bool target_wish(const struct manager *manager, const struct target *target,
                 const struct rendering *rendering, const struct unit *unit, struct core_use *use,
                 struct wish *wish, bool *shared, struct errors *errors);

/* Whether there is room for anything to be written at all: revisions, documents. Before any validation, which writes. */
bool targets_have_room(const struct manager *manager, struct errors *errors);

/* Whether the host has what the targets need: cores, memory, hugepages, room for session tables, namespaces, interfaces,
 * sockets. Adds every error. */
bool targets_admit(struct manager *manager, const struct targets *targets, struct errors *errors);

/*
 * Whether devices of a target are those of other ports already, of its own or of other services: as they will be when the
 * targets are what is asked for. lock held.
 */
void target_admit_devices(const struct manager *manager, const struct targets *targets,
                          const struct target *target, struct errors *errors);

/* Whether a port of a service stands on a TAP of that name, by whatever name of that namespace; lock held. */
bool manager_has_tap(const struct manager *manager, const char *netns, const char *name);

#endif
