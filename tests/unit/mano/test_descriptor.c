/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors: the schema's own soundness, and the rules behind it. */
#include "helper_mano.h"

#include <stdlib.h>
#include <string.h>

#include "lifecycle/descriptor.h"
#include "util/memory.h"

static char *programs;

static int set_up(void **state)
{
	(void)state;
	programs = new_folder();
	put_program(programs, "sluice-chain");
	put_program(programs, "sluice-firewall");
	put_program(programs, "sluice-nat");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remove_folder(programs);
	return 0;
}

static struct errors check_in(const char *run_folder, const char *text)
{
	struct descriptor_limits limits = { run_folder, programs };
	struct errors errors = ERRORS_NONE;
	struct conf *conf = document(text);

	bool valid = descriptor_check(conf, &limits, &errors);
	assert_int_equal(valid, errors.count == 0);
	conf_free(conf);
	return errors;
}

static void expect(const char *text, const char *path, const char *code)
{
	struct errors errors = check_in("/run/sluice", text);

	if (!has_error(&errors, path, code))
		fail_msg("no %s at %s but %s at %s", code, path,
		         errors.count ? errors.list[0].code : "nothing",
		         errors.count && errors.list[0].path ? errors.list[0].path : "");
	errors_free(&errors);
}

static void schema_is_sound(void **state)
{
	struct errors errors = ERRORS_NONE;

	(void)state;
	assert_true(schema_lint(resources_schema, &errors));
	errors_free(&errors);
}

static void good_service_passes(void **state)
{
	struct errors errors = check_in("/run/sluice", SERVICE);

	(void)state;
	if (errors.count)
		fail_msg("%s: %s", errors.list[0].path, errors.list[0].detail);
}

#define EDGE                                                                                                 \
	"edge = { ports = ( { name = \"lan\"; device = \"null:\"; }, { name = \"wan\"; device = \"null:\"; " \
	"} ); };\n"
#define FW "vnfs = ( { name = \"fw\"; kind = \"firewall\"; } );\n"

static void rules_are_kept(void **state)
{
	(void)state;
	expect("name = \"e\";" FW, "edge", "missing");
	expect("name = \"sluiced.x\";" EDGE, "name", "reserved-name");
	expect("name = \"e\"; placement = \"vm\";" EDGE, "placement", "not-built");
	expect("name = \"e\"; edge = { mode = \"bridged\"; ports = ( { name = \"a\"; device = \"null:\"; "
	       "} ); };",
	       "edge.mode", "not-one-of");
	expect("name = \"e\";" EDGE "vnfs = ( { name = \"wan\"; kind = \"nat\"; } );", "vnfs[0].name",
	       "duplicate-name");
	expect("name = \"e\";" EDGE "vnfs = ( { name = \"sessions.0\"; kind = \"nat\"; } );", "vnfs[0].name",
	       "reserved-name");
	expect("name = \"e\";" EDGE "vnfs = ( { name = \"x\"; kind = \"chain\"; } );", "vnfs[0].kind",
	       "unknown-kind");
	expect("name = \"e\";" EDGE FW
	       "chains = ( { name = \"c\"; path = [ \"lan\", \"fw\", \"fw\", \"wan\" ]; } );",
	       "chains[0].path[2]", "twice-on-chain");
	expect("name = \"e\";" EDGE FW "chains = ( { name = \"c\"; path = [ \"lan\", \"fw\" ]; } );",
	       "chains[0].path[1]", "no-such-port");
	expect("name = \"e\";" EDGE FW
	       "chains = ( { name = \"c\"; path = [ \"lan\", \"wan\", \"wan\" ]; } );",
	       "chains[0].path[1]", "no-such-vnf");
	expect("name = \"e\";" EDGE FW
	       "chains = ( { name = \"c\"; path = [ \"lan\", \"wan\" ]; match = 5; } );",
	       "chains[0].match", "wrong-type");
	expect("name = \"e\"; " EDGE "engine = { timeouts = { udp = 0; }; };", "engine.timeouts.udp",
	       "out-of-range");
	expect("name = \"e\"; " EDGE "engine = { timeouts = { upd = 5; }; };", "engine.timeouts.upd",
	       "unknown-member");
	expect("name = \"e\"; " EDGE
	       "chains = ( { name = \"c\"; path = [ \"lan\", \"wan\" ]; match = ( { vlan = 5000; } ); } );",
	       "chains[0].match[0].vlan", "out-of-range");
	expect("name = \"e\"; " EDGE "manage = { limits = { rate = 0; }; };", "manage.limits.rate",
	       "out-of-range");
}

/* The longest path here is RUN/edge/nat/control.sock; one byte decides. */
static void socket_paths_have_a_bound(void **state)
{
	size_t rest = strlen("/edge/nat/control.sock");
	char run_folder[128] = "/";
	struct errors errors;

	(void)state;
	memset(run_folder + 1, 'r', 107 - rest - 1);
	run_folder[107 - rest] = '\0';
	errors = check_in(run_folder, SERVICE);
	assert_int_equal(errors.count, 0);
	strcat(run_folder, "r");
	errors = check_in(run_folder, SERVICE);
	assert_true(has_error(&errors, "vnfs[1].name", "name-too-long"));
	errors_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_is_sound),
		cmocka_unit_test(good_service_passes),
		cmocka_unit_test(rules_are_kept),
		cmocka_unit_test(socket_paths_have_a_bound),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
