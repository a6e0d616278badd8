/* SPDX-License-Identifier: BSD-3-Clause */
/* The class: what the engine calls. */
#include "nat/nat.h"
#include "nat/nat_class.h"

static const struct nf_counter counters[] = {
	[NAT_NO_PORT] = { "no-port", "First packets refused because no outside port is left.", true },
	[NAT_NO_MAPPING] = { "no-mapping", "Inward packets to an outside address where nothing is mapped.",
	                     true },
	[NAT_FILTERED] = { "filtered", "Inward packets to a mapping that has not sent to their source.",
	                   true },
	[NAT_MAPPINGS_FULL] = { "mappings-full",
	                        "First packets refused because the table of mappings is full.", true },
	[NAT_NOT_A_BEGINNING] = { "not-a-beginning", "TCP segments without a session that do not begin one.",
	                          true },
	[NAT_NOT_TRANSLATABLE] = { "not-translatable",
	                           "Protocols without ports, from hosts without a static translation.",
	                           true },
	[NAT_HAIRPIN_REFUSED] = { "hairpin-refused",
	                          "Inside packets to an outside address while hairpinning is off.", true },
	[NAT_NO_RULE] = { "no-rule", "First packets that no rule translates.", true },
	[NAT_TRANSLATED] = { "translated", "Sessions translated.", false },
	[NAT_HAIRPINNED] = { "hairpinned", "Packets that turned round to another inside host.", false },
	{ NULL, NULL, false },
};

const struct nf_class nat_class = {
	.name = "nat",
	.help = "NAPT44 with pools, 1:1, port forwarding, hairpinning (RFC 4787, 5382, 5508)",
	.flags = NF_NEEDS_ROUTED | NF_REWRITES,
	.slot = { .size = sizeof(struct nat_slot), .version = 2 },
	.counters = counters,
	.schema = nat_schema,
	.compile = nat_compile,
	.release = nat_release,
	.start = nat_start,
	.stop = nat_stop,
	.owner = nat_owner,
	.open = nat_open,
	.review = nat_review,
	.process = nat_process,
	.close = nat_close,
	.adopt = nat_adopt,
	.hear = nat_hear,
	.ahead = nat_ahead,
	.recall = nat_recall,
	.tick = nat_tick,
	.claims = nat_claims,
	.show = nat_show,
	.show_session = nat_show_session,
	.metrics = nat_metrics,
};
