/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Certificates of processes that serve REST over TCP (`manage.listen` of their document), issued by the
 * authority in STATE/access into the process's folder, with our tokens beside them. Any thread:
 * manager->credentials keeps two from writing a key and the certificate of another.
 */
#ifndef SLUICE_LIFECYCLE_CREDENTIALS_H
#define SLUICE_LIFECYCLE_CREDENTIALS_H

#include "lifecycle/manager.h"

/* Makes STATE/access and the authority in it, before anything is started. False with errors. */
bool credentials_open(const char *state_folder, struct errors *errors);

/* Puts into the folder of a process that is about to be started what its document (JSON) asks for, if that
 * is absent or due. False with errors. */
bool credentials_issue(struct manager *manager, const char *folder, const char *name,
                       const char *document, struct errors *errors);

/* The same for all processes that are wished for; what fails is logged. */
void credentials_renew(struct manager *manager);

#endif
