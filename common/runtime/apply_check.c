/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a document is one that this engine can apply: the first of what apply.c does. Control side, under the engine's lock. */
#include "manage/rest.h"
#include "runtime/apply_private.h"

enum { MBUFS_MIN = 1024 };

static void check_function(struct engine *engine, struct conf *item, struct errors *errors)
{
	const char *kind = conf_string(item, "kind", "");
	const struct nf_class *class = class_find(engine->options.classes, kind);
	struct conf *config = (struct conf *)(uintptr_t)conf_get(item, "config");

	if (!class) {
		conf_error(errors, conf_get(item, "kind"), "unknown-kind",
		           "this process has no function of kind \"%s\"", kind);
		return;
	}
	if (!config)
		config = conf_new(item, CONF_GROUP, "config");
	if (config->type != CONF_GROUP) {
		conf_error(errors, config, "wrong-type", "not a group { }");
		return;
	}
	if (class->schema && schema_check(class->schema, config, errors))
		schema_defaults(class->schema, config);
}

static void check_functions(struct engine *engine, struct conf *document, const char *list,
                            struct errors *errors)
{
	const struct conf *items = conf_get(document, list);

	for (size_t i = 0; i < conf_count(items); i++)
		check_function(engine, items->children[i], errors);
}

/* Where REST is served; not where traffic arrives. */
static void check_manage(const struct conf *document, struct errors *errors)
{
	const struct conf *manage = conf_get(document, "manage"), *listen = conf_get(manage, "listen"),
	                  *ports = conf_get(conf_get(document, "edge"), "ports");
	const char *why;

	if (listen && !rest_tcp_check(listen->string, &why))
		conf_error(errors, listen, "bad-address", "%s, not \"%s\"", why, listen->string);
	for (size_t i = 0; listen && i < conf_count(ports); i++) {
		const struct conf *addresses = conf_get(conf_at(ports, i), "addresses");

		for (size_t j = 0; j < conf_count(addresses); j++)
			if (rest_tcp_is_at(listen->string, conf_at(addresses, j)->string))
				conf_error(
				        errors, listen, "traffic-address",
				        "%s is an address of a traffic port: management has one of its own",
				        conf_at(addresses, j)->string);
	}
}

static void check_sizes(struct engine *engine, const struct conf *document, struct errors *errors)
{
	const struct conf *c = conf_get(document, "engine"), *largest = c;
	uint32_t mtu = engine_largest_mtu(document, &largest);
	struct engine_sizes wanted;

	engine_read_sizes(document, &wanted);
	if (wanted.mbufs < MBUFS_MIN)
		conf_error(errors, conf_get(c, "mbufs"), "too-few",
		           "%u packet buffers: expected 0 (chosen by the process) or at least %d",
		           wanted.mbufs, MBUFS_MIN);
	if (engine->options.check)
		return;
	if (wanted.workers != engine->sizes.workers)
		conf_error(errors, conf_get(c, "workers"), "needs-restart",
		           "the greatest number of workers (workersMax) is for the life of the process "
		           "(now %u)",
		           engine->sizes.workers);
	if (wanted.sessions != engine->sizes.sessions || wanted.sessions6 != engine->sizes.sessions6)
		conf_error(errors, c, "needs-restart",
		           "the size of the session table is for the life of the process (now %u and %u)",
		           engine->sizes.sessions, engine->sizes.sessions6);
	if (mtu > engine->sizes.mtu)
		conf_error(errors, largest, "needs-restart",
		           "an MTU of %u: packet buffers, which are for the life of the process, hold %u "
		           "(engine.mtuMax)",
		           mtu, engine->sizes.mtu);
	if (conf_int(c, "mbufs", 0) && wanted.mbufs != engine->sizes.mbufs)
		conf_error(errors, conf_get(c, "mbufs"), "needs-restart",
		           "the number of packet buffers is for the life of the process (now %u)",
		           engine->sizes.mbufs);
}

bool apply_check(struct change *c)
{
	size_t before = c->errors->count;
	static const char *const groups[] = { "engine", "edge" };

	for (unsigned i = 0; i < 2; i++)
		if (!conf_get(c->document, groups[i]))
			conf_new(c->document, CONF_GROUP, groups[i]);
	if (!schema_check(engine_schema, c->document, c->errors))
		return false;
	schema_defaults(engine_schema, c->document);
	check_functions(c->engine, c->document, "functions", c->errors);
	check_functions(c->engine, c->document, "hops", c->errors);
	check_sizes(c->engine, c->document, c->errors);
	check_manage(c->document, c->errors);
	return c->errors->count == before;
}
