/* SPDX-License-Identifier: BSD-3-Clause */
/* URLs of devices: what is accepted, and what is said of the others. Nothing is opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "port/port.h"

/* NULL: accepted; else the detail of the first error must contain `expected`. */
static void expect(const char *url, const char *expected)
{
	struct errors errors = ERRORS_NONE;
	bool right = port_url_check(url, NULL, &errors);

	assert_int_equal(right, expected == NULL);
	assert_int_equal(errors_any(&errors), expected != NULL);
	if (expected && !strstr(errors.list[0].detail, expected))
		fail_msg("%s: %s", url, errors.list[0].detail);
	errors_free(&errors);
}

static void right_ones(void **state)
{
	(void)state;
	expect("vhost:/run/a.sock", NULL);
	expect("vhost:/run/a.sock?queues=2", NULL);
	expect("virtio:/run/a.sock?queues=1", NULL);
	expect("af_packet:eth0", NULL);
	expect("af_xdp:eth0", NULL);
	expect("memif:/run/m.sock?server=1&id=2&queues=1&ring=512&buffer=2048", NULL);
	expect("tap:t0?queues=2&persist=1", NULL);
	expect("pci:0000:03:00.0", NULL);
	expect("pcap:/a,/b", NULL);
	expect("null:", NULL);
	expect("null:?size=1400&receive=0", NULL);
	expect("replay:/a.pcap?frames=10", NULL);
	expect("synth:", NULL);
	expect("synth:?flows=65536&size=64&seed=7&from=1&sources=9&to=5&targets=3&learn=1&silent=0", NULL);
}

static void wrong_ones(void **state)
{
	char longest[PORT_URL_MAX + 8] = "tap:";

	(void)state;
	expect("", "expected one of vhost:, virtio:");
	expect("eth0", "not a device: \"eth0\"");
	expect("eth:eth0", "not a device");
	expect("vhost", "not a device");
	expect("vhost:", "not of the form vhost:PATH");
	expect("vhost:?queues=2", "not of the form");
	expect("null:size=64", "not of the form null:[?size=BYTES");
	expect("vhost:/a?queue=2", "\"queue=2\" is not known");
	expect("vhost:/a?queues", "takes a number");
	expect("vhost:/a?queues=", "takes a number");
	expect("vhost:/a?queues=two", "takes a number");
	expect("vhost:/a?queues=2x", "takes a number");
	expect("vhost:/a?queues=-1", "takes a number");
	expect("vhost:/a?queues=9999999999", "takes a number");
	expect("vhost:/a?queues=2&", "\"\" is not known");
	expect("af_packet:eth0?queues=2", "is not known");
	memset(longest + 4, 'x', sizeof(longest) - 5);
	expect(longest, "exceeds 255 characters");
}

static void all_wrong_options_are_told(void **state)
{
	struct errors errors = ERRORS_NONE;

	(void)state;
	assert_false(port_url_check("synth:?flow=1&size=64&seeds=2", NULL, &errors));
	assert_int_equal(errors.count, 2);
	errors_free(&errors);
}

/* The help of a kind is its form: it begins with its prefix and names each of its options. */
static void help_names_all_options(void **state)
{
	(void)state;
	for (const struct port_kind *kind = port_kinds; kind->prefix; kind++) {
		assert_int_equal(strncmp(kind->help, kind->prefix, strlen(kind->prefix)), 0);
		for (const char *const *option = kind->options; *option; option++)
			assert_non_null(strstr(kind->help, *option));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_ones),
		cmocka_unit_test(wrong_ones),
		cmocka_unit_test(all_wrong_options_are_told),
		cmocka_unit_test(help_names_all_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
