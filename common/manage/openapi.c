/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The OpenAPI 3.1 document, from route tables. What the library answers by itself on any route is told on
 * each; what handlers answer stands in their rows. Pure.
 */
#include "manage/openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/problem.h"
#include "manage/rest_private.h"
#include "manage/strbuf.h"

/* --- parameters --- */

static json_t *text_type(const char *type)
{
	return json_pack("{s:s}", "type", type);
}

static json_t *query_parameter(const struct query_parameter *one)
{
	json_t *schema = text_type(one->type);
	if (one->max) {
		json_object_set_new(schema, "minimum", json_integer(one->min));
		json_object_set_new(schema, "maximum", json_integer(one->max));
	}
	json_t *json = json_pack("{s:s, s:s, s:o}", "name", one->name, "in", "query", "schema", schema);
	if (one->help)
		json_object_set_new(json, "description", json_string(one->help));
	return json;
}

static json_t *query_parameters(const char *names)
{
	json_t *list = json_array();
	struct query_parameter one;
	char name[32];
	while (query_next(&names, &one, name, sizeof name))
		json_array_append_new(list, query_parameter(&one));
	return list;
}

static json_t *path_parameters(const char *pattern)
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

/* "{rest*}" is "{rest}" in OpenAPI, which has no tails. */
static char *path_text(const char *pattern)
{
	struct strbuf out = { 0 };
	for (; *pattern; pattern++)
		if (*pattern != '*' || pattern[1] != '}')
			strbuf_putc(&out, *pattern);
	return strbuf_take(&out, NULL);
}

/* --- bodies --- */

/* "Name", or of "Name[]" a list of them. */
static json_t *reference(const char *component)
{
	size_t length = strcspn(component, "[");
	json_t *one =
	        json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%.*s", (int)length, component));
	return component[length] ? json_pack("{s:s, s:o}", "type", "array", "items", one) : one;
}

static void add_content(json_t *content, const char *type, size_t length, const char *component)
{
	char name[128];
	snprintf(name, sizeof name, "%.*s", (int)length, type);
	json_object_set_new(content, name,
	                    json_pack("{s:o}", "schema", component ? reference(component) : json_object()));
}

static json_t *request_body(const struct rest_method *method)
{
	static const struct {
		unsigned accepts;
		const char *type;
	} types[] = { { REST_JSON, "application/json" },
		      { REST_MERGE_PATCH, "application/merge-patch+json" },
		      { REST_NDJSON, "application/x-ndjson" },
		      { REST_BINARY, "application/octet-stream" },
		      { REST_ANY, "*/*" } };
	unsigned accepts = method->accepts ? method->accepts : REST_JSON;
	json_t *content = json_object();
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (accepts & types[i].accepts)
			add_content(content, types[i].type, strlen(types[i].type),
			            types[i].accepts & (REST_NDJSON | REST_BINARY | REST_ANY) ? NULL
			                                                                      : method->body);
	return json_pack("{s:o}", "content", content);
}

/* --- responses --- */

static const char always[] = "400 401 403 429 431 500 503";

static void add_success(json_t *responses, const char *status, const struct rest_method *method)
{
	json_t *response = json_pack("{s:s}", "description", problem_phrase((unsigned)atoi(status))),
	       *content = json_object();
	const char *types = method->types ? method->types : "application/json";
	while (*(types += strspn(types, " "))) {
		size_t length = strcspn(types, " ");
		bool json = !strncmp(types, "application/json", length);
		add_content(content, types, length, json ? method->answer : NULL);
		types += length;
	}
	if (strcmp(status, "204") && strcmp(status, "304"))
		json_object_set(response, "content", content);
	json_decref(content);
	json_object_set_new(responses, status, response);
}

static void add_statuses(json_t *responses, const char *statuses, const struct rest_method *method)
{
	char status[4] = "";
	for (; *(statuses += strspn(statuses, " ")); statuses += 3) {
		snprintf(status, sizeof status, "%.3s", statuses);
		if (*status < '4')
			add_success(responses, status, method);
		else
			json_object_set_new(responses, status,
			                    json_pack("{s:s}", "$ref", "#/components/responses/Problem"));
	}
}

/* What a handler may answer, where its row says nothing. */
static const char *usual(const struct rest_route *route, const struct rest_method *method)
{
	if (method->statuses)
		return method->statuses;
	if (method == &route->get)
		return strchr(route->pattern, '{') ? "200 404" : "200";
	return "200 201 202 204 404 409 412 422";
}

static json_t *responses_of(const struct rest_route *route, const struct rest_method *method, bool has_body)
{
	json_t *responses = json_object();
	add_statuses(responses, usual(route, method), method);
	add_statuses(responses, always, method);
	if (has_body)
		add_statuses(responses, "413 415", method);
	return responses;
}

/* --- operations --- */

static json_t *operation_id(const char *name, const char *pattern)
{
	struct strbuf out = { 0 };
	strbuf_puts(&out, name);
	for (; *pattern; pattern++)
		if (isalnum((unsigned char)*pattern))
			strbuf_putc(&out, *pattern);
		else if (strchr("/:.", *pattern))
			strbuf_putc(&out, '_');
	char *text = strbuf_take(&out, NULL);
	json_t *json = json_string(text ? text : name);
	free(text);
	return json;
}

static void add_role(json_t *operation, const struct rest_route *route, const struct rest_method *method)
{
	bool reads = method == &route->get;
	enum role least = method->role ? method->role : reads ? ROLE_VIEWER : ROLE_OPERATOR;
	bool public = reads && route->flags & REST_PUBLIC;
	json_object_set_new(operation, "x-role", json_string(public ? "none" : role_name(least)));
	if (public)
		json_object_set_new(operation, "security", json_array());
}

static void add_method(json_t *item, const char *name, const struct rest_route *route,
                       const struct rest_method *method)
{
	if (!method->handle)
		return;
	bool has_body = method->body || method->accepts || method == &route->put || method == &route->patch;
	json_t *operation = json_pack("{s:o, s:o}", "operationId", operation_id(name, route->pattern),
	                              "responses", responses_of(route, method, has_body));
	json_t *query = query_parameters(method->query);
	if (json_array_size(query))
		json_object_set(operation, "parameters", query);
	json_decref(query);
	if (method->summary)
		json_object_set_new(operation, "summary", json_string(method->summary));
	if (has_body)
		json_object_set_new(operation, "requestBody", request_body(method));
	add_role(operation, route, method);
	json_object_set_new(item, name, operation);
}

static void add_path(json_t *paths, const struct rest_route *route)
{
	json_t *item = json_object(), *list = path_parameters(route->pattern);
	if (route->summary)
		json_object_set_new(item, "summary", json_string(route->summary));
	if (json_array_size(list))
		json_object_set(item, "parameters", list);
	json_decref(list);
	add_method(item, "get", route, &route->get);
	add_method(item, "put", route, &route->put);
	add_method(item, "patch", route, &route->patch);
	add_method(item, "post", route, &route->post);
	add_method(item, "delete", route, &route->del);
	char *path = path_text(route->pattern);
	json_object_set_new(paths, path ? path : route->pattern, item);
	free(path);
}

/* --- components --- */

static json_t *problem_schema(void)
{
	json_t *text = text_type("string"), *number = text_type("integer"), *kind = text_type("string");
	json_t *error = json_pack("{s:s, s:{s:O, s:O, s:O, s:O, s:O}, s:[s, s]}", "type", "object",
	                          "properties", "path", text, "code", text, "detail", text, "file", text,
	                          "line", number, "required", "code", "detail");
	return json_pack("{s:s, s:{s:o, s:O, s:o, s:o, s:{s:s, s:o}}, s:[s, s, s]}", "type", "object",
	                 "properties", "type", kind, "title", text, "status", number, "detail", text,
	                 "errors", "type", "array", "items", error, "required", "type", "title", "status");
}

static void need_component(json_t *schemas, const char *name)
{
	char text[128];
	if (!name)
		return;
	snprintf(text, sizeof text, "%.*s", (int)strcspn(name, "["), name);
	if (!json_object_get(schemas, text))
		json_object_set_new(schemas, text, text_type("object"));
}

static json_t *schemas_of(const struct rest *rest, const json_t *components)
{
	json_t *schemas = components ? json_copy((json_t *)(uintptr_t)components) : json_object();
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

static json_t *problem_response(void)
{
	return json_pack("{s:s, s:{s:{s:o}}}", "description", "A problem (RFC 9457)", "content", PROBLEM_TYPE,
	                 "schema", reference("Problem"));
}

static json_t *security_schemes(void)
{
	return json_pack("{s:{s:s, s:s}, s:{s:s, s:s, s:s}, s:{s:s}}", "bearer", "type", "http", "scheme",
	                 "bearer", "token", "type", "apiKey", "in", "header", "name", "X-Auth-Token",
	                 "certificate", "type", "mutualTLS");
}

json_t *openapi_open(const struct schema *members)
{
	json_t *schema = schema_to_openapi(members), *property;
	const char *name;
	json_object_del(schema, "additionalProperties");
	json_object_foreach(json_object_get(schema, "properties"), name, property)
	{
		json_object_del(property, "additionalProperties");
		json_object_del(json_object_get(property, "items"), "additionalProperties");
	}
	return schema;
}

json_t *openapi_document(const struct rest *rest, const char *title, const char *version,
                         const json_t *components)
{
	json_t *paths = json_object();
	const struct rest_route *route;
	for (size_t i = 0; (route = rest_route_at(rest, i)); i++)
		add_path(paths, route);
	return json_pack("{s:s, s:{s:s, s:s}, s:o, s:[{s:[]}, {s:[]}, {s:[]}], s:{s:o, s:{s:o}, s:o}}",
	                 "openapi", "3.1.0", "info", "title", title, "version", version, "paths", paths,
	                 "security", "bearer", "token", "certificate", "components", "schemas",
	                 schemas_of(rest, components), "responses", "Problem", problem_response(),
	                 "securitySchemes", security_schemes());
}
