/* SPDX-License-Identifier: BSD-3-Clause */
/* A check as it is configured. Static tables; control side. */
#include "lb/health/health.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = { "tcp", "http", "https", "udp", "icmp", "dns", NULL };
static const char *const states[] = { "unknown", "up", "down" };
static const char *const initials[] = { "auto", "up", "down", NULL };
static const char *const types[] = { "A", "AAAA", "NS", "SOA", "MX", "TXT", "SRV", NULL };
static const uint16_t type_numbers[] = { 1, 28, 2, 6, 15, 16, 33 };
static const char *const rcodes[] = {
	"noerror", "formerr", "servfail", "nxdomain", "notimp", "refused", NULL
};

const struct schema health_check_schema[] = {
	{ .name = "kind",
	  .type = SCHEMA_ENUM,
	  .values = kinds,
	  .otherwise = "tcp",
	  .help = "What is asked: a connection (tcp), a page (http, https), an answer (udp, icmp, dns)." },
	{ .name = "port",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 65535,
	  .help = "Port that is checked; absent: the backend's." },
	{ .name = "interval",
	  .type = SCHEMA_INT,
	  .min = 50,
	  .max = 3600000,
	  .otherwise = "2000",
	  .unit = "ms",
	  .help = "From the beginning of a check to that of the next, varied by up to 10 %." },
	{ .name = "timeout",
	  .type = SCHEMA_INT,
	  .min = 10,
	  .max = 600000,
	  .unit = "ms",
	  .help = "Until a check must have passed; no longer than the interval. Absent: 1000, or the "
	          "interval if that is shorter." },
	{ .name = "rise",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 1000,
	  .otherwise = "2",
	  .help = "Checks in a row that must pass until the backend is up." },
	{ .name = "fall",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 1000,
	  .otherwise = "3",
	  .help = "Checks in a row that must fail until the backend is down." },
	{ .name = "initial",
	  .type = SCHEMA_ENUM,
	  .values = initials,
	  .otherwise = "auto",
	  .help = "What a backend of which nothing is known counts as: up until `fall` checks have failed, "
	          "down until "
	          "one has passed; auto: up if a process begins with it, down if it is added." },
	{ .name = "damping",
	  .type = SCHEMA_BOOL,
	  .otherwise = "true",
	  .help = "A backend that comes and goes is held down until it has come to rest." },
	{ .name = "halfLife",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 86400,
	  .otherwise = "30",
	  .unit = "s",
	  .help = "In which the penalty for falls halves: 1000 each, held down from 3000 until 1500." },
	{ .name = "host",
	  .type = SCHEMA_STRING,
	  .help = "http, https: Host and TLS name; absent: the address." },
	{ .name = "path", .type = SCHEMA_STRING, .help = "http, https: path and query; absent: /." },
	{ .name = "status",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_PORTS,
	  .max = HEALTH_STATUS_RANGES,
	  .help = "http, https: codes and ranges of codes that pass; absent: 200-399." },
	{ .name = "body",
	  .type = SCHEMA_STRING,
	  .help = "http, https: text that must be in the first 64 KB of the page." },
	{ .name = "verify",
	  .type = SCHEMA_BOOL,
	  .help = "https: the certificate must be valid for the host; absent: false." },
	{ .name = "ca",
	  .type = SCHEMA_STRING,
	  .help = "https: PEM file of the authorities; absent: the system's." },
	{ .name = "send",
	  .type = SCHEMA_STRING,
	  .help = "udp: what is sent; \\n \\r \\t \\\\ \\xHH are bytes; absent: nothing." },
	{ .name = "expect",
	  .type = SCHEMA_STRING,
	  .help = "udp: how the answer must begin; absent: passes unless the port is unreachable." },
	{ .name = "name", .type = SCHEMA_STRING, .help = "dns: what is asked for; required." },
	{ .name = "type",
	  .type = SCHEMA_ENUM,
	  .values = types,
	  .help = "dns: type of the record; absent: A." },
	{ .name = "rcode",
	  .type = SCHEMA_ENUM,
	  .values = rcodes,
	  .help = "dns: code that the answer must have; absent: noerror." },
	{ .name = "answer", .type = SCHEMA_ADDRESS, .help = "dns: address that must be in the answer." },
	{ .name = NULL },
};

/* Which kinds a member is for; others are for all. */
static const struct {
	const char *name;
	unsigned kinds;
	const char *of;
} only[] = {
	{ "host", 1 << HEALTH_HTTP | 1 << HEALTH_HTTPS, "http and https" },
	{ "path", 1 << HEALTH_HTTP | 1 << HEALTH_HTTPS, "http and https" },
	{ "status", 1 << HEALTH_HTTP | 1 << HEALTH_HTTPS, "http and https" },
	{ "body", 1 << HEALTH_HTTP | 1 << HEALTH_HTTPS, "http and https" },
	{ "verify", 1 << HEALTH_HTTPS, "https" },
	{ "ca", 1 << HEALTH_HTTPS, "https" },
	{ "send", 1 << HEALTH_UDP, "udp" },
	{ "expect", 1 << HEALTH_UDP, "udp" },
	{ "name", 1 << HEALTH_DNS, "dns" },
	{ "type", 1 << HEALTH_DNS, "dns" },
	{ "rcode", 1 << HEALTH_DNS, "dns" },
	{ "answer", 1 << HEALTH_DNS, "dns" },
	{ "port", ~(1u << HEALTH_ICMP), "checks that have ports" },
};

const char *health_state_name(enum health_state state)
{
	return states[state];
}

static unsigned index_of(const struct conf *group, const char *name, const char *const *values)
{
	const char *text = conf_string(group, name, values[0]);
	unsigned i = 0;

	while (values[i] && strcmp(values[i], text) != 0)
		i++;
	return values[i] ? i : 0;
}

static void read_text(const struct conf *group, const char *name, char *out, size_t size,
                      struct errors *errors)
{
	const struct conf *c = conf_get(group, name);

	if (!c)
		return;
	if (strlen(c->string) >= size)
		conf_error(errors, c, "too-long", "at most %zu bytes", size - 1);
	else
		strcpy(out, c->string);
}

static int hex(char c)
{
	if (!isxdigit((unsigned char)c))
		return -1;
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* The byte behind a backslash; -1: none. */
static int escaped(const char **text)
{
	static const char names[] = "nrt\\", bytes[] = "\n\r\t\\";
	const char *at = **text ? strchr(names, **text) : NULL;

	if (at) {
		(*text)++;
		return bytes[at - names];
	}
	if (**text != 'x' || hex((*text)[1]) < 0 || hex((*text)[2]) < 0)
		return -1;
	*text += 3;
	return hex((*text)[-2]) << 4 | hex((*text)[-1]);
}

static uint16_t read_bytes(const struct conf *group, const char *name, uint8_t out[HEALTH_BYTES_MAX],
                           struct errors *errors)
{
	const struct conf *c = conf_get(group, name);
	uint16_t n = 0;

	for (const char *text = c ? c->string : ""; *text;) {
		int byte = *text++;

		if (byte == '\\' && (byte = escaped(&text)) < 0) {
			conf_error(errors, c, "not-bytes",
			           "behind a backslash n, r, t, another or xHH is expected: \"%s\"", text);
			return 0;
		}
		if (n == HEALTH_BYTES_MAX) {
			conf_error(errors, c, "too-long", "at most %d bytes", HEALTH_BYTES_MAX);
			return 0;
		}
		out[n++] = (uint8_t)byte;
	}
	return n;
}

static bool read_range(const struct conf *c, struct health_range *range)
{
	if (c->type == CONF_INT)
		range->first = range->last = c->integer > 0 && c->integer < 1000 ? (uint16_t)c->integer : 0;
	else if (!port_range_parse(c->string, &range->first, &range->last))
		return false;
	return range->first >= 100 && range->last <= 599;
}

static void read_status(const struct conf *group, struct health_check *check, struct errors *errors)
{
	const struct conf *list = conf_get(group, "status");

	for (size_t i = 0; i < conf_count(list) && i < HEALTH_STATUS_RANGES; i++)
		if (!read_range(conf_at(list, i), &check->status[check->status_count++]))
			conf_error(errors, conf_at(list, i), "not-a-status",
			           "codes of HTTP are from 100 to 599: \"200\" or \"200-299\"");
	if (!check->status_count)
		check->status[check->status_count++] = (struct health_range){ 200, 399 };
}

static bool is_url_path(const char *path)
{
	while (*path > ' ' && *path < 0x7f && *path != '#')
		path++;
	return !*path;
}

static bool holds_certificate(FILE *file)
{
	char line[256];

	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "-----BEGIN ", 11) == 0 && strstr(line, "CERTIFICATE-----"))
			return true;
	return false;
}

static void check_authorities(const struct conf *ca, struct errors *errors)
{
	FILE *file = ca ? fopen(ca->string, "re") : NULL;

	if (!ca)
		return;
	errno = file ? 0 : errno;
	if (!file || (!holds_certificate(file) && ferror(file)))
		conf_error(errors, ca, "cannot-read", "cannot read \"%s\": %s", ca->string, strerror(errno));
	else if (fseek(file, 0, SEEK_SET) != 0 || !holds_certificate(file))
		conf_error(errors, ca, "no-certificate", "no certificate in PEM in \"%s\"", ca->string);
	if (file)
		fclose(file);
}

static void check_host(const struct conf *host, struct errors *errors)
{
	struct ip_addr address;

	if (host && !(ip_addr_parse(host->string, &address) && address.family == 4) &&
	    !host_name_valid(host->string))
		conf_error(errors, host, "not-a-name", "neither a host's name nor an IPv4 address: \"%s\"",
		           host->string);
}

static void read_http(const struct conf *group, struct health_check *check, struct errors *errors)
{
	strcpy(check->path, "/");
	read_text(group, "host", check->host, sizeof(check->host), errors);
	read_text(group, "path", check->path, sizeof(check->path), errors);
	read_text(group, "body", check->body, sizeof(check->body), errors);
	read_text(group, "ca", check->ca, sizeof(check->ca), errors);
	read_status(group, check, errors);
	check->verify = conf_bool(group, "verify", false);
	if (check->path[0] != '/')
		conf_error(errors, conf_get(group, "path"), "not-a-path", "a path begins with /: \"%s\"",
		           check->path);
	else if (!is_url_path(check->path))
		conf_error(errors, conf_get(group, "path"), "not-a-path", "not a path of a URL: \"%s\"",
		           check->path);
	check_host(conf_get(group, "host"), errors);
	check_authorities(conf_get(group, "ca"), errors);
}

static void read_dns(const struct conf *group, struct health_check *check, struct errors *errors)
{
	const struct conf *answer = conf_get(group, "answer"), *name = conf_get(group, "name");

	read_text(group, "name", check->name, sizeof(check->name), errors);
	check->type = type_numbers[index_of(group, "type", types)];
	check->rcode = (uint8_t)index_of(group, "rcode", rcodes);
	if (!name)
		conf_error(errors, group, "no-name", "a check of kind dns needs the `name` that it asks for");
	else if (!host_name_valid(name->string) && strcmp(name->string, ".") != 0)
		conf_error(errors, name, "not-a-name", "not a name of DNS: \"%s\"", name->string);
	if (!answer)
		return;
	ip_addr_parse(answer->string, &check->answer);
	if (check->type != (check->answer.family == 4 ? 1 : 28))
		conf_error(errors, answer, "wrong-type", "only %s records have such an address",
		           check->answer.family == 4 ? "A" : "AAAA");
}

static void refuse_others(const struct conf *group, enum health_kind kind, struct errors *errors)
{
	for (unsigned i = 0; i < sizeof(only) / sizeof(*only); i++)
		if (conf_get(group, only[i].name) && !(only[i].kinds >> kind & 1))
			conf_error(errors, conf_get(group, only[i].name), "not-of-this-kind",
			           "is for %s alone", only[i].of);
}

static void read_times(const struct conf *group, struct health_check *check, struct errors *errors)
{
	const struct conf *timeout = conf_get(group, "timeout");

	check->interval = (uint32_t)conf_int(group, "interval", 2000);
	check->timeout = timeout                  ? (uint32_t)timeout->integer
	                 : check->interval < 1000 ? check->interval
	                                          : 1000;
	if (check->timeout > check->interval)
		conf_error(errors, timeout, "too-long", "%u ms; the next check begins after %u (interval)",
		           check->timeout, check->interval);
}

bool health_check_read(const struct conf *group, struct health_check *check, struct errors *errors)
{
	size_t before = errors->count;

	memset(check, 0, sizeof(*check));
	check->kind = (uint8_t)index_of(group, "kind", kinds);
	check->port = (uint16_t)conf_int(group, "port", 0);
	read_times(group, check, errors);
	check->rise = (uint32_t)conf_int(group, "rise", 2);
	check->fall = (uint32_t)conf_int(group, "fall", 3);
	check->initial = (uint8_t)index_of(group, "initial", initials);
	check->damped = conf_bool(group, "damping", true);
	check->half_life = (uint32_t)conf_int(group, "halfLife", 30) * 1000;
	refuse_others(group, (enum health_kind)check->kind, errors);
	if (check->kind == HEALTH_HTTP || check->kind == HEALTH_HTTPS)
		read_http(group, check, errors);
	if (check->kind == HEALTH_UDP) {
		check->send_length = read_bytes(group, "send", check->send, errors);
		check->expect_length = read_bytes(group, "expect", check->expect, errors);
	}
	if (check->kind == HEALTH_DNS)
		read_dns(group, check, errors);
	return errors->count == before;
}
