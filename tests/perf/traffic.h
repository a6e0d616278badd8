/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Traffic for measuring a process from outside: one end sends numbered, timed UDP frames of many flows into a port, the other takes them from a port
 * and tells rate, loss and latency. Each end is one thread's; what both read is atomic or written while neither runs.
 */
#ifndef SLUICE_PERF_TRAFFIC_H
#define SLUICE_PERF_TRAFFIC_H

#include <stdatomic.h>

#include "port/port.h"

enum { TRAFFIC_BURST = 32, TRAFFIC_TIMES = 1 << 20, TRAFFIC_FRAME_MAX = 1518 };

struct sender {
	struct port *port;
	struct rte_mempool *pool;
	uint8_t mac[6]; /* of the process's port */
	uint32_t flows, flow;
	uint16_t size;
	uint16_t phase;   /* bears every frame, so that late ones of another are not counted */
	uint64_t rate;    /* packets a second; 0: as many as the port takes */
	uint64_t begin;   /* cycles */
	uint64_t due;     /* packets that have had their turn since then */
	uint64_t sent;    /* that the port took */
	uint64_t refused; /* that it had no room for, although they were due */
	uint8_t head[64]; /* of every frame */
};

struct receiver {
	struct port *port;
	_Atomic uint16_t phase;
	_Atomic uint64_t received; /* of this phase; the receiver alone writes */
	_Atomic uint64_t last;     /* cycles; when the last one came */
	uint64_t seed;
	uint32_t count;  /* of times */
	uint32_t *times; /* latencies in cycles: a random choice of TRAFFIC_TIMES of them */
};

/* Makes the head of the frames. */
void sender_prepare(struct sender *s);
/* Sends what is due, and answers what asks for its address. */
void sender_step(struct sender *s);
/* Takes what is there, and answers what asks for its address. */
void receiver_step(struct receiver *r);

#endif
