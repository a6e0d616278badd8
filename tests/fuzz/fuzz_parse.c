/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parser on any bytes: it reads nothing beyond the first segment, what it accepts lies within the frame,
 * and a packet that was rewritten is accepted again with the struct pkt that the rewrite left. First byte of
 * the input: bit 0 verifies, the rest places a cut into segments.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "packet/icmp_error.h"
#include "packet/reset.h"
#include "support/packets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_offsets(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);

	require(!(p->flags & PKT_V4) != !(p->flags & PKT_V6));
	require(p->l3 >= 14 && p->l3 < p->l4 && p->l4 <= p->end && p->end <= m->pkt_len);
	require(p->l4 <= m->data_len);
	if (p->flags & PKT_ICMP_ERROR)
		require(p->inner_l3 > p->l4 && p->inner_l3 + 20 <= p->end);
	if (p->flags & PKT_ICMP_ERROR && p->inner_l4)
		require(p->inner_l4 > p->inner_l3 && p->inner_l4 + 8 <= p->end);
}

/* An error goes to whoever sent what it quotes: both move together, or the parser refuses it. */
static void rewrite(struct rte_mbuf *m)
{
	static const uint8_t src[16] = { 0x20, 1, [15] = 1 }, dst[16] = { 0x20, 1, [15] = 2 };
	bool error = pkt_of(m)->flags & PKT_ICMP_ERROR;

	if (pkt_of(m)->flags & PKT_V4) {
		pkt_set_src4(m, htonl(0x0a010203));
		pkt_set_dst4(m, htonl(0x0a010204));
		if (error)
			pkt_inner_set_src4(m, htonl(0x0a010204), htons(6));
	} else {
		pkt_set_src6(m, src);
		pkt_set_dst6(m, dst);
		if (error)
			pkt_inner_set_src6(m, dst, htons(6));
	}
	pkt_set_sport(m, htons(5));
	pkt_set_dport(m, htons(6));
	if (pkt_ttl(m) > 1)
		pkt_decrement_ttl(m);
}

static void check_rewrite(struct rte_mbuf *m, unsigned verify)
{
	bool right = pkt_transport_checksum_ok(m);
	struct pkt before;

	rewrite(m);
	before = *pkt_of(m);
	require(pkt_parse(m, verify) == PKT_OK);
	if (before.flags & PKT_LATER)
		pkt_of(m)->sport = before.sport, pkt_of(m)->dport = before.dport;
	require(memcmp(&before, pkt_of(m), sizeof(before)) == 0);
	require(!right || pkt_transport_checksum_ok(m));
}

static void check_answers(struct rte_mbuf *m)
{
	struct rte_mbuf *answer = packet_new();
	union ipaddr source = { .bytes = { 0x20, 1, 0x0d, 0xb8 } };
	bool built = icmp_error_build(answer, m, ICMP_TTL_EXCEEDED, 0, &source);

	require(!built || packet_checksums_right(answer));
	packet_free(answer);
	answer = packet_new();
	built = reset_build(answer, m);
	require(!built || packet_checksums_right(answer));
	packet_free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rte_mbuf *m;
	struct tuple tuple;
	unsigned verify;

	if (size < 2 || size > 4000)
		return 0;
	verify = data[0] & 1;
	m = packet_tight(data + 1, size - 1);
	if (data[0] > 1 && (size_t)(data[0] >> 1) < size - 1)
		packet_split(m, data[0] >> 1);
	if (pkt_parse(m, verify) == PKT_OK) {
		check_offsets(m);
		pkt_tuple(m, &tuple);
		check_answers(m);
		check_rewrite(m, verify);
	}
	packet_free(m);
	return 0;
}
