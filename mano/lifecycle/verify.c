/* SPDX-License-Identifier: BSD-3-Clause */
/* Asks the executables whether documents are right. See verify.h. */
#include "lifecycle/verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver/driver.h"
#include "manage/problem.h"
#include "util/atomic_file.h"
#include "util/child.h"
#include "util/memory.h"

enum { CHECK_MS = 60000, OUTPUT_BYTES = 16 << 20, INVALID = 7, TAIL = 400 };

struct check {
	const struct rendering *rendering;
	char *input, *output;
	struct child child;
};

/* --- reading the answer --- */

/* Whatever was not added yet gets its path in the descriptor. */
static void place(const struct rendering *rendering, struct errors *found, struct errors *errors)
{
	for (size_t i = 0; i < found->count; i++) {
		char *path = render_source(rendering, found->list[i].path);

		errors_add(errors, path, found->list[i].code, NULL, 0, "%s", found->list[i].detail);
		free(path);
	}
	errors_free(found);
}

bool verify_read(const char *output, const struct rendering *rendering, struct errors *errors)
{
	for (const char *line = output; line && *line;
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		struct errors found = ERRORS_NONE;
		json_t *answer = *line == '{' ? json_loads(line, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
		bool is_answer = json_is_array(json_object_get(answer, "errors"));

		if (is_answer)
			problem_read(answer, &found);
		json_decref(answer);
		place(rendering, &found, errors);
		if (is_answer)
			return true;
	}
	return false;
}

static void explain(const struct check *check, int status, const char *output, struct errors *errors)
{
	size_t length = strlen(output);
	const char *tail = length > TAIL ? output + length - TAIL : output;

	if (status >= 0 && WIFSIGNALED(status))
		errors_add(errors, NULL, "check-failed", NULL, 0, "%s --check was killed by signal %d",
		           check->rendering->program, WTERMSIG(status));
	else
		errors_add(errors, NULL, "check-failed", NULL, 0, "%s --check ended with status %d: %s",
		           check->rendering->program, status < 0 ? -1 : WEXITSTATUS(status), tail);
}

static void judge(const struct check *check, int status, struct errors *errors)
{
	size_t length, before = errors->count;
	char *output = NULL;
	bool answered;

	if (status == 0)
		return;
	if (atomic_file_read(check->output, OUTPUT_BYTES, &output, &length))
		output = text_copy("");
	answered = status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == INVALID &&
	           verify_read(output, check->rendering, errors);
	if (!answered || errors->count == before)
		explain(check, status, output, errors);
	free(output);
}

/* --- running --- */

static bool begin(const struct verify *verify, struct check *check, struct errors *errors)
{
	char *text, *program = check->rendering->build ? text_copy(check->rendering->build)
	                                               : text_format("%s/%s", verify->program_folder,
	                                                             check->rendering->program);
	const char *argv[] = { program, "--check", "--json", "--config", check->input, NULL };
	struct child_spec spec = { .argv = argv, .folder = "/", .output = check->output };
	json_t *json = conf_to_json(check->rendering->document);
	int error;

	text = json_dumps(json, JSON_COMPACT);
	error = atomic_file_write(check->input, text, strlen(text), 0600);
	if (error)
		errors_add(errors, NULL, "cannot-write", NULL, 0, "cannot write %s: %s", check->input,
		           strerror(error));
	bool begun = !error && child_start(&spec, &check->child, errors);
	json_decref(json);
	free(program);
	free(text);
	return begun;
}

static void finish(struct check *check, struct errors *errors)
{
	int status = -1;

	if (check->child.pid <= 0)
		return;
	if (child_wait(&check->child, CHECK_MS)) {
		child_ended(&check->child, &status);
		child_forget(&check->child);
		judge(check, status, errors);
		return;
	}
	child_stop(&check->child, 0);
	errors_add(errors, NULL, "check-failed", NULL, 0, "%s --check has not ended after %d s",
	           check->rendering->program, CHECK_MS / 1000);
}

static void clear(struct check *check)
{
	unlink(check->input);
	unlink(check->output);
	free(check->input);
	free(check->output);
}

bool verify_documents(const struct verify *verify, const struct renderings *renderings, struct errors *errors)
{
	char *folder = text_format("%s/.check-XXXXXX", verify->run_folder);
	size_t before = errors->count;

	if (!mkdtemp(folder)) {
		errors_add(errors, NULL, "cannot-write", NULL, 0, "cannot make a folder in %s: %s",
		           verify->run_folder, strerror(errno));
		free(folder);
		return false;
	}
	struct check *checks = memory_new(renderings->count, sizeof(*checks));
	for (size_t i = 0; i < renderings->count; i++) {
		checks[i] = (struct check){ .rendering = &renderings->list[i],
			                    .input = text_format("%s/%zu.json", folder, i),
			                    .output = text_format("%s/%zu.out", folder, i),
			                    .child = CHILD_NONE };
		begin(verify, &checks[i], errors);
	}
	for (size_t i = 0; i < renderings->count; i++) {
		finish(&checks[i], errors);
		clear(&checks[i]);
	}
	rmdir(folder);
	free(checks);
	free(folder);
	return errors->count == before;
}
