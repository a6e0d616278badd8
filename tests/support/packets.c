/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See packets.h. Memory is malloc's; a test that runs out of it ends.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/packets.h"

enum { HEADROOM = 128, ROOM = 2048, FRAME_HEADERS = 14 + 8 + 60 + 60 };

static unsigned live;

/* Frames are built by appending to one of these. */
struct builder {
	uint8_t *bytes;
	size_t length;
};

static void *need(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct rte_mbuf *mbuf_around(void *buffer, uint16_t headroom, uint16_t room)
{
	size_t size = sizeof(struct rte_mbuf) + PKT_PRIVATE_SIZE;
	struct rte_mbuf *m = need(aligned_alloc(RTE_CACHE_LINE_SIZE, size));

	memset(m, 0, size);
	m->buf_addr = buffer;
	m->buf_len = headroom + room;
	m->data_off = headroom;
	m->nb_segs = 1;
	m->priv_size = PKT_PRIVATE_SIZE;
	rte_mbuf_refcnt_set(m, 1);
	live++;
	return m;
}

struct rte_mbuf *packet_new_room(uint16_t room)
{
	return mbuf_around(need(malloc(HEADROOM + room)), HEADROOM, room);
}

struct rte_mbuf *packet_new(void)
{
	return packet_new_room(ROOM);
}

void packet_free(struct rte_mbuf *m)
{
	while (m) {
		struct rte_mbuf *next = m->next;

		free(m->buf_addr);
		free(m);
		live--;
		m = next;
	}
}

unsigned packet_live(void)
{
	return live;
}

struct rte_mbuf *packet_tight(const void *bytes, size_t length)
{
	struct rte_mbuf *m = mbuf_around(need(malloc(length ? length : 1)), 0, (uint16_t)length);

	if (length)
		memcpy(m->buf_addr, bytes, length);
	m->data_len = (uint16_t)length;
	m->pkt_len = (uint32_t)length;
	return m;
}

struct rte_mbuf *packet_clone(const struct rte_mbuf *m)
{
	struct rte_mbuf *copy = packet_new_room(RTE_MAX((uint32_t)ROOM, m->pkt_len));

	for (const struct rte_mbuf *s = m; s; s = s->next)
		memcpy(rte_pktmbuf_append(copy, s->data_len), rte_pktmbuf_mtod(s, void *), s->data_len);
	memcpy(copy + 1, m + 1, PKT_PRIVATE_SIZE);
	return copy;
}

void packet_split(struct rte_mbuf *m, uint16_t at)
{
	struct rte_mbuf *last = rte_pktmbuf_lastseg(m);
	uint16_t rest = last->data_len - at;

	last->next = packet_new_room(RTE_MAX(ROOM, rest));
	memcpy(rte_pktmbuf_append(last->next, rest), rte_pktmbuf_mtod_offset(last, void *, at), rest);
	last->data_len = at;
	m->nb_segs++;
}

static uint8_t *put(struct builder *b, const void *bytes, size_t length)
{
	uint8_t *at = b->bytes + b->length;

	if (length)
		memcpy(at, bytes, length);
	b->length += length;
	return at;
}

static void put8(struct builder *b, uint8_t value)
{
	put(b, &value, 1);
}

static void put16(struct builder *b, uint16_t value)
{
	put8(b, value >> 8);
	put8(b, value & 255);
}

static void put32(struct builder *b, uint32_t value)
{
	put16(b, value >> 16);
	put16(b, value & 0xffff);
}

static void set16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 255;
}

static bool is6(const struct packet_spec *s)
{
	return s->src && strchr(s->src, ':');
}

static void put_ethernet(struct builder *b, const struct packet_spec *s)
{
	static const uint8_t smac[6] = { 2, 0, 0, 0, 0, 1 }, dmac[6] = { 2, 0, 0, 0, 0, 2 };

	put(b, s->dmac ? s->dmac : dmac, 6);
	put(b, s->smac ? s->smac : smac, 6);
	for (unsigned i = 0; i < 2 && s->vlan[i]; i++) {
		put16(b, i == 0 && s->vlan[1] ? 0x88a8 : 0x8100);
		put16(b, s->vlan[i]);
	}
	put16(b, is6(s) ? 0x86dd : 0x0800);
}

static void put_address(struct builder *b, int family, const char *text, const char *fallback)
{
	uint8_t bytes[16];

	if (inet_pton(family, text ? text : fallback, bytes) != 1) {
		fprintf(stderr, "not an address: %s\n", text);
		abort();
	}
	put(b, bytes, family == AF_INET ? 4 : 16);
}

static uint8_t proto_of(const struct packet_spec *s)
{
	return s->proto ? s->proto : IPPROTO_UDP;
}

static void put_ip4(struct builder *b, const struct packet_spec *s)
{
	put8(b, 0x45 + s->options_length / 4);
	put8(b, s->tos);
	put16(b, 0);
	put16(b, (uint16_t)s->id);
	put16(b, s->df << 14 | s->more << 13 | s->offset / 8);
	put8(b, s->ttl ? s->ttl : 64);
	put8(b, proto_of(s));
	put16(b, 0);
	put_address(b, AF_INET, s->src, "10.0.0.1");
	put_address(b, AF_INET, s->dst, "10.0.0.2");
	put(b, s->options, s->options_length);
}

static void put_ip6(struct builder *b, const struct packet_spec *s)
{
	bool fragment = s->more || s->offset || s->atomic;
	uint8_t behind = fragment ? IPPROTO_FRAGMENT : proto_of(s);

	put32(b, UINT32_C(6) << 28 | (uint32_t)s->tos << 20);
	put16(b, 0);
	put8(b, s->options_length ? s->options_first : behind);
	put8(b, s->ttl ? s->ttl : 64);
	put_address(b, AF_INET6, s->src, NULL);
	put_address(b, AF_INET6, s->dst, "2001:db8::2");
	put(b, s->options, s->options_length);
	if (!fragment)
		return;
	put8(b, proto_of(s));
	put8(b, 0);
	put16(b, s->offset | s->more);
	put32(b, s->id);
}

/* Gives the place of the checksum in the transport header, NULL: none. */
static uint8_t *put_transport(struct builder *b, const struct packet_spec *s)
{
	uint8_t *start = b->bytes + b->length;
	uint16_t sport = s->sport ? s->sport : 1000, dport = s->dport ? s->dport : 2000;

	switch (proto_of(s)) {
	case IPPROTO_TCP:
		put16(b, sport);
		put16(b, dport);
		put32(b, s->seq);
		put32(b, s->ack);
		put8(b, 5 << 4);
		put8(b, s->tcp_flags ? s->tcp_flags : RTE_TCP_ACK_FLAG);
		put16(b, s->window ? s->window : 65535);
		put32(b, 0);
		return start + 16;
	case IPPROTO_UDP:
		put16(b, sport);
		put16(b, dport);
		put16(b, 8 + s->length);
		put16(b, 0);
		return s->no_checksum ? NULL : start + 6;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		put8(b, s->icmp_type);
		put8(b, s->icmp_code);
		put16(b, 0);
		put16(b, s->icmp_id);
		put16(b, s->icmp_seq);
		return start + 2;
	default:
		return NULL;
	}
}

static void put_payload(struct builder *b, const struct packet_spec *s)
{
	for (uint16_t i = 0; !s->payload && i < s->length; i++)
		put8(b, (uint8_t)(s->offset + i));
	if (s->payload)
		put(b, s->payload, s->length);
}

static void finish_ip(struct builder *b, const struct packet_spec *s, uint8_t *ip)
{
	size_t length = (size_t)(b->bytes + b->length - ip);

	if (is6(s)) {
		set16(ip + 4, (uint16_t)(length - 40));
		return;
	}
	set16(ip + 2, (uint16_t)length);
	set16(ip + 10, (uint16_t)~packet_sum(ip, 20 + s->options_length, 0));
}

static void finish_transport(struct builder *b, const struct packet_spec *s, const uint8_t *ip, uint8_t *l4,
                             uint8_t *sum)
{
	size_t length = (size_t)(b->bytes + b->length - l4);
	uint32_t start = 0;
	uint16_t value;

	if (!sum)
		return;
	if (proto_of(s) != IPPROTO_ICMP)
		start = packet_sum(is6(s) ? ip + 8 : ip + 12, is6(s) ? 32 : 8,
		                   (uint32_t)(proto_of(s) + length));
	value = (uint16_t)~packet_sum(l4, length, start);
	set16(sum, value == 0 && proto_of(s) == IPPROTO_UDP ? 0xffff : value);
}

struct rte_mbuf *packet_build(const struct packet_spec *s)
{
	size_t most = (size_t)FRAME_HEADERS + s->options_length + s->length + s->pad;
	struct builder b = { need(calloc(1, most)), 0 };
	struct rte_mbuf *m;
	uint8_t *ip, *l4, *sum = NULL;

	put_ethernet(&b, s);
	ip = b.bytes + b.length;
	if (is6(s))
		put_ip6(&b, s);
	else
		put_ip4(&b, s);
	l4 = b.bytes + b.length;
	if (s->offset == 0)
		sum = put_transport(&b, s);
	put_payload(&b, s);
	finish_ip(&b, s, ip);
	finish_transport(&b, s, ip, l4, sum);
	b.length += s->pad;
	m = packet_new_room((uint16_t)RTE_MAX((size_t)ROOM, b.length));
	memcpy(rte_pktmbuf_append(m, (uint16_t)b.length), b.bytes, b.length);
	free(b.bytes);
	return m;
}

struct rte_mbuf *packet_parsed(const struct packet_spec *s)
{
	struct rte_mbuf *m = packet_build(s);
	enum pkt_malformed kind = pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM);

	if (kind != PKT_OK) {
		packet_dump(pkt_malformed_names[kind], m);
		abort();
	}
	return m;
}
