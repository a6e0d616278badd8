/* SPDX-License-Identifier: BSD-3-Clause */
/* The kinds of ports, their URLs, and what is common to opening them. Control side. */
#include "port/port.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct port_kind port_kinds[] = {
	{ "vhost",
	  "vhost:PATH[?queues=N]: vhost-user back end, connects to PATH again and again; the service's side "
	  "of a hop",
	  port_open_vhost,
	  { "queues" },
	  false,
	  false },
	{ "virtio",
	  "virtio:PATH[?queues=N]: virtio-user front end, listens on PATH; the function's side of a hop",
	  port_open_virtio,
	  { "queues" },
	  false,
	  false },
	{ "memif",
	  "memif:PATH[?server=1&id=N&queues=N&ring=N&buffer=BYTES]: shared memory packet interface; connects "
	  "to "
	  "PATH again and again, or (server=1) listens there",
	  port_open_memif,
	  { "server", "id", "queues", "ring", "buffer" },
	  false,
	  false },
	{ "af_packet",
	  "af_packet:INTERFACE: a kernel interface, all of its packets",
	  port_open_af_packet,
	  { NULL },
	  false,
	  false },
	{ "af_xdp",
	  "af_xdp:INTERFACE: a kernel interface, past the kernel's stack; a queue for each of its channels",
	  port_open_af_xdp,
	  { NULL },
	  false,
	  false },
	{ "tap",
	  "tap:NAME[?queues=N&persist=1]: a TAP; its other end is the kernel of the namespace",
	  port_open_tap,
	  { "queues", "persist" },
	  false,
	  false },
	{ "pci",
	  "pci:ADDRESS: a NIC or virtual function bound to vfio-pci or uio",
	  port_open_pci,
	  { NULL },
	  false,
	  false },
	{ "pcap",
	  "pcap:RX_FILE[,TX_FILE]: reads one capture once, writes another",
	  port_open_pcap,
	  { NULL },
	  false,
	  true },
	{ "null",
	  "null:[?size=BYTES&receive=0]: sends to nowhere; receives blank frames unless receive=0",
	  port_open_null,
	  { "size", "receive" },
	  true,
	  true },
	{ "replay",
	  "replay:FILE[?frames=N]: plays a capture (its first N frames) round and round, sends to nowhere",
	  port_open_replay,
	  { "frames" },
	  false,
	  true },
	{ "synth",
	  "synth:[?flows=N&size=BYTES&seed=N&from=ADDRESS&sources=N&to=ADDRESS&targets=N&learn=1&silent=1]: "
	  "makes flows for benches (of N addresses from a number on to N others), sends to nowhere",
	  port_open_synth,
	  { "flows", "size", "seed", "from", "sources", "to", "targets", "learn", "silent" },
	  true,
	  true },
	{ .prefix = NULL },
};

static const struct port_kind *kind_of(const char *url, const char **rest)
{
	const char *colon = url ? strchr(url, ':') : NULL;

	for (const struct port_kind *kind = port_kinds; colon && kind->prefix; kind++) {
		if (strlen(kind->prefix) == (size_t)(colon - url) &&
		    strncmp(url, kind->prefix, (size_t)(colon - url)) == 0) {
			*rest = colon + 1;
			return kind;
		}
	}
	return NULL;
}

static void kind_names(char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (const struct port_kind *kind = port_kinds; kind->prefix && used < size; kind++)
		used += (size_t)snprintf(text + used, size - used, "%s%s:", used ? ", " : "", kind->prefix);
}

/* Answers what is wrong with one `name=number`, `length` bytes of it; NULL: nothing. */
static const char *wrong_with_option(const struct port_kind *kind, const char *option, size_t length)
{
	const char *equals = memchr(option, '=', length);
	size_t name = equals ? (size_t)(equals - option) : length;
	size_t digits = equals ? strspn(equals + 1, "0123456789") : 0;

	for (const char *const *known = kind->options; *known; known++) {
		if (strlen(*known) != name || strncmp(*known, option, name) != 0)
			continue;
		if (!equals || digits == 0 || digits > 9 || name + 1 + digits != length)
			return "takes a number";
		return NULL;
	}
	return "is not known to this kind of device";
}

static bool check_options(const struct port_kind *kind, const char *rest, const struct conf *where,
                          struct errors *errors)
{
	const char *at = strchr(rest, '?');
	bool right = true;

	while (at) {
		size_t length = strcspn(++at, "&");
		const char *wrong = wrong_with_option(kind, at, length);

		if (wrong) {
			conf_error(errors, where, "bad-option", "the option \"%.*s\" %s: %s", (int)length, at,
			           wrong, kind->help);
			right = false;
		}
		at = at[length] ? at + length : NULL;
	}
	return right;
}

bool port_url_check(const char *url, const struct conf *where, struct errors *errors)
{
	const char *rest = NULL;
	const struct port_kind *kind = kind_of(url, &rest);
	char names[256];

	if (!kind) {
		kind_names(names, sizeof(names));
		conf_error(errors, where, "unknown-device", "not a device: \"%s\" (expected one of %s)", url,
		           names);
		return false;
	}
	if (strlen(url) >= PORT_URL_MAX) {
		conf_error(errors, where, "too-long", "the device's name exceeds %d characters",
		           PORT_URL_MAX - 1);
		return false;
	}
	if ((*rest == '\0' || *rest == '?') != kind->bare) {
		conf_error(errors, where, "not-a-device", "\"%s\" is not of the form %s", url, kind->help);
		return false;
	}
	return check_options(kind, rest, where, errors);
}

bool port_url_shared(const char *url)
{
	const char *rest = NULL;
	const struct port_kind *kind = kind_of(url, &rest);

	return !kind || kind->shared;
}

void port_error(struct errors *errors, const struct port_options *options, const char *code,
                const char *format, ...)
{
	char path[PORT_NAME_MAX + 32], detail[512];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	if (options->where) {
		conf_error(errors, options->where, code, "%s: %s", options->url, detail);
		return;
	}
	snprintf(path, sizeof(path), "edge.ports[%s]", options->name);
	errors_add(errors, path, code, NULL, 0, "%s: %s", options->url, detail);
}

unsigned port_option(const char *rest, const char *name, unsigned otherwise)
{
	const char *at = strchr(rest, '?');
	size_t length = strlen(name);

	while (at) {
		at++;
		if (strncmp(at, name, length) == 0 && at[length] == '=')
			return (unsigned)strtoul(at + length + 1, NULL, 10);
		at = strchr(at, '&');
	}
	return otherwise;
}

bool port_queues_check(const struct port_options *options, unsigned queues, struct errors *errors)
{
	if (queues >= 1 && queues <= PORT_QUEUES_MAX)
		return true;
	port_error(errors, options, "bad-option", "queues must be from 1 to %d", PORT_QUEUES_MAX);
	return false;
}

void port_path(const char *rest, char *path, size_t size)
{
	snprintf(path, size, "%.*s", (int)strcspn(rest, "?"), rest);
}

void port_make_mac(struct port *port)
{
	char text[256 + PORT_NAME_MAX + PORT_URL_MAX] = "";
	uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	size_t used;

	gethostname(text, 255);
	used = strlen(text);
	snprintf(text + used, sizeof(text) - used, "/%s/%s", port->name, port->url);
	for (const char *c = text; *c; c++)
		hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
	memcpy(port->mac, &hash, sizeof(port->mac));
	port->mac[0] = (uint8_t)((port->mac[0] & 0xfc) | 0x02); /* unicast, locally administered */
}

struct port *port_open(const struct port_options *options, struct errors *errors)
{
	struct port *port = calloc(1, sizeof(*port));
	const char *rest = NULL;
	const struct port_kind *kind = kind_of(options->url, &rest);

	if (!port || !kind) {
		port_error(errors, options, "unknown-device", "cannot be opened");
		free(port);
		return NULL;
	}
	port->number = options->number;
	port->pool = options->pool;
	snprintf(port->name, sizeof(port->name), "%s", options->name);
	snprintf(port->url, sizeof(port->url), "%s", options->url);
	if (kind->open(port, options, rest, errors))
		return port;
	free(port);
	return NULL;
}

void port_prepare(const struct port_options *options, unsigned more, struct port_bequests *prepared)
{
	const char *rest = NULL;
	const struct port_kind *kind = kind_of(options->url, &rest);

	if (kind && kind->open == port_open_af_packet && more)
		port_prepare_af_packet(options, rest, more, prepared);
}

void port_close(struct port *port)
{
	port->ops->close(port);
	free(port);
}

bool port_up(struct port *port)
{
	return port && port->ops->up(port);
}

enum port_ground port_tend(struct port *port)
{
	return port && port->ops->tend ? port->ops->tend(port) : PORT_STANDS;
}

uint64_t port_missed(struct port *port)
{
	return port->ops->missed ? port->ops->missed(port) : 0;
}
