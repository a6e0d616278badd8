/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Texts of network values: what is taken, what is refused, and that what was written is read back equal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "util/net.h"

static void test_addresses(void **state)
{
	static const char *const right[][2] = {
		{ "10.0.0.1", "10.0.0.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "2001:DB8::0:1", "2001:db8::1" },
		{ "::", "::" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
	};
	static const char *const wrong[] = { "",          "10.0.0",    "10.0.0.256", "010.0.0.1",
		                             " 10.0.0.1", "10.0.0.1 ", "1.2.3.4.5",  "::1%eth0",
		                             ":::",       "12345::",   "10.0.0.1/8" };
	struct ip_addr address;
	char text[NET_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_true(ip_addr_parse(right[i][0], &address));
		ip_addr_format(&address, text, sizeof(text));
		assert_string_equal(text, right[i][1]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(ip_addr_parse(wrong[i], &address));
}

static void test_prefixes(void **state)
{
	static const char *const right[][2] = {
		{ "10.0.0.0/8", "10.0.0.0/8" }, { "10.0.0.1", "10.0.0.1/32" },
		{ "0.0.0.0/0", "0.0.0.0/0" },   { "2001:db8::/33", "2001:db8::/33" },
		{ "::1", "::1/128" },           { "192.0.2.254/31", "192.0.2.254/31" },
	};
	static const char *const wrong[] = {
		"10.0.0.1/8",  "10.0.0.0/33", "10.0.0.0/",      "10.0.0.0/08", "/8",
		"10.0.0.0/-1", "10.0.0.0/8 ", "2001:db8::1/64", "::/129",      "10.0.0.0/999999999999"
	};
	struct ip_prefix prefix;
	char text[NET_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_true(ip_prefix_parse(right[i][0], &prefix));
		ip_prefix_format(&prefix, text, sizeof(text));
		assert_string_equal(text, right[i][1]);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(ip_prefix_parse(wrong[i], &prefix));
}

static void test_interface_addresses(void **state)
{
	struct ip_prefix interface;

	(void)state;
	assert_true(ip_interface_parse("10.1.2.3/20", &interface));
	assert_int_equal(interface.length, 20);
	assert_int_equal(interface.address.bytes[3], 3);
	ip_prefix_mask(&interface);
	assert_memory_equal(interface.address.bytes, "\x0a\x01\x00\x00", 4);
	assert_false(ip_interface_parse("10.1.2.3", &interface));
	assert_false(ip_interface_parse("", &interface));
}

static void test_holds(void **state)
{
	struct ip_prefix prefix;
	struct ip_addr address;

	(void)state;
	assert_true(ip_prefix_parse("10.1.0.0/17", &prefix));
	assert_true(ip_addr_parse("10.1.127.255", &address) && ip_prefix_holds(&prefix, &address));
	assert_true(ip_addr_parse("10.1.128.0", &address) && !ip_prefix_holds(&prefix, &address));
	assert_true(ip_addr_parse("a01::", &address) && !ip_prefix_holds(&prefix, &address));
	assert_true(ip_prefix_parse("::/0", &prefix) && ip_prefix_holds(&prefix, &address));
	assert_true(ip_addr_parse("10.1.0.0", &address) && !ip_prefix_holds(&prefix, &address));
	assert_int_equal(ip_addr_bits(&address), 32);
}

static void test_macs(void **state)
{
	struct mac_addr mac;
	char text[NET_TEXT];

	(void)state;
	assert_true(mac_parse("02:00:00:aB:Cd:fF", &mac));
	mac_format(&mac, text, sizeof(text));
	assert_string_equal(text, "02:00:00:ab:cd:ff");
	assert_false(mac_parse("02:00:00:ab:cd", &mac));
	assert_false(mac_parse("02:00:00:ab:cd:ff:00", &mac));
	assert_false(mac_parse("02-00-00-ab-cd-ff", &mac));
	assert_false(mac_parse("2:0:0:0:0:1", &mac));
	assert_false(mac_parse("02:00:00:ab:cd:fg", &mac));
	assert_false(mac_parse("", &mac));
	assert_false(mac_parse("0", &mac));
}

static void test_ports(void **state)
{
	static const char *const wrong[] = { "",    "-",         "80-",     "-80",  "65536",      "90-80",
		                             "080", "80-90-100", "80 - 90", "http", "99999999999" };
	uint16_t first, last;

	(void)state;
	assert_true(port_range_parse("80", &first, &last) && first == 80 && last == 80);
	assert_true(port_range_parse("0-65535", &first, &last) && first == 0 && last == 65535);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(port_range_parse(wrong[i], &first, &last));
}

static void test_host_names(void **state)
{
	static const char *const right[] = {
		"a",        "www.example.net", "www.example.net.",     "_dns._udp.example",
		"3com.com", "a-b.x1",          "xn--bcher-kva.example"
	};
	static const char *const wrong[] = {
		"",    ".",   "..",   "a..b",          ".a",        "-a",      "a-", "a.-b",        "a b",
		"a\n", "a/b", "a:53", "b\303\274cher", "192.0.2.1", "192.0.2", "1",  "2001:db8::1", "a*"
	};
	char text[300];

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		assert_true(host_name_valid(right[i]));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(host_name_valid(wrong[i]));
	for (unsigned length = 60; length < 66; length++) {
		memset(text, 'a', length);
		strcpy(text + length, ".net");
		assert_int_equal(host_name_valid(text), length <= 63);
	}
	for (unsigned length = 250; length < 257; length++) {
		for (unsigned i = 0; i < length; i++)
			text[i] = i % 50 == 49 ? '.' : 'a';
		text[length] = '\0';
		assert_int_equal(host_name_valid(text), length <= 253 || (length == 254 && text[253] == '.'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_interface_addresses),
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_host_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
