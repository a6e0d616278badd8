/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memif: our client against our server, over a socket pair and real shared memory; what goes through is whole and in
 * order. Then each end against one that writes nonsense into the shared memory, which must end in a broken queue and never in memory
 * that is not shared; and the server against clients that say what they must not. And either end handed over while packets lie in the
 * rings: to a successor that is told the truth, or anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "port/memif_talk.h"
#include "runtime/process/eal.h"

enum {
	MBUFS = 1024,
	LOG2 = 6,
	BUFFER = 256,
	FRAME_MAX = 1800,
	ROUNDS = 3000,
	HOSTILE_ROUNDS = 20000,
	BURST = 32,
	WAIT_MS = 30000
};

static struct rte_mempool *pool;
static struct port port;
static uint64_t seed = 7;

static uint32_t dice(uint32_t sides)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % sides;
}

/* --- two ends --- */

struct pair {
	struct memif_peer *server, *client;
};

static void *serve(void *peer)
{
	return memif_serve(peer, "server") ? peer : NULL;
}

static struct memif_peer *new_peer(int fd, bool server, uint16_t queues)
{
	struct memif_peer *p = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*p));

	memset(p, 0, sizeof(*p));
	p->fd = fd;
	p->stop = -1;
	p->server = server;
	p->rx_wanted = p->tx_wanted = p->senders = queues;
	p->log2_wanted = LOG2;
	p->buffer_size = BUFFER;
	return p;
}

static struct pair joined(uint16_t server_queues, uint16_t client_queues, bool well)
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

static void part(struct pair pair)
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
static struct rte_mbuf *frame(uint32_t number)
{
	uint8_t bytes[FRAME_MAX];
	size_t length = frame_of(number, bytes), at = 0;
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	while (at < length) {
		size_t piece = dice(3) ? length - at : 1 + dice((uint32_t)(length - at));
		struct rte_mbuf *segment = at ? rte_pktmbuf_alloc(pool) : m;

		memcpy(rte_pktmbuf_append(segment, (uint16_t)piece), bytes + at, piece);
		if (at)
			assert_int_equal(rte_pktmbuf_chain(m, segment), 0);
		at += piece;
	}
	return m;
}

static void is_frame(const struct rte_mbuf *m, uint32_t number)
{
	uint8_t bytes[FRAME_MAX];
	size_t length = frame_of(number, bytes);

	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->data_len, length);
	assert_int_equal(m->pkt_len, length);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), bytes, length);
}

static uint32_t send_some(struct memif_queue *q, uint32_t number)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = (uint16_t)(1 + dice(BURST)), took;

	for (uint16_t i = 0; i < n; i++)
		m[i] = frame(number + i);
	took = memif_send(q, &port, m, n);
	rte_pktmbuf_free_bulk(m, n);
	assert_true(took <= n);
	return number + took;
}

static uint32_t receive_some(struct memif_queue *q, uint32_t number)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = memif_receive(q, &port, m, (uint16_t)(1 + dice(BURST)));

	for (uint16_t i = 0; i < n; i++)
		is_frame(m[i], number + i);
	rte_pktmbuf_free_bulk(m, n);
	return number + n;
}

static void carries_frames_whole_and_in_order(void **state)
{
	struct pair pair = joined(2, 2, true);
	uint32_t out[2] = { 0 }, in[2] = { 0 };

	(void)state;
	assert_int_equal(pair.server->rx_count, 2);
	assert_int_equal(pair.server->rx[1].size, 1 << LOG2);
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
	assert_int_equal(port.oversize, 0);
	part(pair);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void wakes_a_reader_that_sleeps(void **state)
{
	struct pair pair = joined(1, 1, true);

	(void)state;
	pair.server->rx[0].ring->flags = 0;
	send_some(&pair.client->tx[0], 0);
	assert_true(atomic_load(&pair.client->tx[0].kick));
	part(pair);
}

static void needs_as_many_queues(void **state)
{
	struct pair pair = joined(2, 1, false);

	(void)state;
	assert_non_null(strstr(pair.server->reason, "fewer queues"));
	part(pair);
	pair = joined(1, 2, false);
	assert_non_null(strstr(pair.client->reason, "fewer queues"));
	part(pair);
	pair = joined(1, 1, true);
	part(pair);
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

static void turn(struct memif_queue *rx, struct memif_queue *tx)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = rx->broken ? 0 : memif_receive(rx, &port, m, BURST);

	for (uint16_t i = 0; i < n; i++)
		assert_true(m[i]->data_len <= RTE_MBUF_DEFAULT_DATAROOM && m[i]->nb_segs == 1);
	rte_pktmbuf_free_bulk(m, n);
	if (!tx->broken)
		send_some(tx, 1);
}

/* Of the two peers the one that is tested, and whether the nonsense is the client's. */
static void bear(bool as_client)
{
	unsigned broken = 0;
	struct pair pair = joined(1, 1, true);

	for (unsigned round = 0; round < HOSTILE_ROUNDS; round++) {
		struct memif_peer *us = as_client ? pair.server : pair.client;
		struct memif_peer *them = as_client ? pair.client : pair.server;

		scribble(&them->tx[0], as_client);
		scribble(&them->rx[0], as_client);
		turn(&us->rx[0], &us->tx[0]);
		if (us->rx[0].broken || us->tx[0].broken) {
			broken++;
			part(pair);
			pair = joined(1, 1, true);
		}
	}
	assert_true(broken > 20);
	part(pair);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
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
	struct pair pair = joined(1, 1, true);
	struct memif_peer *us = lie->as_client ? pair.server : pair.client;
	struct memif_peer *them = lie->as_client ? pair.client : pair.server;
	struct memif_ring *ring = (lie->reading ? &them->tx[0] : &them->rx[0])->ring;
	struct memif_queue *q = lie->reading ? &us->rx[0] : &us->tx[0];
	struct rte_mbuf *m[BURST];
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
		rte_pktmbuf_free_bulk(m, memif_receive(q, &port, m, BURST));
	else
		send_some(q, 1);
	broken = q->broken;
	part(pair);
	return broken;
}

static void each_lie_breaks_the_queue(void **state)
{
	static const struct lie lies[] = {
		{ .as_client = true, .reading = true, .word = (1 << LOG2) + 1 },
		{ .as_client = true, .reading = true, .word = 1, .length = 60, .back = 60, .harmless = true },
		{ .as_client = true, .reading = true, .word = 1, .length = 60, .back = 59 },
		{ .as_client = true, .reading = true, .word = 1, .length = 60, .back = 60, .region = 1 },
		{ .as_client = true, .word = 1 },
		{ .as_client = true, .length = 60, .back = 59 },
		{ .as_client = true, .length = 60, .back = 60, .region = 1 },
		{ .reading = true, .word = (1 << LOG2) + 1 },
		{ .reading = true, .word = 1, .length = BUFFER, .back = 1, .harmless = true },
		{ .reading = true, .word = 1, .length = BUFFER + 1, .back = 1 },
		{ .word = 1 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		assert_int_equal(breaks(&lies[i]), !lies[i].harmless);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* --- from process to process --- */

/* What a predecessor says, as it arrives: descriptors are the receiver's. */
static struct port_bequest handed(const struct memif_peer *p)
{
	struct port_bequest b = { 0 };

	memif_bequeath(p, &b);
	for (uint32_t i = 0; i < b.count; i++)
		b.fds[i] = dup(b.fds[i]);
	return b;
}

static struct memif_peer *succeeded(struct memif_peer *p)
{
	struct port_bequest b = handed(p);
	struct memif_peer *heir = new_peer(-1, p->server, p->tx_wanted);

	memif_forget(p);
	free(p);
	assert_true(memif_inherit(heir, &b));
	bequest_refuse(&b);
	return heir;
}

static unsigned descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void goes_on_in_another_process(void **state)
{
	unsigned before = descriptors(), handovers = 0;
	struct pair pair = joined(2, 2, true);
	uint32_t out[2] = { 0 }, in[2] = { 0 };

	(void)state;
	port.oversize = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		out[0] = send_some(&pair.client->tx[1], out[0]);
		out[1] = send_some(&pair.server->tx[1], out[1]);
		if (!dice(20) && ++handovers)
			pair.server = succeeded(pair.server);
		if (!dice(20) && ++handovers)
			pair.client = succeeded(pair.client);
		in[0] = receive_some(&pair.server->rx[1], in[0]);
		in[1] = receive_some(&pair.client->rx[1], in[1]);
	}
	assert_true(handovers > 100 && in[0] > ROUNDS && in[1] > ROUNDS);
	assert_int_equal(port.oversize, 0);
	part(pair);
	assert_int_equal(descriptors(), before);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void wakes_whom_its_predecessor_should_have(void **state)
{
	struct pair pair = joined(1, 1, true);

	(void)state;
	pair.server->rx[0].ring->flags = 0;
	send_some(&pair.client->tx[0], 0);
	pair.client = succeeded(pair.client);
	assert_true(atomic_load(&pair.client->tx[0].kick));
	pair.server = succeeded(pair.server);
	assert_false(atomic_load(&pair.server->tx[0].kick));
	part(pair);
}

/* --- real ports, as a server --- */

struct place {
	char folder[32], url[PORT_URL_MAX];
};

static struct place new_place(void)
{
	struct place place = { .folder = "/tmp/test-memif-XXXXXX" };

	assert_non_null(mkdtemp(place.folder));
	snprintf(place.url, sizeof(place.url), "memif:%s/m.sock?server=1", place.folder);
	return place;
}

static struct port *opened(const struct place *place, uint16_t queues, struct port_bequests *inherited)
{
	struct port_options options = {
		.name = "m", .url = place->url, .queues = queues, .pool = pool, .inherited = inherited
	};
	struct errors errors = ERRORS_NONE;
	struct port *server = port_open(&options, &errors);

	assert_non_null(server);
	return server;
}

/* A client that connects there; the server may have to part from another first. */
static struct memif_peer *client_at(const struct place *place, uint16_t queues)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct memif_peer *client = new_peer(socket(AF_UNIX, SOCK_SEQPACKET, 0), false, queues);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/m.sock", place->folder);
	assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (!memif_introduce(client, "client"))
		fail_msg("%s", client->reason);
	return client;
}

static void leave(struct memif_peer *client)
{
	memif_forget(client);
	free(client);
}

/* The port of a successor, with so many queues. */
static struct port *succeeded_by(const struct place *place, struct port *server, uint16_t queues)
{
	struct port_bequest b = { 0 };
	struct port_bequests inherited = { 0 };
	struct port *heir;

	while (!port_up(server))
		usleep(1000);
	assert_true(server->bequeath(server, &b));
	snprintf(b.url, sizeof(b.url), "%s", place->url);
	for (uint32_t i = 0; i < b.count; i++)
		b.fds[i] = dup(b.fds[i]);
	assert_true(bequests_add(&inherited, &b));
	port_close(server);
	heir = opened(place, queues, &inherited);
	bequests_free(&inherited);
	return heir;
}

/* Nothing is sent after the hand-over: whoever sleeps must be woken for what lies there. */
static void wakes_a_reader_at_once_when_it_takes_over(void **state)
{
	struct place place = new_place();
	struct port *server = opened(&place, 1, NULL);
	struct memif_peer *client = client_at(&place, 1);
	struct pollfd event = { .fd = client->rx[0].event, .events = POLLIN };

	(void)state;
	client->rx[0].ring->flags = 0;
	server = succeeded_by(&place, server, 1);
	assert_int_equal(poll(&event, 1, WAIT_MS), 1);
	leave(client);
	port_close(server);
	assert_int_equal(rmdir(place.folder), 0);
}

/* What it was agreed upon with one worker is what four have, until a peer comes that has more; one that has no more is welcome, too. */
static void the_next_peer_has_as_many_queues_as_are_wanted(void **state)
{
	static const uint16_t offered[] = { 1, 2 };
	struct place place = new_place();
	struct port *server = opened(&place, 1, NULL);
	struct memif_peer *client = client_at(&place, 1);

	(void)state;
	server = succeeded_by(&place, server, 2);
	assert_int_equal(server->rx_queues, 2);
	assert_int_equal(server->tx_queues, 1);
	for (unsigned i = 0; i < sizeof(offered) / sizeof(*offered); i++) {
		leave(client);
		client = client_at(&place, offered[i]);
		while (!port_up(server))
			usleep(1000);
		assert_int_equal(server->tx_queues, offered[i]);
	}
	leave(client);
	port_close(server);
	assert_int_equal(rmdir(place.folder), 0);
}

/* A descriptor may be lacking anywhere. */
static void says_why_it_cannot_take_over(void **state)
{
	unsigned before = descriptors(), failures = 0;
	struct pair pair = joined(1, 1, true);
	struct port_bequest b = handed(pair.server);
	struct rlimit was, limit;
	bool well = false;
	int lowest = dup(0);

	(void)state;
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (limit = was, limit.rlim_cur = (rlim_t)lowest; !well; limit.rlim_cur++) {
		struct memif_peer *heir = new_peer(-1, true, 1);

		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		well = memif_inherit(heir, &b);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
		if (!well)
			assert_non_null(heir->reason);
		failures += !well;
		leave(heir);
	}
	assert_true(failures >= 4); /* memory, two events, and the connection itself */
	bequest_refuse(&b);
	part(pair);
	assert_int_equal(descriptors(), before);
}

/* A torn or mad bequest: refused, or of queues that lie in the memory that came, which turn without harm. Nothing stays open. */
static void mad_bequests_do_no_harm(void **state)
{
	unsigned before = descriptors(), refused = 0;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pair pair = joined(1, 1, true);
		struct port_bequest b = handed(dice(2) ? pair.server : pair.client);
		struct memif_peer *heir = new_peer(-1, dice(8) ? b.value[0] : !b.value[0], 1);

		b.value[dice(16)] = dice(2) ? dice(70) : dice(UINT32_MAX);
		if (!dice(4))
			close(b.fds[--b.count]);
		if (!dice(4)) {
			uint32_t a = dice(b.count), c = dice(b.count);
			int fd = b.fds[a];

			b.fds[a] = b.fds[c];
			b.fds[c] = fd;
		}
		if (memif_inherit(heir, &b)) {
			turn(&heir->rx[0], &heir->tx[0]);
			memif_forget(heir);
		} else {
			assert_non_null(heir->reason);
			refused++;
		}
		assert_int_equal(heir->fd, -1);
		bequest_refuse(&b);
		free(heir);
		part(pair);
	}
	assert_true(refused > ROUNDS / 8);
	assert_int_equal(descriptors(), before);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
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

static int start(void **state)
{
	struct eal_options eal = { .name = "test-memif", .memory_mb = 32 };
	struct errors errors = ERRORS_NONE;

	(void)state;
	if (!eal_start(&eal, &errors))
		return -1;
	pool = rte_pktmbuf_pool_create("test", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	port.pool = pool;
	return pool ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	rte_mempool_free(pool);
	eal_stop();
	return 0;
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
		cmocka_unit_test(goes_on_in_another_process),
		cmocka_unit_test(wakes_whom_its_predecessor_should_have),
		cmocka_unit_test(wakes_a_reader_at_once_when_it_takes_over),
		cmocka_unit_test(the_next_peer_has_as_many_queues_as_are_wanted),
		cmocka_unit_test(says_why_it_cannot_take_over),
		cmocka_unit_test(mad_bequests_do_no_harm),
		cmocka_unit_test(refuses_what_it_must_not_believe),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
