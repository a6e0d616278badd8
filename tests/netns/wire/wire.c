/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A wire for tests of ports: two ports, and whatever comes in by one goes out by the other, until SIGTERM. Looks at each
 * frame as it comes in: one that is not whole (several segments, longer than the MTU, wrong checksums) is counted and
 * dropped, as a function would have to. One thread. Says "up" and "down" by port on stdout, and its counts at the end.
 *	wire HUGEPAGES URL NETNS URL NETNS [split] [MTU]		(HUGEPAGES: auto, always, never; NETNS: - for none)
 * split: every frame is sent in several segments, cut at places that move on from frame to frame. MTU: larger than 1500.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "packet/pkt.h"
#include "runtime/process/eal.h"
#include "port/port.h"

enum { BURST = 64, FRAME_OVERHEAD = 18, MTU_DEFAULT = 1500, SEGMENTS = 3, LINK_LOOKS_A_SECOND = 20 };

struct side {
	struct port *port;
	const char *name;
	bool up;
	uint64_t received, sent, refused, broken;
};

static volatile sig_atomic_t stopping;
static bool splitting;
static uint16_t mtu = MTU_DEFAULT;

static void stop(int number)
{
	(void)number;
	stopping = 1;
}

/* Parsing fills in struct pkt, which pkt_transport_checksum_ok() needs; what is not IP passes as it is. */
static bool is_whole(struct rte_mbuf *m)
{
	enum pkt_malformed kind = pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM);

	if (m->nb_segs != 1 || rte_pktmbuf_pkt_len(m) > mtu + FRAME_OVERHEAD + 4u)
		return false;
	if (kind == PKT_NOT_IP)
		return true;
	return kind != PKT_BAD_CHECKSUM && kind != PKT_SHORT_IP &&
	       (kind != PKT_OK || pkt_transport_checksum_ok(m));
}

/* The same frame in a few segments, each with all but its first bytes cut off; without mbufs for that it stays whole. */
static void split(struct rte_mbuf *m, struct rte_mempool *pool, uint32_t number)
{
	struct rte_mbuf *last = m;

	for (unsigned i = 0; i < SEGMENTS && last->data_len > 1; i++) {
		uint16_t at = (uint16_t)(1 + (number + i * 7) % (last->data_len - 1u));
		struct rte_mbuf *next = rte_pktmbuf_alloc(pool);
		uint16_t rest = (uint16_t)(last->data_len - at);

		if (!next)
			return;
		memcpy(rte_pktmbuf_append(next, rest), rte_pktmbuf_mtod_offset(last, void *, at), rest);
		last->data_len = at;
		m->pkt_len -= rest;
		rte_pktmbuf_chain(m, next);
		last = next;
	}
}

static unsigned carry(struct side *from, struct side *to)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = from->port->ops->rx(from->port, 0, m, BURST), kept = 0, sent;

	if (!n)
		return 0;
	from->received += n;
	for (uint16_t i = 0; i < n; i++) {
		if (is_whole(m[i])) {
			if (splitting)
				split(m[i], to->port->pool, (uint32_t)from->received + i);
			m[kept++] = m[i];
			continue;
		}
		from->broken++;
		rte_pktmbuf_free(m[i]);
	}
	sent = to->port->ops->tx(to->port, 0, m, kept);
	to->sent += sent;
	to->refused += kept - sent;
	rte_pktmbuf_free_bulk(m + sent, kept - sent);
	return n;
}

static void look(struct side *side)
{
	bool back = port_tend(side->port) == PORT_BACK, up = port_up(side->port);

	if (back)
		printf("%s back\n", side->name);
	if (up != side->up)
		printf("%s %s\n", side->name, up ? "up" : "down");
	side->up = up;
}

static void turn(struct side *a, struct side *b)
{
	uint64_t every = rte_get_tsc_hz() / LINK_LOOKS_A_SECOND, next = 0;

	while (!stopping) {
		unsigned moved = carry(a, b) + carry(b, a);

		if (rte_rdtsc() > next) {
			look(a);
			look(b);
			next = rte_rdtsc() + every;
		}
		if (!moved)
			usleep(20);
	}
}

static int complain(struct errors *errors)
{
	char line[512];

	for (size_t i = 0; i < errors->count; i++) {
		error_format(&errors->list[i], line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
	errors_free(errors);
	return 1;
}

static struct port *open_side(struct side *side, uint16_t number, char **words, struct rte_mempool *pool,
                              struct errors *errors)
{
	struct port_options options = { .name = number ? "b" : "a",
		                        .url = words[0],
		                        .netns = strcmp(words[1], "-") ? words[1] : NULL,
		                        .number = number,
		                        .queues = 1,
		                        .mtu = mtu,
		                        .pool = pool };
	uint64_t began = rte_rdtsc();

	side->name = options.name;
	side->port = port_open(&options, errors);
	if (side->port)
		printf("%s open %.1f ms\n", side->name,
		       (double)(rte_rdtsc() - began) * 1e3 / (double)rte_get_tsc_hz());
	return side->port;
}

static void close_side(struct side *side)
{
	printf("%s received=%" PRIu64 " broken=%" PRIu64 " sent=%" PRIu64 " refused=%" PRIu64
	       " oversize=%" PRIu64 "\n",
	       side->name, side->received, side->broken, side->sent, side->refused,
	       atomic_load(&side->port->oversize));
	port_close(side->port);
}

static enum eal_hugepages hugepages(const char *word)
{
	if (!strcmp(word, "always"))
		return EAL_HUGEPAGES_ALWAYS;
	return strcmp(word, "never") ? EAL_HUGEPAGES_AUTO : EAL_HUGEPAGES_NEVER;
}

int main(int argc, char **argv)
{
	struct eal_options eal = { .name = "wire", .memory_mb = 128 };
	struct errors errors = ERRORS_NONE;
	struct side a = { 0 }, b = { 0 };
	struct rte_mempool *pool;

	if (argc < 6)
		return 2;
	for (int i = 6; i < argc; i++) {
		if (!strcmp(argv[i], "split"))
			splitting = true;
		else
			mtu = (uint16_t)atoi(argv[i]);
	}
	eal.hugepages = hugepages(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!eal_start(&eal, &errors))
		return complain(&errors);
	pool = rte_pktmbuf_pool_create(
	        "wire", 8191, 256, PKT_PRIVATE_SIZE,
	        (uint16_t)(RTE_MBUF_DEFAULT_BUF_SIZE + (mtu > MTU_DEFAULT ? mtu - MTU_DEFAULT : 0)),
	        SOCKET_ID_ANY);
	signal(SIGTERM, stop);
	if (!pool || !open_side(&a, 0, argv + 2, pool, &errors) ||
	    !open_side(&b, 1, argv + 4, pool, &errors)) {
		if (a.port)
			port_close(a.port);
		return complain(&errors);
	}
	turn(&a, &b);
	close_side(&a);
	close_side(&b);
	printf("mbufs %u\n", rte_mempool_in_use_count(pool));
	rte_mempool_free(pool);
	eal_stop();
	return 0;
}
