/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fragment table on any sequence of fragments, five bytes each (which datagram, start, length, time that
 * went by): no packet is lost or comes out twice, later ones leave with the ports of their first, and the
 * bounds hold.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "packet/frag.h"
#include "support/packets.h"

enum { RECORD = 5, HELD = 16, DATAGRAMS = 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static struct rte_mbuf *fragment(const uint8_t *record)
{
	struct packet_spec spec = {
		.src = record[0] & 1 ? "2001:db8::1" : "10.0.0.1",
		.id = record[0] >> 2,
		.more = record[0] & 2,
		.offset = record[1] * 8,
		.length = record[2] + record[3] / 128 * 256,
	};
	struct rte_mbuf *m = packet_build(&spec);

	if (pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM) == PKT_OK && pkt_of(m)->flags & PKT_FRAGMENT)
		return m;
	packet_free(m);
	return NULL;
}

static void free_all(struct rte_mbuf **out, unsigned n)
{
	require(n <= FRAG_OUT);
	for (unsigned i = 0; i < n; i++)
		packet_free(out[i]);
}

static void give(struct frag_table *table, struct rte_mbuf *m, uint64_t now)
{
	struct rte_mbuf *out[FRAG_OUT];
	unsigned n;
	enum frag_result result = frag_input(table, m, now, out, &n);

	require((result == FRAG_HOLD) == (n == 0));
	for (unsigned i = 0; result == FRAG_PASS && i < n; i++)
		require(pkt_of(out[i])->sport == htons(1000) && pkt_of(out[i])->dport == htons(2000));
	free_all(out, n);
	require(frag_held(table) <= HELD && frag_datagrams(table) <= DATAGRAMS);
	require(packet_live() == frag_held(table));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frag_options options = { .held = HELD, .datagrams = DATAGRAMS };
	struct frag_table *table = frag_table_new(&options);
	struct rte_mbuf *out[FRAG_OUT];
	uint64_t now = 1;
	unsigned n;

	require(table);
	for (size_t at = 0; at + RECORD <= size; at += RECORD) {
		struct rte_mbuf *m = fragment(data + at);

		now += data[at + 4] * UINT64_C(100000000);
		while ((n = frag_expire(table, now, 3, out)))
			free_all(out, n);
		if (m)
			give(table, m, now);
	}
	while ((n = frag_drain(table, out)))
		free_all(out, n);
	require(packet_live() == 0);
	frag_table_free(table);
	return 0;
}
