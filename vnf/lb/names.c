/* SPDX-License-Identifier: BSD-3-Clause */
/* See names.h. */
#include "lb/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/values.h"
#include "manage/events.h"
#include "manage/log.h"
#include "manage/timestamp.h"
#include "runtime/engine.h"

enum { FIRST_MS = 2000, SERVERS = 512 };

/* A name in a family, its number that of its place. */
struct place {
	struct lb_host is;
	bool taken, wanted;
};

struct lb_names {
	struct resolver *resolver;
	char servers[SERVERS];
	uint32_t ttl_min, ttl_max;
	bool used; /* by the running configuration; else it is what a dry run, a refused change or a former configuration left */
	struct place places[RESOLVER_NAMES_MAX];
	struct lb_refused *told; /* refused addresses that were told of, and still are */
	unsigned told_count;
};

const struct schema lb_resolver_schema[] = {
	{ .name = "servers",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_STRING,
	  .max = 8,
	  .help = "Name servers, an address each, also with a port (\"192.0.2.53:5353\", "
	          "\"[2001:db8::53]:5353\"); "
	          "absent: those of the system." },
	{ .name = "ttlMin",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 86400,
	  .otherwise = "5",
	  .unit = "s",
	  .help = "Names are not looked up more often, whatever their TTL is." },
	{ .name = "ttlMax",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 86400,
	  .otherwise = "300",
	  .unit = "s",
	  .help = "Names are looked up as often at least." },
	{ .name = NULL },
};

static void changed(void *context, uint32_t id, const struct ip_addr *addresses, unsigned n)
{
	(void)id;
	(void)addresses;
	(void)n;
	nf_renew(context);
}

/* --- the resolver --- */

static void read_servers(const struct conf *list, char out[SERVERS])
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < conf_count(list) && used < SERVERS; i++)
		used += (size_t)snprintf(out + used, SERVERS - used, "%s%s", used ? "," : "",
		                         conf_at(list, i)->string);
}

static bool start(struct lb_compile *c, struct lb_names *names)
{
	struct resolver_options options = { names->servers, names->ttl_min, names->ttl_max };
	struct errors errors = ERRORS_NONE;
	const struct conf *group = conf_get(c->config, "resolver");

	names->resolver = resolver_start(&options, changed, c->nf, &errors);
	if (!names->resolver)
		conf_error(c->errors, group ? group : c->config, "no-resolver", "%s",
		           errors.count ? errors.list[0].detail : "not enough memory");
	errors_free(&errors);
	return names->resolver != NULL;
}

/* The resolver of these settings: there already, or new in the place of one that is not used. */
static bool provide(struct lb_compile *c)
{
	const struct conf *group = conf_get(c->config, "resolver");
	uint32_t ttl_min = (uint32_t)conf_int(group, "ttlMin", 5),
	         ttl_max = (uint32_t)conf_int(group, "ttlMax", 300);
	struct lb_names *names = c->out->live->names;
	char servers[SERVERS];

	read_servers(conf_get(group, "servers"), servers);
	if (names && strcmp(names->servers, servers) == 0 && names->ttl_min == ttl_min &&
	    names->ttl_max == ttl_max)
		return true;
	if (names && names->used) {
		conf_error(c->errors, group ? group : c->config, "needs-restart",
		           "how names are resolved cannot change while names are in use");
		return false;
	}
	lb_names_stop(c->out->live);
	names = calloc(1, sizeof(*names));
	if (!names) {
		conf_error(c->errors, c->config, "no-memory", "not enough memory");
		return false;
	}
	memcpy(names->servers, servers, sizeof(names->servers));
	names->ttl_min = ttl_min;
	names->ttl_max = ttl_max;
	if (start(c, names)) {
		c->out->live->names = names;
		return true;
	}
	free(names);
	return false;
}

/* --- names --- */

static bool same(const struct lb_host *a, const struct lb_host *b)
{
	return a->family == b->family && strcmp(a->name, b->name) == 0;
}

static int place_of(const struct lb_names *names, const struct lb_host *host)
{
	for (int i = 0; i < RESOLVER_NAMES_MAX; i++)
		if (names->places[i].taken && same(&names->places[i].is, host))
			return i;
	return -1;
}

static bool add_place(struct lb_names *names, const struct lb_host *host)
{
	if (place_of(names, host) >= 0)
		return true;
	for (unsigned i = 0; i < RESOLVER_NAMES_MAX; i++) {
		if (names->places[i].taken)
			continue;
		names->places[i] = (struct place){ .is = *host, .taken = true };
		return true;
	}
	return false;
}

static void set_names(struct lb_names *names)
{
	static const struct resolver_name none;
	struct resolver_name *list = calloc(RESOLVER_NAMES_MAX, sizeof(*list));
	struct errors errors = ERRORS_NONE;
	unsigned n = 0;

	for (uint32_t i = 0; list && i < RESOLVER_NAMES_MAX; i++)
		if (names->places[i].taken)
			list[n++] = (struct resolver_name){ i, names->places[i].is.name,
				                            names->places[i].is.family };
	if (list)
		resolver_set(names->resolver, n ? list : &none, n, &errors);
	errors_free(&errors);
	free(list);
}

static bool add_host(struct lb_compile *c, const struct conf *item, uint8_t family)
{
	struct lb_host host = { .family = family };
	struct lb_host *list;

	if (!host_name_valid(item->string)) {
		conf_error(c->errors, item, "not-a-name", "not a name that DNS can be asked for: \"%s\"",
		           item->string);
		return false;
	}
	snprintf(host.name, sizeof(host.name), "%s", item->string);
	for (unsigned i = 0; i < c->out->host_count; i++)
		if (same(&c->out->hosts[i], &host))
			return true;
	list = realloc(c->out->hosts, (c->out->host_count + 1) * sizeof(*list));
	if (!list || !add_place(c->out->live->names, &host)) {
		c->out->hosts = list ? list : c->out->hosts;
		conf_error(c->errors, item, "too-many", "at most %d names of backends", RESOLVER_NAMES_MAX);
		return false;
	}
	c->out->hosts = list;
	c->out->hosts[c->out->host_count++] = host;
	return true;
}

/* Names of one service's backends, in the service's family. */
static bool add_service(struct lb_compile *c, const struct conf *service)
{
	const struct conf *backends = conf_get(service, "backends");
	struct ip_addr vip;

	if (!conf_as_address(conf_get(service, "address"), &vip))
		return true; /* it is told where the service is read */
	for (size_t i = 0; i < conf_count(backends); i++) {
		const struct conf *host = conf_get(conf_at(backends, i), "host");

		if (host && (!provide(c) || !add_host(c, host, vip.family)))
			return false;
	}
	return true;
}

bool lb_names_prepare(struct lb_compile *c)
{
	const struct conf *services = conf_get(c->config, "services");

	for (size_t i = 0; i < conf_count(services); i++)
		if (!add_service(c, conf_at(services, i)))
			return false;
	if (!c->out->host_count)
		return true;
	set_names(c->out->live->names);
	resolver_wait(c->out->live->names->resolver, FIRST_MS);
	return true;
}

unsigned lb_names_addresses(const struct lb_live *live, const char *host, uint8_t family, struct ip_addr *out)
{
	struct lb_host wanted = { .family = family };
	struct resolver_view view;
	int id;

	snprintf(wanted.name, sizeof(wanted.name), "%s", host);
	id = live->names ? place_of(live->names, &wanted) : -1;
	if (id < 0 || !resolver_show(live->names->resolver, (uint32_t)id, &view))
		return 0;
	memcpy(out, view.addresses, view.count * sizeof(*out));
	return view.count;
}

/* --- addresses that are ours --- */

bool lb_names_refuses(struct lb_compile *c, const struct lb_service *s, const struct conf *item,
                      const struct ip_addr *address)
{
	struct lb_refused r, *list;

	memset(&r, 0, sizeof(r)); /* it is compared as a whole */
	r.address = *address;
	if (!lb_is_own_address(c, address, r.why, sizeof(r.why)))
		return false;
	snprintf(r.service, sizeof(r.service), "%s", s->name);
	snprintf(r.backend, sizeof(r.backend), "%s", conf_string(item, "name", ""));
	snprintf(r.host, sizeof(r.host), "%s", conf_string(item, "host", ""));
	list = realloc(c->out->refused, (c->out->refused_count + 1) * sizeof(*list));
	if (list) {
		list[c->out->refused_count++] = r;
		c->out->refused = list;
	}
	return true;
}

static bool was_told(const struct lb_names *names, const struct lb_refused *r)
{
	for (unsigned i = 0; i < names->told_count; i++)
		if (memcmp(&names->told[i], r, sizeof(*r)) == 0)
			return true;
	return false;
}

static void tell(const struct nf *nf, const struct lb_refused *r)
{
	struct events *events = nf->engine->options.events;
	char address[NET_TEXT];

	ip_addr_format(&r->address, address, sizeof(address));
	log_warn("backend-refused", "function=%s service=%s backend=%s name=%s address=%s reason=%s",
	         nf->name, r->service, r->backend, r->host, address, r->why);
	if (events)
		events_add(events, "backend-refused", nf->name, NULL,
		           "%s is no backend of service %s, though %s is there: it is %s", address,
		           r->service, r->host, r->why);
}

/* Names are looked up again and again: what is refused is told when it begins to be. */
static void tell_refused(const struct nf *nf, struct lb_names *names, const struct lb_config *config)
{
	struct lb_refused *told = calloc(config->refused_count + 1, sizeof(*told));

	for (unsigned i = 0; i < config->refused_count; i++)
		if (!was_told(names, &config->refused[i]))
			tell(nf, &config->refused[i]);
	if (told && config->refused_count)
		memcpy(told, config->refused, config->refused_count * sizeof(*told));
	free(names->told);
	names->told = told;
	names->told_count = told ? config->refused_count : 0;
}

void lb_names_publish(struct nf *nf, const struct lb_config *config, bool here)
{
	const struct lb_live *live = nf->live;
	struct lb_names *names = live->names;
	int id;

	if (!names)
		return;
	names->used = config->host_count > 0;
	for (unsigned i = 0; i < config->host_count; i++)
		if ((id = place_of(names, &config->hosts[i])) >= 0)
			names->places[id].wanted = true;
	for (unsigned i = 0; i < RESOLVER_NAMES_MAX; i++) {
		names->places[i].taken &= names->places[i].wanted;
		names->places[i].wanted = false;
	}
	set_names(names);
	if (here)
		tell_refused(nf, names, config);
}

void lb_names_stop(struct lb_live *live)
{
	if (!live->names)
		return;
	resolver_stop(live->names->resolver);
	free(live->names->told);
	free(live->names);
	live->names = NULL;
}

void lb_names_release(struct lb_config *config)
{
	free(config->hosts);
	free(config->refused);
}

/* --- REST --- */

static json_t *address_list(const struct resolver_view *view)
{
	json_t *list = json_array();
	char text[NET_TEXT];

	for (unsigned i = 0; i < view->count; i++) {
		ip_addr_format(&view->addresses[i], text, sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

json_t *lb_names_show(const struct lb_config *config)
{
	const struct lb_names *names = config->live->names;
	json_t *list = json_array();
	char text[TIMESTAMP_SIZE];

	for (unsigned i = 0; i < config->host_count; i++) {
		struct resolver_view view;
		json_t *item;
		int id = place_of(names, &config->hosts[i]);

		if (id < 0 || !resolver_show(names->resolver, (uint32_t)id, &view))
			continue;
		item = json_pack("{s:s,s:i,s:o,s:i,s:I,s:I}", "name", config->hosts[i].name, "family",
		                 config->hosts[i].family, "addresses", address_list(&view), "ttl",
		                 (int)view.ttl, "lookups", (json_int_t)view.lookups, "failures",
		                 (json_int_t)view.failures);
		if (view.why[0])
			json_object_set_new(item, "why", json_string(view.why));
		if (view.answered_ns)
			json_object_set_new(
			        item, "answered",
			        json_string(timestamp_write((time_t)(view.answered_ns / 1000000000), text)));
		json_array_append_new(list, item);
	}
	return list;
}
