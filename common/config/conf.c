/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tree of a configuration document: building, reading, copying, comparing. Every root is a struct
 * conf_root, which keeps the names of the files that its nodes came from, once each. A tree belongs to who
 * made it until it is freed.
 */
#include "config/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

struct conf_root {
	struct conf conf; /* first: a root is freed and used as a plain node */
	char **files;
	size_t files_count;
};

static bool is_container(const struct conf *c)
{
	return c->type == CONF_GROUP || c->type == CONF_LIST || c->type == CONF_ARRAY;
}

static struct conf_root *root_of(struct conf *c)
{
	while (c->parent)
		c = c->parent;
	return (struct conf_root *)c;
}

static const char *intern_file(struct conf_root *root, const char *file)
{
	for (size_t i = root->files_count; i-- > 0;)
		if (root->files[i] == file || !strcmp(root->files[i], file))
			return root->files[i];
	root->files = memory_grow(root->files, root->files_count, sizeof(*root->files));
	return root->files[root->files_count++] = text_copy(file);
}

static void adopt(struct conf *parent, struct conf *child)
{
	parent->children = memory_grow(parent->children, parent->count, sizeof(*parent->children));
	child->parent = parent;
	child->index = parent->count;
	parent->children[parent->count++] = child;
}

struct conf *conf_new(struct conf *parent, enum conf_type type, const char *name)
{
	struct conf *c = memory_new(1, parent ? sizeof(struct conf) : sizeof(struct conf_root));

	c->type = type;
	if (parent) {
		c->name = text_copy(name);
		adopt(parent, c);
	}
	return c;
}

void conf_set_place(struct conf *c, const char *file, unsigned line)
{
	c->file = file ? intern_file(root_of(c), file) : NULL;
	c->line = line;
}

/* Frees what a node holds, and the nodes below it, but not the node: a root is larger than a node. */
static void clear(struct conf *c)
{
	if (c->type == CONF_STRING)
		free(c->string);
	for (size_t i = 0; i < c->count; i++) {
		clear(c->children[i]);
		free(c->children[i]);
	}
	free(c->children);
	free(c->name);
}

void conf_free(struct conf *root)
{
	if (!root)
		return;
	struct conf_root *owner = root_of(root);
	clear(&owner->conf);
	for (size_t i = 0; i < owner->files_count; i++)
		free(owner->files[i]);
	free(owner->files);
	free(owner);
}

void conf_remove(struct conf *group, const char *name)
{
	struct conf *c = (struct conf *)conf_get(group, name);

	if (!c)
		return;
	size_t at = c->index;
	group->count--;
	memmove(&group->children[at], &group->children[at + 1],
	        (group->count - at) * sizeof(*group->children));
	for (size_t i = at; i < group->count; i++)
		group->children[i]->index = i;
	clear(c);
	free(c);
}

/* The member of that name emptied for a new value, or a new one. */
static struct conf *place_for(struct conf *parent, enum conf_type type, const char *name)
{
	struct conf *old = name ? (struct conf *)conf_get(parent, name) : NULL;

	if (!old)
		return conf_new(parent, type, name);
	char *kept = old->name;
	size_t index = old->index;
	old->name = NULL;
	clear(old);
	*old = (struct conf){ .type = type, .name = kept, .parent = parent, .index = index };
	return old;
}

struct conf *conf_set_string(struct conf *group, const char *name, const char *value)
{
	char *copy = text_copy(value ? value : ""); /* first: value may live in the member that it replaces */
	struct conf *c = place_for(group, CONF_STRING, name);

	c->string = copy;
	return c;
}

struct conf *conf_set_int(struct conf *group, const char *name, int64_t value)
{
	struct conf *c = place_for(group, CONF_INT, name);

	c->integer = value;
	return c;
}

struct conf *conf_set_bool(struct conf *group, const char *name, bool value)
{
	struct conf *c = place_for(group, CONF_BOOL, name);

	c->boolean = value;
	return c;
}

struct conf *conf_set_float(struct conf *group, const char *name, double value)
{
	struct conf *c = place_for(group, CONF_FLOAT, name);

	c->real = value;
	return c;
}

static void copy_value(struct conf_root *root, struct conf *to, const struct conf *from)
{
	to->line = from->line;
	to->file = from->file ? intern_file(root, from->file) : NULL;
	switch (from->type) {
	case CONF_BOOL:
		to->boolean = from->boolean;
		break;
	case CONF_INT:
		to->integer = from->integer;
		break;
	case CONF_FLOAT:
		to->real = from->real;
		break;
	case CONF_STRING:
		to->string = text_copy(from->string);
		break;
	default:
		for (size_t i = 0; i < from->count; i++) {
			const struct conf *child = from->children[i];
			copy_value(root, conf_new(to, child->type, child->name), child);
		}
	}
}

struct conf *conf_clone(const struct conf *c)
{
	if (!c)
		return NULL;
	struct conf *root = conf_new(NULL, c->type, NULL);
	copy_value((struct conf_root *)root, root, c);
	return root;
}

/* Copied apart first, because `from` may be part of what it replaces, or hold the parent. */
struct conf *conf_put(struct conf *parent, const char *name, const struct conf *from)
{
	struct conf *copy = conf_clone(from);
	struct conf *c = place_for(parent, from->type, parent->type == CONF_GROUP ? name : NULL);

	copy_value(root_of(parent), c, copy);
	conf_free(copy);
	return c;
}

const struct conf *conf_get(const struct conf *c, const char *name)
{
	if (!c || c->type != CONF_GROUP)
		return NULL;
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->children[i]->name, name))
			return c->children[i];
	return NULL;
}

const struct conf *conf_item(const struct conf *list, const char *key, const char *value)
{
	for (size_t i = 0; i < conf_count(list); i++) {
		const char *found = conf_string(conf_at(list, i), key, NULL);
		if (found && !strcmp(found, value))
			return conf_at(list, i);
	}
	return NULL;
}

static const struct conf *typed(const struct conf *c, const char *name, enum conf_type type)
{
	const struct conf *member = conf_get(c, name);

	return member && member->type == type ? member : NULL;
}

int64_t conf_int(const struct conf *c, const char *name, int64_t otherwise)
{
	const struct conf *member = typed(c, name, CONF_INT);

	return member ? member->integer : otherwise;
}

bool conf_bool(const struct conf *c, const char *name, bool otherwise)
{
	const struct conf *member = typed(c, name, CONF_BOOL);

	return member ? member->boolean : otherwise;
}

double conf_float(const struct conf *c, const char *name, double otherwise)
{
	const struct conf *member = conf_get(c, name);

	if (member && member->type == CONF_INT)
		return (double)member->integer;
	return member && member->type == CONF_FLOAT ? member->real : otherwise;
}

const char *conf_string(const struct conf *c, const char *name, const char *otherwise)
{
	const struct conf *member = typed(c, name, CONF_STRING);

	return member ? member->string : otherwise;
}

size_t conf_count(const struct conf *c)
{
	return c && is_container(c) ? c->count : 0;
}

const struct conf *conf_at(const struct conf *c, size_t i)
{
	return i < conf_count(c) ? c->children[i] : NULL;
}

int conf_path(const struct conf *c, char *text, size_t size)
{
	if (!c || !c->parent) {
		if (size)
			text[0] = '\0';
		return 0;
	}
	int before = conf_path(c->parent, text, size);
	size_t used = (size_t)before < size ? (size_t)before : size;
	int more = c->name ? snprintf(text + used, size - used, "%s%s", before ? "." : "", c->name)
	                   : snprintf(text + used, size - used, "[%zu]", c->index);
	return before + more;
}

void conf_error(struct errors *errors, const struct conf *c, const char *code, const char *format, ...)
{
	char path[1024];
	va_list args;

	conf_path(c, path, sizeof(path));
	va_start(args, format);
	errors_vadd(errors, path, code, c ? c->file : NULL, c ? c->line : 0, format, args);
	va_end(args);
}

static bool equal_groups(const struct conf *a, const struct conf *b)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct conf *member = a->children[i];
		/* Members mostly come in the same order: look there before searching. */
		const struct conf *other = b->children[i];
		if (strcmp(member->name, other->name))
			other = conf_get(b, member->name);
		if (!other || !conf_equal(member, other))
			return false;
	}
	return true;
}

static bool equal_lists(const struct conf *a, const struct conf *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (!conf_equal(a->children[i], b->children[i]))
			return false;
	return true;
}

static bool is_number(const struct conf *c)
{
	return c->type == CONF_INT || c->type == CONF_FLOAT;
}

static bool equal_numbers(const struct conf *a, const struct conf *b)
{
	if (a->type == CONF_INT && b->type == CONF_INT)
		return a->integer == b->integer;
	double x = a->type == CONF_INT ? (double)a->integer : a->real;
	double y = b->type == CONF_INT ? (double)b->integer : b->real;
	return x == y;
}

bool conf_equal(const struct conf *a, const struct conf *b)
{
	if (!a || !b)
		return a == b;
	if (is_number(a) && is_number(b))
		return equal_numbers(a, b);
	if (is_container(a) && is_container(b) && a->count == 0 && b->count == 0)
		return (a->type == CONF_GROUP) == (b->type == CONF_GROUP);
	if (a->type != b->type || a->count != b->count)
		return false;
	switch (a->type) {
	case CONF_BOOL:
		return a->boolean == b->boolean;
	case CONF_STRING:
		return !strcmp(a->string, b->string);
	case CONF_GROUP:
		return equal_groups(a, b);
	default:
		return equal_lists(a, b);
	}
}
