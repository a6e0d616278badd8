/* SPDX-License-Identifier: BSD-3-Clause */
/* The class: what the engine calls. */
#include "firewall/firewall.h"
#include "firewall/firewall_class.h"

static const struct nf_counter counters[] = {
	[DENIED] = { "denied", "First packets that a rule drops.", true },
	[REJECTED] = { "rejected", "First packets that a rule or the default rejects with an answer.", true },
	[DENIED_DEFAULT] = { "denied-default", "First packets that no rule accepts.", true },
	[NOT_A_BEGINNING] = { "not-a-beginning", "TCP segments without a session that do not begin one.",
	                      true },
	[ACCEPTED] = { "accepted", "Sessions accepted.", false },
	[NOT_RELATED] = { "not-related", "ICMP Redirects and Source Quenches about a session.", true },
	[PICKED_UP] = { "picked-up", "Sessions taken up from their middle after a start that lost them.",
	                false },
	{ NULL, NULL, false },
};

const struct nf_class firewall_class = {
	.name = "firewall",
	.help = "stateful firewall: ordered rules by zone, prefix, port, protocol, ICMP type",
	.flags = NF_MAY_BYPASS | NF_PROVES | NF_AHEAD,
	.slot = { .size = sizeof(struct firewall_slot), .version = 3 },
	.counters = counters,
	.schema = firewall_schema,
	.compile = firewall_compile,
	.release = firewall_release,
	.open = firewall_open,
	.review = firewall_review,
	.process = firewall_process,
	.show = firewall_show,
	.show_session = firewall_show_session,
	.metrics = firewall_metrics,
};
