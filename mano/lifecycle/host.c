/* SPDX-License-Identifier: BSD-3-Clause */
/* What the host has to give. See host.h. */
#include "lifecycle/host.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "util/child.h"
#include "util/memory.h"

/* --- cores --- */

void host_read(struct host *host)
{
	*host = (struct host){ 0 };
	if (sched_getaffinity(0, sizeof(host->all), &host->all))
		CPU_SET(0, &host->all);
	host->count = (unsigned)CPU_COUNT(&host->all);
	host->control = host->all;
	host->workers = host->all;
	for (int cpu = 0; cpu < CPU_SETSIZE && host->count > 1; cpu++) {
		if (!CPU_ISSET(cpu, &host->all))
			continue;
		CPU_ZERO(&host->control);
		CPU_SET(cpu, &host->control);
		CPU_CLR(cpu, &host->workers);
		snprintf(host->control_list, sizeof(host->control_list), "%d", cpu);
		return;
	}
}

void cores_count(struct core_use *use, const char *list, int step)
{
	while (*list) {
		char *end;
		unsigned long cpu = strtoul(list, &end, 10);

		if (end == list || cpu >= CPU_SETSIZE)
			return;
		use->workers[cpu] += (unsigned)step;
		list = *end ? end + 1 : end;
	}
}

static int least_used(const struct host *host, const struct core_use *use)
{
	int best = -1;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &host->workers) && (best < 0 || use->workers[cpu] < use->workers[best]))
			best = cpu;
	return best;
}

unsigned cores_free(const struct host *host, const struct core_use *use)
{
	unsigned free_cores = 0;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		free_cores += CPU_ISSET(cpu, &host->workers) && use->workers[cpu] == 0;
	return free_cores;
}

bool cores_assign(const struct host *host, struct core_use *use, unsigned workers, bool may_share, char *list,
                  size_t size, bool *shared, unsigned *lacking)
{
	unsigned free_cores = cores_free(host, use);
	size_t length = 0;

	*shared = free_cores < workers;
	*lacking = *shared ? workers - free_cores : 0;
	if (*shared && !may_share)
		return false;
	list[0] = '\0';
	for (unsigned i = 0; i < workers && length < size; i++) {
		int cpu = least_used(host, use);

		use->workers[cpu]++;
		length += (size_t)snprintf(list + length, size - length, "%s%d", i ? "," : "", cpu);
	}
	return true;
}

/* --- memory --- */

struct host_memory host_memory(void)
{
	struct host_memory memory = { 0 };
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long long value;

		if (sscanf(line, "MemTotal: %llu", &value) == 1)
			memory.total_kb = value;
		else if (sscanf(line, "MemAvailable: %llu", &value) == 1)
			memory.available_kb = value;
		else if (sscanf(line, "HugePages_Total: %llu", &value) == 1)
			memory.hugepages = value;
		else if (sscanf(line, "HugePages_Free: %llu", &value) == 1)
			memory.hugepages_free = value;
		else if (sscanf(line, "Hugepagesize: %llu", &value) == 1)
			memory.hugepage_kb = value;
	}
	if (file)
		fclose(file);
	return memory;
}

uint64_t host_hugepages_of(pid_t pid)
{
	unsigned long long kb = 0;
	char path[40], line[128];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file) && sscanf(line, "HugetlbPages: %llu", &kb) != 1)
		;
	if (file)
		fclose(file);
	return kb;
}

uint64_t host_room_kb(const char *folder)
{
	struct statvfs space;

	return statvfs(folder, &space) == 0 ? (uint64_t)space.f_bavail * space.f_frsize >> 10 : 0;
}

/* --- network --- */

/* The file system of namespaces that live (linux/magic.h). */
enum { NSFS = 0x6e736673 };

bool host_has_netns(const char *netns)
{
	char path[300];

	if (!netns || !*netns)
		return true;
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	return !strchr(netns, '/') && access(path, F_OK) == 0;
}

bool host_find_netns(const char *netns, struct host_netns *found)
{
	struct stat about;
	char path[300] = "/proc/self/ns/net";

	if (netns && *netns)
		snprintf(path, sizeof(path), "/run/netns/%s", netns);
	if (!host_has_netns(netns) || stat(path, &about) < 0)
		return false;
	*found = (struct host_netns){ about.st_dev, about.st_ino };
	return true;
}

bool host_same_netns(const char *a, const char *b)
{
	struct host_netns first, second;

	if (strcmp(a, b) == 0)
		return true;
	return host_find_netns(a, &first) && host_find_netns(b, &second) && first.device == second.device &&
	       first.inode == second.inode;
}

bool host_netns_stale(const char *netns)
{
	struct statfs about;
	char path[300];

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	return !strchr(netns, '/') && statfs(path, &about) == 0 && about.f_type != NSFS;
}

struct visit {
	const char *netns;
	void (*call)(void *user);
	void *user;
	bool entered;
};

/* On a thread of its own, because a thread that has changed its namespace is of no use for anything else. */
static void *visit_netns(void *argument)
{
	struct visit *visit = argument;
	char path[300];

	visit->entered = true;
	if (visit->netns && *visit->netns) {
		snprintf(path, sizeof(path), "/run/netns/%s", visit->netns);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		visit->entered = fd >= 0 && setns(fd, CLONE_NEWNET) == 0;
		if (fd >= 0)
			close(fd);
	}
	if (visit->entered)
		visit->call(visit->user);
	return NULL;
}

bool host_in_netns(const char *netns, void (*call)(void *user), void *user)
{
	struct visit visit = { netns, call, user, false };
	pthread_t thread;

	if (!host_has_netns(netns) || pthread_create(&thread, NULL, visit_netns, &visit))
		return false;
	pthread_join(thread, NULL);
	return visit.entered;
}

static void name_interfaces(void *names)
{
	struct if_nameindex *all = if_nameindex();

	for (size_t i = 0; all && all[i].if_index; i++)
		json_array_append_new(names, json_string(all[i].if_name));
	if (all)
		if_freenameindex(all);
}

json_t *host_interfaces(const char *netns)
{
	json_t *names = json_array();

	if (host_in_netns(netns, name_interfaces, names))
		return names;
	json_decref(names);
	return NULL;
}

/* A connection to whatever listens there, or -1; *listens also where its queue is full. Never waits: a process that stands still holds its socket
 * all the same. */
static int connect_to(const char *path, bool *listens)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = -1;

	*listens = false;
	if (strlen(path) < sizeof(address.sun_path))
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	bool connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	*listens = connected || errno == EAGAIN;
	if (connected)
		return fd;
	close(fd);
	return -1;
}

bool host_socket_alive(const char *path)
{
	bool listens;
	int fd = connect_to(path, &listens);

	if (fd >= 0)
		close(fd);
	return listens;
}

enum host_listener host_listener(const char *path)
{
	struct ucred listener = { 0 };
	socklen_t size = sizeof(listener);
	bool listens;
	int fd = connect_to(path, &listens);

	if (fd < 0)
		return listens ? HOST_LISTENER_BUSY : HOST_LISTENER_NONE;
	/* Of a listening socket these are the credentials of whoever called listen(). */
	bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &size) == 0 && listener.pid > 0;
	close(fd);
	return known && !child_alive(listener.pid, child_start_time(listener.pid)) ? HOST_LISTENER_GONE
	                                                                           : HOST_LISTENER_LIVES;
}

/* --- showing --- */

static json_t *cpu_list(const cpu_set_t *set)
{
	json_t *list = json_array();

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set))
			json_array_append_new(list, json_integer(cpu));
	return list;
}

json_t *host_show(const struct host *host)
{
	struct host_memory memory = host_memory();
	struct utsname kernel = { 0 };
	struct sysinfo info = { 0 };
	double load[3] = { 0 };

	uname(&kernel);
	sysinfo(&info);
	if (getloadavg(load, 3) < 3)
		load[0] = load[1] = load[2] = 0;
	return json_pack("{s:s,s:s,s:o,s:o,s:{s:I,s:I},s:{s:I,s:I,s:I},s:[f,f,f],s:I}", "name",
	                 kernel.nodename, "kernel", kernel.release, "cores", cpu_list(&host->all),
	                 "workerCores", cpu_list(&host->workers), "memory", "totalKb",
	                 (json_int_t)memory.total_kb, "availableKb", (json_int_t)memory.available_kb,
	                 "hugepages", "total", (json_int_t)memory.hugepages, "free",
	                 (json_int_t)memory.hugepages_free, "sizeKb", (json_int_t)memory.hugepage_kb, "load",
	                 load[0], load[1], load[2], "uptime", (json_int_t)info.uptime);
}
