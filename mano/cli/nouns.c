/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of nouns. See nouns.h. */
#include "cli/nouns.h"

#include <stdio.h>
#include <string.h>

#include "cli/verbs.h"

enum { COLUMNS = 12, WORD = 128 }; /* one column less, for the NULL behind them */

/* What can be asked for: the path without and with a name (S: service, V: the rest of the name), and the columns of its table. */
static const struct noun {
	const char *name, *all, *one;
	bool is_list;                 /* of each service, so that all may be asked for */
	const char *columns[COLUMNS]; /* none: all that the first has */
} nouns[] = {
	{ "service",
	  "/v1/services",
	  "/v1/services/S",
	  true,
	  { "name", "state", "placement", "revision", "operation" } },
	{ "vnf",
	  "/v1/services/S/vnfs",
	  "/v1/services/S/vnfs/V",
	  true,
	  { "name", "service", "kind", "state", "health", "placement", "process", "chains", "restarts",
	    "error" } },
	{ "chain",
	  "/v1/services/S/chains",
	  "/v1/services/S/chains/V",
	  true,
	  { "name", "service", "path", "onFailure", "symmetric", "priority" } },
	{ "op",
	  "/v1/ops",
	  "/v1/ops/S",
	  true,
	  { "id", "kind", "subject", "state", "progress", "message", "author", "created" } },
	{ "event", "/v1/events?last=0", NULL, true, { "time", "kind", "subject", "message" } },
	{ "node", "/v1/nodes", "/v1/nodes/S", true, { NULL } },
	{ "revision", "/v1/services/S/revisions", "/v1/services/S/revisions/V", true, { NULL } },
	{ "session",
	  "/v1/services/S/state/sessions",
	  "/v1/services/S/state/sessions?vnf=V",
	  true,
	  { "service", "path", "protocol", "class", "forward", "answer", "idleMs", "packets", "bytes",
	    "replied" } },
	{ "port",
	  "/v1/services/S/state/ports",
	  "/v1/services/S/state/ports?vnf=V",
	  true,
	  { "name", "service", "device", "up", "mac", "receivedPackets", "sentPackets", "sendDrops",
	    "missed" } },
	{ "neighbour", "/v1/services/S/state/neighbours", NULL, true, { NULL } },
	{ "route", "/v1/services/S/state/routes", NULL, true, { NULL } },
	{ "worker", "/v1/services/S/state/workers", "/v1/services/S/state/workers?vnf=V", true, { NULL } },
	{ "path", "/v1/services/S/state/paths", "/v1/services/S/state/paths?vnf=V", true, { NULL } },
	{ "claim", "/v1/services/S/state/claims", NULL, true, { NULL } },
	{ "hop", "/v1/services/S/state/hops", NULL, true, { NULL } },
	{ "drain",
	  "/v1/services/S/state/drains",
	  NULL,
	  true,
	  { "name", "service", "kind", "paths", "sessions", "secondsLeft" } },
	{ "memory", "/v1/services/S/state/memory", "/v1/services/S/state/memory?vnf=V", false, { NULL } },
	{ "counter",
	  "/v1/services/S/state/counters",
	  "/v1/services/S/state/counters?vnf=V",
	  false,
	  { NULL } },
	{ "rule", NULL, "/v1/services/S/vnfs/V/state/rules", true, { NULL } },
	{ "zone", NULL, "/v1/services/S/vnfs/V/state/zones", true, { NULL } },
	{ "mapping", NULL, "/v1/services/S/vnfs/V/state/mappings", true, { NULL } },
	{ "pool", NULL, "/v1/services/S/vnfs/V/state/pools", true, { NULL } },
	{ "forward", NULL, "/v1/services/S/vnfs/V/state/forwards", true, { NULL } },
};

enum { NOUNS = sizeof(nouns) / sizeof(*nouns) };

bool noun_is(const char *word, const char *noun)
{
	size_t length = strlen(noun);

	return strncmp(word, noun, length) == 0 && (!word[length] || strcmp(word + length, "s") == 0);
}

const char *noun_name(unsigned i)
{
	return i < NOUNS ? nouns[i].name : NULL;
}

static const struct noun *find_noun(const char *word)
{
	for (unsigned i = 0; i < NOUNS; i++)
		if (noun_is(word, nouns[i].name))
			return &nouns[i];
	return NULL;
}

static void no_noun(const char *word)
{
	suggest_print("noun", word, noun_name);
	fprintf(stderr, "sluice: there are:");
	for (unsigned i = 0; i < NOUNS; i++)
		fprintf(stderr, " %s", nouns[i].name);
	fprintf(stderr, "\n");
}

/* Puts service and name into a pattern. */
static void fill(const char *pattern, const char *service, const char *name, char path[NOUN_PATH])
{
	size_t used = 0;

	for (const char *p = pattern; *p && used < NOUN_PATH - 1; p++) {
		const char *word = *p == 'S' ? service : *p == 'V' ? name : NULL;

		if (word)
			used += (size_t)snprintf(path + used, NOUN_PATH - used, "%s", word);
		else
			path[used++] = *p;
	}
	path[used < NOUN_PATH ? used : NOUN_PATH - 1] = '\0';
}

void noun_fill(const char *pattern, const char *service, char path[NOUN_PATH])
{
	fill(pattern, service, NULL, path);
}

/* Functions may have state of which nothing is known here: it is asked for by its own name. */
static bool other_state(const char *word, const char *service, const char *rest, struct noun_target *target)
{
	bool name = !word[strspn(word, "abcdefghijklmnopqrstuvwxyz-")];

	if (!name || !*service || suggest(word, noun_name))
		return false;
	if (rest)
		snprintf(target->path, sizeof(target->path), "/v1/services/%s/vnfs/%s/state/%s", service,
		         rest, word);
	else
		snprintf(target->path, sizeof(target->path), "/v1/services/%s/state/%s", service, word);
	return true;
}

static void which_one(const struct noun *noun)
{
	fprintf(stderr, "sluice: which one? sluice get %s%s\n", noun->name,
	        !noun->all               ? " SERVICE/VNF"
	        : noun->one              ? " SERVICE[/VNF]"
	        : strchr(noun->all, 'S') ? " [SERVICE]"
	                                 : "");
}

bool noun_target(struct cli *cli, struct noun_target *target)
{
	const struct noun *noun = cli->count ? find_noun(cli->words[0]) : NULL;
	const char *word = cli->count > 1 ? cli->words[1] : NULL, *rest = NULL, *pattern;
	char service[WORD] = "";

	*target = (struct noun_target){ .pattern = NULL };
	if (word && !cli_split(word, service, sizeof(service), &rest))
		return false;
	if (!noun && other_state(cli->words[0], service, rest, target))
		return true;
	if (!noun) {
		no_noun(cli->words[0]);
		return false;
	}
	pattern = rest || (word && noun->one && !strchr(noun->one, 'V')) ? noun->one : noun->all;
	if (!pattern || (strchr(pattern, 'V') && !rest) ||
	    (strchr(pattern, 'S') && !word && !noun->is_list)) {
		which_one(noun);
		return false;
	}
	if (strchr(pattern, 'S') && !word)
		target->pattern = pattern;
	else
		fill(pattern, service, rest, target->path);
	cli->columns = noun->columns[0] ? noun->columns : NULL;
	return true;
}
