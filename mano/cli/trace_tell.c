/* SPDX-License-Identifier: BSD-3-Clause */
/* The walk of a packet, as a person would tell it. See trace_tell.h. */
#include "cli/trace_tell.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { TEXT = 256 };

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text ? text : "";
}

static int number_of(const json_t *json, const char *name)
{
	return (int)json_integer_value(json_object_get(json, name));
}

static const char *protocol_name(int protocol, char *text, size_t size)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_ICMPV6:
		return "ICMPv6";
	case IPPROTO_SCTP:
		return "SCTP";
	case IPPROTO_ESP:
		return "ESP";
	case IPPROTO_GRE:
		return "GRE";
	default:
		snprintf(text, size, "protocol %d", protocol);
		return text;
	}
}

static void flags_text(int flags, char *text, size_t size)
{
	static const char *const names[] = { "FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR" };
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < 8 && used < size; i++)
		if (flags >> i & 1)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "," : " ",
			                         names[i]);
}

static void end_text(const json_t *look, const char *address, const char *port, char *text, size_t size)
{
	const char *host = text_of(look, address);
	int number = number_of(look, port);

	if (!number || json_object_get(look, "icmpType"))
		snprintf(text, size, "%s", host);
	else
		snprintf(text, size, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, number);
}

/* "TCP 192.0.2.10:40000 > 203.0.113.1:80 SYN, ttl 64, 74 bytes" */
static void look_text(const json_t *look, char *text, size_t size)
{
	char source[80], destination[80], flags[48] = "", protocol[24];

	if (!json_object_get(look, "source")) {
		snprintf(text, size, "a frame of %d bytes from %s", number_of(look, "length"),
		         text_of(look, "sourceMac"));
		return;
	}
	end_text(look, "source", "sourcePort", source, sizeof(source));
	end_text(look, "destination", "destinationPort", destination, sizeof(destination));
	if (json_object_get(look, "tcpFlags"))
		flags_text(number_of(look, "tcpFlags"), flags, sizeof(flags));
	else if (json_object_get(look, "icmpType"))
		snprintf(flags, sizeof(flags), " type %d code %d id %d", number_of(look, "icmpType"),
		         number_of(look, "icmpCode"), number_of(look, "sourcePort"));
	snprintf(text, size, "%s %s > %s%s%s, ttl %d, %d bytes",
	         protocol_name(number_of(look, "protocol"), protocol, sizeof(protocol)), source, destination,
	         flags, json_is_true(json_object_get(look, "fragment")) ? ", a fragment" : "",
	         number_of(look, "ttl"), number_of(look, "length"));
}

/* What a function changed: ", source 192.0.2.10:40000 becomes 198.51.100.2:1024". */
static void print_change(const json_t *before, const json_t *after, const char *word, const char *address,
                         const char *port)
{
	char old[80], new[80];

	end_text(before, address, port, old, sizeof(old));
	end_text(after, address, port, new, sizeof(new));
	if (strcmp(old, new) != 0)
		printf("; %s %s becomes %s", word, old, new);
}

static void print_number_change(const json_t *before, const json_t *after, const char *name, const char *word)
{
	int old = number_of(before, name), new = number_of(after, name);

	if (old != new)
		printf("; %s %d becomes %d", word, old, new);
}

static void tell_function(const json_t *step)
{
	const json_t *before = json_object_get(step, "before"), *after = json_object_get(step, "after");
	const char *verdict = text_of(step, "verdict");

	printf("%s (%s) ", text_of(step, "name"), text_of(step, "by"));
	if (strcmp(verdict, "drop") == 0) {
		printf("drops it: %s", text_of(step, "reason"));
	} else if (strcmp(verdict, "take") == 0) {
		printf("takes it over");
	} else {
		printf("lets it pass");
		print_change(before, after, "source", "source", "sourcePort");
		print_change(before, after, "destination", "destination", "destinationPort");
		if (json_object_get(before, "icmpType"))
			print_number_change(before, after, "sourcePort", "id");
		print_number_change(before, after, "dscp", "dscp");
		print_number_change(before, after, "ttl", "ttl");
		print_number_change(before, after, "length", "length");
	}
}

static void tell_refused(const json_t *step)
{
	printf("%s (%s) ", text_of(step, "name"), text_of(step, "by"));
	if (*text_of(step, "reason"))
		printf("refuses the session and drops it: %s", text_of(step, "reason"));
	else
		printf("takes it over instead of opening a session");
}

static void tell_frame(const json_t *step, const char *how)
{
	const json_t *look = json_object_get(step, "before");
	char text[TEXT];

	look_text(look, text, sizeof(text));
	printf("%s %s: %s", how, text_of(step, "name"), text);
}

static void tell_sent(const json_t *step)
{
	tell_frame(step, "leaves by");
	printf(", to %s", text_of(json_object_get(step, "before"), "destinationMac"));
}

static void tell_step(const json_t *step)
{
	static const struct {
		const char *step, *words;
		int named;
	} simple[] = { { "fragment", "is a fragment: goes to where its datagram is gathered", 0 },
		       { "handed-over", "belongs to another worker: handed over", 0 },
		       { "session-found", "has a session, on path", 1 },
		       { "no-session", "has no session yet", 0 },
		       { "path", "is taken by path", 1 },
		       { "opened", "opens a session on path", 1 },
		       { "hop", "goes over to the process of", 1 },
		       { "bypassed", "finds no process behind hop", 1 },
		       { "delivered", "is for the edge itself, which takes it in", 0 },
		       { "held", "waits until the next hop's MAC is known", 0 } };
	const char *kind = text_of(step, "step");

	for (unsigned i = 0; i < sizeof(simple) / sizeof(*simple); i++)
		if (strcmp(kind, simple[i].step) == 0)
			printf("%s%s%s", simple[i].words, simple[i].named ? " " : "",
			       simple[i].named ? text_of(step, "name") : "");
	if (strcmp(kind, "received") == 0)
		tell_frame(step, "comes in by");
	else if (strcmp(kind, "sent") == 0)
		tell_sent(step);
	else if (strcmp(kind, "function") == 0)
		tell_function(step);
	else if (strcmp(kind, "refused") == 0)
		tell_refused(step);
	else if (strcmp(kind, "answered") == 0)
		tell_frame(step, "is answered by");
	else if (strcmp(kind, "dropped") == 0)
		printf("is dropped by the %s: %s", text_of(step, "by"), text_of(step, "reason"));
}

void trace_tell(int number, const json_t *steps)
{
	json_int_t begin = json_integer_value(json_object_get(json_array_get(steps, 0), "time"));
	const json_t *step;
	size_t i;

	printf("packet %d\n", number);
	json_array_foreach(steps, i, step)
	{
		json_int_t ns = json_integer_value(json_object_get(step, "time")) - begin;

		printf("  %9.3f us  %-12s worker %d  ", (double)ns / 1000.0, text_of(step, "process"),
		       number_of(step, "worker"));
		tell_step(step);
		printf("\n");
	}
}
