/* SPDX-License-Identifier: BSD-3-Clause */
/* See helper_memif.h. */
#include "helper_memif.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/process/eal.h"

enum { MBUFS = 1024, FRAME_MAX = 1800 };

struct rte_mempool *pair_pool;
struct port pair_port;
static uint64_t seed = 7;

uint32_t dice(uint32_t sides)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % sides;
}

/* --- two ends --- */

static void *serve(void *peer)
{
	return memif_serve(peer, "server") ? peer : NULL;
}

struct memif_peer *new_peer(int fd, bool server, uint16_t queues)
{
	struct memif_peer *p = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*p));

	memset(p, 0, sizeof(*p));
	p->fd = fd;
	p->stop = -1;
	p->server = server;
	p->rx_wanted = p->tx_wanted = p->senders = queues;
	p->log2_wanted = PAIR_LOG2;
	p->buffer_size = PAIR_BUFFER;
	return p;
}

struct pair pair_joined(uint16_t server_queues, uint16_t client_queues, bool well)
{
	pthread_t thread;
	struct pair pair;
	void *served;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	pair.server = new_peer(ends[0], true, server_queues);
	pair.client = new_peer(ends[1], false, client_queues);
	assert_int_equal(pthread_create(&thread, NULL, serve, pair.server), 0);
	if (memif_introduce(pair.client, "client") != well)
		fail_msg("%s", pair.client->reason ? pair.client->reason : "introduced");
	if (!well)
		memif_forget(pair.client);
	pthread_join(thread, &served);
	assert_int_equal(served != NULL, well);
	return pair;
}

void pair_part(struct pair pair)
{
	memif_forget(pair.server);
	memif_forget(pair.client);
	free(pair.server);
	free(pair.client);
}

/* --- frames that can be told apart --- */

static size_t frame_of(uint32_t number, uint8_t *bytes)
{
	size_t length = 14 + number * 7919u % (FRAME_MAX - 14);

	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(number + i * 13);
	return length;
}

/* In one segment, or cut into several. */
struct rte_mbuf *pair_frame(uint32_t number)
{
	uint8_t bytes[FRAME_MAX];
	size_t length = frame_of(number, bytes), at = 0;
	struct rte_mbuf *m = rte_pktmbuf_alloc(pair_pool);

	assert_non_null(m);
	while (at < length) {
		size_t piece = dice(3) ? length - at : 1 + dice((uint32_t)(length - at));
		struct rte_mbuf *segment = at ? rte_pktmbuf_alloc(pair_pool) : m;

		memcpy(rte_pktmbuf_append(segment, (uint16_t)piece), bytes + at, piece);
		if (at)
			assert_int_equal(rte_pktmbuf_chain(m, segment), 0);
		at += piece;
	}
	return m;
}

void is_frame(const struct rte_mbuf *m, uint32_t number)
{
	uint8_t bytes[FRAME_MAX];
	size_t length = frame_of(number, bytes);

	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->data_len, length);
	assert_int_equal(m->pkt_len, length);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), bytes, length);
}

uint32_t send_some(struct memif_queue *q, uint32_t number)
{
	struct rte_mbuf *m[PAIR_BURST];
	uint16_t n = (uint16_t)(1 + dice(PAIR_BURST)), took;

	for (uint16_t i = 0; i < n; i++)
		m[i] = pair_frame(number + i);
	took = memif_send(q, &pair_port, m, n);
	rte_pktmbuf_free_bulk(m, n);
	assert_true(took <= n);
	return number + took;
}

uint32_t receive_some(struct memif_queue *q, uint32_t number)
{
	struct rte_mbuf *m[PAIR_BURST];
	uint16_t n = memif_receive(q, &pair_port, m, (uint16_t)(1 + dice(PAIR_BURST)));

	for (uint16_t i = 0; i < n; i++)
		is_frame(m[i], number + i);
	rte_pktmbuf_free_bulk(m, n);
	return number + n;
}

void pair_turn(struct memif_queue *rx, struct memif_queue *tx)
{
	struct rte_mbuf *m[PAIR_BURST];
	uint16_t n = rx->broken ? 0 : memif_receive(rx, &pair_port, m, PAIR_BURST);

	for (uint16_t i = 0; i < n; i++)
		assert_true(m[i]->data_len <= RTE_MBUF_DEFAULT_DATAROOM && m[i]->nb_segs == 1);
	rte_pktmbuf_free_bulk(m, n);
	if (!tx->broken)
		send_some(tx, 1);
}

/* --- the program --- */

int pair_start(void **state)
{
	struct eal_options eal = { .name = "test-memif", .memory_mb = 32 };
	struct errors errors = ERRORS_NONE;

	(void)state;
	if (!eal_start(&eal, &errors))
		return -1;
	pair_pool = rte_pktmbuf_pool_create("test", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	pair_port.pool = pair_pool;
	return pair_pool ? 0 : -1;
}

int pair_stop(void **state)
{
	(void)state;
	rte_mempool_free(pair_pool);
	eal_stop();
	return 0;
}
