/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memif: our client against our server, over a socket pair and real shared memory; what goes through is whole and in
 * order. Then each end against one that writes nonsense into the shared memory, which must end in a broken queue and never in memory
 * that is not shared; and the server against clients that say what they must not.
 */
#include "helper_memif.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROUNDS = 3000, HOSTILE_ROUNDS = 20000 };

static void carries_frames_whole_and_in_order(void **state)
{
	struct pair pair = pair_joined(2, 2, true);
	uint32_t out[2] = { 0 }, in[2] = { 0 };

	(void)state;
	assert_int_equal(pair.server->rx_count, 2);
	assert_int_equal(pair.server->rx[1].size, 1 << PAIR_LOG2);
	for (unsigned round = 0; round < ROUNDS; round++) {
		out[0] = send_some(&pair.client->tx[1], out[0]);
		out[1] = send_some(&pair.server->tx[1], out[1]);
		in[0] = receive_some(&pair.server->rx[1], in[0]);
		in[1] = receive_some(&pair.client->rx[1], in[1]);
	}
	assert_true(in[0] > ROUNDS && in[1] > ROUNDS);
	assert_false(pair.server->rx[1].broken || pair.server->tx[1].broken || pair.client->rx[1].broken ||
	             pair.client->tx[1].broken);
	/* Both ends poll: nobody asked to be woken. */
	assert_false(atomic_load(&pair.client->tx[1].kick) || atomic_load(&pair.server->tx[1].kick));
	assert_int_equal(pair_port.oversize, 0);
	pair_part(pair);
	assert_int_equal(rte_mempool_in_use_count(pair_pool), 0);
}

static void wakes_a_reader_that_sleeps(void **state)
{
	struct pair pair = pair_joined(1, 1, true);

	(void)state;
	pair.server->rx[0].ring->flags = 0;
	send_some(&pair.client->tx[0], 0);
	assert_true(atomic_load(&pair.client->tx[0].kick));
	pair_part(pair);
}

static void needs_as_many_queues(void **state)
{
	struct pair pair = pair_joined(2, 1, false);

	(void)state;
	assert_non_null(strstr(pair.server->reason, "fewer queues"));
	pair_part(pair);
	pair = pair_joined(1, 2, false);
	assert_non_null(strstr(pair.client->reason, "fewer queues"));
	pair_part(pair);
	pair = pair_joined(1, 1, true);
	pair_part(pair);
}

/* --- nonsense in the shared memory --- */

static void scribble(struct memif_queue *q, bool as_client)
{
	uint16_t *word = as_client ? &q->ring->head : &q->ring->tail;
	struct memif_desc *d = &q->ring->desc[dice(q->size)];

	if (dice(2))
		*word = (uint16_t)(*word + dice(dice(8) ? 6 : 300));
	for (unsigned i = dice(4); i; i--)
		*(uint32_t *)((uint8_t *)d + 4 * dice(4)) = dice(2) ? dice(4096) : dice(UINT32_MAX);
	if (dice(2))
		d->flags = (uint16_t)dice(3);
	if (dice(2))
		d->region = 0;
}

/* Of the two peers the one that is tested, and whether the nonsense is the client's. */
static void bear(bool as_client)
{
	unsigned broken = 0;
	struct pair pair = pair_joined(1, 1, true);

	for (unsigned round = 0; round < HOSTILE_ROUNDS; round++) {
		struct memif_peer *us = as_client ? pair.server : pair.client;
		struct memif_peer *them = as_client ? pair.client : pair.server;

		scribble(&them->tx[0], as_client);
		scribble(&them->rx[0], as_client);
		pair_turn(&us->rx[0], &us->tx[0]);
		if (us->rx[0].broken || us->tx[0].broken) {
			broken++;
			pair_part(pair);
			pair = pair_joined(1, 1, true);
		}
	}
	assert_true(broken > 20);
	pair_part(pair);
	assert_int_equal(rte_mempool_in_use_count(pair_pool), 0);
}

static void survives_a_hostile_client(void **state)
{
	(void)state;
	bear(true);
}

static void survives_a_hostile_server(void **state)
{
	(void)state;
	bear(false);
}

/* One lie: of the ring's word, and of its first descriptor. */
struct lie {
	bool as_client, reading; /* who tells it; whether we then read, or send */
	bool harmless;
	uint16_t word; /* added to the one that the liar writes */
	uint16_t region;
	uint32_t length,
	        back; /* its buffer begins so far from the memory's end; 0: the descriptor is left as it is */
};

static bool breaks(const struct lie *lie)
{
	struct pair pair = pair_joined(1, 1, true);
	struct memif_peer *us = lie->as_client ? pair.server : pair.client;
	struct memif_peer *them = lie->as_client ? pair.client : pair.server;
	struct memif_ring *ring = (lie->reading ? &them->tx[0] : &them->rx[0])->ring;
	struct memif_queue *q = lie->reading ? &us->rx[0] : &us->tx[0];
	struct rte_mbuf *m[PAIR_BURST];
	bool broken;

	if (lie->back)
		ring->desc[0] = (struct memif_desc){ .region = lie->region,
			                             .length = lie->length,
			                             .offset = (uint32_t)(us->regions[0].size - lie->back) };
	if (lie->as_client)
		ring->head = (uint16_t)(ring->head + lie->word);
	else
		ring->tail = (uint16_t)(ring->tail + lie->word);
	if (lie->reading)
		rte_pktmbuf_free_bulk(m, memif_receive(q, &pair_port, m, PAIR_BURST));
	else
		send_some(q, 1);
	broken = q->broken;
	pair_part(pair);
	return broken;
}

static void each_lie_breaks_the_queue(void **state)
{
	static const struct lie lies[] = {
		{ .as_client = true, .reading = true, .word = (1 << PAIR_LOG2) + 1 },
		{ .as_client = true, .reading = true, .word = 1, .length = 60, .back = 60, .harmless = true },
		{ .as_client = true, .reading = true, .word = 1, .length = 60, .back = 59 },
		{ .as_client = true, .reading = true, .word = 1, .length = 60, .back = 60, .region = 1 },
		{ .as_client = true, .word = 1 },
		{ .as_client = true, .length = 60, .back = 59 },
		{ .as_client = true, .length = 60, .back = 60, .region = 1 },
		{ .reading = true, .word = (1 << PAIR_LOG2) + 1 },
		{ .reading = true, .word = 1, .length = PAIR_BUFFER, .back = 1, .harmless = true },
		{ .reading = true, .word = 1, .length = PAIR_BUFFER + 1, .back = 1 },
		{ .word = 1 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		assert_int_equal(breaks(&lies[i]), !lies[i].harmless);
	assert_int_equal(rte_mempool_in_use_count(pair_pool), 0);
}

/* --- clients that say what they must not --- */

static int memory(size_t size, bool sealed)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	if (sealed)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

static const char *said(struct memif_peer *p, struct memif_message message, int fd)
{
	struct memif_message answer;

	return memif_hear(p, &message, fd, &answer) ? "well" : p->reason;
}

static struct memif_message initial(uint16_t version, uint32_t id, uint8_t mode)
{
	return (struct memif_message){ .type = MEMIF_INIT,
		                       .init = { .version = version, .id = id, .mode = mode } };
}

static struct memif_message region(uint16_t index, uint64_t size)
{
	return (struct memif_message){ .type = MEMIF_ADD_REGION, .region = { index, size } };
}

static struct memif_message ring(uint16_t index, uint16_t in, uint32_t offset, uint8_t log2)
{
	return (struct memif_message){ .type = MEMIF_ADD_RING,
		                       .ring = { MEMIF_RING_FROM_CLIENT, index, in, offset, log2, 0 } };
}

static void refuses_what_it_must_not_believe(void **state)
{
	struct memif_peer *p = new_peer(-1, true, 1);
	const struct memif_message connect = { .type = MEMIF_CONNECT };
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_string_equal(said(p, region(0, 4096), -1), "it speaks out of turn");
	assert_string_equal(said(p, initial(1 << 8, 0, 0), -1), "it speaks another version than 2.0");
	assert_string_equal(said(p, initial(MEMIF_VERSION, 1, 0), -1), "it asks for another interface id");
	assert_string_equal(said(p, initial(MEMIF_VERSION, 0, 1), -1), "it wants another mode than Ethernet");
	assert_string_equal(said(p, initial(MEMIF_VERSION, 0, 0), -1), "well");
	assert_string_equal(said(p, initial(MEMIF_VERSION, 0, 0), -1), "it introduced itself twice");
	assert_string_equal(said(p, region(1, 4096), memory(4096, true)),
	                    "its regions are too many, or out of order");
	assert_string_equal(said(p, region(0, 4096), memory(4096, false)),
	                    "its memory is not sealed against shrinking");
	assert_string_equal(said(p, region(0, 4096), -1), "its memory is not sealed against shrinking");
	assert_string_equal(said(p, region(0, 4097), memory(4096, true)),
	                    "its memory is larger than its file, or too large");
	assert_string_equal(said(p, region(0, UINT64_MAX), memory(4096, true)),
	                    "its memory is larger than its file, or too large");
	assert_string_equal(said(p, region(0, 4096), memory(4096, true)), "well");
	assert_string_equal(said(p, ring(0, 0, 4096 - 127, 0), eventfd(0, 0)),
	                    "its rings lie outside its memory");
	assert_string_equal(said(p, ring(0, 0, UINT32_MAX & ~7u, 4), eventfd(0, 0)),
	                    "its rings lie outside its memory");
	assert_string_equal(said(p, ring(0, 1, 0, 4), eventfd(0, 0)), "its rings lie outside its memory");
	assert_string_equal(said(p, ring(0, 0, 0, 15), eventfd(0, 0)),
	                    "its rings have a size that is not supported");
	assert_string_equal(said(p, ring(1, 0, 0, 4), eventfd(0, 0)),
	                    "its rings are too many, or out of order");
	assert_string_equal(said(p, ring(0, 0, 0, 4), pipes[1]), "its rings have no event descriptor");
	assert_string_equal(said(p, ring(0, 0, 0, 4), eventfd(0, 0)), "well");
	assert_non_null(strstr(said(p, connect, -1), "fewer queues"));
	assert_string_equal(said(p, (struct memif_message){ .type = 99 }, -1),
	                    "it says what the protocol does not have");
	close(pipes[0]);
	memif_forget(p);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_frames_whole_and_in_order),
		cmocka_unit_test(wakes_a_reader_that_sleeps),
		cmocka_unit_test(needs_as_many_queues),
		cmocka_unit_test(survives_a_hostile_client),
		cmocka_unit_test(survives_a_hostile_server),
		cmocka_unit_test(each_lie_breaks_the_queue),
		cmocka_unit_test(refuses_what_it_must_not_believe),
	};

	return cmocka_run_group_tests(tests, pair_start, pair_stop);
}
