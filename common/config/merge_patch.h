/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON merge patch, RFC 7396: what PATCH of a configuration means, of a process as of sluiced. No data of its own. */
#ifndef SLUICE_CONFIG_MERGE_PATCH_H
#define SLUICE_CONFIG_MERGE_PATCH_H

#include <jansson.h>

/* The target with the patch applied: a new reference; both stay as they are. */
json_t *merge_patch(const json_t *target, const json_t *patch);

#endif
