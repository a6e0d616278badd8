/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports that play: captures come back byte for byte, made flows are right packets, learnt ones are turned round. One
 * thread, EAL without PCI; a capture in a file of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <pcap/pcap.h>

#include "runtime/process/eal.h"
#include "port/port.h"
#include "support/packets.h"

enum { BURST = 64, FRAMES = 100 };

static struct rte_mempool *pool;

static struct port *open_port(const char *url, struct errors *errors)
{
	static uint16_t number;
	struct port_options options = {
		.name = "p", .url = url, .number = number++, .queues = 1, .pool = pool
	};

	return port_open(&options, errors);
}

static struct port *opened(const char *url)
{
	struct errors errors = ERRORS_NONE;
	struct port *port = open_port(url, &errors);

	if (!port)
		fail_msg("%s", errors.list[0].detail);
	return port;
}

/* Frame i of the capture: lengths from 60 to 1500, which are no multiple of anything. */
static size_t frame_of(unsigned i, uint8_t *bytes)
{
	size_t length = 60 + (size_t)i * 1440 / (FRAMES - 1);

	for (size_t b = 0; b < length; b++)
		bytes[b] = (uint8_t)(b * 31 + i);
	return length;
}

static void write_capture(const char *path)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	pcap_dumper_t *out = pcap_dump_open(pcap, path);
	uint8_t bytes[2000];

	for (unsigned i = 0; i < FRAMES; i++) {
		struct pcap_pkthdr header = { 0 };

		header.caplen = header.len = (bpf_u_int32)frame_of(i, bytes);
		pcap_dump((unsigned char *)out, &header, bytes);
	}
	/* Cut short by the capture: not to be played. */
	pcap_dump((unsigned char *)out, &(struct pcap_pkthdr){ .caplen = 60, .len = 61 }, bytes);
	pcap_dump_close(out);
	pcap_close(pcap);
}

static void replays_byte_for_byte(void **state)
{
	char path[] = "/tmp/sluice-play-XXXXXX", url[64];
	struct rte_mbuf *m[BURST];
	struct port *port;
	unsigned next = 0;

	(void)state;
	close(mkstemp(path));
	write_capture(path);
	snprintf(url, sizeof(url), "replay:%s", path);
	port = opened(url);
	while (next < 3 * FRAMES) {
		uint16_t n = port->ops->rx(port, 0, m, BURST);

		assert_true(n > 0);
		for (uint16_t i = 0; i < n; i++) {
			uint8_t bytes[2000];
			size_t length = frame_of(next++ % FRAMES, bytes);

			assert_int_equal(rte_pktmbuf_pkt_len(m[i]), length);
			assert_int_equal(m[i]->data_len, length);
			assert_memory_equal(rte_pktmbuf_mtod(m[i], void *), bytes, length);
			/* What a path does to it must not be seen in the next round. */
			memset(rte_pktmbuf_mtod(m[i], void *), 0xee, length);
			assert_non_null(rte_pktmbuf_adj(m[i], 14));
		}
		assert_int_equal(port->ops->tx(port, 0, m, n), n);
	}
	port_close(port);
	unlink(path);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void refuses_what_is_no_capture(void **state)
{
	struct errors errors = ERRORS_NONE;

	(void)state;
	assert_null(open_port("replay:/dev/null", &errors));
	assert_null(open_port("replay:/nix", &errors));
	assert_int_equal(errors.count, 2);
	assert_non_null(strstr(errors.list[1].detail, "replay:/nix: cannot be played: /nix: No such file"));
	errors_free(&errors);
}

/* Receives one round of a synth port: checks each packet and that no two tuples are the same. Frees them by tx of `to`. */
static void one_round(struct port *port, struct port *to, unsigned flows, struct tuple *tuples)
{
	struct rte_mbuf *m[BURST];

	for (unsigned next = 0; next < flows;) {
		uint16_t n = port->ops->rx(port, 0, m, BURST);

		assert_true(n > 0);
		for (uint16_t i = 0; i < n; i++) {
			assert_int_equal(pkt_parse(m[i], PARSE_VERIFY_IP_CHECKSUM), PKT_OK);
			assert_true(packet_checksums_right(m[i]));
			assert_memory_equal(rte_pktmbuf_mtod(m[i], void *), port->mac, 6);
			pkt_tuple(m[i], &tuples[next++]);
		}
		assert_int_equal(to->ops->tx(to, 0, m, n), n);
	}
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tuple));
}

static void flows_differ_and_are_learnt(void **state)
{
	enum { FLOWS = 1000 };
	static struct tuple there[FLOWS], again[FLOWS], back[FLOWS];
	struct port *a = opened("synth:?flows=1000&seed=5"), *b = opened("synth:?flows=1000&learn=1");
	struct rte_mbuf *m[BURST];

	(void)state;
	assert_int_equal(b->ops->rx(b, 0, m, BURST), 0);
	memset(there, 0, sizeof(there));
	one_round(a, b, FLOWS, there);
	one_round(a, a, FLOWS, again);
	assert_memory_equal(there, again, sizeof(there));
	for (unsigned next = 0; next < FLOWS;) {
		uint16_t n = b->ops->rx(b, 0, m, BURST);

		assert_true(n > 0);
		for (uint16_t i = 0; i < n; i++, next++) {
			assert_int_equal(pkt_parse(m[i], PARSE_VERIFY_IP_CHECKSUM), PKT_OK);
			pkt_tuple(m[i], &back[next]);
			assert_memory_equal(&back[next].src, &there[next].dst, sizeof(back[next].src));
			assert_memory_equal(&back[next].dst, &there[next].src, sizeof(back[next].dst));
			assert_int_equal(back[next].sport, there[next].dport);
			assert_int_equal(back[next].dport, there[next].sport);
		}
		b->ops->tx(b, 0, m, n);
	}
	qsort(there, FLOWS, sizeof(*there), by_bytes);
	for (unsigned i = 1; i < FLOWS; i++)
		assert_int_not_equal(by_bytes(&there[i - 1], &there[i]), 0);
	port_close(a);
	port_close(b);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* What is not as it came out of the pool is freed as it must be. */
static void frees_what_was_changed(void **state)
{
	struct port *port = opened("synth:?silent=1");
	struct rte_mbuf *m[3] = { rte_pktmbuf_alloc(pool), rte_pktmbuf_alloc(pool), rte_pktmbuf_alloc(pool) };
	struct rte_mbuf *second = rte_pktmbuf_alloc(pool), *kept = m[1];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(rte_pktmbuf_append(m[i], 60));
	memset(rte_pktmbuf_mtod(m[0], void *), 0, 60);
	memset(rte_pktmbuf_mtod(m[1], void *), 0, 60);
	memset(rte_pktmbuf_mtod(m[2], void *), 0, 60);
	assert_non_null(rte_pktmbuf_append(second, 60));
	assert_int_equal(rte_pktmbuf_chain(m[0], second), 0);
	rte_mbuf_refcnt_update(kept, 1);
	assert_int_equal(port->ops->tx(port, 0, m, 3), 3);
	assert_int_equal(rte_mempool_in_use_count(pool), 1);
	assert_int_equal(rte_mbuf_refcnt_read(kept), 1);
	rte_pktmbuf_free(kept);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	port_close(port);
}

/* A device's frame that one mbuf cannot hold is left out and counted; those about it come through. */
static void leaves_out_what_is_too_long(void **state)
{
	char path[] = "/tmp/sluice-play-XXXXXX", url[64];
	static const uint32_t lengths[] = { 60, 4000, 1500 };
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65535);
	struct rte_mbuf *m[BURST];
	pcap_dumper_t *out;
	struct port *port;
	uint8_t bytes[4000] = { 0 };

	(void)state;
	close(mkstemp(path));
	out = pcap_dump_open(pcap, path);
	for (unsigned i = 0; i < 3; i++)
		pcap_dump((unsigned char *)out,
		          &(struct pcap_pkthdr){ .caplen = lengths[i], .len = lengths[i] }, bytes);
	pcap_dump_close(out);
	pcap_close(pcap);
	snprintf(url, sizeof(url), "pcap:%s", path);
	port = opened(url);
	assert_int_equal(port->ops->rx(port, 0, m, BURST), 2);
	assert_int_equal(rte_pktmbuf_pkt_len(m[0]), 60);
	assert_int_equal(rte_pktmbuf_pkt_len(m[1]), 1500);
	assert_int_equal(port->oversize, 1);
	rte_pktmbuf_free_bulk(m, 2);
	port_close(port);
	unlink(path);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* Ports without an address of their own: unicast, local, the same again for the same name, another for another. */
static void addresses_stay(void **state)
{
	struct port a = { .name = "a", .url = "tap:t0" }, again = a, b = { .name = "b", .url = "tap:t0" };

	(void)state;
	port_make_mac(&a);
	port_make_mac(&again);
	port_make_mac(&b);
	assert_int_equal(a.mac[0] & 3, 2);
	assert_memory_equal(a.mac, again.mac, 6);
	assert_memory_not_equal(a.mac, b.mac, 6);
}

static void spreads_over_queues(void **state)
{
	struct errors errors = ERRORS_NONE;
	struct port_options options = {
		.name = "p", .url = "null:?receive=0", .number = 40, .queues = 3, .pool = pool
	};
	struct port *port = port_open(&options, &errors);

	(void)state;
	if (!port)
		fail_msg("%s", errors.list[0].detail);
	assert_int_equal(port->rx_queues, 3);
	assert_int_equal(port->tx_queues, 3);
	port_close(port);
}

static int start(void **state)
{
	struct eal_options eal = { .name = "test-ports", .memory_mb = 32 };
	struct errors errors = ERRORS_NONE;

	(void)state;
	if (!eal_start(&eal, &errors))
		return -1;
	pool = rte_pktmbuf_pool_create("test", 1023, 64, PKT_PRIVATE_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE,
	                               SOCKET_ID_ANY);
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
		cmocka_unit_test(spreads_over_queues),         cmocka_unit_test(replays_byte_for_byte),
		cmocka_unit_test(refuses_what_is_no_capture),  cmocka_unit_test(flows_differ_and_are_learnt),
		cmocka_unit_test(frees_what_was_changed),      cmocka_unit_test(addresses_stay),
		cmocka_unit_test(leaves_out_what_is_too_long),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
