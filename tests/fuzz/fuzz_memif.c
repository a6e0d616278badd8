/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A memif server and a client that says anything and writes anything into the memory that they share. Input: a byte that says what
 * comes next. 0: a message, of a type (a byte) with 16 bytes of body, and a descriptor by its type; 1: 16 bytes into the
 * memory at a place of two bytes; 2: the queues that there are turn once. Introduced already, for else little would come of it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "port/memif_talk.h"
#include "runtime/process/eal.h"

enum { MEMORY = 65536, BODY = 16, BURST = 8, QUEUES = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct port port;
static int shared;
static uint8_t *memory;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct eal_options eal = { .name = "fuzz-memif", .memory_mb = 32, .hugepages = EAL_HUGEPAGES_NEVER };
	struct errors errors = ERRORS_NONE;

	(void)argc;
	(void)argv;
	if (!eal_start(&eal, &errors))
		abort();
	port.pool = rte_pktmbuf_pool_create("fuzz", 255, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	shared = memfd_create("fuzz", MFD_ALLOW_SEALING);
	if (!port.pool || ftruncate(shared, MEMORY) < 0 || fcntl(shared, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		abort();
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
	if (memory == MAP_FAILED)
		abort();
	return 0;
}

static bool say(struct memif_peer *p, const uint8_t *data)
{
	struct memif_message message = { .type = data[0] }, answer;
	int fd = data[0] == MEMIF_ADD_REGION ? dup(shared) : data[0] == MEMIF_ADD_RING ? eventfd(0, 0) : -1;

	memcpy(&message.hello, data + 1, BODY);
	return memif_hear(p, &message, fd, &answer);
}

static void turn(struct memif_peer *p)
{
	struct rte_mbuf *m[BURST];

	for (unsigned i = 0; p->connected && i < QUEUES; i++) {
		uint16_t n =
		        i < p->rx_count && !p->rx[i].broken ? memif_receive(&p->rx[i], &port, m, BURST) : 0;

		if (!p->tx[i].broken && memif_send(&p->tx[i], &port, m, n) > n)
			abort();
		rte_pktmbuf_free_bulk(m, n);
	}
}

static void play(struct memif_peer *p, const uint8_t *data, size_t size)
{
	bool well = true;

	while (well && size) {
		size_t step = data[0] == 0 ? 2 + BODY : data[0] == 1 ? 3 + BODY : 1;

		if (step > size || data[0] > 2)
			break;
		if (data[0] == 0)
			well = say(p, data + 1);
		else if (data[0] == 1)
			memcpy(memory + (data[1] | (size_t)data[2] << 8) % (MEMORY - BODY), data + 3, BODY);
		else
			turn(p);
		data += step;
		size -= step;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memif_peer *p = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*p));

	if (!p)
		abort();
	memset(p, 0, sizeof(*p));
	memset(memory, 0, MEMORY);
	p->fd = p->stop = -1;
	p->server = p->introduced = true;
	p->rx_wanted = p->tx_wanted = p->senders = QUEUES;
	play(p, data, size);
	memif_forget(p);
	free(p);
	if (rte_mempool_in_use_count(port.pool))
		abort();
	return 0;
}
