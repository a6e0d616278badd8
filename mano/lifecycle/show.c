/* SPDX-License-Identifier: BSD-3-Clause */
/* Services and VNFs as JSON. Reads under the lock. See manager.h. */
#include <stdlib.h>
#include <string.h>

#include "lifecycle/manager.h"
#include "lifecycle/unit.h"
#include "util/memory.h"

/* --- VNFs --- */

static json_t *chains_of(const struct service *service, const char *vnf)
{
	const struct conf *chains = conf_get(service->document, "chains");
	json_t *names = json_array();

	for (size_t i = 0; i < conf_count(chains); i++)
		if (descriptor_on_chain(conf_at(chains, i), vnf))
			json_array_append_new(names,
			                      json_string(conf_string(conf_at(chains, i), "name", "")));
	return names;
}

static json_t *no_unit(const char *state)
{
	return json_pack("{s:s,s:s,s:i,s:[],s:b}", "state", state, "health", "down", "restarts", 0, "cores",
	                 "drift", 0);
}

static json_t *vnf_json(const struct service *service, const struct conf *vnf)
{
	const char *name = conf_string(vnf, "name", "");
	const struct unit *home = service_home(service, name);
	json_t *shown =
	        json_pack("{s:s,s:s,s:s,s:s,s:o}", "name", name, "kind", conf_string(vnf, "kind", ""),
	                  "service", service->name, "placement", descriptor_placement(service->document, vnf),
	                  "chains", chains_of(service, name));
	json_t *process = home ? unit_show(home)
	                       : no_unit(descriptor_fused(service->document, vnf) ? "stopped" : "standby");

	if (home)
		json_object_set_new(shown, "process", json_string(home->name));
	json_object_update(shown, process);
	json_decref(process);
	return shown;
}

static json_t *vnfs_json(const struct service *service)
{
	const struct conf *vnfs = conf_get(service->document, "vnfs");
	json_t *list = json_array();

	for (size_t i = 0; i < conf_count(vnfs); i++)
		json_array_append_new(list, vnf_json(service, conf_at(vnfs, i)));
	return list;
}

/* --- services --- */

static const char *state_of(const struct service *service)
{
	const struct unit *process = service_unit(service, "");

	if (service->going)
		return "stopping";
	if (!process || process->state != UNIT_READY)
		return process && process->state == UNIT_BACKING_OFF ? "degraded" : "starting";
	for (size_t i = 0; i < service->units_count; i++)
		if (service->units[i]->state != UNIT_READY)
			return "degraded";
	return "ready";
}

static json_t *service_json(const struct service *service, bool full)
{
	const struct conf *chains = conf_get(service->document, "chains");
	const struct unit *process = service_unit(service, "");
	json_t *shown =
	        json_pack("{s:s,s:s,s:I,s:s,s:o,s:o}", "name", service->name, "placement",
	                  conf_string(service->document, "placement", "fused"), "revision",
	                  (json_int_t)service->revision, "state", state_of(service), "process",
	                  process ? unit_show(process) : no_unit("starting"), "vnfs", vnfs_json(service));

	if (service->op)
		json_object_set_new(shown, "operation", json_integer((json_int_t)service->op));
	json_object_set_new(shown, "chains", chains ? conf_to_json(chains) : json_array());
	if (full)
		json_object_set_new(shown, "descriptor", conf_to_json(service->document));
	return shown;
}

json_t *show_services(struct manager *manager)
{
	json_t *list = json_array();

	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; i < manager->services_count; i++)
		json_array_append_new(list, service_json(manager->services[i], false));
	pthread_mutex_unlock(&manager->lock);
	return list;
}

/* What awaits a confirmation, and how many seconds are left, once they count. */
static json_t *unconfirmed_json(struct manager *manager, const char *name)
{
	struct errors errors = ERRORS_NONE;
	struct store_confirm confirm = store_confirm_of(manager->store, name, &errors);
	int64_t left = confirm.until - manager_moment(manager).boottime;
	json_t *shown = confirm.op ? json_pack("{s:I}", "operation", (json_int_t)confirm.op) : NULL;

	if (shown && confirm.until)
		json_object_set_new(shown, "seconds", json_integer(left > 0 ? left / 1000 : 0));
	errors_free(&errors);
	return shown;
}

json_t *show_service(struct manager *manager, const char *name)
{
	pthread_mutex_lock(&manager->lock);
	struct service *service = manager_service(manager, name);
	json_t *shown = service ? service_json(service, true) : NULL;
	pthread_mutex_unlock(&manager->lock);
	json_t *unconfirmed = shown ? unconfirmed_json(manager, name) : NULL;
	if (unconfirmed)
		json_object_set_new(shown, "unconfirmed", unconfirmed);
	return shown;
}

json_t *show_vnfs(struct manager *manager, const char *name)
{
	pthread_mutex_lock(&manager->lock);
	struct service *service = manager_service(manager, name);
	json_t *shown = service ? vnfs_json(service) : NULL;
	pthread_mutex_unlock(&manager->lock);
	return shown;
}

json_t *show_vnf(struct manager *manager, const char *name, const char *vnf)
{
	pthread_mutex_lock(&manager->lock);
	struct service *service = manager_service(manager, name);
	const struct conf *described = service ? descriptor_vnf(service->document, vnf) : NULL;
	json_t *shown = described ? vnf_json(service, described) : NULL;
	pthread_mutex_unlock(&manager->lock);
	return shown;
}

json_t *show_descriptor(struct manager *manager, const char *name, uint64_t *revision)
{
	json_t *shown = NULL;

	pthread_mutex_lock(&manager->lock);
	struct service *service = manager_service(manager, name);
	if (service && !service->going) {
		shown = conf_to_json(service->document);
		*revision = service->revision;
	}
	pthread_mutex_unlock(&manager->lock);
	return shown;
}

char *manager_socket(struct manager *manager, const char *name, const char *vnf)
{
	pthread_mutex_lock(&manager->lock);
	struct unit *home = service_home(manager_service(manager, name), vnf);
	char *socket = home ? text_copy(home->socket) : NULL;
	pthread_mutex_unlock(&manager->lock);
	return socket;
}

char *manager_log(struct manager *manager, const char *name, const char *vnf, size_t bytes)
{
	pthread_mutex_lock(&manager->lock);
	struct unit *home = service_home(manager_service(manager, name), vnf);
	char *folder = home ? text_copy(home->folder) : NULL;
	pthread_mutex_unlock(&manager->lock);
	char *text = folder ? manager->driver->logs(folder, 0, bytes) : NULL;

	free(folder);
	return text;
}
