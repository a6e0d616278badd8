/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asks the executables themselves whether documents are right: they alone know the configuration of each kind. Blocks
 * for as long as they compile; any thread.
 */
#ifndef SLUICE_LIFECYCLE_VERIFY_H
#define SLUICE_LIFECYCLE_VERIFY_H

#include "lifecycle/render.h"

/* Where, and in which folder temporary files may lie. */
struct verify {
	const char *run_folder, *program_folder;
};

/* Runs `PROGRAM --check` on every document, side by side. Errors carry paths of the descriptor. True if there is none. */
bool verify_documents(const struct verify *verify, const struct renderings *renderings,
                      struct errors *errors);

/* Reads what `--check --json` printed (maybe among other lines); false if there is no answer in it. */
bool verify_read(const char *output, const struct rendering *rendering, struct errors *errors);

#endif
