/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A datapath process from its command line to its end: reads the document, brings EAL and the engine up, serves REST, applies the boot
 * document, then watches links and passes on what workers say, until it is told to stop. Main thread.
 */
#include "runtime/process/main.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/text_file.h"
#include "manage/audit.h"
#include "manage/events.h"
#include "manage/log.h"
#include "manage/options.h"
#include "manage/problem.h"
#include "runtime/process/about.h"
#include "runtime/process/eal.h"
#include "runtime/process/process.h"
#include "runtime/process/rehearse.h"
#include "runtime/process/running.h"
#include "runtime/process/succession.h"
#include "util/atomic_file.h"
#include "util/memory.h"

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_INVALID = 7,
	WATCH_MS = 50,
	CHECK_MEMORY_MB = 256
};

struct command {
	const char *program;
	const struct nf_class *const *classes;
	const char *directory, *kept_directory, *config, *cores, *control_cpus, *log_file, *schema,
	        *revisions;
	enum eal_hugepages hugepages;
	enum log_level log_level;
	unsigned memory_mb;
	int supervisor; /* of a process that stands by; -1: it does not */
	bool check, json;
};

static volatile sig_atomic_t stop_asked;

static void on_stop(int number)
{
	(void)number;
	stop_asked = 1;
}

static const struct option_row option_rows[] = {
	{ "dir", 'd', "DIR", "where control.sock, heartbeat and session memory are kept" },
	{ "kept-dir", 'K', "DIR",
	  "where functions keep what their successors must know, also in another process (default: that of "
	  "--dir)" },
	{ "config", 'c', "FILE", "document to begin with (libconfig, or JSON if it ends in .json)" },
	{ "revisions", 'r', "DIR",
	  "keep the documents that were run there, and begin with the one that was saved" },
	{ "check", 'k', NULL, "compile the document, print all errors, exit 0 or 7" },
	{ "json", 'j', NULL, "with --check: print the errors as JSON" },
	{ "schema", 's', "KIND|all",
	  "print a function's configuration and counters as Markdown, or all that there is as JSON" },
	{ "cores", 'w', "LIST", "cpus of the workers, one each: 2-3,6" },
	{ "control-cpus", 'x', "LIST", "cpus of the other threads" },
	{ "hugepages", 'g', "auto|always|never", "whether packet memory lies in hugepages (default: auto)" },
	{ "memory", 'm', "MB", "packet memory (default: 128)" },
	{ "standby", 'S', "FD",
	  "come up beside the process that runs in DIR, and take its place when told on this descriptor" },
	{ "log", 'l', "FILE", "where the log goes (default: standard error)" },
	{ "log-level", 'v', "LEVEL", "debug, info, warn or error (default: info)" },
	{ "version", 'V', NULL, "print the version" },
	{ "help", 'h', NULL, "print this" },
	{ NULL, 0, NULL, NULL },
};

static void usage(const struct command *c, FILE *to)
{
	fprintf(to,
	        "usage: %s --dir DIR [--config FILE] [options]\n"
	        "       %s --check --config FILE [--json]\n"
	        "       %s --schema KIND|all\n\n",
	        c->program, c->program, c->program);
	options_print(option_rows, to);
	fprintf(to, "\nfunctions:\n");
	for (const struct nf_class *const *class = c->classes; *class; class ++)
		fprintf(to, "  %-12s %s\n", (*class)->name, (*class)->help);
}

/* All that manual pages and sluiced want to know of the program. */
static void print_about(const struct command *c)
{
	json_t *about = about_json(c->classes);

	json_object_set_new(about, "program", json_string(c->program));
	json_object_set_new(about, "options", options_json(option_rows));
	json_dumpf(about, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(about);
}

static int print_schema(const struct command *c)
{
	if (strcmp(c->schema, "all") == 0) {
		print_about(c);
		return EXIT_DONE;
	}
	if (about_print(c->classes, c->schema))
		return EXIT_DONE;
	fprintf(stderr, "%s: no function of kind \"%s\" is in here\n", c->program, c->schema);
	return EXIT_USAGE;
}

static int hugepages_of(const char *text)
{
	static const char *const words[] = { "auto", "always", "never" };

	for (int i = 0; i < 3; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return -1;
}

static bool set_level(struct command *c, const char *text)
{
	if (!log_level_parse(text, &c->log_level))
		return false;
	log_set_level(c->log_level);
	return true;
}

static bool take_option(struct command *c, int option)
{
	switch (option) {
	case 'd':
		c->directory = optarg;
		return true;
	case 'K':
		c->kept_directory = optarg;
		return true;
	case 'c':
		c->config = optarg;
		return true;
	case 'r':
		c->revisions = optarg;
		return true;
	case 'k':
		c->check = true;
		return true;
	case 'j':
		c->json = true;
		return true;
	case 's':
		c->schema = optarg;
		return true;
	case 'w':
		c->cores = optarg;
		return true;
	case 'x':
		c->control_cpus = optarg;
		return true;
	case 'g':
		c->hugepages = (enum eal_hugepages)hugepages_of(optarg);
		return hugepages_of(optarg) >= 0;
	case 'm':
		c->memory_mb = (unsigned)strtoul(optarg, NULL, 10);
		return c->memory_mb >= 32;
	case 'S':
		c->supervisor = (int)strtoul(optarg, NULL, 10);
		return isdigit((unsigned char)*optarg);
	case 'l':
		c->log_file = optarg;
		return true;
	case 'v':
		return set_level(c, optarg);
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
			usage(c, stdout);
			return EXIT_DONE;
		}
		if (option == 'V') {
			printf("%s %s\n", c->program, SLUICE_VERSION);
			return EXIT_DONE;
		}
		if (!take_option(c, option)) {
			usage(c, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc && c->schema)
		return print_schema(c);
	if (optind == argc && (c->check ? c->config != NULL : c->directory != NULL))
		return -1;
	usage(c, stderr);
	return EXIT_USAGE;
}

static void print_errors(const struct command *c, const struct errors *errors)
{
	char line[1024];

	if (c->json) {
		json_t *out = json_pack("{s:o}", "errors", problem_errors(errors));

		json_dumpf(out, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(out);
		return;
	}
	for (size_t i = 0; i < errors->count; i++) {
		error_format(&errors->list[i], line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
}

static struct conf *read_document(const char *file, struct errors *errors)
{
	size_t length = file ? strlen(file) : 0;

	if (!file)
		return conf_new(NULL, CONF_GROUP, NULL);
	if (length > 5 && strcmp(file + length - 5, ".json") == 0)
		return conf_read_json(file, errors);
	return conf_read_file(file, errors);
}

static bool needs_pci(const struct conf *document)
{
	const struct conf *ports = conf_get(conf_get(document, "edge"), "ports");

	for (size_t i = 0; i < conf_count(ports); i++)
		if (strncmp(conf_string(conf_at(ports, i), "device", ""), "pci:", 4) == 0)
			return true;
	return false;
}

/* What the schema must have checked before sizes are read from a document. */
static bool check_shape(struct conf *document, struct errors *errors)
{
	return schema_check(engine_schema, document, errors);
}

static struct engine *bring_up(const struct command *c, struct conf *document, struct events *events,
                               struct errors *errors)
{
	struct eal_options eal = { .name = "engine",
		                   .cpus = c->control_cpus,
		                   .memory_mb = c->memory_mb,
		                   .hugepages = c->hugepages,
		                   .pci = !c->check && needs_pci(document) };
	struct engine_options options = { .directory = c->directory,
		                          .kept_directory = c->kept_directory,
		                          .cores = c->cores,
		                          .classes = c->classes,
		                          .events = events,
		                          .check = c->check,
		                          .waits = c->supervisor >= 0 };

	if (c->check) {
		eal.hugepages = EAL_HUGEPAGES_NEVER;
		eal.memory_mb = CHECK_MEMORY_MB;
	}
	if (!check_shape(document, errors) || !eal_start(&eal, errors))
		return NULL;
	return engine_new(document, &options, errors);
}

static int check(const struct command *c)
{
	struct errors errors = ERRORS_NONE;
	struct conf *document = read_document(c->config, &errors);
	struct engine *engine = document ? bring_up(c, document, NULL, &errors) : NULL;
	bool valid = engine && engine_apply(engine, document, true, &errors);

	print_errors(c, &errors);
	engine_free(engine);
	conf_free(document);
	errors_free(&errors);
	return valid ? EXIT_DONE : EXIT_INVALID;
}

static bool serve(struct process *p, const char *directory, const struct conf *document,
                  struct errors *errors)
{
	struct rest_options options = { .user = p };
	struct rest_unix where = { 0 };
	static struct rest_route event_routes[2], audit_routes[2];
	char path[108];

	event_routes[0] = events_route(p->events, "/v1/events");
	p->directory = text_copy(directory);
	if (!management_open(p, document, &options, errors))
		return false;
	audit_routes[0] = audit_route(p->audit, "/v1/audit");
	p->rest = rest_new(&options);
	if (!p->rest) {
		errors_add(errors, NULL, "no-memory", NULL, 0, "not enough memory for the REST server");
		return false;
	}
	if ((size_t)snprintf(path, sizeof(path), "%s/control.sock", directory) >= sizeof(path)) {
		errors_add(errors, NULL, "path-too-long", NULL, 0,
		           "%s: the folder's name is too long for a socket below it", directory);
		return false;
	}
	where.path = path;
	return rest_add(p->rest, session_routes, errors) && rest_add(p->rest, config_routes, errors) &&
	       rest_add(p->rest, history_routes, errors) && rest_add(p->rest, state_routes, errors) &&
	       rest_add(p->rest, look_routes, errors) && rest_add(p->rest, event_routes, errors) &&
	       rest_add(p->rest, audit_routes, errors) && rest_listen_unix(p->rest, &where, errors);
}

static void pass_on_logs(struct process *p)
{
	struct log_record record;

	for (unsigned i = 0; i < p->engine->sizes.workers; i++) {
		while (log_ring_get(&p->engine->workers[i]->log, &record)) {
			const struct nf *nf = p->engine->nfs[record.nf];

			log_info(record.event, "function=%s text=%s", nf ? nf->name : "?", record.text);
			events_add(p->events, record.event, nf ? nf->name : "?", NULL, "%s", record.text);
		}
	}
}

/* The share of the last second in which each worker moved packets. */
static void measure_shares(struct process *p)
{
	for (unsigned i = 0; i < p->engine->sizes.workers; i++) {
		struct worker *w = p->engine->workers[i];
		uint64_t busy = w->busy_tsc, total = w->total_tsc;

		if (total > w->seen_total)
			atomic_store(&w->busy_share,
			             (double)(busy - w->seen_busy) / (double)(total - w->seen_total));
		w->seen_busy = busy;
		w->seen_total = total;
	}
}

/* Until the next look at what there is to do, or until a successor asks for our place. */
static void rest_a_while(struct process *p)
{
	struct pollfd asked = { .fd = p->listener, .events = POLLIN };

	if (poll(&asked, 1, WATCH_MS) > 0)
		p->successor = succession_asked(p->listener);
}

static void watch(struct process *p)
{
	for (unsigned turn = 0; !stop_asked && p->successor < 0; turn++) {
		if (turn % (1000 / WATCH_MS) == 0) {
			clock_keep(&p->engine->clock);
			measure_shares(p);
			management_poll(p);
			history_poll(p);
			log_rotate(p->log, LOG_FILE_BYTES);
		}
		rest_a_while(p);
		engine_poll_links(p->engine);
		engine_poll_conflicts(p->engine);
		engine_renew(p->engine);
		pass_on_logs(p);
		trace_poll(p->engine);
		capture_poll(p->engine);
	}
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_stop };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static bool boot(struct process *p, struct conf *document, struct errors *errors)
{
	running_resume(p->engine, document);
	if (!engine_apply(p->engine, document, false, errors)) {
		running_forget(p->engine);
		return false;
	}
	history_note(p, p->program, "the first of this life");
	atomic_store(&p->ready, true);
	events_add(p->events, "ready", p->engine->sizes.name, NULL, "%s %s is ready", p->program,
	           SLUICE_VERSION);
	log_info("ready", "name=%s workers=%u", p->engine->sizes.name, p->engine->sizes.workers);
	return true;
}

/* Ids go on where a former life in this folder ended. */
static void keep_events(struct process *p, const char *directory)
{
	char *file = text_format("%s/events.next", directory);

	if (p->events)
		events_keep(p->events, file);
	free(file);
}

/* From here on the folder is ours. False: it is not to be, or (with errors) cannot. */
static bool take_place(const struct command *c, struct process *p, const struct conf *document,
                       struct errors *errors)
{
	if (c->supervisor >= 0) {
		rehearse(p->engine, document, &p->prepared);
		if (!succession_stand_by(c->supervisor) ||
		    !succession_take(c->directory, p->engine->sizes.workers, &p->inherited, errors))
			return false;
		catch_signals();
		p->engine->inherited = &p->inherited;
		p->engine->prepared = &p->prepared;
		clock_start(&p->engine->clock); /* nobody kept it meanwhile */
		if (!engine_begin(p->engine, errors))
			return false;
	}
	keep_events(p, c->directory);
	return true;
}

static void go_on(const struct command *c, struct process *p)
{
	bequests_free(&p->inherited);
	bequests_free(&p->prepared);
	rehearse_over(p->engine);
	if (c->supervisor >= 0)
		succession_serving(c->supervisor);
	watch(p);
}

/* Takes the document over. */
static bool run(const struct command *c, struct process *p, struct conf *document, struct errors *errors)
{
	p->engine = bring_up(c, document, p->events, errors);
	if (p->engine && take_place(c, p, document, errors)) {
		p->listener =
		        succession_listen(c->directory); /* one who comes early waits until we are there */
		if (serve(p, c->directory, document, errors) && boot(p, document, errors)) {
			go_on(c, p);
			return true;
		}
	}
	conf_free(document);
	return false;
}

/* Why it could not begin, for whoever started it: errors.json in its folder, by the paths of its document. */
static void leave_errors(const struct command *c, const struct errors *errors)
{
	char *file = text_format("%s/errors.json", c->directory);
	json_t *found = json_pack("{s:o}", "errors", problem_errors(errors));
	char *text = json_dumps(found, JSON_COMPACT);

	/* Where this cannot be written there is the log. */
	if (errors_any(errors))
		atomic_file_write(file, text, strlen(text), 0640);
	else
		unlink(file);
	json_decref(found);
	free(text);
	free(file);
}

/* The saved revision, for as long as the startup file is what it was; else that. */
static struct conf *first_document(const struct command *c, struct process *p, struct errors *errors)
{
	struct conf *saved;

	if (!history_open(&p->history, c->revisions, c->config, &saved, errors))
		return NULL;
	return saved ? saved : read_document(c->config, errors);
}

static int serve_until_stopped(const struct command *c)
{
	struct log_settings log = { .file = c->log_file, .level = c->log_level };
	struct process p = { .program = c->program,
		             .log = &log,
		             .changes = PTHREAD_MUTEX_INITIALIZER,
		             .successor = -1,
		             .listener = -1 };
	struct errors errors = ERRORS_NONE;
	struct conf *document;
	bool ran;

	if (c->log_file && !log_open(&log)) {
		fprintf(stderr, "%s: cannot open %s: %s\n", c->program, c->log_file, strerror(errno));
		return EXIT_FAILED;
	}
	if (mkdir(c->directory, 0755) < 0 && errno != EEXIST) {
		fprintf(stderr, "%s: cannot make %s: %s\n", c->program, c->directory, strerror(errno));
		return EXIT_FAILED;
	}
	if (c->supervisor < 0) /* one that stands by has nothing to end gently */
		catch_signals();
	leave_errors(c, &errors);
	p.events = events_new(0, 0);
	document = first_document(c, &p, &errors);
	ran = document && run(c, &p, document, &errors);
	print_errors(c, &errors);
	leave_errors(c, &errors);
	if (p.successor >= 0) /* packets wait for it */
		rest_hurry(p.rest);
	rest_stop(p.rest);
	management_close(&p);
	history_close(&p.history);
	bequests_free(&p.inherited);
	bequests_free(&p.prepared);
	engine_leave(p.engine, p.successor,
	             p.successor >= 0 && succession_other_workers(p.successor, p.engine->sizes.workers));
	if (p.successor >= 0)
		close(p.successor); /* it begins now */
	events_free(p.events);
	engine_free(p.engine);
	if (p.listener >= 0) /* one who comes late waits until all is free */
		close(p.listener);
	ran |= !errors_any(&errors); /* or was not wanted */
	errors_free(&errors);
	eal_stop();
	return ran ? EXIT_DONE : EXIT_INVALID;
}

int vnf_main(int argc, char **argv, const char *program, const struct nf_class *const *classes)
{
	struct command c = {
		.program = program, .classes = classes, .supervisor = -1, .log_level = LOG_LEVEL_INFO
	};
	int status = read_command(&c, argc, argv);

	if (status >= 0)
		return status;
	return c.check ? check(&c) : serve_until_stopped(&c);
}
