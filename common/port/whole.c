/* SPDX-License-Identifier: BSD-3-Clause */
/* Checksums and segments that a sender left to its device. Worker thread; no state beyond struct whole. */
#include "port/whole.h"

#include <string.h>

#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

enum {
	GSO_UDP_L4 = 5,       /* newer than the oldest kernel headers that we build with */
	SCTP_CHECKSUM_AT = 8, /* in its header; no other protocol has its checksum there */
	HEADERS_MAX = 1024,
	PARTIAL_LEAST = 42, /* Ethernet, IPv4, UDP */
};

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static uint16_t read16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void write16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
}

/* SCTP has a CRC instead (RFC 9260, appendix A), over its packet with a zero in the field. */
static bool sctp_checksum(uint8_t *frame, uint32_t length, uint32_t start)
{
	uint32_t crc = 0;

	if (start + SCTP_CHECKSUM_AT + sizeof(crc) > length)
		return false;
	memset(frame + start + SCTP_CHECKSUM_AT, 0, sizeof(crc));
	crc = rte_cpu_to_le_32(~rte_hash_crc(frame + start, length - start, UINT32_MAX));
	memcpy(frame + start + SCTP_CHECKSUM_AT, &crc, sizeof(crc));
	return true;
}

bool whole_checksum(uint8_t *frame, uint32_t length, const struct virtio_net_hdr *header)
{
	uint32_t field = (uint32_t)header->csum_start + header->csum_offset;
	uint16_t sum;

	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	if (header->csum_offset == SCTP_CHECKSUM_AT)
		return sctp_checksum(frame, length, header->csum_start);
	if (field + 2 > length)
		return false;
	sum = (uint16_t)~rte_raw_cksum(frame + header->csum_start, length - header->csum_start);
	/* 0 means "no checksum" to UDP; for TCP both zeros are the same. */
	write16(frame + field, sum ? sum : 0xffff);
	return true;
}

static uint16_t offset_of_ip(const uint8_t *frame)
{
	uint16_t offset = 2 * RTE_ETHER_ADDR_LEN, type = rte_be_to_cpu_16(read16(frame + offset));

	for (unsigned tags = 0; tags < 2 && (type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ);
	     tags++) {
		offset += RTE_VLAN_HLEN;
		type = rte_be_to_cpu_16(read16(frame + offset));
	}
	return (uint16_t)(offset + 2);
}

/* The transport header behind an IP header of a frame that is not a fragment: its protocol, where it is, the bytes that it has with
 * its payload, and the sum of the pseudo header. False: it is not TCP or UDP, or not all of it is there. */
struct transport {
	uint16_t at;
	uint8_t proto;
	uint32_t bytes;
	uint16_t pseudo;
};

static bool summed(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

static bool transport4(const uint8_t *frame, uint32_t length, uint16_t l3, struct transport *t)
{
	struct rte_ipv4_hdr ip;
	uint16_t header, total;

	if (l3 + sizeof(ip) > length)
		return false;
	memcpy(&ip, frame + l3, sizeof(ip));
	header = (uint16_t)((ip.version_ihl & 15) * 4);
	total = rte_be_to_cpu_16(ip.total_length);
	if (ip.version_ihl >> 4 != 4 || !summed(ip.next_proto_id) || header < sizeof(ip) || total < header ||
	    l3 + total > length ||
	    ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		return false;
	t->at = (uint16_t)(l3 + header);
	t->proto = ip.next_proto_id;
	t->bytes = (uint32_t)(total - header);
	t->pseudo = rte_ipv4_phdr_cksum(&ip, 0);
	return true;
}

static bool transport6(const uint8_t *frame, uint32_t length, uint16_t l3, struct transport *t)
{
	struct rte_ipv6_hdr ip;

	if (l3 + sizeof(ip) > length)
		return false;
	memcpy(&ip, frame + l3, sizeof(ip));
	t->at = (uint16_t)(l3 + sizeof(ip));
	t->proto = ip.proto;
	t->bytes = rte_be_to_cpu_16(ip.payload_len);
	if (frame[l3] >> 4 != 6 || !summed(ip.proto) || t->at + t->bytes > length)
		return false;
	t->pseudo = rte_ipv6_phdr_cksum(&ip, 0);
	return true;
}

void whole_partial(uint8_t *frame, uint32_t length)
{
	struct virtio_net_hdr header = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
	struct transport t;
	uint16_t l3;

	if (length < PARTIAL_LEAST)
		return;
	l3 = offset_of_ip(frame);
	if (!transport4(frame, length, l3, &t) && !transport6(frame, length, l3, &t))
		return;
	header.csum_start = t.at;
	header.csum_offset = t.proto == IPPROTO_UDP ? 6 : 16;
	if (header.csum_offset + 2u > t.bytes || read16(frame + t.at + header.csum_offset) != t.pseudo)
		return;
	/* With a right checksum the sum over pseudo header and packet is -0. */
	if (fold((uint32_t)t.pseudo + rte_raw_cksum(frame + t.at, t.bytes)) != 0xffff)
		whole_checksum(frame, t.at + t.bytes, &header);
}

/* Length of the transport header; 0: it is not one that we can cut. */
static uint16_t transport_length(const struct whole *w)
{
	const uint8_t *l4 = w->frame + w->l4;

	if (w->kind == GSO_UDP_L4)
		return sizeof(struct rte_udp_hdr);
	if (w->kind != VIRTIO_NET_HDR_GSO_TCPV4 && w->kind != VIRTIO_NET_HDR_GSO_TCPV6)
		return 0;
	if (l4[12] >> 4 < 5)
		return 0;
	return (uint16_t)((l4[12] >> 4) * 4);
}

static bool headers_add_up(const struct whole *w, const struct virtio_net_hdr *header)
{
	uint16_t checksum = w->kind == GSO_UDP_L4 ? 6 : 16;
	uint8_t version = w->frame[w->l3] >> 4;
	uint16_t least = version == 4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);

	return (version == 4 || version == 6) && w->l4 >= w->l3 + least && header->csum_offset == checksum &&
	       header->gso_size;
}

bool whole_begin(struct whole *w, const struct virtio_net_hdr *header)
{
	uint32_t length = w->length;

	w->length = 0;
	w->kind = header->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	w->l4 = header->csum_start;
	w->size = header->gso_size;
	if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || length < 64 || length > WHOLE_MAX ||
	    w->l4 > HEADERS_MAX || w->l4 + sizeof(struct rte_tcp_hdr) > length)
		return false;
	w->l3 = offset_of_ip(w->frame);
	if (!headers_add_up(w, header) || !transport_length(w))
		return false;
	w->payload = (uint16_t)(w->l4 + transport_length(w));
	if (w->payload >= length)
		return false;
	w->at = w->payload;
	w->number = 0;
	w->length = length;
	return true;
}

static void cut_ip(const struct whole *w, uint8_t *frame, uint16_t length)
{
	struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)(frame + w->l3);
	struct rte_ipv6_hdr *ip6 = (struct rte_ipv6_hdr *)(frame + w->l3);
	uint16_t bytes = (uint16_t)(length - w->l3);

	if (frame[w->l3] >> 4 == 6) {
		ip6->payload_len = rte_cpu_to_be_16((uint16_t)(bytes - sizeof(*ip6)));
		return;
	}
	ip4->total_length = rte_cpu_to_be_16(bytes);
	ip4->packet_id = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(ip4->packet_id) + w->number));
	ip4->hdr_checksum = 0;
	ip4->hdr_checksum = (uint16_t)~rte_raw_cksum(ip4, (size_t)(w->l4 - w->l3));
}

static void cut_tcp(const struct whole *w, struct rte_tcp_hdr *tcp, bool last)
{
	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + (w->at - w->payload));
	if (!last)
		tcp->tcp_flags &= (uint8_t) ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (w->number)
		tcp->tcp_flags &= (uint8_t)~RTE_TCP_CWR_FLAG; /* RFC 3168 6.1.2: said once */
}

/* The pseudo header's sum is in the checksum field; only its length changes. */
static void cut_checksum(const struct whole *w, uint8_t *frame, uint16_t length)
{
	struct virtio_net_hdr header = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = w->l4 };
	uint16_t was = rte_cpu_to_be_16((uint16_t)(w->length - w->l4));
	uint16_t is = rte_cpu_to_be_16((uint16_t)(length - w->l4));
	uint8_t *field;

	header.csum_offset = w->kind == GSO_UDP_L4 ? 6 : 16;
	field = frame + w->l4 + header.csum_offset;
	write16(field, fold((uint32_t)read16(field) + (uint16_t)~was + is));
	whole_checksum(frame, length, &header);
}

bool whole_next(struct whole *w, struct rte_mbuf *m)
{
	uint32_t left = w->length - w->at;
	uint16_t bytes = left < w->size ? (uint16_t)left : w->size;
	uint16_t length = (uint16_t)(w->payload + bytes);
	bool last = left <= w->size;
	uint8_t *frame;

	if (rte_pktmbuf_tailroom(m) < w->payload + (uint32_t)bytes) {
		w->length = 0;
		return false;
	}
	frame = (uint8_t *)rte_pktmbuf_append(m, length);
	memcpy(frame, w->frame, w->payload);
	memcpy(frame + w->payload, w->frame + w->at, bytes);
	cut_ip(w, frame, length);
	if (w->kind == GSO_UDP_L4)
		((struct rte_udp_hdr *)(frame + w->l4))->dgram_len =
		        rte_cpu_to_be_16((uint16_t)(length - w->l4));
	else
		cut_tcp(w, (struct rte_tcp_hdr *)(frame + w->l4), last);
	cut_checksum(w, frame, length);
	w->at += bytes;
	w->number++;
	if (last)
		w->length = 0;
	return true;
}
