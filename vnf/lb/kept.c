/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backends that are down, in a file: FUNCTION.health.json. A successor process, or the one that the function moves to, gives them nothing, and ends their sessions as
 * its predecessor did, until they have passed a check; it need not find out once more. Written by the checker's thread whenever some have turned, whole or not at
 * all, where the function is; read by the control side when it begins there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lb/checks.h"
#include "manage/log.h"
#include "runtime/engine.h"
#include "util/atomic_file.h"

enum { FILE_MAX = 8 << 20, PATH_SIZE = 512 };

static bool file_of(const struct nf *nf, char path[PATH_SIZE])
{
	const struct engine_options *options = &nf->engine->options;
	const char *directory = options->kept_directory ? options->kept_directory : options->directory;

	return directory && !options->check &&
	       snprintf(path, PATH_SIZE, "%s/%s.health.json", directory, nf->name) < PATH_SIZE;
}

/* --- keep --- */

static json_t *item_of(struct pool *pool, unsigned id)
{
	struct pool_backend *b = &pool->backends[id];
	struct ip_addr address = { .family = b->is.family };
	char text[NET_TEXT];
	json_t *item;

	memcpy(address.bytes, b->is.address.bytes, sizeof(address.bytes));
	ip_addr_format(&address, text, sizeof(text));
	pthread_mutex_lock(&pool->mutex);
	item = json_pack("{s:s,s:s,s:i,s:s}", "service", pool->services[b->is.service].name, "address", text,
	                 "port", rte_be_to_cpu_16(b->is.port), "why", b->why);
	pthread_mutex_unlock(&pool->mutex);
	return item;
}

static json_t *down_ones(struct pool *pool)
{
	unsigned top = __atomic_load_n(&pool->top, __ATOMIC_RELAXED);
	json_t *list = json_array();

	for (unsigned id = 0; id < top; id++)
		if (pool->backends[id].checked && pool->backends[id].turned_ns &&
		    !(pool_state_of(pool, id) & POOL_UP))
			json_array_append_new(list, item_of(pool, id));
	return list;
}

void lb_health_keep(const struct nf *nf)
{
	struct lb_live *live = nf->live;
	char path[PATH_SIZE], *text;
	json_t *list;
	int error;

	if (!atomic_load_explicit(&live->here, memory_order_acquire) || !file_of(nf, path))
		return;
	list = down_ones(live->pool);
	text = json_dumps(list, JSON_COMPACT);
	error = text ? atomic_file_write(path, text, strlen(text), 0600) : ENOMEM;
	if (error)
		log_warn("health-not-kept", "function=%s file=%s reason=%s", nf->name, path, strerror(error));
	free(text);
	json_decref(list);
}

/* --- find --- */

static void found_down(const struct lb_config *config, const struct lb_service *s, const json_t *item)
{
	const char *text = json_string_value(json_object_get(item, "address")),
	           *why = json_string_value(json_object_get(item, "why"));
	json_int_t port = json_integer_value(json_object_get(item, "port"));
	struct ip_addr address;
	union ipaddr bytes;

	if (!text || !ip_addr_parse(text, &address))
		return;
	memcpy(bytes.bytes, address.bytes, sizeof(bytes.bytes));
	for (unsigned i = 0; i < s->backend_count; i++) {
		const struct lb_backend *b = &s->backends[i];

		if (lb_is_checked(s, b) && rte_be_to_cpu_16(b->port) == port &&
		    memcmp(&b->address, &bytes, sizeof(bytes)) == 0)
			pool_backend_found_down(config->live->pool, b->id, why ? why : "");
	}
}

void lb_health_found(const struct nf *nf, const struct lb_config *config)
{
	char path[PATH_SIZE], *text;
	size_t length, i;
	json_t *list, *item;

	if (!file_of(nf, path) || atomic_file_read(path, FILE_MAX, &text, &length) != 0)
		return;
	list = json_loadb(text, length, 0, NULL);
	free(text);
	json_array_foreach(list, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "service"));

		for (unsigned k = 0; name && k < config->service_count; k++)
			if (strcmp(config->services[k].name, name) == 0)
				found_down(config, &config->services[k], item);
	}
	json_decref(list);
}
