/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules of descriptors that a schema cannot say. See descriptor.h. */
#include "lifecycle/descriptor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/driver.h"
#include "util/memory.h"

enum {
	SOCKET_PATH = 107, /* bytes of a unix socket's path (sockaddr_un, less its NUL) */
	LINK_NAME = 63,    /* bytes of VNF@CHAIN.a, the engine's name of a link */
};

const char *descriptor_placement(const struct conf *service, const struct conf *vnf)
{
	return conf_string(vnf, "placement", conf_string(service, "placement", "fused"));
}

bool descriptor_fused(const struct conf *service, const struct conf *vnf)
{
	return strcmp(descriptor_placement(service, vnf), "fused") == 0;
}

const struct conf *descriptor_vnf(const struct conf *service, const char *name)
{
	return conf_item(conf_get(service, "vnfs"), "name", name);
}

const struct conf *descriptor_port(const struct conf *service, const char *name)
{
	return conf_item(conf_get(conf_get(service, "edge"), "ports"), "name", name);
}

bool descriptor_on_chain(const struct conf *chain, const char *vnf)
{
	const struct conf *path = conf_get(chain, "path");

	for (size_t i = 1; i + 1 < conf_count(path); i++)
		if (strcmp(conf_at(path, i)->string, vnf) == 0)
			return true;
	return false;
}

/* --- names --- */

static bool is_instance_file(const char *name)
{
	static const char *const files[] = { INSTANCE_BOOT, INSTANCE_CONTROL, INSTANCE_HEARTBEAT,
		                             INSTANCE_LOG, INSTANCE_ERRORS };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strcmp(name, files[i]) == 0)
			return true;
	/* What access and audit keep there. */
	static const char *const prefixes[] = { "events.", "ca.",         "server.",   "admin.",
		                                "tokens.", "clients-ca.", "contexts.", "audit." };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return strncmp(name, "sessions.", 9) == 0 || strncmp(name, INSTANCE_LOG ".", 4) == 0;
}

static void check_socket(const struct conf *where, const char *what, size_t length, struct errors *errors)
{
	if (length > SOCKET_PATH)
		conf_error(errors, where, "name-too-long",
		           "the path of %s would have %zu bytes and may have %d: choose shorter names, or a "
		           "shorter --run-dir",
		           what, length, SOCKET_PATH);
}

static void check_service_name(const struct conf *service, const struct descriptor_limits *limits,
                               struct errors *errors)
{
	const struct conf *name = conf_get(service, "name");
	size_t length = strlen(limits->run_folder) + strlen(name->string) +
	                sizeof("/"
	                       "/" INSTANCE_CONTROL) -
	                1;

	if (strncmp(name->string, "sluiced.", 8) == 0)
		conf_error(errors, name, "reserved-name",
		           "names that begin with \"sluiced.\" are the orchestrator's own");
	check_socket(name, "its control socket", length, errors);
}

static void check_vnf_name(const struct conf *service, const struct conf *vnf,
                           const struct descriptor_limits *limits, struct errors *errors)
{
	const struct conf *name = conf_get(vnf, "name");
	size_t folder = strlen(limits->run_folder) + strlen(conf_string(service, "name", "")) +
	                strlen(name->string) + 3;

	if (descriptor_port(service, name->string))
		conf_error(errors, name, "duplicate-name", "a port of the service has this name already");
	if (is_instance_file(name->string))
		conf_error(errors, name, "reserved-name",
		           "a file of the service's folder has this name: choose another");
	if (!descriptor_fused(service, vnf))
		check_socket(name, "its control socket", folder + strlen(INSTANCE_CONTROL), errors);
}

/* --- placements and kinds --- */

static void check_placement(const struct conf *where, struct errors *errors)
{
	if (where && where->string && strcmp(where->string, "fused") != 0 &&
	    strcmp(where->string, "process") != 0)
		conf_error(errors, where, "not-built",
		           "placement \"%s\" is not built yet: use \"fused\" or \"process\"", where->string);
}

static void check_kind(const struct conf *vnf, const struct descriptor_limits *limits, struct errors *errors)
{
	const char *kind = conf_string(vnf, "kind", "");
	char *program = text_format("%s/sluice-%s", limits->program_folder, kind);

	if (access(program, X_OK) != 0 || strcmp(kind, "chain") == 0)
		conf_error(errors, conf_get(vnf, "kind"), "unknown-kind",
		           "there is no VNF of kind \"%s\": no executable %s", kind, program);
	free(program);
}

/* --- chains --- */

static void check_link(const struct conf *service, const struct conf *chain, const struct conf *step,
                       const struct descriptor_limits *limits, struct errors *errors)
{
	const char *path = conf_string(chain, "name", "");
	size_t socket = strlen(limits->run_folder) + strlen(conf_string(service, "name", "")) +
	                strlen(step->string) + strlen(path) +
	                sizeof("///"
	                       ".a.sock") -
	                1;

	check_socket(step, "its link on this chain", socket, errors);
	if (strlen(step->string) + strlen(path) + 3 > LINK_NAME)
		conf_error(errors, step, "name-too-long",
		           "the names of VNF and chain together may have %d bytes", LINK_NAME - 3);
}

static void check_step(const struct conf *service, const struct conf *chain, const struct conf *step,
                       const struct descriptor_limits *limits, struct errors *errors)
{
	const struct conf *path = step->parent, *vnf = descriptor_vnf(service, step->string);

	if (!vnf) {
		conf_error(errors, step, "no-such-vnf",
		           "expected the name of a VNF of this service, found \"%s\"", step->string);
		return;
	}
	for (size_t i = 1; i < step->index; i++)
		if (strcmp(conf_at(path, i)->string, step->string) == 0)
			conf_error(errors, step, "twice-on-chain", "VNF \"%s\" is on this chain already",
			           step->string);
	if (!descriptor_fused(service, vnf))
		check_link(service, chain, step, limits, errors);
}

static void check_end(const struct conf *service, const struct conf *end, struct errors *errors)
{
	if (!descriptor_port(service, end->string))
		conf_error(errors, end, "no-such-port",
		           "a chain begins and ends at a port of the edge, and \"%s\" is none", end->string);
}

static void check_chain(const struct conf *service, const struct conf *chain,
                        const struct descriptor_limits *limits, struct errors *errors)
{
	const struct conf *path = conf_get(chain, "path");
	size_t last = conf_count(path) - 1;

	check_end(service, conf_at(path, 0), errors);
	check_end(service, conf_at(path, last), errors);
	for (size_t i = 1; i < last; i++)
		check_step(service, chain, conf_at(path, i), limits, errors);
}

bool descriptor_check(const struct conf *service, const struct descriptor_limits *limits,
                      struct errors *errors)
{
	size_t before = errors->count;
	const struct conf *vnfs = conf_get(service, "vnfs"), *chains = conf_get(service, "chains");

	if (!schema_check(service_schema, service, errors))
		return false;
	check_service_name(service, limits, errors);
	check_placement(conf_get(service, "placement"), errors);
	for (size_t i = 0; i < conf_count(vnfs); i++) {
		check_vnf_name(service, conf_at(vnfs, i), limits, errors);
		check_placement(conf_get(conf_at(vnfs, i), "placement"), errors);
		check_kind(conf_at(vnfs, i), limits, errors);
		if (descriptor_fused(service, conf_at(vnfs, i)) && conf_get(conf_at(vnfs, i), "manage"))
			conf_error(errors, conf_get(conf_at(vnfs, i), "manage"), "fused",
			           "it is fused: manage stands with the service, whose process it runs in");
	}
	for (size_t i = 0; i < conf_count(chains); i++)
		check_chain(service, conf_at(chains, i), limits, errors);
	return errors->count == before;
}
