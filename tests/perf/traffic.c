/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sends through a process and measures what arrives, phase by phase, and prints a line of JSON for each: packets sent and received, rate, loss, percentiles
 * of the latency in microseconds, and `waited`: how long threads of this process and of those that it watches could have run and had no cpu, over the phase's time. The main thread sends; another receives, on a cpu of its own if there are two, else both take turns.
 *
 *   traffic --from URL --to URL [--mac MAC] [--size N] [--flows N] [--cpus A[,B]] [--watch PID]... PHASE...      PHASE: RATE:SECONDS, RATE a number, max or half (of the last one)
 */
#include <dirent.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "packet/pkt.h"
#include "runtime/process/eal.h"
#include "traffic.h"

enum { MBUFS = 16383, CACHE = 256, PATIENCE_S = 60, SETTLE_MS = 100, WATCHED_MAX = 8 };

struct run {
	struct sender sender;
	struct receiver receiver;
	const char *urls[2];
	int cpus[2], cpu_count;
	double last_rate;
	int watched[WATCHED_MAX],
	        watched_count; /* processes whose threads are wanted to have their cpus whenever they can run */
	uint64_t waited;       /* by those and this one, ns, when the phase began */
	pthread_t thread;
	_Atomic bool stopping;
};

static void pin(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)cpu, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
}

static void *receive(void *argument)
{
	struct run *run = argument;

	pin(run->cpus[1]);
	rte_thread_register();
	while (!atomic_load_explicit(&run->stopping, memory_order_relaxed))
		receiver_step(&run->receiver);
	rte_thread_unregister();
	return NULL;
}

static bool alone(const struct run *run)
{
	return run->cpu_count < 2;
}

static void step(struct run *run, bool send)
{
	if (send)
		sender_step(&run->sender);
	if (alone(run))
		receiver_step(&run->receiver);
}

static uint64_t ms_ago(uint64_t then)
{
	uint64_t now = rte_rdtsc();

	return now < then ? 0 : (now - then) * 1000 / rte_get_tsc_hz();
}

/* How long the threads of a process have been kept waiting for a cpu, ns. */
static uint64_t waited_of(int pid)
{
	unsigned long long sum = 0, one;
	char path[320];
	struct dirent *task;
	FILE *file;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (task = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.32s/schedstat", pid, task->d_name);
		file = fopen(path, "re");
		if (file && fscanf(file, "%*u %llu", &one) == 1)
			sum += one;
		if (file)
			fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return sum;
}

static uint64_t waited(const struct run *run)
{
	uint64_t sum = waited_of((int)getpid());

	for (int i = 0; i < run->watched_count; i++)
		sum += waited_of(run->watched[i]);
	return sum;
}

static void begin_phase(struct run *run, uint64_t rate)
{
	run->sender.rate = rate;
	run->sender.sent = run->sender.refused = run->sender.due = 0;
	run->sender.phase++;
	/* The receiver does not count while it knows of no phase. */
	atomic_store(&run->receiver.phase, 0);
	for (uint64_t begin = rte_rdtsc(); ms_ago(begin) < 10;)
		step(run, false);
	run->receiver.received = 0;
	run->receiver.count = 0;
	run->waited = waited(run);
	atomic_store_explicit(&run->receiver.phase, run->sender.phase, memory_order_release);
	run->sender.begin = rte_rdtsc();
}

/* Until nothing has come for a while. */
static void drain(struct run *run)
{
	uint64_t begin = rte_rdtsc();

	while (ms_ago(begin) < SETTLE_MS ||
	       ms_ago(atomic_load_explicit(&run->receiver.last, memory_order_acquire)) < SETTLE_MS)
		step(run, false);
	atomic_store(&run->receiver.phase, 0);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double percentile(const struct receiver *r, uint32_t n, double share)
{
	uint32_t at = (uint32_t)(share * n);

	return n ? (double)r->times[at < n ? at : n - 1] * 1e6 / (double)rte_get_tsc_hz() : 0;
}

static void print(struct run *run, double seconds)
{
	struct receiver *r = &run->receiver;
	uint64_t sent = run->sender.sent + run->sender.refused, received = r->received;
	uint32_t n = r->count < TRAFFIC_TIMES ? r->count : TRAFFIC_TIMES;

	qsort(r->times, n, sizeof(*r->times), by_value);
	run->last_rate = (double)received / seconds;
	printf("{\"sent\": %llu, \"refused\": %llu, \"received\": %llu, \"pps\": %.0f, \"loss\": %.6f, "
	       "\"p50\": %.2f, \"p99\": %.2f, "
	       "\"p999\": %.2f, \"waited\": %.4f}\n",
	       (unsigned long long)sent, (unsigned long long)run->sender.refused,
	       (unsigned long long)received, run->last_rate,
	       sent > received ? (double)(sent - received) / (double)sent : 0.0, percentile(r, n, 0.5),
	       percentile(r, n, 0.99), percentile(r, n, 0.999),
	       (double)(waited(run) - run->waited) / 1e9 / seconds);
	fflush(stdout);
}

static void phase(struct run *run, const char *what)
{
	char *colon;
	uint64_t rate =
	        strncmp(what, "half:", 5) == 0 ? (uint64_t)(run->last_rate / 2) : strtoull(what, NULL, 10);
	double seconds = (colon = strchr(what, ':')) ? strtod(colon + 1, NULL) : 1;
	uint64_t length = (uint64_t)(seconds * (double)rte_get_tsc_hz());

	begin_phase(run, rate);
	while (rte_rdtsc() - run->sender.begin < length)
		step(run, true);
	seconds = (double)(rte_rdtsc() - run->sender.begin) / (double)rte_get_tsc_hz();
	drain(run);
	print(run, seconds);
}

/* Until both links are there and frames come through; false: they do not. */
static bool connected(struct run *run)
{
	uint64_t begin = rte_rdtsc();

	begin_phase(run, 2000);
	while (atomic_load_explicit(&run->receiver.received, memory_order_relaxed) <
	       run->sender.flows / 2 + 1)
		if (ms_ago(begin) > PATIENCE_S * 1000)
			return false;
		else
			step(run, true);
	drain(run);
	return true;
}

static struct port *open_port(const char *url, const char *name, uint16_t number, struct rte_mempool *pool,
                              struct errors *errors)
{
	struct port_options options = {
		.name = name, .url = url, .number = number, .queues = 1, .pool = pool
	};

	return port_open(&options, errors);
}

static bool set_up(struct run *run, struct errors *errors)
{
	struct rte_mempool *pool = rte_pktmbuf_pool_create("traffic", MBUFS, CACHE, PKT_PRIVATE_SIZE,
	                                                   RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	run->receiver.times = malloc(TRAFFIC_TIMES * sizeof(*run->receiver.times));
	if (!pool || !run->receiver.times) {
		errors_add(errors, NULL, "no-memory", NULL, 0, "not enough memory for %d packets", MBUFS);
		return false;
	}
	run->sender.pool = pool;
	run->sender.port = open_port(run->urls[0], "from", 0, pool, errors);
	run->receiver.port = open_port(run->urls[1], "to", 1, pool, errors);
	sender_prepare(&run->sender);
	return run->sender.port && run->receiver.port;
}

static int measure(struct run *run, char **phases)
{
	int status = 0;

	pin(run->cpus[0]);
	if (!alone(run) && pthread_create(&run->thread, NULL, receive, run) != 0)
		return 1;
	if (connected(run)) {
		for (; *phases; phases++)
			phase(run, *phases);
	} else {
		fprintf(stderr, "nothing comes through: %llu sent, %llu received\n",
		        (unsigned long long)run->sender.sent, (unsigned long long)run->receiver.received);
		status = 1;
	}
	atomic_store(&run->stopping, true);
	if (!alone(run))
		pthread_join(run->thread, NULL);
	return status;
}

static bool take_option(struct run *run, int option)
{
	switch (option) {
	case 'f':
		run->urls[0] = optarg;
		return true;
	case 't':
		run->urls[1] = optarg;
		return true;
	case 'm':
		return sscanf(optarg, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &run->sender.mac[0],
		              &run->sender.mac[1], &run->sender.mac[2], &run->sender.mac[3],
		              &run->sender.mac[4], &run->sender.mac[5]) == 6;
	case 's':
		run->sender.size = (uint16_t)strtoul(optarg, NULL, 10);
		return run->sender.size >= 60 && run->sender.size <= TRAFFIC_FRAME_MAX;
	case 'n':
		run->sender.flows = (uint32_t)strtoul(optarg, NULL, 10);
		return run->sender.flows > 0;
	case 'c':
		run->cpu_count = sscanf(optarg, "%d,%d", &run->cpus[0], &run->cpus[1]);
		return run->cpu_count > 0;
	case 'w':
		run->watched[run->watched_count] = atoi(optarg);
		return run->watched[run->watched_count] > 0 && ++run->watched_count < WATCHED_MAX;
	default:
		return false;
	}
}

static bool parse(int argc, char **argv, struct run *run)
{
	static const struct option known[] = {
		{ "from", required_argument, NULL, 'f' },  { "to", required_argument, NULL, 't' },
		{ "mac", required_argument, NULL, 'm' },   { "size", required_argument, NULL, 's' },
		{ "flows", required_argument, NULL, 'n' }, { "cpus", required_argument, NULL, 'c' },
		{ "watch", required_argument, NULL, 'w' }, { NULL, 0, NULL, 0 }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (!take_option(run, option))
			return false;
	return run->urls[0] && run->urls[1] && optind < argc;
}

int main(int argc, char **argv)
{
	struct run run = { .sender = { .size = 64, .flows = 1000, .mac = { 0x02, 0x53, 0x4c, 0, 0, 1 } },
		           .receiver = { .seed = 1 } };
	struct eal_options eal = { .name = "traffic", .memory_mb = 96 };
	struct errors errors = ERRORS_NONE;
	char line[512];
	int status = 1;

	if (!parse(argc, argv, &run)) {
		fprintf(stderr, "usage: traffic --from URL --to URL [--mac MAC] [--size N] [--flows N] "
		                "[--cpus A[,B]] [--watch PID]... RATE|max|half:SECONDS...\n");
		return 2;
	}
	if (eal_start(&eal, &errors) && set_up(&run, &errors))
		status = measure(&run, argv + optind);
	for (size_t i = 0; i < errors.count; i++) {
		error_format(&errors.list[i], line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
	if (run.sender.port)
		port_close(run.sender.port);
	if (run.receiver.port)
		port_close(run.receiver.port);
	free(run.receiver.times);
	return status;
}
