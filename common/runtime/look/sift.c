/* SPDX-License-Identifier: BSD-3-Clause */
/* The filter of traces and captures. See sift.h. */
#include "runtime/look/sift.h"

#include "runtime/engine.h"

static const struct schema sift_schema[] = {
	{ .name = "rules",
	  .type = SCHEMA_LIST,
	  .members = match_schema,
	  .help = "Packets that one of these takes; none: all." },
	{ .name = "port", .type = SCHEMA_NAME, .help = "Port that they come in by." },
	{ .name = "oneWay", .type = SCHEMA_BOOL, .otherwise = "false", .help = "Leave answers out." },
	{ .name = NULL },
};

static bool find_port(struct engine *engine, const struct conf *filter, uint16_t *port, struct errors *errors)
{
	const struct conf *name = conf_get(filter, "port");
	int number = name ? engine_port_number(engine, name->string) : SIFT_ANY_PORT;

	*port = (uint16_t)number;
	if (number < 0)
		conf_error(errors, name, "no-such-port", "there is no port \"%s\"", name->string);
	return number >= 0;
}

bool sift_compile(struct engine *engine, const json_t *filter, struct sift *sift, struct errors *errors)
{
	struct conf *conf;
	bool valid;

	*sift = (struct sift){ .port = SIFT_ANY_PORT };
	if (!filter)
		return true;
	conf = conf_from_json(filter, errors);
	valid = conf && schema_check(sift_schema, conf, errors) &&
	        find_port(engine, conf, &sift->port, errors) &&
	        nfp_compile(conf_get(conf, "rules"), &sift->rules, errors);
	sift->one_way = valid && conf_bool(conf, "oneWay", false);
	if (!valid)
		sift_free(sift);
	conf_free(conf);
	return valid;
}

void sift_free(struct sift *sift)
{
	nfp_free(&sift->rules);
}

void sift_forget_port(struct sift *sift, unsigned number)
{
	if (sift->port == number)
		sift->port = SIFT_NO_PORT;
}

bool sift_tuple(const struct sift *sift, struct rte_mbuf *m, const struct tuple *t)
{
	return nfp_match(&sift->rules, m, t, 0) || (!sift->one_way && nfp_match(&sift->rules, m, t, 1));
}

bool sift_packet(const struct sift *sift, struct rte_mbuf *m)
{
	struct tuple t;

	if (sift->port != SIFT_ANY_PORT && sift->port != pkt_of(m)->in_port)
		return false;
	pkt_tuple(m, &t);
	return sift_tuple(sift, m, &t);
}
