/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether the host has what targets need, asked before anything changes. See target.h. */
#include <stdlib.h>
#include <string.h>

#include "lifecycle/target.h"
#include "util/memory.h"

/* What a process needs besides its packet memory, and for each session of its tables; kB and bytes, rounded up. */
enum { PROCESS_KB = 48 << 10, SESSION_BYTES = 256 };

/* Documents, logs and revisions: what must be free for anything to be begun, and more for each process. */
enum { ROOM_KB = 2 << 10 };

/* --- cores --- */

static void admit_cores(struct manager *manager, const struct target *target, struct core_use *use,
                        struct errors *errors)
{
	const struct service *service = manager_service(manager, target->name);

	for (size_t i = 0; i < target->renderings.count; i++) {
		const struct rendering *rendering = &target->renderings.list[i];
		struct wish wish;
		bool shared;

		target_wish(manager, target, rendering,
		            service ? service_unit(service, rendering->vnf) : NULL, use, &wish, &shared,
		            errors);
		wish_clear(&wish);
	}
}

/* --- memory --- */

static uint64_t packets_kb(const struct target *target)
{
	return (uint64_t)conf_int(conf_get(target->document, "engine"), "memory", 128) * 1024;
}

static uint64_t sessions_kb(const struct target *target)
{
	const struct conf *engine = conf_get(target->document, "engine");
	uint64_t sessions =
	        (uint64_t)(conf_int(engine, "sessions", 65536) + conf_int(engine, "sessions6", 16384));

	return sessions * SESSION_BYTES / 1024;
}

/* How many processes a target adds to those that its service has. */
static size_t added(const struct manager *manager, const struct target *target)
{
	const struct service *service = manager_service(manager, target->name);
	size_t running = service ? service->units_count : 0;

	return target->renderings.count > running ? target->renderings.count - running : 0;
}

static void admit_memory(struct manager *manager, const struct target *target, uint64_t *available,
                         struct errors *errors)
{
	size_t more = added(manager, target);
	uint64_t needed = more * (PROCESS_KB + packets_kb(target) + sessions_kb(target));

	if (needed <= *available) {
		*available -= needed;
		return;
	}
	errors_add(errors, "engine", "not-enough-memory", NULL, 0,
	           "%zu more processes need %llu MB and %llu MB are available: lower engine.sessions or "
	           "engine.memory, or "
	           "stop other services",
	           more, (unsigned long long)needed >> 10, (unsigned long long)*available >> 10);
	*available = 0;
}

/* Where they are only preferred, a process does without. */
static void admit_hugepages(struct manager *manager, const struct target *target, uint64_t *available,
                            struct errors *errors)
{
	const struct conf *engine = conf_get(target->document, "engine");
	struct host_memory memory = host_memory();
	uint64_t needed = added(manager, target) * packets_kb(target);

	if (strcmp(conf_string(engine, "hugepages", "auto"), "always") != 0)
		return;
	if (needed <= *available) {
		*available -= needed;
		return;
	}
	errors_add(errors, "engine.hugepages", "no-hugepages", NULL, 0,
	           "%llu MB of hugepages are needed and %llu MB are free: sysctl vm.nr_hugepages=%llu, or "
	           "engine.hugepages = \"auto\"",
	           (unsigned long long)needed >> 10, (unsigned long long)*available >> 10,
	           (unsigned long long)(memory.hugepages +
	                                (needed - *available) /
	                                        (memory.hugepage_kb ? memory.hugepage_kb : 2048) +
	                                1));
	*available = 0;
}

/* --- room --- */

static bool has_room(const char *folder, uint64_t needed_kb, const char *option, struct errors *errors)
{
	uint64_t room = host_room_kb(folder);

	if (room < needed_kb)
		errors_add(
		        errors, NULL, "disk-full", NULL, 0,
		        "%s has %llu kB free and %llu kB are needed: make room there, or choose another %s",
		        folder, (unsigned long long)room, (unsigned long long)needed_kb, option);
	return room >= needed_kb;
}

bool targets_have_room(const struct manager *manager, struct errors *errors)
{
	bool run = has_room(manager->options.run_folder, ROOM_KB, "--run-dir", errors);

	return has_room(manager->options.state_folder, ROOM_KB, "--state-dir", errors) && run;
}

/* Session tables are files, so that they outlive the process. */
static void admit_room(struct manager *manager, const struct target *target, uint64_t *taken,
                       struct errors *errors)
{
	*taken += added(manager, target) * (sessions_kb(target) + ROOM_KB);
	if (*taken)
		has_room(manager->options.run_folder, *taken, "--run-dir", errors);
}

/* --- interfaces --- */

static const char *device_interface(const char *device)
{
	static const char *const kinds[] = { "af_packet:", "af_xdp:" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(device, kinds[i], strlen(kinds[i])) == 0)
			return device + strlen(kinds[i]);
	return NULL;
}

static bool holds(const json_t *names, const char *name, size_t length)
{
	json_t *item;
	size_t i;

	json_array_foreach(names, i, item)
	{
		const char *text = json_string_value(item);

		if (strlen(text) == length && strncmp(text, name, length) == 0)
			return true;
	}
	return false;
}

static char *join(const json_t *names)
{
	char *text = text_copy("");
	json_t *item;
	size_t i;

	json_array_foreach(names, i, item)
	{
		char *longer = text_format("%s%s%s", text, i ? ", " : "", json_string_value(item));
		free(text);
		text = longer;
	}
	return text;
}

static void admit_device(const struct conf *port, const char *netns, struct errors *errors)
{
	const struct conf *device = conf_get(port, "device");
	const char *interface = device_interface(device->string);
	json_t *names = interface ? host_interfaces(netns) : NULL;
	size_t length = interface ? strcspn(interface, "?,") : 0;

	if (names && !holds(names, interface, length)) {
		char *all = join(names);

		conf_error(errors, device, "no-such-interface",
		           "there is no interface \"%.*s\" %s%s: there are %s", (int)length, interface,
		           netns ? "in network namespace " : "on this host", netns ? netns : "", all);
		free(all);
	}
	json_decref(names);
}

static bool is_same(const struct conf *a, const char *a_netns, const struct conf *b, const char *b_netns)
{
	return strcmp(conf_string(a, "device", ""), conf_string(b, "device", "")) == 0 &&
	       strcmp(conf_string(a, "netns", a_netns), conf_string(b, "netns", b_netns)) == 0;
}

/* Whether the service has this port already: what it stands on may have gone away, which is no reason to refuse another change. */
static bool has_already(struct manager *manager, const char *service, const struct conf *port,
                        const char *common)
{
	pthread_mutex_lock(&manager->lock);
	const struct service *now = manager_service(manager, service);
	const struct conf *edge = now ? conf_get(now->document, "edge") : NULL,
	                  *same = conf_item(conf_get(edge, "ports"), "name", conf_string(port, "name", ""));
	bool has = same && is_same(same, conf_string(edge, "netns", ""), port, common);
	pthread_mutex_unlock(&manager->lock);
	return has;
}

/* False: there is no need to look at the next. */
static bool admit_port(const struct conf *edge, const struct conf *port, struct errors *errors)
{
	const struct conf *own = conf_get(port, "netns"), *place = own ? own : conf_get(edge, "netns");
	const char *netns = place ? place->string : NULL;

	if (!netns || host_has_netns(netns)) {
		admit_device(port, netns, errors);
		return true;
	}
	conf_error(errors, place, "no-such-netns", "there is no network namespace \"%s\": ip netns add %s",
	           netns, netns);
	return own;
}

static void admit_ports(struct manager *manager, const struct target *target, struct errors *errors)
{
	const struct conf *edge = conf_get(target->document, "edge"), *ports = conf_get(edge, "ports");
	const char *common = conf_string(edge, "netns", "");

	for (size_t i = 0; i < conf_count(ports); i++) {
		const struct conf *port = conf_at(ports, i);
		bool waits = strcmp(conf_string(port, "absent", "refuse"), "wait") == 0;

		if (waits || (!target->as_it_is && has_already(manager, target->name, port, common)))
			continue;
		if (!admit_port(edge, port, errors))
			break;
	}
}

/* --- sockets --- */

static void admit_socket(struct manager *manager, const struct target *target, struct errors *errors)
{
	char *folder = text_format("%s/%s", manager->options.run_folder, target->name),
	     *socket = text_format("%s/" INSTANCE_CONTROL, folder);
	struct child ours = CHILD_NONE;

	/* A process that was started in this very folder is taken up; any other is in the way. */
	if (host_socket_alive(socket) && !manager->driver->adopt(folder, 0, 0, &ours))
		errors_add(errors, "name", "socket-taken", NULL, 0,
		           "a process that is not ours listens on %s: stop it, or choose another name",
		           socket);
	child_forget(&ours);
	free(socket);
	free(folder);
}

/* --- all --- */

/* What earlier targets have left. */
struct supply {
	struct core_use use;
	uint64_t memory_kb, hugepages_kb, files_kb; /* files: taken */
};

static void admit_one(struct manager *manager, const struct targets *targets, const struct target *target,
                      struct supply *supply, struct errors *errors)
{
	struct errors found = ERRORS_NONE;

	pthread_mutex_lock(&manager->lock);
	admit_cores(manager, target, &supply->use, &found);
	admit_memory(manager, target, &supply->memory_kb, &found);
	admit_hugepages(manager, target, &supply->hugepages_kb, &found);
	admit_room(manager, target, &supply->files_kb, &found);
	target_admit_devices(manager, targets, target, &found);
	pthread_mutex_unlock(&manager->lock);
	admit_ports(manager, target, &found);
	if (target->is_new)
		admit_socket(manager, target, &found);
	errors_move(errors, &found, target->prefix);
}

bool targets_admit(struct manager *manager, const struct targets *targets, struct errors *errors)
{
	struct host_memory memory = host_memory();
	struct supply supply = { .memory_kb = memory.available_kb,
		                 .hugepages_kb = memory.hugepages_free * memory.hugepage_kb };
	size_t before = errors->count;

	pthread_mutex_lock(&manager->lock);
	supply.use = manager_core_use(manager);
	pthread_mutex_unlock(&manager->lock);
	for (size_t i = 0; i < targets->count; i++)
		if (targets->list[i].document)
			admit_one(manager, targets, &targets->list[i], &supply, errors);
	return errors->count == before;
}
