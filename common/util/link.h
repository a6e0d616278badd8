/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interfaces of the kernel, as rtnetlink(7) tells of them: those of the calling thread's network namespace. An interface that a process of ours made to outlive it
 * bears whom it was made for as its alias (LINK_OURS and a folder), so that it can be told from everybody else's. Any thread; no state.
 */
#ifndef SLUICE_UTIL_LINK_H
#define SLUICE_UTIL_LINK_H

#include <stdbool.h>
#include <stdint.h>

enum { LINK_NAME_MAX = 16, LINK_ALIAS_MAX = 256, LINK_KIND_MAX = 16 };

#define LINK_OURS "sluice:"

struct link {
	char name[LINK_NAME_MAX], alias[LINK_ALIAS_MAX],
	        kind[LINK_KIND_MAX]; /* "": none; kind: "tun" of a TAP, "veth" */
	int index;
	bool carrier;
	uint32_t queues; /* of a TUN or TAP made for several: those that somebody has open */
};

/* Visits every interface, in the order of their indices. False with errno: the kernel does not tell. */
bool links_each(void (*visit)(void *user, const struct link *link), void *user);
/* The interface of a name; false: there is none, or the kernel does not tell. */
bool link_find(const char *name, struct link *link);
/* Gives an interface an alias of less than LINK_ALIAS_MAX bytes. False with errno. */
bool link_set_alias(int index, const char *alias);

#endif
