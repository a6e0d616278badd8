/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules over rte_acl; see acl.h. Keys are laid out in four-byte groups behind a first byte, as the library wants them. */
#include "match/acl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_acl.h>
#include <rte_byteorder.h>

enum { QUERIES_MAX = 64, FIRST_ROOM = 64, INDEX_MAX = 1 << 24 };

/* Network order, as packets have it. */
struct key4 {
	uint8_t protocol, pad[3];
	uint32_t source, destination;
	uint16_t sport, dport;
	uint16_t from, to;
	uint16_t icmp, spare;
};
struct key6 {
	uint8_t protocol, pad[3];
	uint32_t source[4], destination[4];
	uint16_t sport, dport;
	uint16_t from, to;
	uint16_t icmp, spare;
};

enum { FIELDS4 = 9, FIELDS6 = 15 };

#define FIELD(kind, bytes, number, group, place)                                             \
	{                                                                                    \
		.type = RTE_ACL_FIELD_TYPE_##kind, .size = (bytes), .field_index = (number), \
		.input_index = (group), .offset = (place)                                    \
	}
#define TAIL(key, number, group)                                                          \
	FIELD(RANGE, 2, number, group, offsetof(struct key, sport)),                      \
	        FIELD(RANGE, 2, (number) + 1, group, offsetof(struct key, dport)),        \
	        FIELD(BITMASK, 2, (number) + 2, (group) + 1, offsetof(struct key, from)), \
	        FIELD(BITMASK, 2, (number) + 3, (group) + 1, offsetof(struct key, to)),   \
	        FIELD(RANGE, 2, (number) + 4, (group) + 2, offsetof(struct key, icmp)),   \
	        FIELD(BITMASK, 2, (number) + 5, (group) + 2, offsetof(struct key, spare))
#define WORD(number, place) FIELD(MASK, 4, number, number, place)

static const struct rte_acl_field_def fields4[FIELDS4] = {
	FIELD(BITMASK, 1, 0, 0, offsetof(struct key4, protocol)),
	WORD(1, offsetof(struct key4, source)),
	WORD(2, offsetof(struct key4, destination)),
	TAIL(key4, 3, 3),
};
static const struct rte_acl_field_def fields6[FIELDS6] = {
	FIELD(BITMASK, 1, 0, 0, offsetof(struct key6, protocol)),
	WORD(1, offsetof(struct key6, source[0])),
	WORD(2, offsetof(struct key6, source[1])),
	WORD(3, offsetof(struct key6, source[2])),
	WORD(4, offsetof(struct key6, source[3])),
	WORD(5, offsetof(struct key6, destination[0])),
	WORD(6, offsetof(struct key6, destination[1])),
	WORD(7, offsetof(struct key6, destination[2])),
	WORD(8, offsetof(struct key6, destination[3])),
	TAIL(key6, 9, 9),
};

RTE_ACL_RULE_DEF(rule4, FIELDS4);
RTE_ACL_RULE_DEF(rule6, FIELDS6);

struct acl_builder {
	struct rule4 *list4;
	struct rule6 *list6;
	unsigned count4, room4, count6, room6;
};

struct acl {
	struct rte_acl_ctx *v4, *v6; /* NULL: no rule of that family */
	unsigned users;
};

struct kept {
	struct acl_builder *rules;
	struct acl *acl;
	struct kept *next;
};

struct acl_shelf {
	struct kept *first;
};

struct acl_builder *acl_builder_new(void)
{
	return calloc(1, sizeof(struct acl_builder));
}

void acl_builder_free(struct acl_builder *b)
{
	if (!b)
		return;
	free(b->list4);
	free(b->list6);
	free(b);
}

static void *grow(void *list, unsigned count, unsigned *room, size_t size)
{
	unsigned wanted = *room ? *room * 2 : FIRST_ROOM;
	void *grown;

	if (count < *room)
		return list;
	grown = realloc(list, wanted * size);
	if (grown)
		*room = wanted;
	return grown;
}

static void fill_data(struct rte_acl_rule_data *data, unsigned index)
{
	data->category_mask = 1;
	data->priority = (int32_t)(RTE_ACL_MAX_PRIORITY - (int32_t)index);
	data->userdata = index + 1;
}

/* The fields behind the addresses are alike in both families. */
static void fill_tail(struct rte_acl_field *f, const struct acl_rule *r)
{
	f[0].value.u16 = r->source_first;
	f[0].mask_range.u16 = r->source_last;
	f[1].value.u16 = r->destination_first;
	f[1].mask_range.u16 = r->destination_last;
	f[2].value.u16 = r->from == ACL_ANY_ZONE ? 0 : r->from;
	f[2].mask_range.u16 = r->from == ACL_ANY_ZONE ? 0 : 0xffff;
	f[3].value.u16 = r->to == ACL_ANY_ZONE ? 0 : r->to;
	f[3].mask_range.u16 = r->to == ACL_ANY_ZONE ? 0 : 0xffff;
	f[4].value.u16 = r->icmp_first;
	f[4].mask_range.u16 = r->icmp_last;
	f[5].value.u16 = 0;
	f[5].mask_range.u16 = 0;
}

static void fill_protocol(struct rte_acl_field *f, const struct acl_rule *r)
{
	f->value.u8 = r->any_protocol ? 0 : r->protocol;
	f->mask_range.u8 = r->any_protocol ? 0 : 0xff;
}

/* An address as words in host order, each with the bits that the prefix leaves it. */
static void fill_words(struct rte_acl_field *f, const struct ip_prefix *prefix, unsigned words)
{
	for (unsigned i = 0; i < words; i++) {
		unsigned bits = prefix->length > 32 * i ? prefix->length - 32 * i : 0;
		uint32_t word;

		memcpy(&word, prefix->address.bytes + 4 * i, 4);
		f[i].value.u32 = bits ? rte_be_to_cpu_32(word) : 0;
		f[i].mask_range.u32 = bits > 32 ? 32 : bits;
	}
}

static bool add4(struct acl_builder *b, const struct acl_rule *r, unsigned index)
{
	struct rule4 *list = grow(b->list4, b->count4, &b->room4, sizeof(*list)), *rule;

	if (!list)
		return false;
	b->list4 = list;
	rule = &list[b->count4++];
	memset(rule, 0, sizeof(*rule));
	fill_data(&rule->data, index);
	fill_protocol(&rule->field[0], r);
	fill_words(&rule->field[1], &r->source, 1);
	fill_words(&rule->field[2], &r->destination, 1);
	fill_tail(&rule->field[3], r);
	return true;
}

static bool add6(struct acl_builder *b, const struct acl_rule *r, unsigned index)
{
	struct rule6 *list = grow(b->list6, b->count6, &b->room6, sizeof(*list)), *rule;

	if (!list)
		return false;
	b->list6 = list;
	rule = &list[b->count6++];
	memset(rule, 0, sizeof(*rule));
	fill_data(&rule->data, index);
	fill_protocol(&rule->field[0], r);
	fill_words(&rule->field[1], &r->source, 4);
	fill_words(&rule->field[5], &r->destination, 4);
	fill_tail(&rule->field[9], r);
	return true;
}

bool acl_builder_add(struct acl_builder *b, const struct acl_rule *rule, unsigned index)
{
	if (index >= INDEX_MAX)
		return false;
	return rule->family == FAMILY_V4 ? add4(b, rule, index) : add6(b, rule, index);
}

/* 0, or the negative errno that the library returned; none of these calls sets rte_errno. */
static int compile(struct rte_acl_ctx *context, const void *rules, unsigned count,
                   const struct rte_acl_config *config)
{
	int error = rte_acl_add_rules(context, rules, count);

	if (!error)
		error = rte_acl_build(context, config);
	if (!error && rte_acl_set_ctx_classify(context, RTE_ACL_CLASSIFY_AVX512X32) != 0)
		rte_acl_set_ctx_classify(context, RTE_ACL_CLASSIFY_SSE);
	return error;
}

/* The library knows contexts by name; the address of what they belong to is nobody else's while they live. */
static int build(const struct acl *owner, char family, const void *rules, unsigned count,
                 const struct rte_acl_field_def *fields, unsigned n, struct rte_acl_ctx **context)
{
	char unique[RTE_ACL_NAMESIZE];
	struct rte_acl_param param = { .name = unique,
		                       .socket_id = SOCKET_ID_ANY,
		                       .rule_size = RTE_ACL_RULE_SZ(n),
		                       .max_rule_num = count };
	struct rte_acl_config config = { .num_categories = 1, .num_fields = n };

	if (!count)
		return 0;
	snprintf(unique, sizeof(unique), "acl%c-%p", family, (const void *)owner);
	memcpy(config.defs, fields, n * sizeof(*fields));
	*context = rte_acl_create(&param);
	return *context ? compile(*context, rules, count, &config) : -ENOMEM;
}

/* --- the shelf --- */

struct acl_shelf *acl_shelf_new(void)
{
	return calloc(1, sizeof(struct acl_shelf));
}

void acl_shelf_free(struct acl_shelf *shelf)
{
	while (shelf && shelf->first) {
		struct kept *k = shelf->first;

		shelf->first = k->next;
		acl_builder_free(k->rules);
		acl_free(k->acl);
		free(k);
	}
	free(shelf);
}

/* Rules are filled in whole, padding and all. */
static bool same_rules(const struct acl_builder *a, const struct acl_builder *b)
{
	return a->count4 == b->count4 && a->count6 == b->count6 &&
	       (!a->count4 || memcmp(a->list4, b->list4, a->count4 * sizeof(*a->list4)) == 0) &&
	       (!a->count6 || memcmp(a->list6, b->list6, a->count6 * sizeof(*a->list6)) == 0);
}

static struct acl *find(const struct acl_shelf *shelf, const struct acl_builder *b)
{
	for (const struct kept *k = shelf ? shelf->first : NULL; k; k = k->next)
		if (same_rules(k->rules, b)) {
			k->acl->users++;
			return k->acl;
		}
	return NULL;
}

/* Takes the rules over; without memory it is not kept, and that is all. */
static void put(struct acl_shelf *shelf, struct acl_builder *rules, struct acl *acl)
{
	struct kept *k = shelf ? malloc(sizeof(*k)) : NULL;

	if (!k) {
		acl_builder_free(rules);
		return;
	}
	*k = (struct kept){ rules, acl, shelf->first };
	acl->users++;
	shelf->first = k;
}

int acl_build(struct acl_builder *b, struct acl_shelf *shelf, struct acl **acl)
{
	struct acl *made;
	int error;

	*acl = find(shelf, b);
	if (*acl) {
		acl_builder_free(b);
		return 0;
	}
	made = calloc(1, sizeof(*made));
	error = made ? 0 : -ENOMEM;
	if (!error)
		error = build(made, '4', b->list4, b->count4, fields4, FIELDS4, &made->v4);
	if (!error)
		error = build(made, '6', b->list6, b->count6, fields6, FIELDS6, &made->v6);
	if (error) {
		acl_builder_free(b);
		acl_free(made);
		return error;
	}
	put(shelf, b, made);
	*acl = made;
	return 0;
}

void acl_free(struct acl *acl)
{
	if (!acl || (acl->users && acl->users--))
		return;
	rte_acl_free(acl->v4);
	rte_acl_free(acl->v6);
	free(acl);
}

static void make_key4(struct key4 *k, const struct acl_query *q)
{
	*k = (struct key4){ .protocol = q->tuple.proto,
		            .source = q->tuple.src.v4,
		            .destination = q->tuple.dst.v4,
		            .sport = q->tuple.sport,
		            .dport = q->tuple.dport,
		            .from = rte_cpu_to_be_16(q->from),
		            .to = rte_cpu_to_be_16(q->to),
		            .icmp = rte_cpu_to_be_16(q->icmp) };
}

static void make_key6(struct key6 *k, const struct acl_query *q)
{
	*k = (struct key6){ .protocol = q->tuple.proto,
		            .sport = q->tuple.sport,
		            .dport = q->tuple.dport,
		            .from = rte_cpu_to_be_16(q->from),
		            .to = rte_cpu_to_be_16(q->to),
		            .icmp = rte_cpu_to_be_16(q->icmp) };
	memcpy(k->source, q->tuple.src.bytes, 16);
	memcpy(k->destination, q->tuple.dst.bytes, 16);
}

/* The packets of one family go to the library together; `where` says whose answer is whose. */
static void ask(const struct rte_acl_ctx *context, const uint8_t **keys, const unsigned *where, unsigned n,
                uint32_t *results)
{
	uint32_t found[QUERIES_MAX] = { 0 };

	if (!n || !context)
		return;
	rte_acl_classify(context, keys, found, n, 1);
	for (unsigned i = 0; i < n; i++)
		results[where[i]] = found[i];
}

void acl_classify(const struct acl *acl, const struct acl_query *const *queries, uint32_t *results,
                  unsigned n)
{
	struct key4 keys4[QUERIES_MAX];
	struct key6 keys6[QUERIES_MAX];
	const uint8_t *list4[QUERIES_MAX], *list6[QUERIES_MAX];
	unsigned where4[QUERIES_MAX], where6[QUERIES_MAX], n4 = 0, n6 = 0;

	for (unsigned i = 0; i < n; i++) {
		results[i] = 0;
		if (queries[i]->tuple.family == FAMILY_V4) {
			make_key4(&keys4[n4], queries[i]);
			list4[n4] = (const uint8_t *)&keys4[n4];
			where4[n4++] = i;
		} else {
			make_key6(&keys6[n6], queries[i]);
			list6[n6] = (const uint8_t *)&keys6[n6];
			where6[n6++] = i;
		}
	}
	ask(acl->v4, list4, where4, n4, results);
	ask(acl->v6, list6, where6, n6, results);
}
