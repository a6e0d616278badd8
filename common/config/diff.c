/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The difference of two documents. Lists with a key are matched by it through a hash, so that the work is linear (and
 * n log n for what moved); lists without one by position. What the table does not describe (SCHEMA_ANY) is compared
 * by the same rules, with "name" for the key of its lists where every item has one. One thread, nothing kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/order.h"
#include "config/schema_private.h"
#include "util/memory.h"
#include "util/strmap.h"

/* Groups of more members than this are matched by hash. */
#define FEW 16

struct walk {
	struct conf_diff *diff;
	char *path; /* of the node being compared */
	size_t length, room;
};

static void diff_value(struct walk *w, const struct schema *schema, const struct conf *a,
                       const struct conf *b);

/* Extends the path; returns what to give to leave() afterwards. */
static size_t enter(struct walk *w, const char *before, const char *text, const char *after)
{
	size_t old = w->length, more = strlen(before) + strlen(text) + strlen(after);

	if (w->length + more + 1 > w->room) {
		w->room = 2 * (w->length + more + 1);
		w->path = realloc(w->path, w->room);
		if (!w->path)
			abort();
	}
	w->length += (size_t)sprintf(w->path + w->length, "%s%s%s", before, text, after);
	return old;
}

static size_t enter_member(struct walk *w, const char *name)
{
	return enter(w, w->length ? "." : "", name, "");
}

static size_t enter_item(struct walk *w, const char *key)
{
	return enter(w, "[", key, "]");
}

static void leave(struct walk *w, size_t old)
{
	w->length = old;
	w->path[old] = '\0';
}

static char *value_text(const struct schema *schema, const struct conf *c)
{
	json_t *json = schema_value_to_json(schema, c);
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	json_decref(json);
	return text;
}

/* Takes over `before` and `after`. */
static void emit(struct walk *w, char kind, char *before, char *after)
{
	struct conf_diff *diff = w->diff;

	diff->list = memory_grow(diff->list, diff->count, sizeof(*diff->list));
	diff->list[diff->count++] = (struct conf_change){ text_copy(w->path), kind, before, after };
}

static void emit_value(struct walk *w, const struct schema *schema, const struct conf *a,
                       const struct conf *b)
{
	emit(w,
	     a && b ? '~'
	     : a    ? '-'
	            : '+',
	     a ? value_text(schema, a) : NULL, b ? value_text(schema, b) : NULL);
}

/* --- groups --- */

/* Finds members of one group, by hash if there are many. */
struct finder {
	const struct conf *group;
	struct strmap map;
};

static struct finder finder_of(const struct conf *group)
{
	struct finder f = { .group = group };

	if (group->count > FEW) {
		f.map = strmap_new(group->count);
		for (size_t i = 0; i < group->count; i++)
			strmap_add(&f.map, group->children[i]->name, i);
	}
	return f;
}

static const struct conf *find(const struct finder *f, const char *name)
{
	if (!f->map.slots)
		return conf_get(f->group, name);
	size_t at = strmap_find(&f->map, name);
	return at == STRMAP_NONE ? NULL : f->group->children[at];
}

static void diff_member(struct walk *w, const struct schema *members, const struct conf *a,
                        const struct conf *b)
{
	const char *name = a ? a->name : b->name;
	size_t old = enter_member(w, name);

	diff_value(w, schema_find(members, name), a, b);
	leave(w, old);
}

static void diff_group(struct walk *w, const struct schema *members, const struct conf *a,
                       const struct conf *b)
{
	struct finder in_a = finder_of(a), in_b = finder_of(b);

	for (size_t i = 0; i < a->count; i++)
		diff_member(w, members, a->children[i], find(&in_b, a->children[i]->name));
	for (size_t i = 0; i < b->count; i++)
		if (!find(&in_a, b->children[i]->name))
			diff_member(w, members, NULL, b->children[i]);
	strmap_free(&in_a.map);
	strmap_free(&in_b.map);
}

/* --- lists --- */

/* Maps the keys of a list to positions; false if an item has none, or two have the same. */
static bool map_keys(const struct conf *list, const char *key, struct strmap *map)
{
	char number[SCHEMA_KEY_TEXT];

	*map = strmap_new(list->count);
	for (size_t i = 0; i < list->count; i++) {
		const char *text = schema_key(list->children[i], key, number);
		if (!text || strmap_add(map, text, i) != STRMAP_NONE)
			return false;
	}
	return true;
}

struct keyed {
	const struct schema *schema; /* of the list; NULL: unknown */
	const char *key;
	const struct conf *a, *b;
	struct strmap in_a, in_b;
};

static const struct schema *item_members(const struct schema *schema)
{
	return schema ? schema->members : NULL;
}

/* An item as a value: what the row of its list says of it. */
static struct schema item_row(const struct schema *schema)
{
	return (struct schema){ .type = SCHEMA_GROUP, .members = item_members(schema) };
}

static void diff_item(struct walk *w, const struct keyed *k, const char *key, const struct conf *a,
                      const struct conf *b)
{
	struct schema row = item_row(k->schema);
	size_t old = enter_item(w, key);

	if (a && b)
		diff_group(w, row.members, a, b);
	else
		emit_value(w, row.members ? &row : NULL, a, b);
	leave(w, old);
}

/* Compares the items of a with their namesakes in b; notes where those stand, in a's order. */
static size_t diff_common(struct walk *w, const struct keyed *k, size_t *from, size_t *to)
{
	char number[SCHEMA_KEY_TEXT];
	size_t common = 0;

	for (size_t i = 0; i < k->a->count; i++) {
		const struct conf *item = k->a->children[i];
		const char *key = schema_key(item, k->key, number);
		size_t at = strmap_find(&k->in_b, key);
		diff_item(w, k, key, item, at == STRMAP_NONE ? NULL : k->b->children[at]);
		if (at != STRMAP_NONE) {
			from[common] = i;
			to[common++] = at;
		}
	}
	return common;
}

static void diff_order(struct walk *w, const struct keyed *k, const size_t *from, const size_t *to,
                       size_t common)
{
	bool *moved = memory_new(common, sizeof(*moved));
	char number[SCHEMA_KEY_TEXT];

	order_moved(to, common, moved);
	for (size_t i = 0; i < common; i++) {
		if (!moved[i])
			continue;
		size_t old = enter_item(w, schema_key(k->a->children[from[i]], k->key, number));
		emit(w, '>', text_format("%zu", from[i]), text_format("%zu", to[i]));
		leave(w, old);
	}
	free(moved);
}

static void diff_keyed(struct walk *w, const struct keyed *k)
{
	size_t *from = memory_new(k->a->count, sizeof(*from)), *to = memory_new(k->a->count, sizeof(*to));
	size_t common = diff_common(w, k, from, to);
	char number[SCHEMA_KEY_TEXT];

	for (size_t i = 0; i < k->b->count; i++) {
		const char *key = schema_key(k->b->children[i], k->key, number);
		if (strmap_find(&k->in_a, key) == STRMAP_NONE)
			diff_item(w, k, key, NULL, k->b->children[i]);
	}
	diff_order(w, k, from, to, common);
	free(from);
	free(to);
}

static void diff_by_position(struct walk *w, const struct keyed *k)
{
	size_t most = k->a->count > k->b->count ? k->a->count : k->b->count;
	char position[SCHEMA_KEY_TEXT];

	for (size_t i = 0; i < most; i++) {
		snprintf(position, sizeof(position), "%zu", i);
		diff_item(w, k, position, conf_at(k->a, i), conf_at(k->b, i));
	}
}

static void diff_list(struct walk *w, const struct schema *schema, const struct conf *a, const struct conf *b)
{
	bool known = schema && schema->type == SCHEMA_LIST;
	struct keyed k = {
		.schema = known ? schema : NULL, .key = known ? schema->key : "name", .a = a, .b = b
	};
	bool keyed = k.key && map_keys(a, k.key, &k.in_a) && map_keys(b, k.key, &k.in_b);

	if (keyed)
		diff_keyed(w, &k);
	else
		diff_by_position(w, &k);
	strmap_free(&k.in_a);
	strmap_free(&k.in_b);
}

/* --- values --- */

/* Two lists of groups, one of which may be the empty array that JSON writes for an empty list. */
static bool both_lists(const struct conf *a, const struct conf *b)
{
	bool a_fits = a->type == CONF_LIST || (a->type == CONF_ARRAY && a->count == 0);
	bool b_fits = b->type == CONF_LIST || (b->type == CONF_ARRAY && b->count == 0);

	return a_fits && b_fits;
}

static void diff_value(struct walk *w, const struct schema *schema, const struct conf *a,
                       const struct conf *b)
{
	if (!a || !b)
		emit_value(w, schema, a, b);
	else if (schema && (schema->flags & SCHEMA_SECRET)) {
		if (!conf_equal(a, b))
			emit_value(w, schema, a, b);
	} else if (a->type == CONF_GROUP && b->type == CONF_GROUP)
		diff_group(w, schema ? schema->members : NULL, a, b);
	else if (both_lists(a, b))
		diff_list(w, schema, a, b);
	else if (!conf_equal(a, b))
		emit_value(w, schema, a, b);
}

struct conf_diff schema_diff(const struct schema *members, const struct conf *before,
                             const struct conf *after)
{
	struct conf_diff diff = { NULL, 0 };
	struct conf *nothing = conf_new(NULL, CONF_GROUP, NULL);
	struct walk w = { .diff = &diff, .path = text_copy("") };

	diff_group(&w, members, before ? before : nothing, after ? after : nothing);
	free(w.path);
	conf_free(nothing);
	return diff;
}

void conf_diff_free(struct conf_diff *diff)
{
	for (size_t i = 0; i < diff->count; i++) {
		free(diff->list[i].path);
		free(diff->list[i].before);
		free(diff->list[i].after);
	}
	free(diff->list);
	*diff = (struct conf_diff){ NULL, 0 };
}
