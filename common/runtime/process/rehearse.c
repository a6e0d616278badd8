/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiling ahead. See rehearse.h. */
#include "runtime/process/rehearse.h"

#include <stdio.h>
#include <string.h>

#include "match/acl.h"
#include "port/port.h"
#include "runtime/engine_private.h"
#include "runtime/nf.h"
#include "runtime/process/running.h"

/* Functions know ports by name: their numbers are those of the real thing. */
static void name_ports(struct engine *engine, const struct conf *ports)
{
	for (unsigned i = 0; i < ENGINE_PORTS_MAX && i < conf_count(ports); i++) {
		const struct conf *item = conf_at(ports, i);
		const char *name = conf_string(item, "name", "");

		snprintf(engine->ports[i].name, sizeof(engine->ports[i].name), "%s", name);
		snprintf(engine->ports[i].as, sizeof(engine->ports[i].as), "%s",
		         conf_string(item, "as", name));
	}
}

static void compile(struct engine *engine, const struct conf *item, struct errors *errors)
{
	const struct nf_class *class = class_find(engine->options.classes, conf_string(item, "kind", ""));
	struct conf *config = (struct conf *)(uintptr_t)conf_get(item, "config");
	struct nf nf = { .klass = class, .engine = engine, .workers = (uint16_t)engine->sizes.workers };
	void *made;

	if (!class || !(class->flags & NF_AHEAD) || !config || config->type != CONF_GROUP ||
	    !schema_check(class->schema, config, errors))
		return;
	schema_defaults(class->schema, config);
	snprintf(nf.name, sizeof(nf.name), "%s", conf_string(item, "name", ""));
	made = class->compile(&nf, NULL, config, errors);
	if (made)
		class->release(made);
}

/* How many queues of ours there are which the predecessor's ports do not have; all where its buffers are of another size, for so are its rings. */
static unsigned more_queues(const struct engine *engine)
{
	struct conf *running = running_load(engine);
	struct engine_sizes former = { 0 };
	struct errors ignored = ERRORS_NONE;

	if (running && schema_check(engine_schema, running, &ignored))
		engine_read_sizes(running, &former);
	if (former.mtu != engine->sizes.mtu)
		former.workers = 0;
	conf_free(running);
	errors_free(&ignored);
	return engine->sizes.workers - RTE_MIN(engine->sizes.workers, former.workers);
}

static void prepare_ports(struct engine *engine, const struct conf *ports, struct port_bequests *prepared)
{
	unsigned more = more_queues(engine);

	for (size_t i = 0; i < conf_count(ports); i++) {
		const struct conf *item = conf_at(ports, i);
		struct port_options options = { .name = conf_string(item, "name", ""),
			                        .url = conf_string(item, "device", ""),
			                        .netns = conf_string(item, "netns", NULL),
			                        .pool = engine->pool };

		port_prepare(&options, more, prepared);
	}
}

void rehearse(struct engine *engine, const struct conf *document, struct port_bequests *prepared)
{
	static const char *const lists[] = { "functions", "hops" };
	struct conf *copy = conf_clone(document);
	struct errors errors = ERRORS_NONE;

	engine->acls = acl_shelf_new();
	name_ports(engine, conf_get(conf_get(copy, "edge"), "ports"));
	for (unsigned l = 0; engine->acls && l < 2; l++) {
		const struct conf *list = conf_get(copy, lists[l]);

		for (size_t i = 0; i < conf_count(list); i++)
			compile(engine, conf_at(list, i), &errors);
	}
	memset(engine->ports, 0, sizeof(engine->ports));
	prepare_ports(engine, conf_get(conf_get(copy, "edge"), "ports"), prepared);
	errors_free(&errors);
	conf_free(copy);
}

void rehearse_over(struct engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	acl_shelf_free(engine->acls);
	engine->acls = NULL;
	pthread_mutex_unlock(&engine->lock);
}
