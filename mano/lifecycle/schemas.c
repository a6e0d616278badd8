/* SPDX-License-Identifier: BSD-3-Clause */
/* Asks sluice-chain for its schemas. See schemas.h. */
#include "lifecycle/schemas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lifecycle/descriptor.h"
#include "util/atomic_file.h"
#include "util/child.h"
#include "util/memory.h"

enum { RUN_MS = 10000, OUTPUT_BYTES = 4 << 20 };

/* Runs it to its end; false with an error. */
static bool run(const char *program, const char *output, struct errors *errors)
{
	const char *argv[] = { program, "--schema", "all", NULL };
	struct child_spec spec = { .argv = argv, .folder = "/", .output = output };
	struct child child = CHILD_NONE;
	int status = -1;

	if (!child_start(&spec, &child, errors))
		return false;
	if (child_wait(&child, RUN_MS)) {
		child_ended(&child, &status);
		child_forget(&child);
	} else {
		child_stop(&child, 0);
	}
	if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	errors_add(errors, NULL, "no-schema", NULL, 0, "%s --schema all has failed (status %d)", program,
	           status);
	return false;
}

static json_t *read_output(const char *file, struct errors *errors)
{
	json_error_t where;
	json_t *json = json_load_file(file, 0, &where);

	if (!json)
		errors_add(errors, NULL, "no-schema", NULL, 0, "what sluice-chain says of its schemas: %s",
		           where.text);
	return json;
}

static json_t *ask_engine(const struct manager_options *options, struct errors *errors)
{
	char *program = text_format("%s/sluice-chain", options->program_folder),
	     *output = text_format("%s/.schema-XXXXXX", options->run_folder);
	json_t *json = NULL;
	int fd = mkstemp(output);

	if (fd < 0)
		errors_add(errors, NULL, "cannot-write", NULL, 0, "cannot make a file in %s",
		           options->run_folder);
	else if (run(program, output, errors))
		json = read_output(output, errors);
	if (fd >= 0) {
		close(fd);
		unlink(output);
	}
	free(program);
	free(output);
	return json;
}

json_t *schemas_read(const struct manager_options *options, struct errors *errors)
{
	json_t *answer = ask_engine(options, errors);

	if (!answer)
		return NULL;
	json_object_set_new(answer, "service", schema_to_openapi(service_schema));
	json_object_del(answer, "options");
	json_object_del(answer, "program");
	return answer;
}
