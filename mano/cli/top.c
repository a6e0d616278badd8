/* SPDX-License-Identifier: BSD-3-Clause */
/* top: each function's packets, bits, drops and opened sessions a second, again each second (--once: a single time). */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static json_t *traffic_of(struct cli *cli, const char *service, const char *vnf)
{
	char path[384];
	json_t *answer;

	snprintf(path, sizeof(path), "/v1/services/%s/vnfs/%s/state/traffic", service, vnf);
	return cli_request(cli, "GET", path, NULL, &answer) == CLI_DONE ? answer : NULL;
}

/* {"edge/fw": traffic, ...} of all services; NULL and *status: sluiced could not be asked. */
static json_t *sample(struct cli *cli, int *status)
{
	json_t *services, *service, *vnf, *out = json_object();
	size_t i, k;

	*status = cli_request(cli, "GET", "/v1/services", NULL, &services);
	json_array_foreach(services, i, service)
	{
		const char *name = json_string_value(json_object_get(service, "name"));

		json_array_foreach(json_object_get(service, "vnfs"), k, vnf)
		{
			char full[256];

			snprintf(full, sizeof(full), "%s/%s", name,
			         json_string_value(json_object_get(vnf, "name")));
			json_object_set_new(out, full, traffic_of(cli, name, strchr(full, '/') + 1));
		}
	}
	json_decref(services);
	return out;
}

static double both(const json_t *traffic, const char *member)
{
	const json_t *pair = json_object_get(traffic, member);

	return json_number_value(json_array_get(pair, 0)) + json_number_value(json_array_get(pair, 1));
}

static double rate(const json_t *now, const json_t *before, const char *member)
{
	return json_number_value(json_object_get(now, member)) -
	       json_number_value(json_object_get(before, member));
}

static json_t *difference(const json_t *before, const json_t *now)
{
	json_t *list = json_array(), *traffic;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)now, name, traffic)
	{
		const json_t *old = json_object_get(before, name);

		json_array_append_new(list,
		                      json_pack("{s:s,s:f,s:f,s:f,s:f}", "name", name, "packets/s",
		                                both(traffic, "packets") - both(old, "packets"), "bits/s",
		                                8 * (both(traffic, "bytes") - both(old, "bytes")), "drops/s",
		                                rate(traffic, old, "drops"), "sessions/s",
		                                rate(traffic, old, "opened")));
	}
	return list;
}

int command_top(struct cli *cli)
{
	int status;
	json_t *before = sample(cli, &status), *now, *rows;

	while (status == CLI_DONE) {
		sleep(1);
		now = sample(cli, &status);
		rows = difference(before, now);
		if (!cli->once && isatty(STDOUT_FILENO))
			printf("\033[H\033[2J");
		cli_print(cli, rows);
		json_decref(rows);
		json_decref(before);
		before = now;
		if (cli->once || fflush(stdout) != 0)
			break;
	}
	json_decref(before);
	return status;
}
