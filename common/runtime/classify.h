/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which packets a path takes: the match of a network forwarding path (ETSI NFV: NfpRule). Few rules, asked only when a session is opened, so
 * a linear list is enough. Immutable once compiled.
 */
#ifndef SLUICE_RUNTIME_CLASSIFY_H
#define SLUICE_RUNTIME_CLASSIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "config/conf.h"
#include "config/schema.h"
#include "packet/pkt.h"
#include "util/net.h"

struct nfp_rule {
	struct ip_prefix source, destination;
	uint16_t source_first, source_last, destination_first, destination_last; /* host order */
	uint16_t vlan;                                                           /* 0: any */
	uint8_t has_source, has_destination, has_ports;
	uint8_t protocol; /* 0: any */
	uint8_t family;   /* 0: any */
	int16_t dscp;     /* -1: any */
};

struct nfp_rules {
	struct nfp_rule *list;
	unsigned count;
};

/* Compiles a `match` list (NULL: none); false with errors. */
bool nfp_compile(const struct conf *match, struct nfp_rules *rules, struct errors *errors);
void nfp_free(struct nfp_rules *rules);

/* Whether a packet is taken; walk 1 matches with source and destination exchanged. An empty list takes everything. */
bool nfp_match(const struct nfp_rules *rules, struct rte_mbuf *m, const struct tuple *tuple, int walk);

#endif
