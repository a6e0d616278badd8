/* SPDX-License-Identifier: BSD-3-Clause */
/* This process, as /proc has it. See process_metrics.h. What cannot be read is 0. */
#include "manage/process_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct process_state {
	uint64_t resident, virtual, descriptors, descriptors_max, threads;
	double cpu, start;
};

/* Seconds since 1970 at which the kernel began to count. */
static double boot_time(void)
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (double)(now.tv_sec - up.tv_sec) + (double)(now.tv_nsec - up.tv_nsec) / 1e9;
}

/* The fields behind the name, which may hold blanks and brackets: 14 utime, 15 stime, 20 threads, 22 start, 23 virtual bytes, 24 resident pages. */
static void read_stat(struct process_state *s)
{
	unsigned long utime, stime, threads, bytes;
	unsigned long long start;
	long pages;
	char text[1024], *fields;
	FILE *file = fopen("/proc/self/stat", "re");
	size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	double ticks = (double)sysconf(_SC_CLK_TCK);

	if (file)
		fclose(file);
	text[length] = '\0';
	fields = strrchr(text, ')');
	if (!fields || sscanf(fields + 1,
	                      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %lu "
	                      "%*d %llu %lu %ld",
	                      &utime, &stime, &threads, &start, &bytes, &pages) != 6)
		return;
	s->cpu = (double)(utime + stime) / ticks;
	s->start = boot_time() + (double)start / ticks;
	s->threads = threads;
	s->virtual = bytes;
	s->resident = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t count = 0;

	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count > 3 ? count - 3 : 0; /* two dots, and the folder itself */
}

static struct process_state read_state(void)
{
	struct process_state s = { .descriptors = count_descriptors() };
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		s.descriptors_max = limit.rlim_cur;
	read_stat(&s);
	return s;
}

static void gauge(struct metrics *m, const char *name, const char *unit, const char *help, uint64_t value)
{
	metrics_count(metrics_family(m, METRICS_GAUGE, name, unit, help), value, NULL);
}

void process_metrics(struct metrics *m)
{
	struct process_state s = read_state();

	metrics_value(metrics_family(m, METRICS_COUNTER, "process_cpu", "seconds",
	                             "Time of processors that the process has used."),
	              s.cpu, NULL);
	metrics_value(metrics_family(m, METRICS_GAUGE, "process_start_time", "seconds",
	                             "When the process began, since 1970."),
	              s.start, NULL);
	gauge(m, "process_resident_memory", "bytes", "Resident memory.", s.resident);
	gauge(m, "process_virtual_memory", "bytes", "Virtual memory.", s.virtual);
	gauge(m, "process_open_fds", NULL, "Open file descriptors.", s.descriptors);
	gauge(m, "process_max_fds", NULL, "File descriptors that may be open.", s.descriptors_max);
	gauge(m, "process_threads", NULL, "Threads.", s.threads);
}

json_t *process_show(void)
{
	struct process_state s = read_state();

	return json_pack("{s:i,s:I,s:f,s:I,s:I,s:I}", "pid", (int)getpid(), "residentBytes",
	                 (json_int_t)s.resident, "cpuSeconds", s.cpu, "descriptors",
	                 (json_int_t)s.descriptors, "threads", (json_int_t)s.threads, "startTime",
	                 (json_int_t)s.start);
}
