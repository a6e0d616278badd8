/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters of trace and capture, in words. See look.h. */
#include "cli/look.h"

#include <stdio.h>
#include <string.h>

static bool is_protocol(const char *word)
{
	static const char *const names[] = { "tcp", "udp", "icmp", "icmpv6", "sctp", "esp", "gre" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], word) == 0)
			return true;
	return false;
}

/* The member of a rule that a word gives a value; NULL: no such word. */
static const char *member_of(const char *word)
{
	static const struct {
		const char *word, *member;
	} words[] = { { "from", "source" },           { "host", "source" },       { "to", "destination" },
		      { "port", "destinationPorts" }, { "sport", "sourcePorts" }, { "family", "etherType" } };

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].member;
	return NULL;
}

/* Takes one word, or two; how many, or 0: not understood. */
static int take_word(json_t *filter, json_t *rule, const char *word, const char *next)
{
	const char *member = member_of(word);

	if (is_protocol(word)) {
		json_object_set_new(rule, "protocol", json_string(word));
		return 1;
	}
	if (strcmp(word, "oneway") == 0) {
		json_object_set_new(filter, "oneWay", json_true());
		return 1;
	}
	if (!next || (!member && strcmp(word, "in") != 0))
		return 0;
	if (member)
		json_object_set_new(rule, member, json_string(next));
	else
		json_object_set_new(filter, "port", json_string(next));
	return 2;
}

json_t *look_filter(const struct cli *cli, int from)
{
	json_t *filter = json_object(), *rule = json_object();

	for (int i = from, taken; i < cli->count; i += taken) {
		taken = take_word(filter, rule, cli->words[i], i + 1 < cli->count ? cli->words[i + 1] : NULL);
		if (taken)
			continue;
		fprintf(stderr,
		        "sluice: what is \"%s\"? A filter is made of: tcp udp icmp icmpv6 sctp esp gre, "
		        "from|to|host PREFIX, port|sport N[-M], in PORT, family ipv4|ipv6, oneway\n",
		        cli->words[i]);
		json_decref(filter);
		json_decref(rule);
		return NULL;
	}
	if (json_object_size(rule))
		json_object_set_new(filter, "rules", json_pack("[O]", rule));
	json_decref(rule);
	return filter;
}
