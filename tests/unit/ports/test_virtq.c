/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtqueue against a device that is played here: what goes through it is whole, in order and freed once; and against
 * one that writes nonsense, which must end in a broken queue and never in memory that is not the queue's. Then the
 * front end's conversation with back ends that are wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <rte_mempool.h>

#include "runtime/process/eal.h"
#include "port/vhost_front.h"
#include "port/virtq.h"

enum { SIZE = 64, MBUFS = 512, ROUNDS = 2000, HOSTILE_ROUNDS = 20000 };

static struct rte_mempool *pool;

/* The device's side: what it has read of the available ring. */
struct device {
	struct virtq *q;
	uint16_t taken;
	uint64_t seed;
};

static uint32_t dice(struct device *d)
{
	d->seed = d->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(d->seed >> 33);
}

static uint16_t waiting(struct device *d)
{
	return (uint16_t)(__atomic_load_n(&d->q->avail->idx, __ATOMIC_ACQUIRE) - d->taken);
}

static uint16_t next(struct device *d)
{
	return d->q->avail->ring[d->taken++ % SIZE];
}

static void give_back(struct device *d, uint16_t id, uint32_t length)
{
	d->q->used->ring[d->q->used->idx % SIZE] = (struct vring_used_elem){ id, length };
	__atomic_store_n(&d->q->used->idx, (uint16_t)(d->q->used->idx + 1), __ATOMIC_RELEASE);
}

static uint8_t *buffer(struct device *d, uint16_t id)
{
	return (uint8_t *)(uintptr_t)d->q->desc[id].addr;
}

/* Writes `count` numbered frames into what it was given, in an order of its own. */
static void deliver(struct device *d, unsigned count, uint32_t *number)
{
	uint16_t ids[SIZE];

	assert_true(count <= waiting(d));
	for (unsigned i = 0; i < count; i++)
		ids[i] = next(d);
	while (count) {
		unsigned pick = dice(d) % count;
		uint16_t id = ids[pick];

		ids[pick] = ids[--count];
		assert_int_equal(d->q->desc[id].flags, VRING_DESC_F_WRITE);
		memset(buffer(d, id), 0, VIRTQ_HEADER);
		memcpy(buffer(d, id) + VIRTQ_HEADER, number, sizeof(*number));
		(*number)++;
		give_back(d, id, VIRTQ_HEADER + 60);
	}
}

static void receives_what_was_written(void **state)
{
	struct virtq q;
	struct device d = { &q, 0, 1 };
	uint32_t written = 0, read = 0;

	(void)state;
	assert_true(virtq_make(&q, SIZE));
	virtq_fill(&q, pool);
	assert_int_equal(waiting(&d), SIZE);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct rte_mbuf *m[32];
		uint16_t n;

		if (waiting(&d))
			deliver(&d, 1 + dice(&d) % waiting(&d), &written);
		n = virtq_receive(&q, pool, m, 1 + dice(&d) % 32);
		for (uint16_t i = 0; i < n; i++, read++) {
			assert_int_equal(rte_pktmbuf_pkt_len(m[i]), 60);
			assert_int_equal(*rte_pktmbuf_mtod(m[i], uint32_t *), read);
			rte_pktmbuf_free(m[i]);
		}
	}
	assert_true(read > ROUNDS);
	assert_false(q.broken);
	virtq_free(&q);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static struct rte_mbuf *frame(uint32_t number)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	memset(rte_pktmbuf_mtod(m, uint8_t *) - VIRTQ_HEADER, 0xff, VIRTQ_HEADER);
	*(uint32_t *)rte_pktmbuf_append(m, 60) = number;
	return m;
}

static void read_sent(struct device *d, unsigned count, uint32_t *number)
{
	static const uint8_t zero[VIRTQ_HEADER];

	while (count--) {
		uint16_t id = next(d);

		assert_int_equal(d->q->desc[id].len, VIRTQ_HEADER + 60);
		assert_int_equal(d->q->desc[id].flags, 0);
		assert_memory_equal(buffer(d, id), zero, VIRTQ_HEADER);
		assert_memory_equal(buffer(d, id) + VIRTQ_HEADER, number, sizeof(*number));
		(*number)++;
		give_back(d, id, 0);
	}
}

static void sends_in_order_and_frees(void **state)
{
	struct virtq q;
	struct device d = { &q, 0, 2 };
	uint32_t sent = 0, read = 0;

	(void)state;
	assert_true(virtq_make(&q, SIZE));
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct rte_mbuf *m[32];
		uint16_t n = (uint16_t)(1 + dice(&d) % 32), took;

		for (uint16_t i = 0; i < n; i++)
			m[i] = frame(sent + i);
		took = virtq_send(&q, m, n);
		sent += took;
		for (uint16_t i = took; i < n; i++)
			rte_pktmbuf_free(m[i]);
		read_sent(&d, dice(&d) % (waiting(&d) + 1u), &read);
	}
	assert_true(read > ROUNDS);
	virtq_reset(&q);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	virtq_free(&q);
}

/* A device that ends, and the next, which begins where that one came to: nothing is seen twice or left out, either way. */
static void goes_on_with_the_next_device(void **state)
{
	struct virtq rx, tx;
	struct device d = { &rx, 0, 5 }, e = { &tx, 0, 6 };
	uint32_t written = 0, read = 0, sent = 0, seen = 0;
	struct rte_mbuf *m[32];

	(void)state;
	assert_true(virtq_make(&rx, SIZE) && virtq_make(&tx, SIZE));
	virtq_fill(&rx, pool);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint16_t n;

		while (waiting(&d) && dice(&d) % 8) { /* in order, as back ends that copy do */
			uint16_t id = next(&d);

			memcpy(buffer(&d, id) + VIRTQ_HEADER, &written, sizeof(written));
			written++;
			give_back(&d, id, VIRTQ_HEADER + 60);
		}
		read_sent(&e, dice(&e) % (waiting(&e) + 1u), &seen);
		assert_int_equal(virtq_all_used(&tx), !waiting(&e));
		d.taken = virtq_base(&rx);
		e.taken = virtq_base(&tx);
		n = virtq_receive(&rx, pool, m, 1 + dice(&d) % 32);
		for (uint16_t i = 0; i < n; i++, read++) {
			assert_int_equal(*rte_pktmbuf_mtod(m[i], uint32_t *), read);
			rte_pktmbuf_free(m[i]);
		}
		assert_int_equal(virtq_all_taken(&rx), read == written);
		m[0] = frame(sent);
		if (virtq_send(&tx, m, 1))
			sent++;
		else
			rte_pktmbuf_free(m[0]);
	}
	assert_true(read > ROUNDS && seen > ROUNDS / 2);
	assert_false(rx.broken || tx.broken);
	virtq_free(&rx);
	virtq_free(&tx);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void leaves_what_has_no_room_for_a_header(void **state)
{
	struct virtq q;
	struct rte_mbuf *m[2] = { frame(0), frame(1) };

	(void)state;
	assert_true(virtq_make(&q, SIZE));
	rte_pktmbuf_prepend(m[1], (uint16_t)(rte_pktmbuf_headroom(m[1]) - VIRTQ_HEADER + 1));
	assert_int_equal(virtq_send(&q, m, 2), 1);
	rte_pktmbuf_free(m[1]);
	virtq_free(&q);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* A word here and there of what the device may write. */
static void scribble(struct device *d)
{
	for (unsigned i = dice(d) % 4; i; i--)
		d->q->used->ring[dice(d) % SIZE] =
		        (struct vring_used_elem){ dice(d) % (2 * SIZE), dice(d) % 4096 };
	if (dice(d) % 2)
		d->q->used->idx = (uint16_t)(d->q->used->idx + dice(d) % (dice(d) % 8 ? 4 : 300));
}

static void survives_a_hostile_device(void **state)
{
	struct virtq rx, tx;
	struct device d = { &rx, 0, 3 }, e = { &tx, 0, 4 };
	unsigned broken = 0;

	(void)state;
	assert_true(virtq_make(&rx, SIZE) && virtq_make(&tx, SIZE));
	virtq_fill(&rx, pool);
	for (unsigned round = 0; round < HOSTILE_ROUNDS; round++) {
		struct rte_mbuf *m[32];
		uint16_t n;

		scribble(&d);
		scribble(&e);
		n = virtq_receive(&rx, pool, m, 32);
		for (uint16_t i = 0; i < n; i++)
			assert_true(rte_pktmbuf_tailroom(m[i]) <= RTE_MBUF_DEFAULT_DATAROOM);
		for (uint16_t i = virtq_send(&tx, m, n); i < n; i++)
			rte_pktmbuf_free(m[i]);
		if (rx.broken || tx.broken) {
			broken++;
			virtq_reset(&rx);
			virtq_reset(&tx);
			virtq_fill(&rx, pool);
		}
	}
	assert_true(broken > 100);
	virtq_free(&rx);
	virtq_free(&tx);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* A back end that reads one request and answers it with these bytes. */
struct talker {
	int fd;
	const void *answer;
	size_t size;
};

static void *talk(void *talker)
{
	struct talker *t = talker;
	uint8_t request[12];

	if (read(t->fd, request, sizeof(request)) == (ssize_t)sizeof(request) && t->size)
		assert_int_equal(write(t->fd, t->answer, t->size), t->size);
	shutdown(t->fd, SHUT_WR);
	return NULL;
}

static const char *reason_of(const void *answer, size_t size)
{
	struct vhost_front front;
	struct talker t = { .answer = answer, .size = size };
	struct virtq rx, tx;
	pthread_t thread;
	int ends[2];

	assert_true(virtq_make(&rx, SIZE) && virtq_make(&tx, SIZE));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	t.fd = ends[1];
	assert_int_equal(pthread_create(&thread, NULL, talk, &t), 0);
	assert_int_equal(vhost_front_start(&front, ends[0], &rx, &tx, 1), 0);
	pthread_join(thread, NULL);
	close(ends[0]);
	close(ends[1]);
	virtq_free(&rx);
	virtq_free(&tx);
	return front.reason;
}

static void refuses_wrong_back_ends(void **state)
{
	const uint32_t old[] = { 1, 5, 8, 0, 0 }, other[] = { 2, 5, 8, 0, 1 },
	               shapeless[] = { 1, 5, 4, 0, 1 };
	const uint32_t no_reply[] = { 1, 1, 8, 0, 1 };

	(void)state;
	assert_string_equal(reason_of(old, sizeof(old)), "it does not know virtio 1.0");
	assert_string_equal(reason_of(old, sizeof(old) - 1), "it does not answer");
	assert_string_equal(reason_of("", 0), "it does not answer");
	assert_string_equal(reason_of(other, sizeof(other)), "it answers otherwise than the protocol has it");
	assert_string_equal(reason_of(shapeless, sizeof(shapeless)),
	                    "it answers otherwise than the protocol has it");
	assert_string_equal(reason_of(no_reply, sizeof(no_reply)),
	                    "it answers otherwise than the protocol has it");
}

enum { GET_FEATURES = 1, SET_FEATURES = 2, BASE = 11, GET_PROTOCOL = 15, ENABLE = 18, NEED_REPLY = 8 };

/* A back end that offers everything, and remembers what it was asked for. */
struct generous {
	int fd;
	uint64_t asked;
	unsigned opened, stopped; /* bit i: queue i */
	bool acknowledges;
};

static void remember(struct generous *g, uint32_t request, const void *body)
{
	const struct vhost_vring_state *ring = body;
	unsigned bit = 1u << ring->index % 32;

	if (request == SET_FEATURES)
		memcpy(&g->asked, body, sizeof(g->asked));
	if (request == ENABLE)
		g->opened = ring->num ? g->opened | bit : g->opened & ~bit;
	if (request == BASE)
		g->stopped |= bit;
}

static uint64_t answer_of(const struct generous *g, uint32_t request)
{
	if (request == GET_FEATURES)
		return UINT64_MAX;
	if (request == GET_PROTOCOL)
		return g->acknowledges ? 8 : 0;
	return 0;
}

static void *offer_everything(void *generous)
{
	struct generous *g = generous;
	uint32_t header[3];
	uint8_t body[512];

	while (recv(g->fd, header, sizeof(header), MSG_WAITALL) == (ssize_t)sizeof(header)) {
		uint64_t answer = answer_of(g, header[0]);

		assert_true(header[2] <= sizeof(body));
		if (header[2])
			assert_int_equal(recv(g->fd, body, header[2], MSG_WAITALL), header[2]);
		remember(g, header[0], body);
		if (header[0] == GET_FEATURES || header[0] == GET_PROTOCOL || header[0] == BASE ||
		    header[1] & NEED_REPLY) {
			uint32_t reply[5] = { header[0], 5, 8 };

			memcpy(reply + 3, &answer, sizeof(answer));
			assert_int_equal(write(g->fd, reply, sizeof(reply)), sizeof(reply));
		}
	}
	return NULL;
}

/* A conversation with one: one pair of queues is introduced, then something is done. */
static void converse(struct generous *g, void (*then)(struct vhost_front *front, struct generous *g))
{
	struct vhost_front front;
	struct virtq rx, tx;
	pthread_t thread;
	int ends[2];

	assert_true(virtq_make(&rx, SIZE) && virtq_make(&tx, SIZE));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	g->fd = ends[1];
	assert_int_equal(pthread_create(&thread, NULL, offer_everything, g), 0);
	assert_int_equal(vhost_front_start(&front, ends[0], &rx, &tx, 1), 1);
	if (then)
		then(&front, g);
	shutdown(ends[0], SHUT_WR);
	pthread_join(thread, NULL);
	close(ends[0]);
	close(ends[1]);
	virtq_free(&rx);
	virtq_free(&tx);
}

static void asks_for_no_offloads(void **state)
{
	const uint64_t protocol = UINT64_C(1) << 30;
	struct generous g = { 0 };

	(void)state;
	converse(&g, NULL);
	assert_true(g.asked == (protocol | UINT64_C(1) << VIRTIO_F_VERSION_1));
	assert_int_equal(g.opened, 3);
}

static void leave(struct vhost_front *front, struct generous *g)
{
	assert_true(vhost_front_pause(front, 1));
	if (g->acknowledges)
		assert_int_equal(g->opened, 2);
	assert_true(vhost_front_stop(front, 1));
	assert_int_equal(g->opened, 2); /* it goes on emptying what it empties */
	assert_int_equal(g->stopped, 3);
}

static void says_that_it_leaves(void **state)
{
	struct generous plain = { 0 }, careful = { .acknowledges = true };

	(void)state;
	converse(&plain, leave);
	converse(&careful, leave);
}

static int start(void **state)
{
	struct eal_options eal = { .name = "test-virtq", .memory_mb = 32 };
	struct errors errors = ERRORS_NONE;

	(void)state;
	if (!eal_start(&eal, &errors))
		return -1;
	pool = rte_pktmbuf_pool_create("test", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
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
		cmocka_unit_test(receives_what_was_written),
		cmocka_unit_test(sends_in_order_and_frees),
		cmocka_unit_test(goes_on_with_the_next_device),
		cmocka_unit_test(leaves_what_has_no_room_for_a_header),
		cmocka_unit_test(survives_a_hostile_device),
		cmocka_unit_test(refuses_wrong_back_ends),
		cmocka_unit_test(asks_for_no_offloads),
		cmocka_unit_test(says_that_it_leaves),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
