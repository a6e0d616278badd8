/* SPDX-License-Identifier: BSD-3-Clause */
/* The command `sluice`: what its files share. One thread; a process a command. */
#ifndef SLUICE_MANO_CLI_H
#define SLUICE_MANO_CLI_H

#include <stdbool.h>

#include <jansson.h>

#include "config/conf.h"

/* Exit statuses, as management tools of the field have them. */
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
};

enum cli_output { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_NAME };

struct cli {
	const char *server; /* unix:PATH or a URL */
	enum cli_output output;
	unsigned timeout_s;
	bool verbose, no_wait, dry_run, once;
	unsigned last;                 /* events: how many of the past */
	unsigned count_asked, seconds; /* trace, capture: packets, how long; 0: as they are by default */
	const char *file;              /* -f; of capture: -w */
	const char *before, *after;
	struct conf *document; /* what was read from `file`: error paths are found again in it */
	char **words;          /* behind the verb */
	int count;
};

/* request.c: one request; answers an exit status, prints the problem if there is one. *answer (may be NULL) is a new reference or NULL. */
int cli_request(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **answer);
/* The same for a change: waits for its operation unless told not to, and says how it ended. */
int cli_change(struct cli *cli, const char *method, const char *path, const json_t *body);
/* Tells all errors of an answer on standard error, with file and line where they are known. */
void cli_problem(const struct cli *cli, const json_t *answer);
int cli_usage(const char *usage);

/* output.c: data on standard output, in the form asked for. */
void cli_print(const struct cli *cli, const json_t *data);

/* Commands: the words behind the verb are in cli->words. */
int command_get(struct cli *cli);
int command_describe(struct cli *cli);
int command_apply(struct cli *cli);
int command_diff(struct cli *cli);
int command_validate(struct cli *cli);
int command_delete(struct cli *cli);
int command_chain(struct cli *cli);
int command_config(struct cli *cli);
int command_heal(struct cli *cli);
int command_restart(struct cli *cli);
int command_op(struct cli *cli);
int command_events(struct cli *cli);
int command_top(struct cli *cli);
int command_doctor(struct cli *cli);
int command_completion(struct cli *cli);
int command_version(struct cli *cli);
int command_trace(struct cli *cli);
int command_capture(struct cli *cli);

/* Splits "edge/fw" into service and rest (NULL if there is none); false: usage was printed. */
bool cli_split(const char *word, char *service, size_t size, const char **rest);

#endif
