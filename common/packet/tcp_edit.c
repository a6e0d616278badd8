/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See tcp_edit.h.
 */
#include <netinet/in.h>

#include <rte_ether.h>

#include "packet/checksum.h"
#include "packet/originate.h"
#include "packet/tcp_edit.h"

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_SCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_STAMP = 8,
	LENGTH_MSS = 4,
	LENGTH_SCALE = 3,
	LENGTH_SACK_PERMITTED = 2,
	LENGTH_STAMP = 10,
	SCALE_MAX = 14,
	OPTIONS_MAX = 40,
};

static void read_option(const uint8_t *option, uint16_t at, struct tcp_options *o)
{
	uint8_t length = option[1];

	if (option[0] == OPTION_MSS && length == LENGTH_MSS) {
		o->mss = (uint16_t)(option[2] << 8 | option[3]);
	} else if (option[0] == OPTION_SCALE && length == LENGTH_SCALE) {
		o->scale = option[2] < SCALE_MAX ? option[2] : SCALE_MAX;
	} else if (option[0] == OPTION_SACK_PERMITTED && length == LENGTH_SACK_PERMITTED) {
		o->sack_permitted = true;
	} else if (option[0] == OPTION_STAMP && length == LENGTH_STAMP) {
		o->stamp = at + 2;
	} else if (option[0] == OPTION_SACK && length % 8 == 2) {
		o->sack = at + 2;
		o->sacks = length / 8;
	}
}

void tcp_options_read(struct rte_mbuf *m, struct tcp_options *options)
{
	const uint8_t *begin = pkt_at(m, pkt_of(m)->l4);
	uint16_t end = (uint16_t)((((const struct rte_tcp_hdr *)begin)->data_off >> 4) * 4);
	uint16_t at = sizeof(struct rte_tcp_hdr);

	*options = (struct tcp_options){ .scale = TCP_NO_SCALE };
	while (at < end && begin[at] != OPTION_END) {
		if (begin[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (end - at < 2 || begin[at + 1] < 2 || begin[at + 1] > end - at)
			return;
		read_option(begin + at, at, options);
		at += begin[at + 1];
	}
}

uint32_t tcp_word(struct rte_mbuf *m, uint16_t offset)
{
	rte_be32_t word;

	memcpy(&word, pkt_at(m, pkt_of(m)->l4 + offset), sizeof(word));
	return rte_be_to_cpu_32(word);
}

void tcp_set_word(struct rte_mbuf *m, uint16_t offset, uint32_t value)
{
	struct rte_tcp_hdr *tcp = pkt_at(m, pkt_of(m)->l4);
	uint8_t *at = (uint8_t *)tcp + offset;
	rte_be32_t before, after = rte_cpu_to_be_32(value);
	uint16_t delta;

	memcpy(&before, at, sizeof(before));
	memcpy(at, &after, sizeof(after));
	delta = checksum_delta32(before, after);
	tcp->cksum = checksum_update(tcp->cksum, offset % 2 ? rte_bswap16(delta) : delta);
}

void tcp_set_window(struct rte_mbuf *m, uint16_t window)
{
	struct rte_tcp_hdr *tcp = pkt_at(m, pkt_of(m)->l4);
	rte_be16_t after = rte_cpu_to_be_16(window);

	tcp->cksum = checksum_update(tcp->cksum, checksum_delta16(tcp->rx_win, after));
	tcp->rx_win = after;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	rte_be32_t word = rte_cpu_to_be_32(value);

	memcpy(at, &word, sizeof(word));
	return at + sizeof(word);
}

/* In words of 32 bits, in the order that hosts write them; returns how many bytes. */
static uint16_t put_options(uint8_t *to, const struct tcp_fields *f)
{
	uint8_t *at = to;

	if (f->mss)
		at = put32(at, (uint32_t)OPTION_MSS << 24 | LENGTH_MSS << 16 | f->mss);
	if (f->sack_permitted || f->stamped) {
		uint32_t first = f->sack_permitted ? OPTION_SACK_PERMITTED << 8 | LENGTH_SACK_PERMITTED
		                                   : OPTION_NOP << 8 | OPTION_NOP;
		uint32_t second =
		        f->stamped ? OPTION_STAMP << 8 | LENGTH_STAMP : OPTION_NOP << 8 | OPTION_NOP;

		at = put32(at, first << 16 | second);
	}
	if (f->stamped)
		at = put32(put32(at, f->stamp), f->echo);
	if (f->scale != TCP_NO_SCALE)
		at = put32(at,
		           (uint32_t)OPTION_NOP << 24 | OPTION_SCALE << 16 | LENGTH_SCALE << 8 | f->scale);
	return (uint16_t)(at - to);
}

/* Everything but the ports; returns the length of the header. */
static uint16_t put_header(struct rte_tcp_hdr *tcp, const struct tcp_fields *f)
{
	uint8_t options[OPTIONS_MAX];
	uint16_t length = put_options(options, f);

	memcpy(tcp + 1, options, length);
	length += (uint16_t)sizeof(*tcp);
	tcp->sent_seq = rte_cpu_to_be_32(f->seq);
	tcp->recv_ack = rte_cpu_to_be_32(f->ack);
	tcp->data_off = (uint8_t)(length / 4 << 4);
	tcp->tcp_flags = f->flags;
	tcp->rx_win = rte_cpu_to_be_16(f->window);
	tcp->tcp_urp = 0;
	return length;
}

static uint16_t header_length(const struct tcp_fields *f)
{
	uint8_t options[OPTIONS_MAX];

	return (uint16_t)sizeof(struct rte_tcp_hdr) + put_options(options, f);
}

bool tcp_editable(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);

	return p->proto == IPPROTO_TCP && !(p->flags & (PKT_FRAGMENT | PKT_OPTIONS | PKT_ICMP_ERROR)) &&
	       m->nb_segs == 1;
}

bool tcp_rewrite(struct rte_mbuf *m, const struct tcp_fields *fields)
{
	struct pkt *p = pkt_of(m);
	uint16_t end = p->l4 + header_length(fields), length = rte_pktmbuf_data_len(m);

	if (!tcp_editable(m) || (end > length && rte_pktmbuf_tailroom(m) < end - length))
		return false;
	if (end > length)
		rte_pktmbuf_append(m, end - length);
	else
		rte_pktmbuf_trim(m, length - end);
	put_header(pkt_at(m, p->l4), fields);
	p->end = end;
	p->tcp_flags = fields->flags;
	if (p->flags & PKT_V4)
		pkt_ip4(m)->total_length = rte_cpu_to_be_16(end - p->l3);
	else
		pkt_ip6(m)->payload_len = rte_cpu_to_be_16(end - p->l4);
	pkt_checksums(m);
	return true;
}

static void exchange(void *a, void *b, size_t length)
{
	uint8_t kept[sizeof(union ipaddr)];

	memcpy(kept, a, length);
	memcpy(a, b, length);
	memcpy(b, kept, length);
}

static void turn_ip4(struct rte_ipv4_hdr *ip)
{
	exchange(&ip->src_addr, &ip->dst_addr, sizeof(ip->src_addr));
	ip->type_of_service = 0;
	ip->packet_id = 0;
	ip->fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = ORIGINATE_TTL;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void turn_ip6(struct rte_ipv6_hdr *ip)
{
	exchange(ip->src_addr, ip->dst_addr, sizeof(ip->src_addr));
	ip->vtc_flow = rte_cpu_to_be_32(UINT32_C(6) << 28);
	ip->hop_limits = ORIGINATE_TTL;
}

void tcp_turn(struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	struct rte_tcp_hdr *tcp = pkt_at(m, p->l4);

	exchange(frame, frame + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	if (p->flags & PKT_V4)
		turn_ip4(pkt_ip4(m));
	else
		turn_ip6(pkt_ip6(m));
	exchange(&tcp->src_port, &tcp->dst_port, sizeof(tcp->src_port));
	exchange(&p->sport, &p->dport, sizeof(p->sport));
	p->flags |= PKT_ORIGINATED;
	p->session = NULL;
}

uint16_t tcp_length(const struct tcp_fields *fields, uint8_t family)
{
	return header_length(fields) +
	       (family == FAMILY_V4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr));
}

bool tcp_build(struct rte_mbuf *m, const struct tuple *t, const struct tcp_fields *fields)
{
	uint16_t length = tcp_length(fields, t->family);
	struct rte_ether_hdr *ether = (void *)rte_pktmbuf_append(m, (uint16_t)(sizeof(*ether) + length));
	struct rte_tcp_hdr *tcp;
	uint8_t *at;

	if (!ether)
		return false;
	memset(ether, 0, sizeof(*ether));
	at = (uint8_t *)(ether + 1);
	ether->ether_type =
	        rte_cpu_to_be_16(t->family == FAMILY_V4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	if (t->family == FAMILY_V4)
		at = originate_ip4(at, length, IPPROTO_TCP, 0, t->src.v4, t->dst.v4);
	else
		at = originate_ip6(at, length, IPPROTO_TCP, t->src.bytes, t->dst.bytes);
	tcp = (struct rte_tcp_hdr *)at;
	tcp->src_port = t->sport;
	tcp->dst_port = t->dport;
	put_header(tcp, fields);
	if (pkt_parse(m, 0) != PKT_OK) {
		rte_pktmbuf_trim(m, m->data_len);
		return false;
	}
	pkt_checksums(m);
	return true;
}
