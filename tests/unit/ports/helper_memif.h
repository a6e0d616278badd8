/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two ends of a memif in one process, and frames that can be told apart. One test program, one thread but for the server's that joined() ends.
 */
#ifndef TESTS_UNIT_PORTS_HELPER_MEMIF_H
#define TESTS_UNIT_PORTS_HELPER_MEMIF_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "port/memif_talk.h"

enum { PAIR_LOG2 = 6, PAIR_BUFFER = 256, PAIR_BURST = 32 };

struct pair {
	struct memif_peer *server, *client;
};

/* What all frames are of, and the port that both ends say they are; from pair_start() on. */
extern struct rte_mempool *pair_pool;
extern struct port pair_port;

/* For cmocka_run_group_tests(): EAL and the pool. */
int pair_start(void **state);
int pair_stop(void **state);

/* Below `sides`; the same in every run. */
uint32_t dice(uint32_t sides);
struct memif_peer *new_peer(int fd, bool server, uint16_t queues);
/* A server and a client who have introduced themselves, or (`well` false) could not. End with pair_part(). */
struct pair pair_joined(uint16_t server_queues, uint16_t client_queues, bool well);
void pair_part(struct pair pair);

/* Frame `number`, in one segment or cut into several; whether one is that, in one segment. */
struct rte_mbuf *pair_frame(uint32_t number);
void is_frame(const struct rte_mbuf *m, uint32_t number);
/* Some frames from `number` on; answer the number of the next. */
uint32_t send_some(struct memif_queue *q, uint32_t number);
uint32_t receive_some(struct memif_queue *q, uint32_t number);
/* Reads and writes once at an end whose peer may be of any kind. */
void pair_turn(struct memif_queue *rx, struct memif_queue *tx);

#endif
