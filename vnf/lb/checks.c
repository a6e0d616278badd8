/* SPDX-License-Identifier: BSD-3-Clause */
/* See checks.h. */
#include "lb/checks.h"

#include <stdlib.h>
#include <string.h>

#include "config/values.h"
#include "manage/events.h"
#include "manage/log.h"
#include "manage/timestamp.h"
#include "runtime/clock.h"
#include "runtime/engine.h"

const struct schema lb_health_schema[] = {
	{ .name = "source",
	  .type = SCHEMA_ADDRESS,
	  .help = "IPv4 address that checks come from, this function's own: neighbours are answered for "
	          "it." },
	{ .name = "source6", .type = SCHEMA_ADDRESS, .help = "The same of IPv6." },
	{ .name = NULL },
};

/* --- configuration --- */

static bool read_source(struct lb_compile *c, const char *name, uint8_t family, struct ip_addr *out)
{
	const struct conf *item = conf_get(conf_get(c->config, "health"), name);
	union ipaddr address;

	if (!item)
		return true;
	if (!conf_as_address(item, out) || out->family != family) {
		conf_error(c->errors, item, "other-family", "not an address of IPv%u: \"%s\"", family,
		           item->string);
		return false;
	}
	memcpy(address.bytes, out->bytes, sizeof(address.bytes));
	if (!lb_claims_address(c->out, family, &address))
		return true;
	conf_error(c->errors, item, "overlap", "an address of sources of mode \"full-nat\" already: \"%s\"",
	           item->string);
	return false;
}

bool lb_checks_read(struct lb_compile *c)
{
	return read_source(c, "source", 4, &c->out->health_source[0]) &&
	       read_source(c, "source6", 6, &c->out->health_source[1]);
}

static bool is_source(const struct lb_compile *c, uint8_t family, const union ipaddr *address)
{
	const struct ip_addr *source = &c->out->health_source[family == FAMILY_V6];

	return source->family && memcmp(source->bytes, address->bytes, family == FAMILY_V6 ? 16 : 4) == 0;
}

void lb_checks_sources(struct lb_compile *c)
{
	for (unsigned i = 0; i < c->out->service_count; i++) {
		const struct lb_service *s = &c->out->services[i];
		const char *member = s->family == FAMILY_V6 ? "source6" : "source";
		bool overlaps = is_source(c, s->family, &s->address);

		for (unsigned b = 0; b < s->backend_count; b++)
			overlaps |= is_source(c, s->family, &s->backends[b].address);
		if (overlaps)
			conf_error(c->errors, conf_get(conf_get(c->config, "health"), member), "overlap",
			           "the address of service \"%s\" or of one of its backends", s->name);
	}
}

static bool needs_port(const struct lb_compile *c, const struct conf *item, const struct lb_service *s)
{
	if (s->check->port || s->check->kind == HEALTH_ICMP || s->protocol)
		return true;
	conf_error(
	        c->errors, conf_get(item, "health"), "no-port",
	        "a service of any protocol has no port that could be checked: say `port`, or kind \"icmp\"");
	return false;
}

bool lb_check_read(struct lb_compile *c, const struct conf *item, struct lb_service *s)
{
	const struct conf *group = conf_get(item, "health");

	if (!group)
		return true;
	s->check = malloc(sizeof(*s->check));
	if (!s->check) {
		conf_error(c->errors, group, "no-memory", "not enough memory");
		return false;
	}
	if (!health_check_read(group, s->check, c->errors) || !needs_port(c, item, s))
		return false;
	if (c->out->health_source[s->family == FAMILY_V6].family)
		return true;
	conf_error(c->errors, group, "no-source",
	           "the service is IPv%u: its checks need an address of that family to come from, %s",
	           s->family, s->family == FAMILY_V6 ? "health.source6" : "health.source");
	return false;
}

/* --- what is checked --- */

static void changed(void *context, uint32_t id, bool up, const char *why)
{
	const struct nf *nf = context;
	struct lb_live *live = nf->live;
	const struct pool_backend *b = &live->pool->backends[id];
	struct ip_addr address = { .family = b->is.family };
	struct events *events = nf->engine->options.events;
	char text[NET_TEXT], service[POOL_NAME];

	memcpy(address.bytes, b->is.address.bytes, sizeof(address.bytes));
	ip_addr_format(&address, text, sizeof(text));
	pool_service_read_name(live->pool, b->is.service, service);
	pool_backend_state(live->pool, id, up, why);
	log_info(up ? "backend-up" : "backend-down", "function=%s service=%s backend=%s reason=%s", nf->name,
	         service, text, why);
	if (events)
		events_add(events, up ? "backend-up" : "backend-down", nf->name, NULL,
		           "backend %s of service %s is %s: %s", text, service, up ? "up" : "down", why);
}

static struct health_target target_of(const struct lb_service *s, const struct lb_backend *b)
{
	uint16_t port = b->port ? rte_be_to_cpu_16(b->port) : s->first;
	struct health_target target = {
		.id = b->id, .address.family = s->family, .port = port, .check = s->check
	};

	memcpy(target.address.bytes, b->address.bytes, sizeof(target.address.bytes));
	return target;
}

/* The targets of a configuration; answers how many. `out` may be NULL. What is up stays so until `fall` checks have failed. */
static unsigned targets_of(const struct lb_config *config, struct health_target *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < config->service_count; i++) {
		const struct lb_service *s = &config->services[i];

		for (unsigned k = 0; k < s->backend_count; k++) {
			if (!lb_is_checked(s, &s->backends[k]))
				continue;
			if (out) {
				out[n] = target_of(s, &s->backends[k]);
				out[n].assumed = pool_state_of(config->live->pool, out[n].id) & POOL_UP;
			}
			n++;
		}
	}
	return n;
}

static void set_checked(const struct lb_config *config, bool checked)
{
	for (unsigned i = 0; i < config->service_count; i++) {
		const struct lb_service *s = &config->services[i];

		for (unsigned k = 0; k < s->backend_count; k++)
			pool_backend_runs(config->live->pool, s->backends[k].id,
			                  checked && lb_is_checked(s, &s->backends[k]), s->reset_on_failure);
	}
}

static void told(void *nf)
{
	lb_health_keep(nf);
}

static bool make_checker(struct nf *nf, struct errors *errors)
{
	struct lb_live *live = nf->live;
	struct health_options options = {
		.name = nf->name, .workers = nf->workers, .seed = nf->seed, .told = told
	};
	struct health *health;

	if (live->health)
		return true;
	health = health_start(&options, changed, nf, errors);
	__atomic_store_n(&live->health, health, __ATOMIC_RELEASE);
	return health != NULL;
}

static bool set_targets(struct nf *nf, const struct lb_config *config, unsigned n, struct errors *errors)
{
	struct lb_live *live = nf->live;
	struct health_target *targets = calloc(n + 1, sizeof(*targets));
	bool set = false;

	if (!targets) {
		errors_add(errors, NULL, "no-memory", NULL, 0, "not enough memory");
		return false;
	}
	targets_of(config, targets);
	if (make_checker(nf, errors) &&
	    health_sources(live->health, &config->health_source[0], &config->health_source[1], errors) == 0)
		set = health_set(live->health, targets, n, errors) == 0;
	free(targets);
	return set;
}

/* The function begins in this process, or is back: what was known here is of another time. */
static void begin_here(struct nf *nf, const struct lb_config *config)
{
	for (unsigned i = 0; i < config->service_count; i++) {
		const struct lb_service *s = &config->services[i];

		for (unsigned k = 0; k < s->backend_count; k++)
			if (lb_is_checked(s, &s->backends[k]))
				pool_backend_begins(config->live->pool, s->backends[k].id,
				                    !lb_begins_down(s, &s->backends[k], false));
	}
	lb_health_found(nf, config);
}

void lb_checks_publish(struct nf *nf, const struct lb_config *config, bool here)
{
	struct lb_live *live = nf->live;
	struct errors errors = ERRORS_NONE;
	/* Checks go through the datapath, which is not here yet while sessions move: until then what is known counts. */
	unsigned n = here && !nf_moving(nf) ? targets_of(config, NULL) : 0;

	if (here) {
		set_checked(config, true);
		if (!live->here)
			begin_here(nf, config);
		live->published = true;
	}
	atomic_store_explicit(&live->here, here, memory_order_release);
	if (!n && live->health)
		health_set(live->health, NULL, 0, &errors);
	if (n && !set_targets(nf, config, n, &errors)) {
		set_checked(config, false);
		log_error("health-checks-off", "function=%s reason=%s", nf->name,
		          errors.count ? errors.list[0].detail : "?");
	}
	errors_free(&errors);
}

void lb_checks_stop(struct lb_live *live)
{
	health_stop(live->health);
	live->health = NULL;
}

void lb_checks_claims(const struct lb_config *config, nf_claim_fn *fn, void *context)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct ip_addr *source = &config->health_source[i];
		struct nf_claim claim = { .family = source->family,
			                  .length = i ? 128 : 32,
			                  .first_end = !config->claims_first };

		if (!source->family)
			continue;
		memcpy(claim.address.bytes, source->bytes, sizeof(claim.address.bytes));
		fn(context, &claim);
	}
}

/* --- REST --- */

void lb_checks_show(const struct lb_live *live, unsigned id, json_t *out)
{
	char text[TIMESTAMP_SIZE];
	struct health_view view;
	json_t *check;

	if (!live->health || !health_show(live->health, id, &view))
		return;
	check = json_pack("{s:s,s:b,s:s,s:I,s:I,s:I,s:i}", "state",
	                  health_state_name((enum health_state)view.state), "heldDown", view.held, "why",
	                  view.checked_ns ? view.why : "not checked yet", "checks", (json_int_t)view.checks,
	                  "failures", (json_int_t)view.failures, "roundTripUs", (json_int_t)view.rtt_us,
	                  "penalty", (int)view.penalty);
	if (view.checked_ns)
		json_object_set_new(
		        check, "last",
		        json_string(timestamp_write((time_t)(view.checked_ns / 1000000000), text)));
	json_object_set_new(out, "check", check);
}

/* --- workers --- */

uint64_t lb_checks_tick(const struct nf *nf, const struct lb_config *config, unsigned worker_id, uint64_t now)
{
	struct health *health = __atomic_load_n(&config->live->health, __ATOMIC_ACQUIRE);

	if (worker_id != 0 || (!config->health_source[0].family && !config->health_source[1].family))
		return UINT64_MAX;
	if (health)
		health_tick(health, nf, worker_id, config->claims_first ? 0 : 1);
	return now + NS_PER_MS;
}

void lb_checks_process(const struct lb_live *live, struct batch *b, unsigned i)
{
	struct health *health = __atomic_load_n(&live->health, __ATOMIC_ACQUIRE);

	if (batch_pkt(b, i)->dir == 0)
		return;
	if (health) {
		health_take(health, b, i);
		return;
	}
	batch_take(b, i); /* a predecessor's */
	nf_deliver(b->worker, b->m[i]);
}
