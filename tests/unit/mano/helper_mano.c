/* SPDX-License-Identifier: BSD-3-Clause */
/* See helper_mano.h. */
#include "helper_mano.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/memory.h"

const char SERVICE[] =
        "name = \"edge\"; engine = { workers = 2; sessions = 4096; seed = 7; memory = 64; };\n"
        "edge = { netns = \"ns\"; ports = (\n"
        " { name = \"lan\"; device = \"null:\"; addresses = [ \"192.0.2.1/24\" ]; },\n"
        " { name = \"wan\"; device = \"null:\"; netns = \"other\"; addresses = [ \"198.51.100.2/24\" ]; mtu "
        "= 1400; } );\n"
        " routes = ( { prefix = \"203.0.113.0/24\"; via = \"198.51.100.7\"; } ); };\n"
        "unmatched = \"route\";\n"
        "vnfs = ( { name = \"fw\"; kind = \"firewall\"; config = { default = \"drop\"; }; },\n"
        " { name = \"nat\"; kind = \"nat\"; placement = \"process\"; config = { hairpinning = true; }; } );\n"
        "chains = ( { name = \"web\"; path = [ \"lan\", \"fw\", \"nat\", \"wan\" ]; priority = 5; onFailure "
        "= \"drop\";\n"
        "  match = ( { protocol = \"tcp\"; } ); },\n"
        " { name = \"all\"; path = [ \"wan\", \"nat\", \"lan\" ]; symmetric = false; } );\n";

struct conf *document(const char *text)
{
	struct errors errors = ERRORS_NONE;
	struct conf *conf = conf_read_text(text, "text", &errors);

	if (!conf)
		fail_msg("%s", errors.list[0].detail);
	errors_free(&errors);
	return conf;
}

char *new_folder(void)
{
	char *folder = text_copy("/tmp/sluice-unit-XXXXXX");

	assert_non_null(mkdtemp(folder));
	return folder;
}

void remove_folder(char *folder)
{
	struct dirent *entry;
	DIR *all = opendir(folder);

	while (all && (entry = readdir(all)))
		unlinkat(dirfd(all), entry->d_name, 0);
	if (all)
		closedir(all);
	assert_int_equal(rmdir(folder), 0);
	free(folder);
}

void put_program(const char *folder, const char *name)
{
	char *path = text_format("%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT, 0755);

	assert_true(fd >= 0);
	close(fd);
	free(path);
}

bool has_error(const struct errors *errors, const char *path, const char *code)
{
	for (size_t i = 0; i < errors->count; i++)
		if (strcmp(errors->list[i].path ? errors->list[i].path : "", path) == 0 &&
		    strcmp(errors->list[i].code, code) == 0)
			return true;
	return false;
}
