/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of files beside the store, and what store_open does about them. See backup.c. */
#ifndef SLUICE_STORE_BACKUP_H
#define SLUICE_STORE_BACKUP_H

#include "store/store.h"

#define STORE_INCOMING "sluiced.db.incoming" /* not checked yet */
#define STORE_OUTGOING ".backup-"            /* a backup on its way out */
#define STORE_RESTORE  "sluiced.db.restore"  /* takes the store's place when it is opened next */
#define STORE_BEFORE   "sluiced.db.before"   /* what was there before */

/* Puts what was laid down in the store's place. Nobody has the store open, and the guard is held. */
bool store_take_restored(const char *folder, struct errors *errors);

#endif
