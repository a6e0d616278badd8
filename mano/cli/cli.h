/* SPDX-License-Identifier: BSD-3-Clause */
/* The command `sluice`: what its files share. One thread; a process a command. */
#ifndef SLUICE_MANO_CLI_H
#define SLUICE_MANO_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "config/conf.h"

/* Exit statuses, as management tools of the field have them; the texts that tell them are in verbs.c. */
enum cli_exit {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_NOT_FOUND = 3,
	CLI_CONFLICT = 4,
	CLI_TIMED_OUT = 5,
	CLI_UNREACHABLE = 6,
	CLI_INVALID = 7,
	CLI_DIFFERS = 8,
	CLI_INTERRUPTED = 130, /* Ctrl-C while an operation was awaited; it goes on */
};

enum cli_output { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_YAML, OUTPUT_NAME };

/* Who the user is to sluiced; see identity.c. */
enum { CLI_CACERT, CLI_CERT, CLI_KEY, CLI_TOKEN, CLI_IDENTITY };
/* What getopt answers for options that have no letter. */
enum { OPTION_IDENTITY = 256, OPTION_ROLE = OPTION_IDENTITY + CLI_IDENTITY, OPTION_EXPIRES };

struct cli {
	const char *server;       /* unix:PATH or a URL; never NULL once a verb runs that asks sluiced */
	const char *server_asked; /* --server; NULL: not given */
	const char *context;      /* --context; NULL: not given */
	char *server_found;       /* what a context said; owned */
	const char *identity_asked[CLI_IDENTITY]; /* --cacert, --cert, --key, --token; NULL: not given */
	char *identity[CLI_IDENTITY];             /* what is used; owned */
	const char *role, *expires;               /* of a token */
	const char *filter, *limit;               /* of lists: --filter, --limit */
	bool wait;                                /* of get: until there is something; changes wait anyway */
	const char *condition;                    /* --wait=CONDITION; NULL: none */
	bool quiet, watch, silent;                /* silent: no word on standard error (completion) */
	enum cli_output output;
	unsigned timeout_s;
	bool timeout_asked;   /* --timeout was given: then it holds for all of a change */
	uint64_t deadline_ms; /* by cli_now_ms(), when all must be over; 0: each request has its own time */
	bool verbose, no_wait, dry_run, once;
	unsigned last;                 /* events: how many of the past */
	unsigned count_asked, seconds; /* trace, capture: packets, how long; 0: as they are by default */
	const char *file;              /* -f; of capture: -w */
	const char *before, *after;
	char etag[64];                  /* of what was read last; empty: it had none */
	bool if_match;                  /* change it only if it is still the same */
	const char *build, *libexec;    /* of upgrade: an executable; a folder of them */
	const char *comment, *revision; /* why; of diff: A[..B] */
	bool force, fix;
	unsigned confirm_s;         /* undone unless confirmed; 0: need not be */
	const char *const *columns; /* of a table that is not wide; NULL: all of the first object */
	struct conf *document;      /* what was read from `file`: error paths are found again in it */
	char **words;               /* behind the verb */
	int count;
};

/* request.c: one request; answers an exit status, prints the problem if there is one. *answer (may be NULL) is a new reference or NULL. */
int cli_request(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **answer);
/* The same for a text; malloc'd. */
int cli_request_text(struct cli *cli, const char *path, char **text);
/* A page of a list; *next (malloc'd) is the path of the one behind it, or NULL. */
int cli_request_page(struct cli *cli, const char *path, json_t **answer, char **next);
struct http_request;
struct http_reply;
/* A request for the client itself: streams and events, which end when the reader or the writer has had enough. */
struct http_request cli_http(const struct cli *cli, const char *method, const char *path);
/* Says that nobody answered, and what to do; CLI_UNREACHABLE or CLI_TIMED_OUT. */
int cli_unreachable(const struct cli *cli, const struct http_reply *reply);
/* A word for a shell, on standard error. */
void cli_print_quoted(const char *word);

/* identity.c: from options, environment and context (may be NULL) what is used, CLI_DONE or CLI_FAILED, which was said; what the options say into a context; a client that shows it; as options of curl. */
int identity_resolve(struct cli *cli, const struct conf *context);
void identity_store(const struct cli *cli, struct conf *context);
void identity_free(struct cli *cli);
struct http_client;
struct http_client *cli_client(const struct cli *cli);
void identity_print_curl(const struct cli *cli);

/* A change: a dry run if one was asked for; else waits for its operation unless told not to, and says how it ended. */
int cli_change(struct cli *cli, const char *method, const char *path, const json_t *body);
/* Tells all errors of an answer on standard error, with file and line where they are known. */
void cli_problem(const struct cli *cli, const json_t *answer);
int cli_usage(const char *usage);

/* file.c: reads -f (libconfig, JSON if it ends in .json, - is standard input) into cli->document; a status, errors were told. */
int cli_read_file(struct cli *cli);

/* change.c: what a change would change, on standard output: CLI_DIFFERS if anything. */
int cli_diff(struct cli *cli, const char *method, const char *path, const json_t *body);
/* Awaits an operation that was begun; its exit status. */
int cli_await(struct cli *cli, json_int_t id);

/* condition.c: a clock that only goes forward; from now on all must be over in --timeout seconds, if no deadline was set before;
 * whether that has passed. */
uint64_t cli_now_ms(void);
void cli_set_deadline(struct cli *cli);
bool cli_is_late(const struct cli *cli);

/* Prose on standard error, unless --quiet. */
void cli_say(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* context.c: finds out where sluiced is: --server, --context, SLUICE_SERVER, SLUICE_CONTEXT, the current context, the usual socket, in that
 * order. CLI_DONE, CLI_NOT_FOUND (no such context) or CLI_INVALID (the file of contexts is broken), which was said. */
int context_resolve(struct cli *cli);
int command_context(struct cli *cli);

/* output.c: the text of a member, "" if it has none: what is answered may come from a sluiced of another version. */
const char *cli_text(const json_t *object, const char *member);
/* Data on standard output, in the form asked for. */
void cli_print(const struct cli *cli, const json_t *data);
void cli_print_json(const json_t *data);
/* A list of objects: the columns (NULL at the end) that any of them has; NULL: those of the first object. */
void cli_print_table(const json_t *list, const char *const *columns);
/* Whether the form asked for is for programs: json or yaml. */
bool cli_structured(const struct cli *cli);
/* yaml.c: a JSON value as a YAML document on standard output. */
void yaml_print(const json_t *data);
/* The changes of a dry run, a line each, or in the form asked for. */
void cli_print_changes(const struct cli *cli, const json_t *answer);
/* Whether standard output is a terminal that wants colours: not with NO_COLOR, nor TERM=dumb. */
bool cli_colours(void);

/* events.c: the events that sluiced has kept about "edge" and what is below it, or "edge/fw" (NULL: all); *list a new reference; an exit status. */
int cli_list_events(struct cli *cli, const char *about, json_t **list);
bool cli_concerns(const json_t *event, const char *about);

/* get.c: reads what is to be shown: a new reference; an exit status. */
typedef int cli_read(struct cli *cli, const void *what, json_t **answer);
/* Prints what read() answers; with --watch anew whenever it differs, until the reader or the user has had enough. */
int cli_show(struct cli *cli, cli_read *read, const void *what);
/* Prints the list (all its pages, filtered, watched as asked) or object at a path. */
int cli_list(struct cli *cli, const char *path);
/* Appends NAME=VALUE, the value escaped, to a malloc'd path; answers the longer one. */
char *cli_with_query(char *path, const char *name, const char *value);

/* explain.c: candidates for what is to be explained, given what stands of it already. */
void explain_complete(struct cli *cli, const char *word);
/* The same for a path below a kind: rules.action. */
void explain_complete_below(struct cli *cli, const char *kind, const char *word);

/* Commands: the words behind the verb are in cli->words. */
int command_get(struct cli *cli);
int command_describe(struct cli *cli);
int command_token(struct cli *cli);
int command_audit(struct cli *cli);
int command_whoami(struct cli *cli);
int command_apply(struct cli *cli);
int command_diff(struct cli *cli);
int command_validate(struct cli *cli);
int command_delete(struct cli *cli);
int command_backup(struct cli *cli);
int command_restore(struct cli *cli);
int command_upgrade(struct cli *cli);
int command_history(struct cli *cli);
int command_diff_revisions(struct cli *cli);
int command_rollback(struct cli *cli);
int command_confirm(struct cli *cli);
int command_chain(struct cli *cli);
int command_config(struct cli *cli);
int command_heal(struct cli *cli);
int command_restart(struct cli *cli);
int command_op(struct cli *cli);
int command_events(struct cli *cli);
int command_top(struct cli *cli);
int command_doctor(struct cli *cli);
int command_support_bundle(struct cli *cli);
int command_completion(struct cli *cli);
int command_version(struct cli *cli);
int command_help(struct cli *cli);
int command_complete(struct cli *cli);
int command_explain(struct cli *cli);
int command_logs(struct cli *cli);
int command_trace(struct cli *cli);
int command_capture(struct cli *cli);

/* Splits "edge/fw" into service and rest (NULL if there is none); false: usage was printed. */
bool cli_split(const char *word, char *service, size_t size, const char **rest);

#endif
