/* SPDX-License-Identifier: BSD-3-Clause */
/* Targets and their wishes. See target.h. */
#include "lifecycle/target.h"

#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

struct target *targets_add(struct targets *targets, const char *name, struct conf *document, char *prefix)
{
	targets->list = memory_grow(targets->list, targets->count, sizeof(*targets->list));
	struct target *target = &targets->list[targets->count++];

	*target = (struct target){ .name = text_copy(name), .document = document, .prefix = prefix };
	return target;
}

void targets_free(struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++) {
		struct target *target = &targets->list[i];

		renderings_free(&target->renderings);
		conf_diff_free(&target->diff);
		conf_free(target->document);
		free(target->name);
		free(target->prefix);
	}
	free(targets->list);
	*targets = (struct targets){ NULL, 0 };
}

static void take_builds(struct manager *manager, struct target *target)
{
	pthread_mutex_lock(&manager->lock);
	const struct service *service = manager_service(manager, target->name);
	for (size_t i = 0; i < target->renderings.count; i++)
		target->renderings.list[i].build =
		        text_copy(service_build(service, target->renderings.list[i].vnf));
	pthread_mutex_unlock(&manager->lock);
}

void targets_render(struct manager *manager, struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++) {
		struct target *target = &targets->list[i];

		renderings_free(&target->renderings);
		if (target->document)
			target->renderings = render_service(target->document, manager->options.run_folder);
		take_builds(manager, target);
	}
}

struct core_use manager_core_use(const struct manager *manager)
{
	struct core_use use = { { 0 } };

	for (size_t i = 0; i < manager->services_count; i++)
		for (size_t j = 0; j < manager->services[i]->units_count; j++) {
			const struct unit *unit = manager->services[i]->units[j];

			if (unit->wish.cores)
				cores_count(&use, unit->wish.cores, 1);
		}
	return use;
}

static unsigned listed(const char *cores)
{
	unsigned count = cores && *cores;

	for (; cores && *cores; cores++)
		count += *cores == ',';
	return count;
}

/* Every worker that there can be has its core from the start. */
static unsigned workers_of(const struct conf *engine)
{
	int64_t now = conf_int(engine, "workers", 1), most = conf_int(engine, "workersMax", 0);

	return (unsigned)(most > now ? most : now);
}

static bool choose_cores(const struct manager *manager, const struct target *target,
                         const struct rendering *rendering, const struct unit *unit, struct core_use *use,
                         char *cores, size_t size, bool *shared, struct errors *errors)
{
	const struct conf *engine = conf_get(target->document, "engine");
	unsigned workers = workers_of(engine), lacking;
	bool polls = strcmp(conf_string(engine, "idle", "adaptive"), "poll") == 0;
	bool may_share = conf_bool(engine, "shareCores", true) && !polls;

	*shared = false;
	if (unit && unit->wish.cores && listed(unit->wish.cores) == workers) {
		snprintf(cores, size, "%s", unit->wish.cores);
		return true;
	}
	if (unit && unit->wish.cores)
		cores_count(use, unit->wish.cores, -1);
	if (cores_assign(&manager->host, use, workers, may_share, cores, size, shared, &lacking))
		return true;
	errors_add(errors, "engine.workers", "too-few-cores", NULL, 0,
	           "process %s%s%s needs %u worker cores and %u are free: lower engine.workers, stop other "
	           "services, or "
	           "%s",
	           target->name, *rendering->vnf ? "/" : "", rendering->vnf, workers, workers - lacking,
	           polls ? "set engine.idle = \"adaptive\", because polling workers never share a core"
	                 : "set engine.shareCores = true");
	return false;
}

bool target_wish(const struct manager *manager, const struct target *target,
                 const struct rendering *rendering, const struct unit *unit, struct core_use *use,
                 struct wish *wish, bool *shared, struct errors *errors)
{
	const struct conf *engine = conf_get(target->document, "engine");
	char cores[256];
	json_t *json;

	*wish = (struct wish){ 0 };
	if (!choose_cores(manager, target, rendering, unit, use, cores, sizeof(cores), shared, errors))
		return false;
	json = conf_to_json(rendering->document);
	*wish = (struct wish){
		.program = rendering->build ? text_copy(rendering->build)
		                            : text_format("%s/%s", manager->options.program_folder,
		                                          rendering->program),
		.netns = *rendering->vnf
		                 ? NULL
		                 : text_copy(conf_string(conf_get(target->document, "edge"), "netns", NULL)),
		.cores = text_copy(cores),
		.hugepages = text_copy(conf_string(engine, "hugepages", "auto")),
		.memory_mb = (unsigned)conf_int(engine, "memory", 128),
		.document = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS),
	};
	json_decref(json);
	wish_seal(wish);
	return true;
}
