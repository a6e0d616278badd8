/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * support-bundle: one file with what somebody far away needs to know: descriptors, configurations, states, metrics, events, logs, versions, the
 * doctor's findings. Read over REST; never sessions, keys or tokens. What cannot be had is named in its manifest, and no reason to fail.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/archive.h"
#include "cli/cli.h"
#include "cli/redact.h"
#include "manage/client.h"
#include "util/memory.h"

enum { PART_MAX = 2 << 20, TOTAL_MAX = 32 << 20, TIMEOUT_MS = 10000, NAME_SIZE = 100, PATH_SIZE = 384 };

struct bundle {
	struct cli *cli;
	struct archive *archive;
	struct http_client *client;
	json_t *parts; /* of the manifest */
	size_t total;
};

/* What every process tells, below /v1/services/S/state. */
static const char *const topics[] = { "paths",  "ports",  "counters",   "workers", "hops",
	                              "drains", "memory", "neighbours", "routes",  "claims" };

/* --- parts --- */

static void note(struct bundle *b, const char *name, const char *path, size_t bytes, const char *error)
{
	json_t *part = json_pack("{s:s,s:s,s:I}", "name", name, "from", path, "bytes", (json_int_t)bytes);

	if (error)
		json_object_set_new(part, "missing", json_string(error));
	json_array_append_new(b->parts, part);
}

static void put(struct bundle *b, const char *name, const char *path, const char *text)
{
	size_t length = strlen(text);

	if (length > PART_MAX || b->total + length > TOTAL_MAX) {
		note(b, name, path, 0, "too large");
		return;
	}
	archive_add(b->archive, name, text, length);
	b->total += length;
	note(b, name, path, length, NULL);
}

/* The body as it goes into the bundle, malloc'd. */
static char *without_secrets(const struct http_reply *reply)
{
	json_t *json = json_loadb(reply->body, reply->length, JSON_DECODE_ANY, NULL);
	char *text;

	if (!json)
		return redact_text(reply->body);
	redact_json(json);
	text = json_dumps(json, JSON_INDENT(1) | JSON_ENCODE_ANY);
	json_decref(json);
	return text;
}

/* One resource as one file of the bundle. False: sluiced did not answer. */
static bool take(struct bundle *b, const char *name, const char *path)
{
	static const char *const headers[] = { "Accept: application/json, text/plain", NULL };
	struct http_request request = cli_http(b->cli, "GET", path);
	struct http_reply reply = { 0 };
	char status[32], *text;
	bool answered;

	request.headers = headers;
	request.timeout_ms = TIMEOUT_MS;
	request.limit = PART_MAX;
	answered = http_request(b->client, &request, &reply);
	if (answered && reply.status == 200) {
		text = without_secrets(&reply);
		put(b, name, path, text ? text : "");
		free(text);
	} else {
		snprintf(status, sizeof(status), "status %u", reply.status);
		note(b, name, path, 0, answered ? status : reply.error);
	}
	http_reply_free(&reply);
	return answered;
}

static void take_in(struct bundle *b, const char *folder, const char *file, const char *path)
{
	char *name = text_format("%s/%s", folder, file);

	if (strlen(name) < NAME_SIZE)
		take(b, name, path);
	else
		note(b, name, path, 0, "the name is too long");
	free(name);
}

/* --- processes, VNFs, services --- */

/* `vnf` is "" for the service process. */
static void take_process(struct bundle *b, const char *folder, const char *service, const char *vnf)
{
	char path[PATH_SIZE], file[NAME_SIZE];

	for (size_t i = 0; i < sizeof(topics) / sizeof(*topics); i++) {
		snprintf(path, sizeof(path), "/v1/services/%s/state/%s?limit=1000&vnf=%s", service, topics[i],
		         vnf);
		snprintf(file, sizeof(file), "%s.json", topics[i]);
		take_in(b, folder, file, path);
	}
	snprintf(path, sizeof(path), "/v1/services/%s/metrics?vnf=%s", service, vnf);
	take_in(b, folder, "metrics.txt", path);
	snprintf(path, sizeof(path), "/v1/services/%s/events?last=0&vnf=%s", service, vnf);
	take_in(b, folder, "events.json", path);
	snprintf(path, sizeof(path), "/v1/services/%s/logs?bytes=1048576&vnf=%s", service, vnf);
	take_in(b, folder, "log", path);
}

static void take_vnf(struct bundle *b, const char *service, const json_t *vnf)
{
	static const struct {
		const char *file, *below;
	} parts[] = { { "vnf.json", "" },
		      { "config.json", "/config" },
		      { "traffic.json", "/state/traffic" } };
	const char *name = cli_text(vnf, "name"),
	           *process = json_string_value(json_object_get(vnf, "process"));
	char *folder = text_format("services/%s/vnfs/%s", service, name);

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		char *path = text_format("/v1/services/%s/vnfs/%s%s", service, name, parts[i].below);

		take_in(b, folder, parts[i].file, path);
		free(path);
	}
	if (process && strcmp(process, service) != 0)
		take_process(b, folder, service, name);
	free(folder);
}

static void take_service(struct bundle *b, const json_t *service)
{
	const char *name = cli_text(service, "name");
	char *folder = text_format("services/%s", name), *path = text_format("/v1/services/%s", name);
	json_t *vnf;
	size_t i;

	take_in(b, folder, "service.json", path);
	free(path);
	path = text_format("/v1/services/%s/revisions", name);
	take_in(b, folder, "revisions.json", path);
	free(path);
	take_process(b, folder, name, "");
	json_array_foreach(json_object_get(service, "vnfs"), i, vnf) take_vnf(b, name, vnf);
	free(folder);
}

/* --- the whole --- */

static void collect(struct bundle *b, const json_t *services)
{
	static const struct {
		const char *file, *path;
	} parts[] = { { "version.json", "/v1/version" },    { "nodes.json", "/v1/nodes" },
		      { "doctor.json", "/v1/doctor" },      { "services.json", "/v1/services?limit=1000" },
		      { "ops.json", "/v1/ops?limit=1000" }, { "events.json", "/v1/events?last=0" },
		      { "metrics.txt", "/metrics" },        { "sluiced.log", "/v1/logs?bytes=1048576" } };
	json_t *service;
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		take(b, parts[i].file, parts[i].path);
	json_array_foreach((json_t *)(uintptr_t)services, i, service) take_service(b, service);
}

static void add_manifest(struct bundle *b, time_t now)
{
	json_t *manifest = json_pack("{s:s,s:I,s:O}", "sluice", SLUICE_VERSION, "time", (json_int_t)now,
	                             "parts", b->parts);
	char *text = json_dumps(manifest, JSON_INDENT(1));

	archive_add(b->archive, "manifest.json", text, strlen(text));
	free(text);
	json_decref(manifest);
}

static void sum_up(const struct bundle *b, const char *file)
{
	size_t missing = 0, i;
	json_t *part;

	json_array_foreach(b->parts, i, part) missing += json_object_get(part, "missing") != NULL;
	cli_say(b->cli, "%s: %zu parts, %zu could not be had (manifest.json says why)\n", file,
	        json_array_size(b->parts) - missing, missing);
}

static int finish(struct bundle *b, const char *file, time_t now)
{
	add_manifest(b, now);
	if (!archive_close(b->archive)) {
		fprintf(stderr, "sluice: cannot write %s: %s\n", file, strerror(errno));
		return CLI_FAILED;
	}
	sum_up(b, file);
	return CLI_DONE;
}

static int make(struct cli *cli, const char *file, time_t now)
{
	struct bundle b = { .cli = cli, .parts = json_array(), .client = cli_client(cli) };
	json_t *services = NULL;
	int status = cli_request(cli, "GET", "/v1/services?limit=1000", NULL, &services);

	/* Where nothing is to be had, a file of that name stays what it is. */
	if (status == CLI_DONE && (b.archive = archive_open(file, now))) {
		collect(&b, services);
		status = finish(&b, file, now);
	} else if (status == CLI_DONE) {
		fprintf(stderr, "sluice: cannot write %s: %s\n", file, strerror(errno));
		status = CLI_FAILED;
	}
	json_decref(services);
	json_decref(b.parts);
	http_client_free(b.client);
	return status;
}

int command_support_bundle(struct cli *cli)
{
	time_t now = time(NULL);
	struct tm utc;
	char name[64];

	if (cli->count)
		return cli_usage("support-bundle [-w FILE.tar.gz]");
	gmtime_r(&now, &utc);
	strftime(name, sizeof(name), "sluice-support-%Y%m%dT%H%M%SZ.tar.gz", &utc);
	return make(cli, cli->file ? cli->file : name, now);
}
