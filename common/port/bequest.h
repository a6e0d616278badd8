/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a port stands on, handed to the process that takes this one's place: descriptors of the kernel (or none), with what their user must know of them. The
 * kernel goes on putting packets there meanwhile, so that none is lost, and nothing has to be closed and opened again, which takes
 * packet sockets some 50 ms each. One message each on a SOCK_SEQPACKET socket. Control side; workers have stopped, or have not begun.
 */
#ifndef SLUICE_PORT_BEQUEST_H
#define SLUICE_PORT_BEQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BEQUEST_VERSION = 3, BEQUEST_FDS = 128, BEQUEST_VALUES = 2 + 2 * BEQUEST_FDS, BEQUESTS_MAX = 256 };

struct port;
struct port_options;

struct port_bequest {
	uint32_t version, count;        /* of descriptors */
	uint32_t value[BEQUEST_VALUES]; /* as the kind of port says */
	char url[256], netns[64];       /* what it is; netns: "" the process's own */
	int fds[BEQUEST_FDS];           /* of the process that has them, which is to close them */
	bool taken;                     /* by a port */
};

/* Those that came, or were made ahead, and that no port has taken yet. */
struct port_bequests {
	struct port_bequest *list;
	size_t count;
};

/* Hands a port's over, if it has any; it may be closed then without harm to them. Waits as long as the socket's sender does (SO_SNDTIMEO). False: the heir is gone or does not
 * read, which is logged; it opens the port anew. */
bool bequest_send(int heir, struct port *port);
/* Hands over what is no port's, under a name that no device has; `what` is it for the log. */
bool bequest_give(int heir, struct port_bequest *b, const char *what);
/* Waits for the next and keeps it; false: there are no more. */
bool bequest_receive(int giver, struct port_bequests *bequests);
/* Keeps one; false: there is no memory. */
bool bequests_add(struct port_bequests *bequests, const struct port_bequest *b);
/* The descriptors of a port that is about to be opened, the caller's from here on; false: there are none. */
bool bequest_take(const struct port_options *options, struct port_bequest *taken);
/* The same of those that were made ahead for it (port_prepare()). */
bool bequest_take_prepared(const struct port_options *options, struct port_bequest *taken);
/* Whether there are any. */
bool bequest_waits(const struct port_options *options);
/* Closes what a port took and cannot use. */
void bequest_refuse(const struct port_bequest *taken);
/* Closes what nobody took. */
void bequests_free(struct port_bequests *bequests);

#endif
