/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cycles of the session table alone, without EAL: bulk lookup, lookup with accounting, opening and closing,
 * by table size. Vectors of 64 packets of random sessions in random directions; the packets' own memory stays
 * in the cache. Minimum, median and maximum of the samples, in TSC cycles a packet. With `memory`: what a session takes
 * of it, in bytes, for IPv4 and IPv6, with no slots and with 128 bytes of them. Usage: bench_flow [memory | SESSIONS...]
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "flow/table.h"
#include "flow/touch.h"
#include "packet/pkt.h"
#include "util/errors.h"

enum { BURST = 64, ROUNDS = 4000, SAMPLES = 15 };

struct packet {
	struct rte_mbuf m;
	struct pkt p;
	uint8_t data[64];
};

static struct packet packets[BURST] __attribute__((aligned(64)));
static uint64_t seed = 1;

static uint32_t next_random(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 32);
}

static struct tuple tuple_of(uint32_t n)
{
	struct tuple t;

	memset(&t, 0, sizeof(t));
	t.src = ip_v4(htonl(0x0a000000 + n / 16));
	t.dst = ip_v4(htonl(0xc6336401 + n % 7));
	t.sport = htons((uint16_t)(1024 + n % 16));
	t.dport = htons(443);
	t.proto = 17;
	t.family = FAMILY_V4;
	return t;
}

static struct tuple tuple6_of(uint32_t n)
{
	struct tuple t = tuple_of(n);

	t.family = FAMILY_V6;
	t.src.bytes[15] = 1;
	t.dst.bytes[15] = 2;
	return t;
}

/* A table full of answered UDP sessions. */
static struct flow_table *fill_with(uint32_t sessions, uint8_t family, uint32_t slot_bytes)
{
	struct flow_options options = { .sessions_v4 = family == FAMILY_V4 ? sessions : 64,
		                        .sessions_v6 = family == FAMILY_V6 ? sessions : 64,
		                        .slot_bytes = slot_bytes,
		                        .hash_seed = 0xfeed,
		                        .max_half_open_percent = 100 };
	struct errors errors = ERRORS_NONE;
	struct flow_table *table = flow_table_new(&options, &errors);

	for (uint32_t i = 0; table && i < sessions; i++) {
		struct tuple t = family == FAMILY_V4 ? tuple_of(i) : tuple6_of(i), back = tuple_reverse(&t);
		struct session *s;

		if (flow_reserve(table, &t, 0, &s) != FLOW_OK || flow_commit(table, s, &back) != FLOW_OK)
			exit(1);
	}
	return table;
}

static struct flow_table *fill(uint32_t sessions)
{
	return fill_with(sessions, FAMILY_V4, 64);
}

static void fill_packet(struct packet *packet, const struct tuple *t)
{
	struct rte_mbuf *m = &packet->m;
	struct pkt *p = &packet->p;

	m->buf_addr = packet->data;
	p->flags = PKT_V4;
	p->l3 = 14;
	p->l4 = 34;
	p->end = 64;
	p->proto = t->proto;
	p->sport = t->sport;
	p->dport = t->dport;
	pkt_ip4(m)->src_addr = t->src.v4;
	pkt_ip4(m)->dst_addr = t->dst.v4;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, uint32_t sessions, double *samples)
{
	qsort(samples, SAMPLES, sizeof(*samples), by_value);
	printf("%-14s %8u sessions  min %6.1f  median %6.1f  max %6.1f cycles\n", what, sessions, samples[0],
	       samples[SAMPLES / 2], samples[SAMPLES - 1]);
}

static double sample_lookup(struct flow_table *table, uint32_t sessions, bool touch)
{
	struct rte_mbuf *m[BURST];
	uint64_t cycles = 0, hits = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t begin;

		for (int i = 0; i < BURST; i++) {
			struct tuple t = tuple_of(next_random() % sessions);

			if (next_random() & 1)
				t = tuple_reverse(&t);
			fill_packet(&packets[i], &t);
			m[i] = &packets[i].m;
		}
		/* The stores above must be done, or they would be paid for below. */
		_mm_mfence();
		_mm_lfence();
		begin = __rdtsc();
		hits += (uint64_t)__builtin_popcountll(flow_lookup(table, m, BURST, UINT64_MAX));
		for (int i = 0; touch && i < BURST; i++)
			flow_touch(table, pkt_of(m[i])->session, m[i], (uint32_t)round);
		_mm_lfence();
		cycles += __rdtsc() - begin;
	}
	if (hits != (uint64_t)ROUNDS * BURST)
		exit(1);
	return (double)cycles / ROUNDS / BURST;
}

/* Closes a random session and opens it again. */
static double sample_churn(struct flow_table *table, uint32_t sessions)
{
	enum { CHURN = 50000 };
	uint64_t begin = __rdtsc();

	for (int i = 0; i < CHURN; i++) {
		struct tuple t = tuple_of(next_random() % sessions), back = tuple_reverse(&t);
		int direction;
		struct session *s = flow_find(table, &t, &direction);

		flow_remove(table, s);
		if (flow_reserve(table, &t, 0, &s) != FLOW_OK || flow_commit(table, s, &back) != FLOW_OK)
			exit(1);
	}
	return (double)(__rdtsc() - begin) / CHURN;
}

static void measure(uint32_t sessions)
{
	struct flow_table *table = fill(sessions);
	double samples[SAMPLES];

	if (!table) {
		fprintf(stderr, "bench_flow: no memory for %u sessions\n", sessions);
		exit(1);
	}
	for (int i = 0; i < SAMPLES; i++)
		samples[i] = sample_lookup(table, sessions, false);
	print("lookup", sessions, samples);
	for (int i = 0; i < SAMPLES; i++)
		samples[i] = sample_lookup(table, sessions, true);
	print("lookup+touch", sessions, samples);
	for (int i = 0; i < SAMPLES; i++)
		samples[i] = sample_churn(table, sessions);
	print("close+open", sessions, samples);
	flow_table_free(table);
}

/* What this process has of memory, hugepages too, in bytes. */
static double resident(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	double sum = 0, kilobytes;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %lf", &kilobytes) == 1 ||
		    sscanf(line, "HugetlbPages: %lf", &kilobytes) == 1)
			sum += 1024 * kilobytes;
	if (file)
		fclose(file);
	return sum;
}

static void measure_memory(void)
{
	enum { SESSIONS = 1000000 };

	for (unsigned i = 0; i < 4; i++) {
		double before = resident();
		struct flow_table *table =
		        fill_with(SESSIONS, i < 2 ? FAMILY_V4 : FAMILY_V6, i % 2 ? 128 : 0);

		if (!table)
			exit(1);
		printf("%.1f\n", (resident() - before) / SESSIONS);
		flow_table_free(table);
	}
}

int main(int argc, char **argv)
{
	static const uint32_t usual[] = { 1000, 65536, 1000000 };

	if (argc == 2 && strcmp(argv[1], "memory") == 0) {
		measure_memory();
		return 0;
	}
	for (int i = 1; i < argc; i++)
		measure((uint32_t)strtoul(argv[i], NULL, 10));
	for (unsigned i = 0; argc < 2 && i < sizeof(usual) / sizeof(*usual); i++)
		measure(usual[i]);
	return 0;
}
