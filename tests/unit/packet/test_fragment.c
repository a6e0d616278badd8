/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cutting of IPv4 packets: the pieces put together are the packet, also after each was rewritten by itself.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/fragment.h"
#include "packet/rewrite.h"
#include "support/packets.h"

#include "helper_random.h"

enum { ROOM = 256 };

/* An allocator that has `left` mbufs, of `room` bytes (0: as usual). */
struct source {
	unsigned left;
	uint16_t room;
};

static struct rte_mbuf *take(void *context)
{
	struct source *s = context;

	if (s->left == 0)
		return NULL;
	s->left--;
	return s->room ? packet_new_room(s->room) : packet_new();
}

struct cuts {
	struct rte_mbuf *piece[ROOM];
	unsigned n;
};

static enum fragment_result cut(struct cuts *c, struct rte_mbuf *m, uint16_t mtu)
{
	struct source all = { .left = ROOM };

	return fragment_ip4(m, mtu, take, &all, c->piece, ROOM, &c->n);
}

static void free_cuts(struct cuts *c)
{
	for (unsigned i = 0; i < c->n; i++)
		packet_free(c->piece[i]);
}

/* Each piece is sound by itself and says of itself what parsing finds; ports of later ones come from the
 * first. */
static void assert_sound(struct cuts *c, uint16_t mtu)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct rte_mbuf *m = c->piece[i];
		struct pkt before = *pkt_of(m);

		assert_true(before.end - before.l3 <= mtu);
		assert_int_equal(pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM), PKT_OK);
		if (before.flags & PKT_LATER) /* which the parser cannot know, as with the ports */
			pkt_of(m)->flags |= before.flags & PKT_ICMP_QUERY;
		assert_int_equal(before.flags, pkt_of(m)->flags);
		assert_int_equal(before.l3, pkt_of(m)->l3);
		assert_int_equal(before.l4, pkt_of(m)->l4);
		assert_int_equal(before.end, pkt_of(m)->end);
		assert_int_equal(before.vlan[0], pkt_of(m)->vlan[0]);
		*pkt_of(m) = before;
	}
}

/* Payloads of the pieces, by their offsets, against the packet's. */
static void assert_joins_to(struct cuts *c, struct rte_mbuf *whole)
{
	uint16_t header = rte_ipv4_hdr_len(pkt_ip4(whole)), at = pkt_of(whole)->l3 + header, done = 0;

	for (unsigned i = 0; i < c->n; i++) {
		struct rte_mbuf *m = c->piece[i];
		uint16_t field = ntohs(pkt_ip4(m)->fragment_offset);
		uint16_t length = pkt_of(m)->end - pkt_of(m)->l4;

		assert_int_equal((field & 0x1fff) * 8, done);
		assert_int_equal(!!(field & 0x2000), i + 1 < c->n);
		assert_memory_equal(pkt_at(m, pkt_of(m)->l4), pkt_at(whole, at + done), length);
		done += length;
	}
	assert_int_equal(at + done, pkt_of(whole)->end);
}

static void pieces_join(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct packet_spec spec = { .proto = i % 2 ? IPPROTO_TCP : IPPROTO_UDP, .pad = i % 5 };
		uint16_t mtu = (uint16_t)(68 + random_below(&seed, 1432));
		struct rte_mbuf *m;
		struct cuts c;

		spec.vlan[0] = (uint16_t)random_below(&seed, 3);
		spec.length = (uint16_t)(mtu + random_below(&seed, 4000));
		m = packet_parsed(&spec);
		pkt_of(m)->zone = 7;
		assert_int_equal(cut(&c, m, mtu), FRAGMENT_DONE);
		assert_true(c.n > 1);
		assert_sound(&c, mtu);
		assert_joins_to(&c, m);
		assert_int_equal(pkt_of(c.piece[c.n - 1])->zone, 7);
		assert_int_equal(pkt_of(c.piece[c.n - 1])->sport, htons(1000));
		free_cuts(&c);
		packet_free(m);
	}
}

static void rewritten_pieces_join_to_the_rewritten_packet(void **state)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(protos); i++) {
		struct packet_spec spec = { .proto = protos[i], .icmp_type = 8, .icmp_id = 5, .length = 900 };
		struct rte_mbuf *m = packet_parsed(&spec);
		struct edit4 e;
		struct cuts c;

		edit4_prepare(&e, pkt_ip4(m)->src_addr, pkt_of(m)->sport, htonl(0xc0000221), htons(4242));
		assert_int_equal(cut(&c, m, 200), FRAGMENT_DONE);
		for (unsigned k = 0; k < c.n; k++) {
			pkt_apply_src4(c.piece[k], &e);
			assert_int_equal(pkt_of(c.piece[k])->sport, htons(4242));
		}
		pkt_apply_src4(m, &e);
		assert_true(packet_checksums_right(m));
		assert_sound(&c, 200);
		assert_joins_to(&c, m);
		free_cuts(&c);
		packet_free(m);
	}
}

static void options_that_are_copied(void **state)
{
	static const uint8_t options[12] = { 7, 7, 4, 0, 0, 0, 0, 1, 148, 4, 0, 0 };
	struct packet_spec spec = { .options = options, .options_length = 12, .length = 300 };
	struct rte_mbuf *m = packet_parsed(&spec);
	struct cuts c;

	(void)state;
	assert_int_equal(cut(&c, m, 128), FRAGMENT_DONE);
	assert_sound(&c, 128);
	assert_joins_to(&c, m);
	assert_int_equal(pkt_ip4(c.piece[0])->version_ihl, 0x48);
	assert_memory_equal(pkt_at(c.piece[0], 34), options, 12);
	for (unsigned i = 1; i < c.n; i++) {
		assert_int_equal(pkt_ip4(c.piece[i])->version_ihl, 0x46);
		assert_memory_equal(pkt_at(c.piece[i], 34), options + 8, 4);
	}
	free_cuts(&c);
	packet_free(m);
}

static void fragments_of_a_fragment(void **state)
{
	struct packet_spec spec = { .offset = 800, .length = 160, .more = true };
	struct rte_mbuf *m = packet_parsed(&spec);
	struct cuts c;

	(void)state;
	assert_int_equal(cut(&c, m, 100), FRAGMENT_DONE);
	assert_int_equal(c.n, 2);
	assert_sound(&c, 100);
	assert_int_equal(ntohs(pkt_ip4(c.piece[0])->fragment_offset), 0x2000 | 100);
	assert_int_equal(ntohs(pkt_ip4(c.piece[1])->fragment_offset), 0x2000 | 110);
	free_cuts(&c);
	packet_free(m);
}

static void segments_and_small_mbufs(void **state)
{
	struct packet_spec spec = { .length = 3000 };
	struct rte_mbuf *m = packet_parsed(&spec), *copy = packet_clone(m);
	struct source small = { .left = ROOM, .room = 300 };
	struct cuts c;

	(void)state;
	packet_split(m, 777);
	packet_split(m, 1001);
	assert_int_equal(fragment_ip4(m, 1500, take, &small, c.piece, ROOM, &c.n), FRAGMENT_DONE);
	assert_sound(&c, 286);
	assert_joins_to(&c, copy);
	free_cuts(&c);
	packet_free(m);
	packet_free(copy);
}

static void refusals(void **state)
{
	struct packet_spec df = { .df = true, .length = 900 }, v6 = { .src = "2001:db8::1", .length = 900 };
	struct packet_spec plain = { .length = 900 };
	struct source two = { .left = 2 }, many = { .left = 99 };
	struct rte_mbuf *m = packet_parsed(&df);
	struct cuts c;

	(void)state;
	assert_int_equal(cut(&c, m, 500), FRAGMENT_TOO_BIG);
	assert_int_equal(c.n, 0);
	packet_free(m);
	m = packet_parsed(&v6);
	assert_int_equal(cut(&c, m, 500), FRAGMENT_TOO_BIG);
	packet_free(m);
	m = packet_parsed(&plain);
	assert_int_equal(fragment_ip4(m, 100, take, &two, c.piece, ROOM, &c.n), FRAGMENT_NO_MBUF);
	assert_int_equal(c.n, 2);
	free_cuts(&c);
	assert_int_equal(fragment_ip4(m, 100, take, &many, c.piece, 3, &c.n), FRAGMENT_FAILED);
	assert_int_equal(c.n, 3);
	free_cuts(&c);
	assert_int_equal(cut(&c, m, 27), FRAGMENT_FAILED);
	free_cuts(&c);
	packet_free(m);
}

static int nothing_left(void **state)
{
	(void)state;
	return packet_live() != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_join),
		cmocka_unit_test(rewritten_pieces_join_to_the_rewritten_packet),
		cmocka_unit_test(options_that_are_copied),
		cmocka_unit_test(fragments_of_a_fragment),
		cmocka_unit_test(segments_and_small_mbufs),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, nothing_left);
}
