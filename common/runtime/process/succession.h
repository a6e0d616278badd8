/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One process takes the place of another that runs in the same folder: make before break. The successor is started with --standby: it comes up as
 * far as it can without touching what its predecessor has, and tells its supervisor so (a stream socket that it was handed). When it is told to go,
 * it asks its predecessor by the socket successor.sock of the folder to leave, and waits until that connection is closed: the
 * predecessor hands over what its ports stand on (port/bequest.h), and closes it, or the kernel does, whenever it ends, when its ports, sockets and session memory are free. A supervisor that is gone before
 * it said go is as good as one that said no.
 *
 * What is said, in lines: "standby API VERSION" and "serving" to the supervisor, "go" from it; "workers N" to the predecessor. Main thread.
 */
#ifndef SLUICE_RUNTIME_SUCCESSION_H
#define SLUICE_RUNTIME_SUCCESSION_H

#include <stdbool.h>

#include "port/bequest.h"
#include "util/errors.h"

/* --- the successor --- */

/* Tells the supervisor, and waits for its word. False: it said no, or is gone. */
bool succession_stand_by(int supervisor);
/* Asks the predecessor to leave, telling how many workers there will be, and waits until it has, keeping what it hands over; at once if there is none. False with an
 * error: it does not leave. */
bool succession_take(const char *directory, unsigned workers, struct port_bequests *inherited,
                     struct errors *errors);
/* Tells the supervisor that the place is taken, and lets go of it. */
void succession_serving(int supervisor);

/* --- the predecessor --- */

/* Where a successor may ask; -1: it cannot be made, which is logged: then it is succeeded after its end. */
int succession_listen(const char *directory);
/* The connection of one who asked and may; to be closed when all is free. -1: none. */
int succession_asked(int listener);
/* Whether that one said that it has another number of workers. */
bool succession_other_workers(int successor, unsigned workers);

#endif
