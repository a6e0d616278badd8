/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See helper_parse.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "helper_parse.h"

enum pkt_malformed parse_bytes(const struct rte_mbuf *from, uint32_t keep, unsigned verify, struct pkt *found)
{
	struct rte_mbuf *m = packet_tight(rte_pktmbuf_mtod(from, void *), keep ? keep : from->data_len);
	enum pkt_malformed kind = pkt_parse(m, verify), again;

	*found = *pkt_of(m);
	pkt_parse_burst(&m, &again, 1, verify);
	assert_int_equal(kind, again);
	packet_free(m);
	return kind;
}

enum pkt_malformed parse_patched(const struct packet_spec *spec, const struct patch *patches, unsigned n,
                                 uint32_t keep)
{
	struct rte_mbuf *m = packet_build(spec);
	enum pkt_malformed kind;
	struct pkt found;

	for (unsigned i = 0; i < n; i++)
		rte_pktmbuf_mtod(m, uint8_t *)[patches[i].at] = patches[i].value;
	kind = parse_bytes(m, keep, 0, &found);
	packet_free(m);
	return kind;
}

enum pkt_malformed patched(const struct packet_spec *spec, uint16_t at, uint8_t value)
{
	return parse_patched(spec, &(struct patch){ at, value }, 1, 0);
}

struct pkt parsed(const struct packet_spec *spec)
{
	struct rte_mbuf *m = packet_build(spec);
	struct pkt found;

	assert_int_equal(parse_bytes(m, 0, PARSE_VERIFY_IP_CHECKSUM, &found), PKT_OK);
	packet_free(m);
	return found;
}

enum pkt_malformed kind_of(const struct packet_spec *spec)
{
	return parse_patched(spec, NULL, 0, 0);
}

struct rte_mbuf *error_about(const struct packet_spec *inner, uint8_t type, uint16_t quote)
{
	struct rte_mbuf *quoted = packet_build(inner), *m;
	bool v6 = inner->src && strchr(inner->src, ':');
	struct packet_spec spec = {
		.src = v6 ? "2001:db8::99" : "10.9.9.9",
		.dst = inner->src,
		.proto = v6 ? 58 : 1,
		.icmp_type = type,
		.payload = rte_pktmbuf_mtod_offset(quoted, void *, 14),
		.length = quote ? quote : quoted->data_len - 14,
	};

	m = packet_build(&spec);
	packet_free(quoted);
	return m;
}
