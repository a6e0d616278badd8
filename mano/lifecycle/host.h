/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the host has to give: cores, memory, hugepages, network namespaces and interfaces. Facts are read from /proc,
 * /sys and the kernel when asked; any thread.
 */
#ifndef SLUICE_LIFECYCLE_HOST_H
#define SLUICE_LIFECYCLE_HOST_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

/* Cores that we may use, divided once at start: those of workers, and those of everything else. */
struct host {
	cpu_set_t all, control, workers;
	char control_list[256]; /* "0" ; "" if there is only one core */
	unsigned count;         /* of all */
};

struct host_memory {
	uint64_t total_kb, available_kb;
	uint64_t hugepages, hugepages_free, hugepage_kb;
};

/* Divides the cores that this process may run on. */
void host_read(struct host *host);

/* How many workers each core has, while a list is being assigned. */
struct core_use {
	unsigned workers[CPU_SETSIZE];
};

/* Adds (or with -1 takes away) the workers of a list such as "2,3". */
void cores_count(struct core_use *use, const char *list, int step);

/*
 * Chooses cores for so many workers, the least used first, into list ("2,3"); counts them in use. *shared: some core has
 * more than one worker now. False: too few free cores and may_share is false; *lacking says how many.
 */
bool cores_assign(const struct host *host, struct core_use *use, unsigned workers, bool may_share, char *list,
                  size_t size, bool *shared, unsigned *lacking);

/* How many worker cores nobody uses. */
unsigned cores_free(const struct host *host, const struct core_use *use);

struct host_memory host_memory(void);

/* How much memory a process has in hugepages, in kB. */
uint64_t host_hugepages_of(pid_t pid);

/* Room for files in a folder, in kB; 0 if it cannot be told. */
uint64_t host_room_kb(const char *folder);

/* Whether a namespace of `ip netns` is there. NULL or "": ours, which is. */
bool host_has_netns(const char *netns);
/* What tells a namespace from others, whatever names it has; false: it is not there. NULL or "": ours. */
struct host_netns {
	dev_t device;
	ino_t inode;
};
bool host_find_netns(const char *netns, struct host_netns *found);
/* Whether two names mean one namespace: they are equal, or both are there and of the same. */
bool host_same_netns(const char *a, const char *b);

/* Whether its name is there, but no namespace is behind it any more. */
bool host_netns_stale(const char *netns);
/* Calls what is given in a namespace, on a thread of its own, and waits for it. NULL or "": ours. False: it cannot be entered, and nothing was called. */
bool host_in_netns(const char *netns, void (*call)(void *user), void *user);
/* Names of interfaces in a namespace as a JSON array; NULL if it cannot be entered. */
json_t *host_interfaces(const char *netns);

/* Whether somebody listens on a unix socket, also one who accepts nothing and whose queue is full. Never waits. */
bool host_socket_alive(const char *path);
/* Who made a unix socket listen; each look costs a place in its queue of connections. Never waits. */
enum host_listener {
	HOST_LISTENER_NONE, /* nobody listens */
	HOST_LISTENER_LIVES,
	HOST_LISTENER_GONE, /* another process, to which the socket was handed down, still holds it */
	HOST_LISTENER_BUSY, /* not known: its queue is full */
};
enum host_listener host_listener(const char *path);

/* {name, cores, workerCores, memory, hugepages, load, kernel, uptime}. */
json_t *host_show(const struct host *host);

#endif
