/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Capture: packets at chosen gates (ports, both directions; functions, before and after) that a filter takes, as pcapng. One at a time.
 *
 * Threads: a worker copies packets into a ring of its own (one writer, one reader, no lock, a full ring loses and counts); the HTTP thread
 * takes them out and makes blocks of them as the one stream asks for them. The control side makes all of it and hands rings over and back between two
 * turns. The capture lives until the engine and the stream have both let go of it.
 *
 * librte_pcapng writes the interfaces of the ethdev layer alone; most of our ports, and all gates of functions, are none of those.
 */
#ifndef SLUICE_RUNTIME_CAPTURE_H
#define SLUICE_RUNTIME_CAPTURE_H

#include <stdatomic.h>

#include <jansson.h>

#include "runtime/batch.h"
#include "runtime/look/sift.h"
#include "runtime/snapshot.h"

struct engine;
struct worker;
struct position;
struct capture;
struct rest_reply;

enum {
	CAPTURE_RING = 4 << 20, /* bytes, for each worker; a power of two */
	CAPTURE_SNAP_MIN = 64,
	CAPTURE_SNAP_MAX = 65535,
	CAPTURE_GATES_MAX = ENGINE_PORTS_MAX + 2 * ENGINE_NFS_MAX,
	CAPTURE_NO_GATE = 0xff,
};

enum capture_direction { CAPTURE_IN = 1, CAPTURE_OUT = 2 }; /* as pcapng numbers them */

/* What lies before a packet's bytes in a ring. */
struct capture_head {
	uint64_t time; /* ns since 1970 */
	uint32_t kept, length;
	uint8_t gate, direction;
};

struct capture_ring {
	struct sift sift;
	uint32_t snap;
	uint8_t port_gate[ENGINE_PORTS_MAX]; /* number of the gate, or CAPTURE_NO_GATE */
	uint8_t nf_gate[2][ENGINE_NFS_MAX];  /* before, after */
	_Atomic uint64_t lost;
	_Atomic uint64_t head __rte_cache_aligned; /* moved by the reader */
	_Atomic uint64_t tail __rte_cache_aligned; /* moved by the worker */
	uint8_t bytes[CAPTURE_RING];
};

/* --- On the worker, while it has a ring. --- */
/* kinds: what the parser said of each; NULL: all were parsed or made here. */
void capture_port(struct worker *w, uint16_t port, enum capture_direction direction, struct rte_mbuf **m,
                  const enum pkt_malformed *kinds, unsigned n);
void capture_function(struct worker *w, const struct position *p, const struct batch *b, bool after);

/* --- Control side. --- */
struct capture_options {
	struct sift sift; /* taken over when capture_start answers true */
	const json_t *at; /* names of ports and functions; NULL: all ports */
	unsigned snap, packets, seconds;
};
bool capture_start(struct engine *engine, const struct capture_options *options, struct errors *errors);
/* Ends and forgets; a stream gets what is left. */
void capture_clear(struct engine *engine);
/* Ends one whose time is over, wakes the stream. Main thread, a few times a second. */
void capture_poll(struct engine *engine);
/* A port or function is gone: what comes to have its number is not captured in its name. Under engine->lock. */
void capture_forget_port(struct engine *engine, unsigned number);
void capture_forget_function(struct engine *engine, unsigned id);
/* {running, gates[], packets, lost}; NULL: none. New reference. */
json_t *capture_show(struct engine *engine);
/* Makes the reply the stream; one at a time. */
void capture_stream(struct engine *engine, struct rest_reply *reply);

/* capture_ring.c: the reader's side. The oldest packet's head; false: empty. */
bool capture_peek(struct capture_ring *ring, struct capture_head *head);
/* Copies the bytes of the packet that was peeked, and gives its room back. */
void capture_take(struct capture_ring *ring, const struct capture_head *head, uint8_t *to);

/* pcapng.c: blocks of the format; each answers its length. Room: 256 bytes, for a packet its kept bytes and 64 more. */
size_t pcapng_section(uint8_t *to);
size_t pcapng_interface(uint8_t *to, const char *name, uint32_t snap);
/* The bytes of the packet lie at to + PCAPNG_DATA already. */
enum { PCAPNG_DATA = 28 };
size_t pcapng_packet(uint8_t *to, const struct capture_head *head);

#endif
