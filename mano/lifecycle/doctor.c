/* SPDX-License-Identifier: BSD-3-Clause */
/* What the host lacks. See doctor.h. */
#include "lifecycle/doctor.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lifecycle/leftovers.h"
#include "lifecycle/target.h"
#include "lifecycle/unit.h"
#include "util/memory.h"

enum { DISK_MB = 64, MEMORY_MB = 256 };

/* Adds a check; takes detail and fix over. */
static void add(json_t *checks, const char *name, bool fine, const char *severity, char *detail, char *fix)
{
	json_t *check = json_pack("{s:s,s:b,s:s,s:s}", "name", name, "ok", fine, "severity", severity,
	                          "detail", detail);

	if (!fine && fix)
		json_object_set_new(check, "fix", json_string(fix));
	json_array_append_new(checks, check);
	free(detail);
	free(fix);
}

static void check_memory(json_t *checks)
{
	struct host_memory memory = host_memory();

	add(checks, "memory", memory.available_kb >> 10 >= MEMORY_MB, "error",
	    text_format("%llu MB available", (unsigned long long)memory.available_kb >> 10),
	    text_format("free memory: a process needs about %d MB", MEMORY_MB));
	add(checks, "hugepages", memory.hugepages_free > 0, "warning",
	    text_format("%llu of %llu free, %llu kB each", (unsigned long long)memory.hugepages_free,
	                (unsigned long long)memory.hugepages, (unsigned long long)memory.hugepage_kb),
	    text_copy("faster with them: sysctl vm.nr_hugepages=256, or sluice doctor --fix"));
}

static void check_cores(struct manager *manager, json_t *checks)
{
	pthread_mutex_lock(&manager->lock);
	struct core_use use = manager_core_use(manager);
	pthread_mutex_unlock(&manager->lock);
	unsigned total = (unsigned)CPU_COUNT(&manager->host.workers), left = cores_free(&manager->host, &use);

	add(checks, "cores", left > 0, "warning",
	    text_format("%u of %u worker cores are free; control threads on %s", left, total,
	                manager->host.count > 1 ? manager->host.control_list : "the same core"),
	    text_copy("the next service shares cores: lower engine.workers, stop services, or give the host "
	              "more cores"));
}

static void check_folder(json_t *checks, const char *name, const char *folder)
{
	bool writable = access(folder, W_OK) == 0;
	unsigned long long free_mb = host_room_kb(folder) >> 10;

	add(checks, name, writable && free_mb >= DISK_MB, "error",
	    text_format("%s is %swritable, %llu MB free", folder, writable ? "" : "not ", free_mb),
	    writable ? text_format("make room on the file system of %s: %d MB at least", folder, DISK_MB)
	             : text_format("run sluiced as the owner of %s", folder));
}

static void check_store(struct manager *manager, json_t *checks)
{
	char *file = text_format("%s/sluiced.db", manager->options.state_folder);
	struct errors errors = ERRORS_NONE;
	bool sound = store_sound(file, true, &errors);

	add(checks, "store", sound, "error", text_copy(sound ? "the store is sound" : errors.list[0].detail),
	    text_copy("sluice restore FILE puts a backup in its place"));
	errors_free(&errors);
	free(file);
}

/* --- executables --- */

static json_t *kinds(const char *folder)
{
	json_t *names = json_array();
	struct dirent *entry;
	DIR *all = opendir(folder);

	while (all && (entry = readdir(all)))
		if (strncmp(entry->d_name, "sluice-", 7) == 0 && strcmp(entry->d_name, "sluice-chain") != 0)
			json_array_append_new(names, json_string(entry->d_name + 7));
	if (all)
		closedir(all);
	return names;
}

static void check_programs(struct manager *manager, json_t *checks)
{
	const char *folder = manager->options.program_folder;
	char *chain = text_format("%s/sluice-chain", folder);
	json_t *found = kinds(folder);
	bool fine = access(chain, X_OK) == 0;
	char *names = json_dumps(found, 0);

	add(checks, "executables", fine, "error",
	    fine ? text_format("sluice-chain and kinds %s in %s", names, folder)
	         : text_format("no executable sluice-chain in %s", folder),
	    text_copy("install the VNFs, or start sluiced with --libexec FOLDER"));
	json_decref(found);
	free(names);
	free(chain);
}

/* --- services --- */

static void check_service(struct manager *manager, const struct target *target, json_t *checks)
{
	struct targets one = { (struct target *)(uintptr_t)target, 1 };
	struct errors errors = ERRORS_NONE;

	targets_admit(manager, &one, &errors);
	for (size_t i = 0; i < errors.count; i++)
		add(checks, "service", false, "error",
		    text_format("%s: %s", errors.list[i].path ? errors.list[i].path : target->name,
		                errors.list[i].detail),
		    text_copy("make what is missing, or change the service"));
	if (!errors.count)
		add(checks, "service", true, "error", text_format("%s has what it needs", target->name),
		    NULL);
	errors_free(&errors);
}

static void check_services(struct manager *manager, json_t *checks)
{
	struct targets targets = { NULL, 0 };

	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; i < manager->services_count; i++)
		if (!manager->services[i]->going)
			targets_add(&targets, manager->services[i]->name,
			            conf_clone(manager->services[i]->document),
			            text_format("services[%s]", manager->services[i]->name))
			        ->as_it_is = true;
	pthread_mutex_unlock(&manager->lock);
	targets_render(manager, &targets);
	for (size_t i = 0; i < targets.count; i++)
		check_service(manager, &targets.list[i], checks);
	targets_free(&targets);
}

/* Processes whose executables were replaced while they ran. */
static void check_builds(struct manager *manager, json_t *checks)
{
	bool any = false;

	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; i < manager->services_count; i++)
		for (size_t j = 0; j < manager->services[i]->units_count; j++) {
			const struct unit *unit = manager->services[i]->units[j];

			if (!manager->driver->outdated(&unit->child))
				continue;
			any = true;
			add(checks, "builds", false, "warning",
			    text_format("%s runs an executable that has been replaced", unit->name),
			    text_format("sluice upgrade %s starts what is there now, with its sessions",
			                unit->name));
		}
	pthread_mutex_unlock(&manager->lock);
	if (!any)
		add(checks, "builds", true, "warning", text_copy("processes run what is installed"), NULL);
}

struct leftover_report {
	struct manager *manager;
	json_t *checks;
	bool any;
};

static void report_leftover(void *user, const char *name, enum leftover kind)
{
	static const char *const fixes[] = {
		[LEFTOVER_FOLDER] = "sluice doctor --fix removes it",
		[LEFTOVER_SOCKET] = "sluice doctor --fix removes it",
		[LEFTOVER_ALIVE] = "end what runs there; then sluice doctor --fix removes it",
		[LEFTOVER_FOREIGN] =
		        "it does not look like ours: remove it by hand, or choose another --run-dir",
	};
	static const char *const words[] = {
		[LEFTOVER_FOLDER] = "belongs to no service",
		[LEFTOVER_SOCKET] = "is a socket that nobody listens on",
		[LEFTOVER_ALIVE] = "belongs to no service, and a process runs in it",
		[LEFTOVER_FOREIGN] = "belongs to no service",
	};
	struct leftover_report *report = user;

	if (kind == LEFTOVER_TEMPORARY)
		return;
	report->any = true;
	add(report->checks, "leftovers", false, "warning",
	    text_format("%s/%s %s", report->manager->options.run_folder, name, words[kind]),
	    text_copy(fixes[kind]));
}

static void report_elsewhere(void *user, const char *path)
{
	struct leftover_report *report = user;

	report->any = true;
	add(report->checks, "leftovers", false, "warning",
	    text_format("%s was left by a process that is dead", path),
	    text_copy("sluice doctor --fix removes it"));
}

static void report_tap(void *user, const struct tap_left *tap)
{
	struct leftover_report *report = user;
	char *text = tap_left_text(tap);

	report->any = true;
	add(report->checks, "leftovers", false, "warning",
	    text_format("%s was made for %s, and nobody has it any more", text, tap->folder),
	    text_copy("sluice doctor --fix removes it"));
	free(text);
}

static void check_leftovers(struct manager *manager, json_t *checks)
{
	struct leftover_report report = { manager, checks, false };

	leftovers_each(manager, report_leftover, &report);
	leftovers_elsewhere(report_elsewhere, &report);
	leftovers_taps(manager, report_tap, &report);
	if (!report.any)
		add(checks, "leftovers", true, "warning",
		    text_copy("no stale sockets, folders, files or TAPs"), NULL);
}

/* --- namespaces --- */

static void add_netns(json_t *names, const struct conf *where)
{
	const char *netns = conf_string(where, "netns", NULL);
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name) if (netns && strcmp(json_string_value(name), netns) == 0) return;
	if (netns)
		json_array_append_new(names, json_string(netns));
}

json_t *doctor_namespaces(struct manager *manager)
{
	json_t *names = json_array();

	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; i < manager->services_count; i++) {
		const struct conf *edge = conf_get(manager->services[i]->document, "edge"),
		                  *ports = conf_get(edge, "ports");

		add_netns(names, edge);
		for (size_t j = 0; j < conf_count(ports); j++)
			add_netns(names, conf_at(ports, j));
	}
	pthread_mutex_unlock(&manager->lock);
	return names;
}

static void check_namespaces(struct manager *manager, json_t *checks)
{
	bool may = geteuid() == 0;
	json_t *names = doctor_namespaces(manager), *name;
	size_t i;

	add(checks, "namespaces", may, "error",
	    text_copy(may ? "may enter network namespaces" : "may not enter network namespaces"),
	    text_copy("run sluiced as root"));
	json_array_foreach(names, i, name)
	{
		if (host_netns_stale(json_string_value(name)))
			add(checks, "namespaces", false, "error",
			    text_format("/run/netns/%s is the name of a namespace that is gone",
			                json_string_value(name)),
			    text_format("sluice doctor --fix removes it; then ip netns add %s, and its "
			                "interfaces",
			                json_string_value(name)));
	}
	json_decref(names);
}

json_t *doctor_show(struct manager *manager)
{
	json_t *checks = json_array(), *check;
	bool fine = true;
	size_t i;

	check_programs(manager, checks);
	check_memory(checks);
	check_cores(manager, checks);
	check_folder(checks, "run-folder", manager->options.run_folder);
	check_folder(checks, "state-folder", manager->options.state_folder);
	check_store(manager, checks);
	check_namespaces(manager, checks);
	check_services(manager, checks);
	check_builds(manager, checks);
	check_leftovers(manager, checks);
	json_array_foreach(checks, i, check) fine &=
	        json_is_true(json_object_get(check, "ok")) ||
	        strcmp(json_string_value(json_object_get(check, "severity")), "warning") == 0;
	return json_pack("{s:b,s:o}", "ok", fine, "checks", checks);
}
