/* SPDX-License-Identifier: BSD-3-Clause */
/* sluiced --restore FILE. One thread, and no orchestrator that uses the folders. */
#ifndef SLUICE_SLUICED_RESTORE_H
#define SLUICE_SLUICED_RESTORE_H

#include "lifecycle/manager.h"

/* Checks a backup and puts it in the store's place. `force`: while processes of services run. False with errors. */
bool restore_offline(const struct manager_options *options, const char *file, bool force,
                     struct errors *errors);

#endif
