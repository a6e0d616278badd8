/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An ordered list of rules as a classifier (rte_acl, one trie a family). Built on the control side, which may take seconds at ten thousand
 * rules; looked up by any thread; freed by its owner after a grace period. Needs EAL.
 */
#ifndef SLUICE_MATCH_ACL_H
#define SLUICE_MATCH_ACL_H

#include <stdint.h>

#include "packet/tuple.h"
#include "util/net.h"

enum { ACL_ANY_ZONE = 0xffff };

/* What a rule asks; a rule with several prefixes or services is added once for each combination, under the same index. */
struct acl_rule {
	uint8_t family;                       /* FAMILY_V4 or FAMILY_V6 */
	struct ip_prefix source, destination; /* length 0: any */
	uint8_t protocol, any_protocol;
	uint16_t source_first, source_last, destination_first,
	        destination_last;       /* host order; 0..65535: any */
	uint16_t icmp_first, icmp_last; /* type << 8 | code; 0..65535: any */
	uint16_t from, to;              /* zones; ACL_ANY_ZONE: any */
};

struct acl_builder;
struct acl;
/* ACLs that are kept with their rules, for whoever asks for the same once more: what takes seconds is done ahead. One thread at a time uses it, and builds and
 * frees what has been on it. */
struct acl_shelf;

/* NULL: no memory. */
struct acl_shelf *acl_shelf_new(void);
/* What is used stays until it is freed. NULL is none. */
void acl_shelf_free(struct acl_shelf *shelf);

/* Collects rules; lower indexes win. NULL: no memory. */
struct acl_builder *acl_builder_new(void);
/* index: 0 .. 2^24; false: no memory. */
bool acl_builder_add(struct acl_builder *builder, const struct acl_rule *rule, unsigned index);
/* Compiles into *acl, or takes it from the shelf (NULL: there is none) and puts it there, and frees the builder. 0, or a negative errno and *acl NULL: -ENOMEM is memory, of the heap or (rules and tries) of the
 * EAL; -EINVAL a rule that the library refuses. */
int acl_build(struct acl_builder *builder, struct acl_shelf *shelf, struct acl **acl);
void acl_builder_free(struct acl_builder *builder);
void acl_free(struct acl *acl);

/* One packet's question. */
struct acl_query {
	struct tuple tuple;
	uint16_t icmp; /* type << 8 | code */
	uint16_t from, to;
};
/* results[i]: index of the first rule that matches + 1, or 0. n <= 64. */
void acl_classify(const struct acl *acl, const struct acl_query *const *queries, uint32_t *results,
                  unsigned n);

#endif
