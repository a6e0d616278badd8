/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of roles. */
#include "manage/role.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = { "none", "viewer", "operator", "admin" };

const char *role_name(enum role role)
{
	return names[role];
}

enum role role_parse(const char *text)
{
	for (unsigned i = ROLE_VIEWER; text && i <= ROLE_ADMIN; i++)
		if (!strcmp(text, names[i]))
			return (enum role)i;
	return ROLE_NONE;
}
