/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The OpenAPI 3.1 document of a server, from its route tables and the components that its schemas give. Pure.
 */
#ifndef SLUICE_MANAGE_OPENAPI_H
#define SLUICE_MANAGE_OPENAPI_H

#include <jansson.h>

#include "config/schema.h"
#include "manage/rest.h"

/* Builds the document. `components` maps a component name to its JSON Schema (as schema_to_openapi gives it);
 * borrowed, may be NULL; a name that a route uses and that is absent becomes a free-form object. New
 * reference. */
json_t *openapi_document(const struct rest *rest, const char *title, const char *version,
                         const json_t *components);

/* The JSON Schema of a table for what is answered: as schema_to_openapi, but more members may be there than
 * it names, so that programs do not break when some are added. New reference. */
json_t *openapi_open(const struct schema *members);

#endif
