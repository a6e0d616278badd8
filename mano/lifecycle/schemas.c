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

/* The schema at a path of members such as "engine.timeouts", borrowed; NULL. */
static json_t *member(json_t *at, const char *path)
{
	char name[64];

	while (at && *path) {
		size_t length = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)length, path);
		if (json_object_get(at, "items"))
			at = json_object_get(at, "items");
		at = json_object_get(json_object_get(at, "properties"), name);
		path += length + (path[length] == '.');
	}
	return at;
}

/* What our own schema leaves to the engine is shown as the engine has it. */
static void graft(json_t *service, const char *path, json_t *engine, const char *engine_path)
{
	json_t *ours = member(service, path), *theirs = member(engine, engine_path);

	json_object_del(ours, "x-type");
	json_object_update_missing(ours, theirs);
}

json_t *schemas_read(const struct manager_options *options, struct errors *errors)
{
	json_t *answer = ask_engine(options, errors), *service, *engine;

	if (!answer)
		return NULL;
	service = schema_to_openapi(service_schema);
	engine = json_object_get(answer, "engine");
	graft(service, "engine.timeouts", engine, "engine.timeouts");
	graft(service, "chains.match", engine, "paths.match");
	json_object_set_new(answer, "service", service);
	json_object_del(answer, "options");
	json_object_del(answer, "program");
	return answer;
}
