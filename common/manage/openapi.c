/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The OpenAPI 3.1 document, from route tables. Pure.
 */
#include "manage/openapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/problem.h"
#include "manage/strbuf.h"

/* "{rest*}" is "{rest}" in OpenAPI, which has no tails. */
static char *path_text(const char *pattern)
{
	struct strbuf out = { 0 };
	for (; *pattern; pattern++)
		if (*pattern != '*' || pattern[1] != '}')
			strbuf_putc(&out, *pattern);
	return strbuf_take(&out, NULL);
}

static json_t *parameters(const char *pattern)
{
	json_t *list = json_array();
	while ((pattern = strchr(pattern, '{'))) {
		size_t length = strcspn(++pattern, "*}");
		json_array_append_new(list,
		                      json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", pattern, length, "in",
		                                "path", "required", 1, "schema", "type", "string"));
	}
	return list;
}

static json_t *reference(const char *component)
{
	json_t *schema = json_object();
	char text[256];
	snprintf(text, sizeof text, "#/components/schemas/%s", component);
	json_object_set_new(schema, "$ref", json_string(text));
	return schema;
}

static void add_content(json_t *content, const char *type, const char *component)
{
	json_object_set_new(content, type,
	                    json_pack("{s:o}", "schema", component ? reference(component) : json_object()));
}

static json_t *request_body(const struct rest_method *method)
{
	unsigned accepts = method->accepts ? method->accepts : REST_JSON;
	json_t *content = json_object();
	if (accepts & REST_JSON)
		add_content(content, "application/json", method->body);
	if (accepts & REST_MERGE_PATCH)
		add_content(content, "application/merge-patch+json", method->body);
	if (accepts & REST_NDJSON)
		add_content(content, "application/x-ndjson", NULL);
	if (accepts & REST_ANY)
		add_content(content, "*/*", NULL);
	return json_pack("{s:o}", "content", content);
}

static json_t *responses(const struct rest_method *method)
{
	json_t *good = json_pack("{s:s}", "description", "Done"), *content = json_object();
	if (method->answer) {
		add_content(content, "application/json", method->answer);
		json_object_set(good, "content", content);
	}
	json_decref(content);
	return json_pack("{s:o, s:{s:s, s:{s:{s:o}}}}", "2XX", good, "default", "description",
	                 "A problem (RFC 9457)", "content", PROBLEM_TYPE, "schema", reference("Problem"));
}

static void add_method(json_t *item, const char *name, const struct rest_method *method, bool has_body)
{
	if (!method->handle)
		return;
	json_t *operation = json_pack("{s:o}", "responses", responses(method));
	if (method->summary)
		json_object_set_new(operation, "summary", json_string(method->summary));
	if (method->body || has_body)
		json_object_set_new(operation, "requestBody", request_body(method));
	json_object_set_new(item, name, operation);
}

static void add_path(json_t *paths, const struct rest_route *route)
{
	json_t *item = json_object(), *list = parameters(route->pattern);
	if (route->summary)
		json_object_set_new(item, "summary", json_string(route->summary));
	if (json_array_size(list))
		json_object_set(item, "parameters", list);
	json_decref(list);
	add_method(item, "get", &route->get, false);
	add_method(item, "put", &route->put, true);
	add_method(item, "patch", &route->patch, true);
	add_method(item, "post", &route->post, route->post.body != NULL);
	add_method(item, "delete", &route->del, false);
	char *path = path_text(route->pattern);
	json_object_set_new(paths, path ? path : route->pattern, item);
	free(path);
}

static json_t *problem_schema(void)
{
	json_t *text = json_pack("{s:s}", "type", "string"), *number = json_pack("{s:s}", "type", "integer");
	json_t *error = json_pack("{s:s, s:{s:O, s:O, s:O, s:O, s:O}}", "type", "object", "properties",
	                          "path", text, "code", text, "detail", text, "file", text, "line", number);
	return json_pack("{s:s, s:{s:o, s:O, s:o, s:O, s:{s:s, s:o}}}", "type", "object", "properties",
	                 "type", text, "title", text, "status", number, "detail", text, "errors", "type",
	                 "array", "items", error);
}

static void need_component(json_t *schemas, const char *name)
{
	if (name && !json_object_get(schemas, name))
		json_object_set_new(schemas, name, json_pack("{s:s}", "type", "object"));
}

static json_t *schemas_of(const struct rest *rest, const json_t *components)
{
	json_t *schemas = components ? json_copy((json_t *)components) : json_object();
	if (!json_object_get(schemas, "Problem"))
		json_object_set_new(schemas, "Problem", problem_schema());
	const struct rest_route *route;
	for (size_t i = 0; (route = rest_route_at(rest, i)); i++) {
		const struct rest_method *methods[] = { &route->get, &route->put, &route->patch, &route->post,
			                                &route->del };
		for (size_t j = 0; j < sizeof methods / sizeof *methods; j++) {
			need_component(schemas, methods[j]->body);
			need_component(schemas, methods[j]->answer);
		}
	}
	return schemas;
}

json_t *openapi_document(const struct rest *rest, const char *title, const char *version,
                         const json_t *components)
{
	json_t *paths = json_object();
	const struct rest_route *route;
	for (size_t i = 0; (route = rest_route_at(rest, i)); i++)
		add_path(paths, route);
	return json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:o}}", "openapi", "3.1.0", "info", "title", title,
	                 "version", version, "paths", paths, "components", "schemas",
	                 schemas_of(rest, components));
}
