/* SPDX-License-Identifier: BSD-3-Clause */
/* The smallest function: counts packets by size and lets them pass. What adding a function takes. */
#include "count/count_class.h"

enum { SMALL, MEDIUM, LARGE };

static const struct nf_counter counters[] = {
	[SMALL] = { "small", "Packets up to 128 bytes.", false },
	[MEDIUM] = { "medium", "Packets of 129 to 1023 bytes.", false },
	[LARGE] = { "large", "Packets of 1024 bytes and more.", false },
	{ NULL, NULL, false },
};

static void process(const struct nf *nf, const void *snapshot, struct batch *b)
{
	(void)nf;
	(void)snapshot;
	for (unsigned i = 0; i < b->count; i++) {
		uint32_t length = rte_pktmbuf_pkt_len(b->m[i]);

		batch_count(b, length <= 128 ? SMALL : length < 1024 ? MEDIUM : LARGE);
	}
}

const struct nf_class count_class = {
	.name = "count",
	.help = "counts packets by size",
	.flags = NF_MAY_BYPASS | NF_STATELESS_OK,
	.counters = counters,
	.process = process,
};
