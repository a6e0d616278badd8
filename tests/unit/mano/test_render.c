/* SPDX-License-Identifier: BSD-3-Clause */
/* From descriptors to engine documents, and paths back again. */
#include "helper_mano.h"

#include <stdlib.h>

#include "lifecycle/render.h"
#include "lifecycle/verify.h"

static struct conf *service;
static struct renderings all;

static int set_up(void **state)
{
	(void)state;
	service = document(SERVICE);
	all = render_service(service, "/run/s");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	renderings_free(&all);
	conf_free(service);
	return 0;
}

/* Compares a part of a document with what it should be, as JSON. */
static void same(const struct conf *part, const char *expected)
{
	json_t *found = part ? conf_to_json(part) : NULL,
	       *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);

	assert_non_null(wanted);
	if (!json_equal(found, wanted)) {
		char *text = json_dumps(found, JSON_ENCODE_ANY);
		fail_msg("%s\nis not\n%s", text ? text : "nothing", expected);
	}
	json_decref(found);
	json_decref(wanted);
}

static void service_process(void **state)
{
	const struct conf *d = all.list[0].document, *edge = conf_get(d, "edge");

	(void)state;
	assert_int_equal(all.count, 2);
	assert_string_equal(all.list[0].vnf, "");
	assert_string_equal(all.list[0].program, "sluice-chain");
	same(conf_get(d, "engine"), "{\"name\":\"edge\",\"workers\":2,\"sessions\":4096,\"seed\":7}");
	same(conf_at(conf_get(edge, "ports"), 0),
	     "{\"name\":\"lan\",\"device\":\"null:\",\"addresses\":[\"192.0.2.1/24\"],\"netns\":\"ns\"}");
	same(conf_get(conf_at(conf_get(edge, "ports"), 1), "netns"), "\"other\"");
	same(conf_get(edge, "routes"), "[{\"prefix\":\"203.0.113.0/24\",\"via\":\"198.51.100.7\"}]");
	same(conf_get(edge, "unmatched"), "\"route\"");
	same(conf_get(d, "functions"),
	     "[{\"name\":\"fw\",\"kind\":\"firewall\",\"config\":{\"default\":\"drop\"}}]");
	same(conf_get(d, "hops"),
	     "[{\"name\":\"nat\",\"kind\":\"nat\",\"path\":\"web\",\"a\":\"vhost:/run/s/edge/nat/"
	     "web.a.sock\","
	     "\"b\":\"vhost:/run/s/edge/nat/"
	     "web.b.sock\",\"onFailure\":\"drop\",\"config\":{\"hairpinning\":true}},"
	     "{\"name\":\"nat\",\"kind\":\"nat\",\"path\":\"all\",\"a\":\"vhost:/run/s/edge/nat/all.a.sock\","
	     "\"b\":\"vhost:/run/s/edge/nat/all.b.sock\",\"config\":{\"hairpinning\":true}}]");
	same(conf_get(d, "paths"), "[{\"name\":\"web\",\"path\":[\"lan\",\"fw\",\"nat\",\"wan\"],"
	                           "\"priority\":5,\"onFailure\":\"drop\","
	                           "\"match\":[{\"protocol\":\"tcp\"}]},{\"name\":\"all\",\"path\":[\"wan\","
	                           "\"nat\",\"lan\"],\"symmetric\":false}]");
}

static void process_behind_a_hop(void **state)
{
	const struct conf *d = all.list[1].document;

	(void)state;
	assert_string_equal(all.list[1].vnf, "nat");
	assert_string_equal(all.list[1].program, "sluice-nat");
	same(conf_get(d, "functions"),
	     "[{\"name\":\"nat\",\"kind\":\"nat\",\"config\":{\"hairpinning\":true}}]");
	same(conf_get(d, "edge"), "{\"mode\":\"link\",\"ports\":["
	                          "{\"name\":\"web.a\",\"as\":\"lan\",\"device\":\"virtio:/run/s/edge/nat/"
	                          "web.a.sock\",\"addresses\":[\"192.0.2.1/24\"]},"
	                          "{\"name\":\"web.b\",\"as\":\"wan\",\"device\":\"virtio:/run/s/edge/nat/"
	                          "web.b.sock\",\"addresses\":[\"198.51.100.2/24\"],"
	                          "\"mtu\":1400},"
	                          "{\"name\":\"all.a\",\"as\":\"wan\",\"device\":\"virtio:/run/s/edge/nat/"
	                          "all.a.sock\",\"addresses\":[\"198.51.100.2/24\"],"
	                          "\"mtu\":1400},"
	                          "{\"name\":\"all.b\",\"as\":\"lan\",\"device\":\"virtio:/run/s/edge/nat/"
	                          "all.b.sock\",\"addresses\":[\"192.0.2.1/24\"]}]}");
	same(conf_get(d, "paths"),
	     "[{\"name\":\"web\",\"path\":[\"web.a\",\"nat\",\"web.b\"]},"
	     "{\"name\":\"all\",\"symmetric\":false,\"path\":[\"all.a\",\"nat\",\"all.b\"]}]");
}

static void paths_lead_back(void **state)
{
	static const struct {
		unsigned rendering;
		const char *path, *source;
	} cases[] = {
		{ 0, "functions[0].config.rules[3].x", "vnfs[0].config.rules[3].x" },
		{ 0, "hops[1].config.pools[0]", "vnfs[1].config.pools[0]" },
		{ 0, "functions", "vnfs" },
		{ 0, "hops", "chains" },
		{ 0, "hops[0]", "chains[0].path[2]" },
		{ 0, "hops[1].a", "chains[1].path[1].a" },
		{ 0, "paths[1].match[0].protocol", "chains[1].match[0].protocol" },
		{ 0, "edge.ports[1].device", "edge.ports[1].device" },
		{ 0, "edge.unmatched", "unmatched" },
		{ 0, "engine.workers", "engine.workers" },
		{ 0, "elsewhere", "elsewhere" },
		{ 1, "functions[0].kind", "vnfs[1].kind" },
		{ 1, "edge.ports[2].addresses[0]", "edge.ports[1].addresses[0]" },
		{ 1, "paths[1].path[1]", "chains[1].path[1]" },
		{ 0, NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *source = render_source(&all.list[cases[i].rendering], cases[i].path);

		assert_string_equal(source, cases[i].source);
		free(source);
	}
}

/* A VNF with a process of its own that no chain uses gets none. */
static void unused_hop_has_no_process(void **state)
{
	struct conf *one = document("name = \"e\"; placement = \"process\"; edge = { ports = ( { name = "
	                            "\"a\"; device = \"null:\"; } ); };"
	                            "vnfs = ( { name = \"x\"; kind = \"nat\"; } ); chains = ( { name = "
	                            "\"c\"; path = [ \"a\", \"a\" ]; } );");
	struct renderings rendered = render_service(one, "/r");

	(void)state;
	assert_int_equal(rendered.count, 1);
	assert_int_equal(conf_count(conf_get(rendered.list[0].document, "functions")), 0);
	renderings_free(&rendered);
	conf_free(one);
}

static void answers_of_a_check_are_read(void **state)
{
	static const char output[] = "a line of something else\n{ not json\n"
	                             "{\n \"errors\": [{\"path\": \"functions[0].config.rules[1]\", "
	                             "\"code\": \"bad\", \"detail\": \"no\"}]\n}\nand more\n";
	struct errors errors = ERRORS_NONE;

	(void)state;
	assert_true(verify_read(output, &all.list[0], &errors));
	assert_int_equal(errors.count, 1);
	assert_true(has_error(&errors, "vnfs[0].config.rules[1]", "bad"));
	errors_free(&errors);
	assert_false(verify_read("no answer at all\n{}\n", &all.list[0], &errors));
	assert_false(verify_read("", &all.list[0], &errors));
	assert_int_equal(errors.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(service_process),
		cmocka_unit_test(process_behind_a_hop),
		cmocka_unit_test(paths_lead_back),
		cmocka_unit_test(unused_hop_has_no_process),
		cmocka_unit_test(answers_of_a_check_are_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
