/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets and tuples for the tests of flow/; see helper_flow.h.
 */
#include "helper_flow.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

/* An mbuf as the pools of Sluice lay it out: header, private area, data. */
static struct {
	struct rte_mbuf m;
	struct pkt p;
	uint8_t data[256];
} packets[TEST_PACKETS] __attribute__((aligned(64)));

uint32_t test_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 32);
}

struct tuple test_tuple4(uint8_t proto, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	struct tuple t;

	memset(&t, 0, sizeof(t));
	t.src = ip_v4(htonl(src));
	t.dst = ip_v4(htonl(dst));
	t.sport = htons(sport);
	t.dport = htons(dport);
	t.proto = proto;
	t.family = FAMILY_V4;
	return t;
}

struct tuple test_tuple6(uint8_t proto, uint64_t src, uint16_t sport, uint64_t dst, uint16_t dport)
{
	struct tuple t;

	memset(&t, 0, sizeof(t));
	t.src.bytes[0] = t.dst.bytes[0] = 0xfd;
	t.src.halves[1] = src;
	t.dst.halves[1] = dst;
	t.sport = htons(sport);
	t.dport = htons(dport);
	t.proto = proto;
	t.family = FAMILY_V6;
	return t;
}

struct rte_mbuf *test_packet(unsigned i, const struct tuple *t)
{
	struct rte_mbuf *m = &packets[i].m;
	struct pkt *p = pkt_of(m);
	bool v6 = t->family == FAMILY_V6;

	memset(&packets[i], 0, sizeof(packets[i]));
	m->buf_addr = packets[i].data;
	m->buf_len = m->data_len = sizeof(packets[i].data);
	p->flags = v6 ? PKT_V6 : PKT_V4;
	p->l3 = IP_OFFSET;
	p->l4 = IP_OFFSET + (v6 ? 40 : 20);
	p->end = p->l4 + (t->proto == IPPROTO_TCP ? 20 : 8);
	p->sport = t->sport;
	p->dport = t->dport;
	p->zone = t->zone;
	p->proto = t->proto;
	if (v6) {
		memcpy(pkt_ip6(m)->src_addr, &t->src, 16);
		memcpy(pkt_ip6(m)->dst_addr, &t->dst, 16);
	} else {
		pkt_ip4(m)->src_addr = t->src.v4;
		pkt_ip4(m)->dst_addr = t->dst.v4;
	}
	return m;
}

struct rte_mbuf *test_segment(const struct session *s, const struct test_segment *g)
{
	static const uint8_t scale_option[4] = { 1, 3, 3, 0 };
	struct rte_tcp_hdr *tcp;
	struct rte_mbuf *m;
	struct tuple t;
	struct pkt *p;

	session_tuple(s, g->dir, &t);
	m = test_packet(0, &t);
	p = pkt_of(m);
	p->dir = g->dir;
	p->tcp_flags = g->flags;
	if (g->fragment)
		p->flags |= PKT_FRAGMENT;
	tcp = pkt_at(m, p->l4);
	tcp->sent_seq = htonl(g->seq);
	tcp->recv_ack = htonl(g->ack);
	tcp->rx_win = htons(g->window);
	tcp->data_off = g->scale >= 0 ? 0x60 : 0x50;
	if (g->scale >= 0) {
		memcpy(tcp + 1, scale_option, 4);
		((uint8_t *)(tcp + 1))[3] = (uint8_t)g->scale;
	}
	p->end = (uint16_t)(p->l4 + (g->scale >= 0 ? 24 : 20) + g->length);
	return m;
}

struct flow_table *test_table(const char *file, uint32_t v4, uint32_t v6)
{
	struct flow_options options = {
		.file = file, .sessions_v4 = v4, .sessions_v6 = v6, .slot_bytes = 64, .hash_seed = 0x5eed
	};
	struct errors errors = ERRORS_NONE;
	struct flow_table *table = flow_table_new(&options, &errors);

	assert_false(errors_any(&errors));
	assert_non_null(table);
	return table;
}

enum flow_result test_open(struct flow_table *table, const struct tuple *t, uint32_t now, struct session **s)
{
	struct tuple reverse = tuple_reverse(t);
	enum flow_result result = flow_reserve(table, t, now, s);

	if (result != FLOW_OK)
		return result;
	result = flow_commit(table, *s, &reverse);
	if (result != FLOW_OK)
		flow_abandon(table, *s);
	return result;
}

char test_file[64];

int test_file_make(void **state)
{
	(void)state;
	snprintf(test_file, sizeof(test_file), "/dev/shm/sluice-test-%d", (int)getpid());
	unlink(test_file);
	return 0;
}

int test_file_remove(void **state)
{
	(void)state;
	unlink(test_file);
	return 0;
}

struct tuple test_numbered(uint32_t i)
{
	return i % 3 == 2 ? test_tuple6(47, i, 0, 1ULL << 60, 0) : test_tuple4(47, i, 0, 0x80000000, 0);
}

struct session *test_find(struct flow_table *table, uint32_t i, int direction)
{
	struct tuple t = test_numbered(i), back = tuple_reverse(&t);
	int found = -1;
	struct session *s = flow_find(table, direction ? &back : &t, &found);

	assert_true(!s || found == direction);
	return s;
}
