/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of a fragment; see frag.h for the table's life and owner.
 */
#include <netinet/in.h>

#include "packet/frag_private.h"
#include "packet/parse_private.h"

const char *const frag_result_names[FRAG_RESULTS] = {
	[FRAG_PASS] = "pass",           [FRAG_HOLD] = "hold", [FRAG_DUPLICATE] = "duplicate",
	[FRAG_OVERLAP] = "overlap",     [FRAG_LOST] = "lost", [FRAG_TOO_MANY] = "too-many",
	[FRAG_HOLD_FULL] = "hold-full",
};

/* A fragment as its IP header tells it. */
struct fragment {
	struct frag_key key;
	struct frag_range range;
	bool more;
};

static void read4(struct rte_mbuf *m, struct fragment *f)
{
	const struct pkt *p = pkt_of(m);
	const struct rte_ipv4_hdr *ip = pkt_ip4(m);
	uint16_t field = rte_be_to_cpu_16(ip->fragment_offset);

	f->key.src = ip_v4(ip->src_addr);
	f->key.dst = ip_v4(ip->dst_addr);
	f->key.family = FAMILY_V4;
	f->key.proto = ip->next_proto_id;
	f->key.id = ip->packet_id;
	f->more = field & RTE_IPV4_HDR_MF_FLAG;
	f->range.start = (field & RTE_IPV4_HDR_OFFSET_MASK) * RTE_IPV4_HDR_OFFSET_UNITS;
	f->range.length = p->end - p->l3 - rte_ipv4_hdr_len(ip);
}

/* The parser walked the chain before, so that it is sound and has a fragment header. */
static void read6(struct rte_mbuf *m, struct fragment *f)
{
	const struct pkt *p = pkt_of(m);
	const struct rte_ipv6_hdr *ip = pkt_ip6(m);
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *header;
	struct ext6 x;
	uint16_t field;

	ext6_walk(frame, p->l3 + sizeof(*ip), RTE_MIN(p->end, m->data_len), ip->proto, &x);
	header = frame + x.fragment;
	field = be16_at(header + 2);
	memcpy(f->key.src.bytes, ip->src_addr, 16);
	memcpy(f->key.dst.bytes, ip->dst_addr, 16);
	f->key.family = FAMILY_V6;
	memcpy(&f->key.id, header + 4, sizeof(f->key.id));
	f->more = field & 1;
	f->range.start = field & 0xfff8;
	f->range.length = p->end - x.fragment - 8;
}

static struct fragment read_fragment(struct rte_mbuf *m)
{
	struct fragment f = { 0 };

	f.key.zone = pkt_of(m)->zone;
	f.key.vlan = pkt_of(m)->key_vlan;
	if (pkt_of(m)->flags & PKT_V4)
		read4(m, &f);
	else
		read6(m, &f);
	return f;
}

void frag_place(struct rte_mbuf *m, struct frag_place *place)
{
	struct fragment f = read_fragment(m);

	*place = (struct frag_place){ f.key.id, f.range.start, f.range.length, f.more };
}

/* Against one range that is there already. */
static enum frag_result against(const struct frag_range *there, const struct frag_range *new)
{
	uint32_t there_end = (uint32_t)there->start + there->length;
	uint32_t new_end = (uint32_t) new->start + new->length;

	if (there->start == new->start && there->length == new->length)
		return FRAG_DUPLICATE;
	return new->start < there_end && there->start < new_end ? FRAG_OVERLAP : FRAG_PASS;
}

/* Against the datagram's length, if it is known, and by the fragment if it is the last. */
static bool length_ok(const struct datagram *d, const struct fragment *f)
{
	uint32_t end = (uint32_t)f->range.start + f->range.length;

	if (d->total)
		return f->more ? end < d->total : end == d->total;
	for (unsigned i = 0; !f->more && i < d->ranges; i++)
		if ((uint32_t)d->range[i].start + d->range[i].length > end)
			return false;
	return true;
}

static enum frag_result check(const struct datagram *d, const struct fragment *f)
{
	if (d->lost)
		return FRAG_LOST;
	for (unsigned i = 0; i < d->ranges; i++) {
		enum frag_result result = against(&d->range[i], &f->range);

		if (result != FRAG_PASS)
			return result;
	}
	if (!length_ok(d, f))
		return FRAG_OVERLAP;
	return d->ranges == FRAG_RANGES ? FRAG_TOO_MANY : FRAG_PASS;
}

static void note(struct datagram *d, const struct fragment *f)
{
	d->range[d->ranges++] = f->range;
	d->covered += f->range.length;
	if (!f->more)
		d->total = (uint32_t)f->range.start + f->range.length;
}

static enum frag_list seen_list(const struct datagram *d)
{
	return d->key.family == FAMILY_V4 ? FRAG_SEEN4 : FRAG_SEEN6;
}

static void learn(struct datagram *d, const struct pkt *p)
{
	d->proto = p->proto;
	d->sport = p->sport;
	d->dport = p->dport;
	d->icmp_type = p->icmp_type;
	d->icmp_code = p->icmp_code;
	d->query = p->flags & PKT_ICMP_QUERY;
}

static void teach(const struct datagram *d, struct pkt *p)
{
	p->proto = d->proto;
	p->sport = d->sport;
	p->dport = d->dport;
	p->icmp_type = d->icmp_type;
	p->icmp_code = d->icmp_code;
	p->flags |= d->query;
}

/* The datagram cannot be put together any more: what is held goes, and what still comes, until its time is
 * over. */
static unsigned lose(struct frag_table *t, struct datagram *d, uint64_t now, struct rte_mbuf **out)
{
	d->lost = true;
	if (d->list == FRAG_AWAITING)
		frag_move(t, d, seen_list(d), now);
	return frag_release(t, d, out);
}

static enum frag_result refuse(struct frag_table *t, struct datagram *d, enum frag_result why, uint64_t now,
                               struct rte_mbuf *m, struct rte_mbuf **out, unsigned *n_out)
{
	out[0] = m;
	*n_out = 1;
	if (why == FRAG_OVERLAP || why == FRAG_TOO_MANY)
		*n_out += lose(t, d, now, out + 1);
	return why;
}

static enum frag_result hold(struct frag_table *t, struct datagram *d, const struct fragment *f,
                             struct rte_mbuf *m, struct rte_mbuf **out, unsigned *n_out)
{
	if (frag_keep(t, d, m)) {
		note(d, f);
		return FRAG_HOLD;
	}
	if (d->ranges == 0)
		frag_remove(t, d);
	out[0] = m;
	*n_out = 1;
	return FRAG_HOLD_FULL;
}

static enum frag_result pass(struct frag_table *t, struct datagram *d, const struct fragment *f, uint64_t now,
                             struct rte_mbuf *m, struct rte_mbuf **out, unsigned *n_out)
{
	bool first = f->range.start == 0;

	note(d, f);
	out[0] = m;
	*n_out = 1;
	if (first) {
		learn(d, pkt_of(m));
		frag_move(t, d, seen_list(d), now);
		*n_out += frag_release(t, d, out + 1);
	}
	for (unsigned i = first; i < *n_out; i++)
		teach(d, pkt_of(out[i]));
	if (d->total && d->covered == d->total)
		frag_remove(t, d);
	return FRAG_PASS;
}

enum frag_result frag_input(struct frag_table *t, struct rte_mbuf *m, uint64_t now, struct rte_mbuf **out,
                            unsigned *n_out)
{
	struct fragment f = read_fragment(m);
	uint32_t hash = frag_hash(t, &f.key);
	struct datagram *d = frag_find(t, &f.key, hash);
	enum frag_result result;

	*n_out = 0;
	if (!d)
		d = frag_add(t, &f.key, hash, now);
	result = check(d, &f);
	if (result != FRAG_PASS)
		return refuse(t, d, result, now, m, out, n_out);
	if (d->list == FRAG_AWAITING && f.range.start != 0)
		return hold(t, d, &f, m, out, n_out);
	return pass(t, d, &f, now, m, out, n_out);
}
