/* SPDX-License-Identifier: BSD-3-Clause */
/* See shift.h. */
#include "flow/shift.h"

#include "flow/tcp.h"
#include "packet/checksum.h"

enum { SEQ = 4, ACK = 8, WINDOW_MAX = UINT16_MAX, STAMP_WORD = 0x0101080a, STAMP_USUAL = 24 };

/* Where TSval is; 0: nowhere. Nearly all segments have it in the usual place, alone. */
static uint16_t stamp_at(struct rte_mbuf *m, struct tcp_options *options)
{
	const struct rte_tcp_hdr *tcp = pkt_at(m, pkt_of(m)->l4);

	if (tcp->data_off >> 4 == 8 && tcp_word(m, sizeof(*tcp)) == STAMP_WORD)
		return STAMP_USUAL;
	tcp_options_read(m, options);
	return options->stamp;
}

static void add(struct rte_mbuf *m, uint16_t offset, uint32_t what)
{
	tcp_set_word(m, offset, tcp_word(m, offset) + what);
}

/* As many bytes, written by another scale; never more. */
static void rescale(struct rte_mbuf *m, unsigned from, unsigned to)
{
	const struct rte_tcp_hdr *tcp = pkt_at(m, pkt_of(m)->l4);
	uint32_t window = ((uint32_t)rte_be_to_cpu_16(tcp->rx_win) << from) >> to;

	tcp_set_window(m, (uint16_t)(window < WINDOW_MAX ? window : WINDOW_MAX));
}

/* A word of the quoted segment, of which no more than its first 8 bytes need be there. */
static void add_quoted(struct rte_mbuf *m, uint16_t offset, uint32_t what)
{
	struct pkt *p = pkt_of(m);
	struct rte_icmp_hdr *icmp = pkt_at(m, p->l4);
	uint16_t at = p->inner_l4 + offset;
	rte_be32_t before, after;
	uint16_t delta;

	if (!p->inner_l4 || at + sizeof(before) > p->end)
		return;
	memcpy(&before, pkt_at(m, at), sizeof(before));
	after = rte_cpu_to_be_32(rte_be_to_cpu_32(before) + what);
	memcpy(pkt_at(m, at), &after, sizeof(after));
	delta = checksum_delta32(before, after);
	icmp->icmp_cksum = checksum_update(icmp->icmp_cksum, (at - p->l4) % 2 ? rte_bswap16(delta) : delta);
}

static unsigned kind_of(struct rte_mbuf *m)
{
	return pkt_of(m)->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG | RTE_TCP_RST_FLAG);
}

void shift_to_client(const struct tcp_shift *shift, struct rte_mbuf *m)
{
	struct tcp_options options;
	uint16_t stamp;

	if (pkt_of(m)->flags & PKT_ICMP_ERROR) {
		add_quoted(m, ACK, shift->seq);
		return;
	}
	if (kind_of(m) == RTE_TCP_SYN_FLAG)
		return; /* the server begins something else */
	add(m, SEQ, shift->seq);
	if (shift->flags & SHIFT_BOTH_STAMPED && (stamp = stamp_at(m, &options)) != 0)
		add(m, stamp, shift->stamp);
	if (shift->client_scale == TCP_NO_SCALE || shift->server_scale == SHIFT_SCALE ||
	    kind_of(m) & RTE_TCP_SYN_FLAG)
		return;
	rescale(m, shift->server_scale == TCP_NO_SCALE ? 0 : shift->server_scale, SHIFT_SCALE);
}

static void shift_blocks(struct rte_mbuf *m, const struct tcp_options *options, uint32_t by)
{
	for (unsigned i = 0; i < 2u * options->sacks; i++)
		add(m, (uint16_t)(options->sack + 4 * i), by);
}

void shift_to_server(const struct tcp_shift *shift, struct rte_mbuf *m)
{
	struct tcp_options options = { .sacks = 0 };
	uint16_t stamp;

	if (pkt_of(m)->flags & PKT_ICMP_ERROR) {
		add_quoted(m, SEQ, -shift->seq);
		return;
	}
	if (!(kind_of(m) & RTE_TCP_ACK_FLAG))
		return;
	add(m, ACK, -shift->seq);
	stamp = stamp_at(m, &options);
	if (stamp && shift->flags & SHIFT_BOTH_STAMPED)
		add(m, stamp + 4, -shift->stamp);
	shift_blocks(m, &options, -shift->seq);
	if (shift->server_scale == TCP_NO_SCALE && shift->client_scale != TCP_NO_SCALE &&
	    !(kind_of(m) & RTE_TCP_SYN_FLAG))
		rescale(m, shift->client_scale, 0);
}

static bool scale_valid(unsigned scale)
{
	return scale <= TCP_MAX_SCALE || scale == TCP_NO_SCALE;
}

bool shift_valid(const struct tcp_shift *shift)
{
	return !(shift->flags & SHIFT_WAITING) && scale_valid(shift->client_scale) &&
	       scale_valid(shift->server_scale);
}

void shift_carry_to_server(const struct tcp_shift *shift, struct flow_carry *carry)
{
	bool scaled = shift->client_scale != TCP_NO_SCALE && shift->server_scale != TCP_NO_SCALE;

	carry->flags &= (uint8_t)~SESSION_SHIFTED;
	carry->tcp[1].end -= shift->seq;
	carry->tcp[1].max_end -= shift->seq;
	for (unsigned i = 0; i < 2; i++)
		carry->tcp_scale[i] &= (uint8_t)~TCP_SCALE_MASK;
	if (scaled) {
		carry->tcp_scale[0] |= shift->client_scale;
		carry->tcp_scale[1] |= shift->server_scale;
	}
}
