/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets that share an interface: every frame is taken by exactly one of them, that of its address pair's owner. The kernel runs the filters, on pairs of local sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "packet/tuple.h"
#include "port/share.h"

enum { QUEUES_MAX = 5, FRAMES = 2000, LENGTH = 80 };

static int to[QUEUES_MAX], from[QUEUES_MAX];
static uint64_t seed = 7;

static uint8_t next_byte(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint8_t)(seed >> 56);
}

/* former: 0: shares are not being dealt anew. */
static void open_queues(unsigned count, unsigned former)
{
	for (unsigned i = 0; i < count; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
		to[i] = pair[0];
		from[i] = pair[1];
		assert_true(former ? share_take_both(from[i], i, count, former)
		                   : share_take(from[i], i, count));
	}
}

static void close_queues(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		close(to[i]);
		close(from[i]);
	}
}

/* Which queue takes the frame; it must be one, and whole. A frame that a filter refuses is an error to a local sender, or nothing. */
static unsigned taken_by(const uint8_t *frame, size_t length, unsigned count)
{
	unsigned taker = QUEUES_MAX, takers = 0;
	uint8_t got[LENGTH];

	for (unsigned i = 0; i < count; i++) {
		(void)!send(to[i], frame, length, MSG_DONTWAIT);
		if (recv(from[i], got, sizeof(got), MSG_DONTWAIT) != (ssize_t)length)
			continue;
		assert_memory_equal(got, frame, length);
		taker = i;
		takers++;
	}
	assert_int_equal(takers, 1);
	return taker;
}

/* A frame of random bytes and this type; answers its tuple's addresses, and those turned round in the frame `back`. */
static struct tuple random_frame(uint16_t type, uint8_t *frame, uint8_t *back)
{
	size_t size = type == 0x0800 ? 4 : 16, at = type == 0x0800 ? 26 : 22;
	struct tuple t;

	memset(&t, 0, sizeof(t));
	for (size_t i = 0; i < LENGTH; i++)
		frame[i] = next_byte();
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	memcpy(t.src.bytes, frame + at, size);
	memcpy(t.dst.bytes, frame + at + size, size);
	memcpy(back, frame, LENGTH);
	memcpy(back + at, frame + at + size, size);
	memcpy(back + at + size, frame + at, size);
	return t;
}

static void test_the_owner_takes_it(void **state)
{
	uint8_t frame[LENGTH], back[LENGTH];

	(void)state;
	for (unsigned count = 2; count <= QUEUES_MAX; count++) {
		unsigned share[QUEUES_MAX] = { 0 };

		open_queues(count, 0);
		for (unsigned i = 0; i < FRAMES; i++) {
			struct tuple t = random_frame(i % 2 ? 0x0800 : 0x86dd, frame, back);
			unsigned taker = taken_by(frame, LENGTH, count);

			assert_int_equal(taker, tuple_pair_bucket(&t) % count);
			assert_int_equal(share_bucket(frame, LENGTH), tuple_pair_bucket(&t));
			assert_int_equal(taken_by(back, LENGTH, count), taker);
			share[taker]++;
		}
		for (unsigned i = 0; i < count; i++)
			assert_in_range(share[i], FRAMES / count * 3 / 4, FRAMES / count * 5 / 4);
		close_queues(count);
	}
}

/* Neighbours are spread, too: hosts of a subnet and one server. */
static void test_neighbours(void **state)
{
	unsigned share[4] = { 0 };

	(void)state;
	for (uint32_t host = 0; host < 256; host++) {
		struct tuple t;

		memset(&t, 0, sizeof(t));
		t.src.v4 = __builtin_bswap32(0x0a000000 + host);
		t.dst.v4 = __builtin_bswap32(0xc6336401);
		share[tuple_pair_bucket(&t) % 4]++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(share[i], 40, 90);
}

static void test_anything_else(void **state)
{
	static const struct {
		uint16_t type;
		size_t length;
	} odd[] = { { 0x0806, 60 }, { 0x8100, 64 }, { 0x0800, 33 }, { 0x0800, 14 },
		    { 0x86dd, 53 }, { 0x86dd, 30 }, { 0, 13 },      { 0, 1 } };
	uint8_t frame[LENGTH], back[LENGTH];

	(void)state;
	open_queues(3, 0);
	for (unsigned i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		random_frame(odd[i].type, frame, back);
		assert_int_equal(taken_by(frame, odd[i].length, 3), 0);
		assert_int_equal(share_bucket(frame, odd[i].length), 0);
	}
	close_queues(3);
}

/* While shares are dealt anew: taken by the former owner and the next, and by nobody else. */
static void test_both_owners_take_it(void **state)
{
	const unsigned count = QUEUES_MAX - 1;
	uint8_t frame[LENGTH], back[LENGTH], got[LENGTH];

	(void)state;
	for (unsigned former = 1; former <= QUEUES_MAX; former++) {
		open_queues(count, former);
		for (unsigned i = 0; i < FRAMES; i++) {
			struct tuple t = random_frame(i % 2 ? 0x0800 : 0x86dd, frame, back);
			unsigned bucket = tuple_pair_bucket(&t);

			for (unsigned k = 0; k < count; k++) {
				bool mine = bucket % former == k || bucket % count == k;

				(void)!send(to[k], frame, LENGTH, MSG_DONTWAIT);
				assert_int_equal(recv(from[k], got, sizeof(got), MSG_DONTWAIT),
				                 mine ? LENGTH : -1);
			}
		}
		close_queues(count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_owner_takes_it),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_anything_else),
		cmocka_unit_test(test_both_owners_take_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
