/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two parts of a memif's conversation share. The port's thread. */
#ifndef SLUICE_PORT_MEMIF_PRIVATE_H
#define SLUICE_PORT_MEMIF_PRIVATE_H

#include "port/memif_talk.h"

/* Says why the peer is given up; false. */
bool memif_fail(struct memif_peer *p, const char *reason);
/* Sends a message, with a descriptor or none (-1). */
bool memif_tell(struct memif_peer *p, struct memif_message *message, int fd);
/* The next message and its descriptor (-1: none), which becomes the caller's. */
bool memif_listen(struct memif_peer *p, struct memif_message *message, int *fd);
/* From now on neither sending nor receiving takes longer than MEMIF_ANSWER_MS, and both not longer than MEMIF_TALK_MS. */
bool memif_begin(struct memif_peer *p);

#endif
