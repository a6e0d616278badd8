/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EAL with one lcore, the control thread; workers are threads of our own. Hugepages are used when enough are
 * free: in memory and one segment, which vhost-user needs; else plain memory, also in one segment. Nothing is
 * left in the file system. The last error that EAL spoke of is kept, for it is the reason when EAL does not start.
 */
#include "runtime/process/eal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "manage/log.h"

enum { MEMORY_DEFAULT_MB = 128, HUGEPAGE_MB = 2, ARGUMENTS_MAX = 24 };

struct last_error {
	char text[256];
};

static long hugepages(const char *which)
{
	char path[96];
	long pages = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-2048kB/%s", which);
	file = fopen(path, "re");
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
	long need = megabytes / HUGEPAGE_MB, have = hugepages("free_hugepages");

	*failed = false;
	if (options->hugepages == EAL_HUGEPAGES_NEVER)
		return false;
	if (have >= need)
		return true;
	if (options->hugepages == EAL_HUGEPAGES_ALWAYS) {
		errors_add(errors, NULL, "no-hugepages", NULL, 0,
		           "%ld hugepages of 2 MB are needed, %ld are free: run `sysctl "
		           "vm.nr_hugepages=%ld`, or start with --hugepages never",
		           need, have, hugepages("nr_hugepages") + need - have);
		*failed = true;
	}
	return false;
}

/* EAL's and the drivers' own lines go to our log, for those who debug: what a driver calls an error (a peer left) is an
 * event of the port's to an operator. */
static ssize_t take_line(void *cookie, const char *text, size_t size)
{
	struct last_error *last = cookie;
	uint32_t level = (uint32_t)rte_log_cur_msg_loglevel();
	size_t length = size;

	while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	if (!length)
		return (ssize_t)size;
	if (level <= RTE_LOG_ERR)
		snprintf(last->text, sizeof(last->text), "%.*s", (int)length, text);
	log_write(LOG_LEVEL_DEBUG, "dpdk", "text=%.*s", (int)length, text);
	return (ssize_t)size;
}

static void redirect_log(struct last_error *last)
{
	cookie_io_functions_t io = { .write = take_line };
	FILE *stream = fopencookie(last, "w", io);

	if (!stream)
		return;
	setvbuf(stream, NULL, _IOLBF, 256);
	rte_openlog_stream(stream);
}

/* Where the process may run now, as a list: worker threads inherit the control thread's place unless they are given
 * another, so EAL must not narrow it by itself. */
static void present_cpus(char *text, size_t size)
{
	cpu_set_t cpus;
	size_t used = 0;

	text[0] = '\0';
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && used < size; cpu++) {
		unsigned first = cpu;

		if (!CPU_ISSET(cpu, &cpus))
			continue;
		while (cpu + 1 < CPU_SETSIZE && CPU_ISSET(cpu + 1, &cpus))
			cpu++;
		used += (size_t)snprintf(text + used, size - used, "%s%u-%u", used ? "," : "", first, cpu);
	}
}

/* Whether the process may run on every cpu of a list ("0", "0-3,6"): EAL would print its usage instead of a reason. */
static bool cpus_there(const char *list, const char *present, struct errors *errors)
{
	cpu_set_t cpus;
	const char *at = list;

	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	for (;;) {
		char *end;
		unsigned long first = strtoul(at, &end, 10), last = first;
		bool number = end != at && *at >= '0' && *at <= '9';

		if (number && *end == '-' && end[1] >= '0' && end[1] <= '9')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long cpu = first; number && cpu <= last; cpu++)
			number = cpu < CPU_SETSIZE && CPU_ISSET(cpu, &cpus);
		if (number && last >= first && *end == '\0')
			return true;
		if (!number || last < first || *end != ',')
			break;
		at = end + 1;
	}
	errors_add(errors, NULL, "no-such-cpu", NULL, 0,
	           "the control thread cannot run on cpus \"%s\": this process may use %s", list, present);
	return false;
}

static void failed_to_start(bool huge, unsigned megabytes, const struct last_error *last,
                            struct errors *errors)
{
	const char *fix = "";

	if (rte_errno == EACCES || rte_errno == EPERM)
		fix = "; it takes root or CAP_IPC_LOCK, CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN";
	else if (rte_errno == ENOMEM)
		fix = huge ? "; free hugepages, or start with --hugepages never" : "; ask for less memory";
	errors_add(errors, NULL, "no-eal", NULL, 0,
	           "the packet engine's environment did not come up: %s: %s (%u MB of %s memory were asked "
	           "for)%s",
	           rte_strerror(rte_errno), last->text[0] ? last->text : "no reason given", megabytes,
	           huge ? "hugepage" : "plain", fix);
}

/* Whether a folder's name ends in the number of a process that is there no more: sluice-NAME-PID. */
static bool is_stale(const char *name)
{
	const char *dash = strrchr(name, '-');
	char *end;
	long pid = dash ? strtol(dash + 1, &end, 10) : 0;

	return strncmp(name, "sluice-", 7) == 0 && pid > 0 && !*end && kill((pid_t)pid, 0) < 0 &&
	       errno == ESRCH;
}

/* EAL makes a folder for every process and forgets it; nothing is in it. Those of processes that were killed before they came here
 * go, too. */
static void remove_folders(const char *own)
{
	char above[256];
	struct dirent *entry;

	snprintf(above, sizeof(above), "%.*s", (int)(strrchr(own, '/') - own), own);
	rmdir(own);
	DIR *all = opendir(above);
	while (all && (entry = readdir(all)))
		if (is_stale(entry->d_name))
			unlinkat(dirfd(all), entry->d_name, AT_REMOVEDIR);
	if (all)
		closedir(all);
}

bool eal_start(const struct eal_options *options, struct errors *errors)
{
	unsigned megabytes = options->memory_mb ? options->memory_mb : MEMORY_DEFAULT_MB;
	static struct last_error last; /* the log stream keeps it for the life of the process */
	char present[512], cpus[sizeof(present) + 8], prefix[128], memory[16];
	char *arguments[ARGUMENTS_MAX] = { (char *)"sluice" };
	bool failed, huge = use_hugepages(options, megabytes, errors, &failed);
	int n = 1;

	if (failed)
		return false;
	present_cpus(present, sizeof(present));
	if (options->cpus && !cpus_there(options->cpus, present, errors))
		return false;
	snprintf(cpus, sizeof(cpus), "0@(%s)", options->cpus ? options->cpus : present);
	snprintf(prefix, sizeof(prefix), "--file-prefix=sluice-%s-%d", options->name, (int)getpid());
	snprintf(memory, sizeof(memory), "%u", megabytes);
	arguments[n++] = (char *)"--lcores";
	arguments[n++] = cpus;
	arguments[n++] = prefix;
	arguments[n++] = (char *)"--single-file-segments";
	arguments[n++] = (char *)"--no-telemetry";
	arguments[n++] = (char *)"--no-shconf";
	arguments[n++] = (char *)"--log-level=lib.eal:error";
	arguments[n++] = (char *)"--force-max-simd-bitwidth=512";
	if (!options->pci)
		arguments[n++] = (char *)"--no-pci";
	if (huge) { /* taken as they are needed */
		arguments[n++] = (char *)"--in-memory";
	} else {
		arguments[n++] = (char *)"--no-huge";
		arguments[n++] = (char *)"-m";
		arguments[n++] = memory;
	}
	signal(SIGPIPE, SIG_IGN);
	redirect_log(&last);
	if (rte_eal_init(n, arguments) >= 0) {
		remove_folders(rte_eal_get_runtime_dir());
		return true;
	}
	failed_to_start(huge, megabytes, &last, errors);
	return false;
}

void eal_stop(void)
{
	rte_eal_cleanup();
}
