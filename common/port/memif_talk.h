/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the two ends of a memif say to each other until packets flow, and what came of it: memory and queues. The server takes
 * what the client tells, message by message, and answers; the client leads. Control side: the port's own thread, which
 * gives the queues to workers behind a gate. A conversation, with all that came of it, can be handed to the process that takes this one's
 * place (memif_bequest.c): the peer does not notice.
 */
#ifndef SLUICE_PORT_MEMIF_TALK_H
#define SLUICE_PORT_MEMIF_TALK_H

#include "port/bequest.h"
#include "port/memif_queue.h"

/* A peer that does not answer within the first time, or has not come to an end of it within the second, is given up. */
enum { MEMIF_ANSWER_MS = 3000, MEMIF_TALK_MS = 6000 };

enum { MEMIF_MEMORY_MAX_MB = 1024, MEMIF_LOG2_MAX = 14 };

struct memif_peer {
	int fd;                        /* of the conversation; -1: none */
	int stop;                      /* readable: no more words, we leave; -1: that is never */
	uint32_t id;                   /* of the interface; both ends must mean the same */
	bool server;                   /* which end we are */
	uint16_t rx_wanted, tx_wanted; /* queues of ours */
	uint16_t senders; /* of the queues that are written, those that are in use: no peer may have fewer */
	uint8_t log2_wanted, log2_size; /* client: of the rings */
	uint32_t buffer_size;           /* client */
	bool introduced, connected;
	uint16_t region_count, rx_count, tx_count;
	uint64_t until;     /* monotonic ms: the end of the conversation */
	const char *reason; /* why it was given up */
	struct memif_region regions[MEMIF_REGIONS_MAX];
	struct memif_queue rx[PORT_QUEUES_MAX], tx[PORT_QUEUES_MAX];
};

/* Server: one message of the client's, with a descriptor (-1: none), which is taken over. False: it must not say so,
 * `reason` says why; else `answer` is to be sent. */
bool memif_hear(struct memif_peer *p, const struct memif_message *message, int fd,
                struct memif_message *answer);

/* The whole conversation on p->fd, with the options above set; false: it failed, `reason` says why. */
bool memif_serve(struct memif_peer *p, const char *name);
bool memif_introduce(struct memif_peer *p, const char *name);

/* Says all of a conversation that has come to packets; descriptors stay ours. No worker has a queue, and the peer may go on using its end. */
void memif_bequeath(const struct memif_peer *p, struct port_bequest *b);

/* Takes one up from what was said of it: memory is mapped, queues go on where they were. False, with the reason and nothing kept: it is not one, or of the
 * other role. What was said is believed no more than a peer is. The bequest's descriptors stay the caller's. */
bool memif_inherit(struct memif_peer *p, const struct port_bequest *b);

/* Tells the peer why it is given up, as far as it listens. */
void memif_farewell(struct memif_peer *p);

/* Ends it: memory is unmapped, descriptors are closed. No worker may hold a queue. */
void memif_forget(struct memif_peer *p);

#endif
