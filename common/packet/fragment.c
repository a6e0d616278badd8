/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See fragment.h.
 */
#include "packet/checksum.h"
#include "packet/copy.h"
#include "packet/fragment.h"

enum { OPTION_END = 0, OPTION_NONE = 1, OPTION_COPIED = 0x80 };

/* The packet while it is being cut. */
struct cut {
	struct rte_mbuf *m;
	const struct pkt *p;
	const struct rte_ipv4_hdr *ip;
	uint16_t mtu;
	uint16_t header;  /* bytes of the IP header of the packet */
	uint16_t done;    /* bytes of its payload that are in pieces already */
	uint16_t payload; /* bytes of all of it */
};

/* RFC 791: later pieces carry only the options that are marked to be copied. Returns the length of the new
 * header. */
static uint16_t copy_options(uint8_t *to, const uint8_t *options, uint16_t length)
{
	uint16_t made = 0;

	for (uint16_t at = 0, size; at < length && options[at] != OPTION_END; at += size) {
		size = options[at] == OPTION_NONE || at + 1 == length ? 1 : options[at + 1];
		if (size == 0 || at + size > length)
			break;
		if (options[at] & OPTION_COPIED) {
			memcpy(to + made, options + at, size);
			made += size;
		}
	}
	while (made % 4)
		to[made++] = OPTION_END;
	return made;
}

/* Writes the header of the next piece without length and checksum; returns its length. */
static uint16_t put_header(const struct cut *c, uint8_t *at)
{
	const uint8_t *options = (const uint8_t *)(c->ip + 1);
	uint16_t length = c->header - sizeof(*c->ip);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)at;

	memcpy(at, c->ip, sizeof(*ip));
	if (c->done == 0)
		memcpy(ip + 1, options, length);
	else
		length = copy_options((uint8_t *)(ip + 1), options, length);
	length += sizeof(*ip);
	ip->version_ihl = RTE_IPV4_VHL_DEF - RTE_IPV4_MIN_IHL + length / RTE_IPV4_IHL_MULTIPLIER;
	return length;
}

/* Length, offset and checksum, once it is known how much the piece holds. */
static void finish_header(const struct cut *c, struct rte_ipv4_hdr *ip, uint16_t header, uint16_t size)
{
	uint16_t field = rte_be_to_cpu_16(c->ip->fragment_offset);
	uint16_t more = field & RTE_IPV4_HDR_MF_FLAG;
	uint16_t offset = (field & RTE_IPV4_HDR_OFFSET_MASK) + c->done / RTE_IPV4_HDR_OFFSET_UNITS;

	if (c->done + size < c->payload)
		more = RTE_IPV4_HDR_MF_FLAG;
	ip->total_length = rte_cpu_to_be_16(header + size);
	ip->fragment_offset = rte_cpu_to_be_16(more | offset);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, header);
}

static void describe(const struct cut *c, struct rte_mbuf *piece, uint16_t header)
{
	struct pkt *p = pkt_of(piece);

	*p = *c->p;
	p->flags |= PKT_FRAGMENT;
	if (c->done)
		p->flags |= PKT_LATER;
	if (header == sizeof(*c->ip))
		p->flags &= ~PKT_OPTIONS;
	p->l4 = p->l3 + header;
	p->end = (uint16_t)piece->data_len;
}

/* Fills one piece; 0: not even 8 bytes fit. */
static uint16_t put_piece(const struct cut *c, struct rte_mbuf *piece)
{
	uint16_t l3 = c->p->l3, room = rte_pktmbuf_tailroom(piece), header, size;
	uint8_t *frame = rte_pktmbuf_mtod(piece, uint8_t *);

	if (room < l3 + c->header + RTE_IPV4_HDR_OFFSET_UNITS || c->mtu < c->header)
		return 0;
	packet_copy(frame, c->m, 0, l3);
	header = put_header(c, frame + l3);
	size = RTE_MIN(c->mtu, room - l3) - header;
	if (size >= c->payload - c->done)
		size = c->payload - c->done;
	else
		size -= size % RTE_IPV4_HDR_OFFSET_UNITS;
	if (size == 0)
		return 0;
	packet_copy(frame + l3 + header, c->m, l3 + c->header + c->done, size);
	rte_pktmbuf_append(piece, l3 + header + size);
	finish_header(c, (struct rte_ipv4_hdr *)(frame + l3), header, size);
	describe(c, piece, header);
	return size;
}

static struct cut cut_begin(struct rte_mbuf *m, uint16_t mtu)
{
	const struct pkt *p = pkt_of(m);
	const struct rte_ipv4_hdr *ip = pkt_ip4(m);
	uint16_t header = rte_ipv4_hdr_len(ip);

	return (struct cut){
		.m = m,
		.p = p,
		.ip = ip,
		.mtu = mtu,
		.header = header,
		.payload = p->end - p->l3 - header,
	};
}

static bool may_cut(struct rte_mbuf *m)
{
	return pkt_of(m)->flags & PKT_V4 &&
	       !(pkt_ip4(m)->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG));
}

enum fragment_result fragment_ip4(struct rte_mbuf *m, uint16_t mtu, fragment_alloc alloc, void *context,
                                  struct rte_mbuf **out, unsigned room, unsigned *n)
{
	struct cut c;

	*n = 0;
	if (!may_cut(m))
		return FRAGMENT_TOO_BIG;
	c = cut_begin(m, mtu);
	while (c.done < c.payload) {
		uint16_t size;

		if (*n == room)
			return FRAGMENT_FAILED;
		out[*n] = alloc(context);
		if (!out[*n])
			return FRAGMENT_NO_MBUF;
		size = put_piece(&c, out[(*n)++]);
		if (size == 0)
			return FRAGMENT_FAILED;
		c.done += size;
	}
	return FRAGMENT_DONE;
}
