/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sluiced: the orchestrator. Reads the command line, brings the manager up, takes over what a former life left, serves
 * REST until it is told to stop. The main thread does nothing but wait for signals. Processes outlive it.
 */
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "manage/log.h"
#include "manage/options.h"
#include "sluiced/notify.h"
#include "sluiced/restore.h"
#include "util/memory.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, RENEW_S = 3600, TURN_S = 1 };

/* What a name of a host is made of (RFC 1123). */
#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-"

struct command {
	struct manager_options manager;
	struct log_settings log;
	struct api_options api;
	const char *restore; /* a backup that is put in the store's place, and no more; NULL: none */
	bool force;
};

static const struct option_row option_rows[] = {
	{ "run-dir", 'r', "DIR", "sockets, processes' folders (default: /run/sluice)" },
	{ "state-dir", 's', "DIR", "what is remembered (default: /var/lib/sluice)" },
	{ "libexec", 'x', "DIR", "where sluice-chain, sluice-firewall ... are (default: found)" },
	{ "group", 'g', "NAME", "members may use the REST socket, besides root" },
	{ "listen", 'p', "ADDRESS:PORT",
	  "serve REST there, too, with TLS 1.3; again for more; *: all addresses" },
	{ "name", 'n', "NAME", "a further name of this host for its certificate; again for more" },
	{ "limit", 'm', "NAME=NUMBER", "a limit of REST, such as rate=100; docs/MANAGEMENT.md has them all" },
	{ "ready-timeout", 't', "SECONDS", "for a process to be ready in an operation (default: 30)" },
	{ "revisions", 'R', "N", "of a service that are kept (2 to 1000; default: 50)" },
	{ "stop-vnfs-on-exit", 'S', NULL, "stop all processes with sluiced; else they are adopted again" },
	{ "restore", 'b', "FILE", "put a backup in the store's place, and end; sluiced must not run" },
	{ "force", 'F', NULL, "with --restore: while processes of services run" },
	{ "foreground", 'f', NULL, "stay in the foreground (as it always does)" },
	{ "log", 'l', "FILE",
	  "default: standard error; a new one is begun at 8 MiB, and by SIGHUP, which looks after "
	  "certificates, too" },
	{ "log-level", 'v', "LEVEL", "debug, info, warn or error (default: info)" },
	{ "log-json", 'j', NULL, "log lines as JSON" },
	{ "schema", 'c', NULL, "print the schema of descriptors and these options as JSON" },
	{ "version", 'V', NULL, "print the version" },
	{ "help", 'h', NULL, "print this" },
	{ NULL, 0, NULL, NULL },
};

static void usage(FILE *to)
{
	fputs("usage: sluiced [options]\n\n", to);
	options_print(option_rows, to);
}

/* What manual pages are made of. */
static void print_schema(void)
{
	json_t *about = json_pack("{s:s,s:o,s:o}", "program", "sluiced", "options", options_json(option_rows),
	                          "service", schema_to_openapi(service_schema));

	json_dumpf(about, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(about);
}

static bool take_group(struct command *c, const char *name)
{
	struct group *group = getgrnam(name);

	if (group)
		c->api.group = (long)group->gr_gid;
	else
		fprintf(stderr, "sluiced: there is no group \"%s\"\n", name);
	return group != NULL;
}

static bool take_timeout(struct command *c, const char *text)
{
	char *end;
	unsigned long seconds = strtoul(text, &end, 10);

	c->manager.ready_timeout_s = (unsigned)seconds;
	return *text && !*end && seconds >= 1 && seconds <= 3600;
}

static bool take_revisions(struct command *c, const char *text)
{
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	c->manager.revisions = (unsigned)count;
	return *text && !*end && count >= 2 && count <= 1000;
}

static bool take_listen(struct command *c, const char *address)
{
	const char *why;
	bool fine = rest_tcp_check(address, &why) && c->api.listen_count < API_LISTEN_MAX;

	if (fine)
		c->api.listen[c->api.listen_count++] = address;
	else
		fprintf(stderr, "sluiced: --listen %s: %s\n", address, why);
	return fine;
}

static bool take_name(struct command *c, const char *name)
{
	if (c->api.names_count < API_LISTEN_MAX)
		c->api.names[c->api.names_count++] = name;
	return *name && strspn(name, NAME_LETTERS) == strlen(name);
}

static bool take_limit(struct command *c, const char *text)
{
	char why[256];
	bool fine = rest_limit_text(&c->api.limits, text, why, sizeof(why));

	if (!fine)
		fprintf(stderr, "sluiced: --limit %s: %s\n", text, why);
	return fine;
}

static bool take_option(struct command *c, int option)
{
	switch (option) {
	case 'r':
		c->manager.run_folder = optarg;
		return true;
	case 's':
		c->manager.state_folder = optarg;
		return true;
	case 'x':
		c->manager.program_folder = optarg;
		return true;
	case 'g':
		return take_group(c, optarg);
	case 'p':
		return take_listen(c, optarg);
	case 'n':
		return take_name(c, optarg);
	case 'm':
		return take_limit(c, optarg);
	case 't':
		return take_timeout(c, optarg);
	case 'R':
		return take_revisions(c, optarg);
	case 'b':
		c->restore = optarg;
		return true;
	case 'F':
		c->force = true;
		return true;
	case 'S':
		c->manager.stop_on_exit = true;
		return true;
	case 'f':
		return true;
	case 'l':
		c->log.file = c->api.log_file = optarg;
		return true;
	case 'v':
		return log_level_parse(optarg, &c->log.level);
	case 'j':
		c->log.json = true;
		return true;
	default:
		return false;
	}
}

/* -1: go on; else the exit status. */
static int read_command(struct command *c, int argc, char **argv)
{
	struct option options[OPTIONS_MAX];
	int option;

	options_getopt(option_rows, options);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			return EXIT_DONE;
		}
		if (option == 'c') {
			print_schema();
			return EXIT_DONE;
		}
		if (option == 'V') {
			puts("sluiced " SLUICE_VERSION);
			return EXIT_DONE;
		}
		if (!take_option(c, option)) {
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	usage(stderr);
	return EXIT_USAGE;
}

static bool holds_programs(const char *folder)
{
	char *chain = text_format("%s/sluice-chain", folder);
	bool found = access(chain, X_OK) == 0;

	free(chain);
	return found;
}

/* Where the VNFs are: beside us, or where an installation of our prefix has them, or where this build installs them. */
static char *find_programs(void)
{
	char self[PATH_MAX] = "", *folder;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *installed;

	self[length > 0 ? length : 0] = '\0';
	folder = dirname(self);
	installed = text_format("%s/../libexec/sluice", folder);
	if (holds_programs(folder)) {
		free(installed);
		return text_copy(folder);
	}
	if (holds_programs(installed))
		return installed;
	free(installed);
	return text_copy(SLUICE_LIBEXEC);
}

/* Paths are told to processes that work elsewhere, so they must not depend on where we were started. */
static char *absolute(const char *path)
{
	char here[PATH_MAX];

	if (path[0] == '/' || !getcwd(here, sizeof(here)))
		return text_copy(path);
	return text_format("%s/%s", here, path);
}

static void print_errors(struct errors *errors)
{
	char line[1024];

	for (size_t i = 0; i < errors->count; i++) {
		error_format(&errors->list[i], line, sizeof(line));
		log_error("failed", "error=%s", line);
	}
	errors_free(errors);
}

/* Whether a new life is asked for. */
static bool wait_for_end(const struct command *c, struct api *api, const sigset_t *signals)
{
	static const struct timespec turn = { .tv_sec = TURN_S };
	unsigned turns = 0;
	int number;

	while ((number = sigtimedwait(signals, NULL, &turn)) < 0 || number == SIGHUP) {
		bool due = number < 0 && errno == EAGAIN &&
		           ++turns % (RENEW_S / TURN_S) == 0; /* EINTR is no turn */

		if (number == SIGHUP)
			log_open(&c->log);
		else
			log_rotate(&c->log, LOG_FILE_BYTES);
		if (number == SIGHUP || due)
			api_renew(api);
	}
	log_info("stopping", "signal=%d", number);
	return number == SIGUSR1;
}

enum { HEIR_TRIES = 40, ORPHAN_TRIES = 600, HEIR_PAUSE_US = 50000 };

/* Whether nobody listens any more, in the end. A predecessor may be about to end; a child that a killed one was about to start holds its descriptors until
 * it is executed, which takes its time on a busy machine. Whose queue is full is who it was before. */
static bool wait_alone(const char *socket)
{
	enum host_listener listener;
	bool lives = false;

	for (unsigned i = 0; (listener = host_listener(socket)) != HOST_LISTENER_NONE; i++) {
		if (listener != HOST_LISTENER_BUSY)
			lives = listener == HOST_LISTENER_LIVES;
		if (i >= (lives ? HEIR_TRIES : ORPHAN_TRIES))
			return false;
		usleep(HEIR_PAUSE_US);
	}
	return true;
}

static bool check_alone(const struct manager_options *options, struct errors *errors)
{
	char *socket = text_format("%s/sluiced.sock", options->run_folder);
	bool alone = wait_alone(socket);

	if (!alone)
		errors_add(errors, NULL, "socket-taken", NULL, 0,
		           "another orchestrator listens on %s: stop it, or choose another --run-dir",
		           socket);
	free(socket);
	return alone;
}

/* One life. *again: another is to follow, whose store is a backup that was laid down. */
static int run(const struct command *c, const sigset_t *signals, bool *again)
{
	struct errors errors = ERRORS_NONE;
	struct manager *manager =
	        check_alone(&c->manager, &errors) ? manager_new(&c->manager, &errors) : NULL;
	struct api *api = NULL;

	*again = false;
	if (manager && manager_recover(manager, &errors))
		api = api_start(manager, &c->api, &errors);
	if (api) {
		api_ready(api);
		log_info("ready", "version=%s socket=%s/sluiced.sock libexec=%s", SLUICE_VERSION,
		         c->manager.run_folder, c->manager.program_folder);
		notify("READY=1");
		*again = wait_for_end(c, api, signals);
		if (*again)
			manager->options.stop_on_exit = false;
		else
			notify("STOPPING=1");
	}
	print_errors(&errors);
	if (manager)
		manager_stop(manager);
	api_stop(api);
	manager_free(manager);
	return api ? EXIT_DONE : EXIT_FAILED;
}

static int live(const struct command *c, const sigset_t *signals)
{
	bool again;
	int status;

	do
		status = run(c, signals, &again);
	while (again);
	return status;
}

static int restore(const struct command *c)
{
	struct errors errors = ERRORS_NONE;
	bool done = check_alone(&c->manager, &errors) &&
	            restore_offline(&c->manager, c->restore, c->force, &errors);

	if (done)
		log_info("restored", "file=%s state=%s", c->restore, c->manager.state_folder);
	print_errors(&errors);
	return done ? EXIT_DONE : EXIT_FAILED;
}

static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGHUP);
	sigaddset(signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	struct command c = { .manager = { .run_folder = "/run/sluice",
		                          .state_folder = "/var/lib/sluice",
		                          .ready_timeout_s = 30 },
		             .log = { .level = LOG_LEVEL_INFO },
		             .api = { .group = -1 } };
	int status = read_command(&c, argc, argv);
	sigset_t signals;

	if (status >= 0)
		return status;
	mallopt(M_ARENA_MAX,
	        2); /* one for each of our many threads would cost more than all that is in them */
	if (!log_open(&c.log)) {
		fprintf(stderr, "sluiced: cannot open %s: %s\n", c.log.file, strerror(errno));
		return EXIT_FAILED;
	}
	char *run_folder = absolute(c.manager.run_folder), *state_folder = absolute(c.manager.state_folder),
	     *programs = c.manager.program_folder ? absolute(c.manager.program_folder) : find_programs();
	c.manager.run_folder = run_folder;
	c.manager.state_folder = state_folder;
	c.manager.program_folder = programs;
	block_signals(&signals);
	status = c.restore ? restore(&c) : live(&c, &signals);
	free(run_folder);
	free(state_folder);
	free(programs);
	return status;
}
