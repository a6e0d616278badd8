/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether devices of targets are taken: two ports on one would each receive all of its packets. See target.h. */
#include <stdlib.h>
#include <string.h>

#include "lifecycle/host.h"
#include "lifecycle/target.h"
#include "util/memory.h"

/* What a device stands on, of which there is one: an interface of the kernel however it is read, or a PCI device. */
struct ground {
	const char *what, *netns;
	size_t length;
	bool pci;
};

/* False: a device that others may have, too, or that is looked after elsewhere (sockets). */
static bool stands_on(const struct conf *edge, const struct conf *port, struct ground *ground)
{
	static const char *const kinds[] = { "af_packet:", "af_xdp:", "tap:", "pci:" };
	const char *device = conf_string(port, "device", "");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i]);

		if (strncmp(device, kinds[i], length) != 0)
			continue;
		ground->what = device + length;
		ground->length = strcspn(ground->what, "?,");
		ground->pci = strcmp(kinds[i], "pci:") == 0;
		ground->netns = ground->pci ? "" : conf_string(port, "netns", conf_string(edge, "netns", ""));
		return true;
	}
	return false;
}

static bool is_same(const struct ground *a, const struct ground *b)
{
	return a->pci == b->pci && a->length == b->length && strncmp(a->what, b->what, a->length) == 0 &&
	       host_same_netns(a->netns, b->netns);
}

/* The first so many ports of a document. */
static const struct conf *holder(const struct conf *document, size_t ports_count, const struct ground *ground)
{
	const struct conf *edge = conf_get(document, "edge"), *ports = conf_get(edge, "ports");
	struct ground other;

	for (size_t i = 0; i < ports_count && i < conf_count(ports); i++)
		if (stands_on(edge, conf_at(ports, i), &other) && is_same(&other, ground))
			return conf_at(ports, i);
	return NULL;
}

static const struct target *target_of(const struct targets *targets, const char *name)
{
	for (size_t i = 0; i < targets->count; i++)
		if (strcmp(targets->list[i].name, name) == 0)
			return &targets->list[i];
	return NULL;
}

/* The port of another service, as it will be or, if nothing is asked of it, as it is; lock held. */
static const struct conf *elsewhere(const struct manager *manager, const struct targets *targets,
                                    const struct target *target, const struct ground *ground,
                                    const char **service)
{
	const struct conf *found = NULL;

	for (size_t i = 0; !found && &targets->list[i] != target; i++) {
		*service = targets->list[i].name;
		found = holder(targets->list[i].document, SIZE_MAX, ground);
	}
	for (size_t i = 0; !found && i < manager->services_count; i++) {
		*service = manager->services[i]->name;
		if (!target_of(targets, *service))
			found = holder(manager->services[i]->document, SIZE_MAX, ground);
	}
	return found;
}

static void admit_port(const struct manager *manager, const struct targets *targets,
                       const struct target *target, const struct conf *port, struct errors *errors)
{
	const struct conf *edge = conf_get(target->document, "edge"), *device = conf_get(port, "device");
	const char *service;
	struct ground ground;

	if (!stands_on(edge, port, &ground))
		return;
	const struct conf *other = holder(target->document, port->index, &ground);
	if (other && strcmp(conf_string(other, "device", ""), device->string) != 0)
		conf_error(errors, device, "duplicate-device", "port \"%s\" stands on %.*s already: %s",
		           conf_string(other, "name", ""), (int)ground.length, ground.what,
		           conf_string(other, "device", ""));
	other = elsewhere(manager, targets, target, &ground, &service);
	if (other)
		conf_error(errors, device, "device-taken", "port \"%s\" of service \"%s\" has %.*s already",
		           conf_string(other, "name", ""), service, (int)ground.length, ground.what);
}

void target_admit_devices(const struct manager *manager, const struct targets *targets,
                          const struct target *target, struct errors *errors)
{
	const struct conf *ports = conf_get(conf_get(target->document, "edge"), "ports");

	for (size_t i = 0; i < conf_count(ports); i++)
		admit_port(manager, targets, target, conf_at(ports, i), errors);
}

bool manager_has_tap(const struct manager *manager, const char *netns, const char *name)
{
	struct ground ground = { .what = name, .netns = netns, .length = strlen(name) };
	bool has = false;

	for (size_t i = 0; !has && i < manager->services_count; i++)
		has = holder(manager->services[i]->document, SIZE_MAX, &ground) != NULL;
	return has;
}
