/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EAL with one lcore, the control thread; workers are threads of our own. Hugepages are used when enough are free: in memory and one segment,
 * which vhost-user needs; else plain memory, also in one segment. Nothing is left in the file system.
 */
#include "runtime/eal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "manage/log.h"

enum { MEMORY_DEFAULT_MB = 128, HUGEPAGE_MB = 2, ARGUMENTS_MAX = 24 };

static long free_hugepages(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	long pages = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%ld", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages;
}

static bool use_hugepages(const struct eal_options *options, unsigned megabytes, struct errors *errors,
                          bool *failed)
{
	long need = megabytes / HUGEPAGE_MB, have = free_hugepages();

	*failed = false;
	if (options->hugepages == EAL_HUGEPAGES_NEVER)
		return false;
	if (have >= need)
		return true;
	if (options->hugepages == EAL_HUGEPAGES_ALWAYS) {
		errors_add(errors, NULL, "no-hugepages", NULL, 0,
		           "%ld hugepages of 2 MB are needed, %ld are free: run `sysctl "
		           "vm.nr_hugepages=%ld`, or start with --hugepages never",
		           need, have, need - have + 64);
		*failed = true;
	}
	return false;
}

/* EAL's own lines go to our log, as one event. */
static ssize_t take_line(void *cookie, const char *text, size_t size)
{
	(void)cookie;
	while (size && (text[size - 1] == '\n' || text[size - 1] == '\r'))
		size--;
	if (size)
		log_write(LOG_LEVEL_DEBUG, "dpdk", "text=%.*s", (int)size, text);
	return (ssize_t)size;
}

static void redirect_log(void)
{
	cookie_io_functions_t io = { .write = take_line };
	FILE *stream = fopencookie(NULL, "w", io);

	if (!stream)
		return;
	setvbuf(stream, NULL, _IOLBF, 256);
	rte_openlog_stream(stream);
}

bool eal_start(const struct eal_options *options, struct errors *errors)
{
	unsigned megabytes = options->memory_mb ? options->memory_mb : MEMORY_DEFAULT_MB;
	char cpus[128], prefix[128], memory[16];
	char *arguments[ARGUMENTS_MAX] = { (char *)"sluice" };
	bool failed, huge = use_hugepages(options, megabytes, errors, &failed);
	int n = 1;

	if (failed)
		return false;
	snprintf(cpus, sizeof(cpus), "0@(%s)", options->cpus ? options->cpus : "0");
	snprintf(prefix, sizeof(prefix), "--file-prefix=sluice-%s-%d", options->name, (int)getpid());
	snprintf(memory, sizeof(memory), "%u", megabytes);
	arguments[n++] = (char *)"--lcores";
	arguments[n++] = cpus;
	arguments[n++] = prefix;
	arguments[n++] = (char *)"--single-file-segments";
	arguments[n++] = (char *)"--no-telemetry";
	arguments[n++] = (char *)"--log-level=lib.eal:error";
	arguments[n++] = (char *)"--force-max-simd-bitwidth=512";
	if (!options->pci)
		arguments[n++] = (char *)"--no-pci";
	if (huge) {
		arguments[n++] = (char *)"--in-memory";
	} else {
		arguments[n++] = (char *)"--no-huge";
		arguments[n++] = (char *)"-m";
		arguments[n++] = memory;
	}
	signal(SIGPIPE, SIG_IGN);
	redirect_log();
	if (rte_eal_init(n, arguments) >= 0)
		return true;
	errors_add(errors, NULL, "no-eal", NULL, 0,
	           "the packet engine's environment did not come up: %s (%u MB of %s memory were asked for)",
	           rte_strerror(rte_errno), megabytes, huge ? "hugepage" : "plain");
	return false;
}

void eal_stop(void)
{
	rte_eal_cleanup();
}
