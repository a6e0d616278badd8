/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which packets a trace or a capture is about: a few rules and a port, asked for every packet of a burst only while one is running.
 * Compiled on the control side, constant afterwards.
 */
#ifndef SLUICE_RUNTIME_SIFT_H
#define SLUICE_RUNTIME_SIFT_H

#include <jansson.h>

#include "runtime/classify.h"

struct engine;

struct sift {
	struct nfp_rules rules; /* none: everything */
	uint16_t port;          /* that it comes in by; SIFT_ANY_PORT: any; SIFT_NO_PORT: one that is gone */
	bool one_way;           /* answers are not meant */
};

enum { SIFT_ANY_PORT = 0xffff, SIFT_NO_PORT = 0xfffe };

/* Reads {"rules": [...], "port": "lan", "oneWay": false} (NULL: everything); members that it does not know are left to the caller. False with
 * errors. sift_free it. */
bool sift_compile(struct engine *engine, const json_t *filter, struct sift *sift, struct errors *errors);
void sift_free(struct sift *sift);
/* The port of that number is gone, and its number may be another's. */
void sift_forget_port(struct sift *sift, unsigned number);

/* Whether a tuple, of packet m, is meant. */
bool sift_tuple(const struct sift *sift, struct rte_mbuf *m, const struct tuple *t);
/* Whether a parsed packet is. */
bool sift_packet(const struct sift *sift, struct rte_mbuf *m);

#endif
