/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any sequence of frames into the edge: ARP and neighbour messages (made of the input, with right checksums and lengths, and
 * raw ones), packets that need neighbours, time that passes. world_close() demands that every packet is accounted for and
 * every mbuf is back. A frame: what (1 byte), length (1), these bytes.
 */
#include <stdlib.h>

#include "../unit/edge/helper_edge.h"

enum { KIND_RAW, KIND_ARP, KIND_ND, KIND_OUT, KINDS, ARP_FRAME = 42 };

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	(void)count;
	(void)arguments;
	return world_eal(NULL);
}

/* As the runtime does it: control frames to worker 0, malformed ones nowhere, packets where they lead. */
static void deliver(struct world *w, struct rte_mbuf *m, unsigned worker)
{
	enum pkt_malformed verdict = pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM);
	struct edge_decision decision;

	if (verdict != PKT_OK && verdict != PKT_NOT_IP)
		rte_pktmbuf_free(m);
	else if (edge_is_control(m))
		world_control(w, m);
	else
		world_input(w, worker, m, &decision);
}

/* A request of a neighbour, with the input's bytes laid over its body. */
static void arp(struct world *w, uint16_t port, const uint8_t *bytes, size_t length)
{
	struct rte_mbuf *m =
	        world_arp(port, 1, (const uint8_t[]){ 255, 255, 255, 255, 255, 255 }, host_mac,
	                  port == LAN ? "10.0.1.9" : "203.0.113.9", port == LAN ? "10.0.1.1" : "203.0.113.1");
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	for (size_t i = 0; i < length && 14 + i < ARP_FRAME; i++)
		frame[14 + i] ^= bytes[i];
	deliver(w, m, 0);
}

/* Type, code, flags, where from and to by one byte, then what follows the fixed words. */
static void nd(struct world *w, uint16_t port, const uint8_t *bytes, size_t length)
{
	static const char *const from[] = { "2001:db8:1::9", "2001:db8:2::9", "fe80::9", "::" };
	static const char *const to[] = { "2001:db8:1::1", "2001:db8:2::1", "ff02::1:ff00:1", "ff02::1" };
	struct packet_spec spec = { .proto = IPPROTO_ICMPV6, .ttl = 255 };

	if (length < 4)
		return;
	spec.icmp_type = (uint8_t)(133 + bytes[0] % 6);
	spec.icmp_code = bytes[0] / 128;
	spec.icmp_id = (uint16_t)(bytes[1] << 8);
	spec.src = from[bytes[2] & 3];
	spec.dst = to[bytes[2] >> 2 & 3];
	spec.ttl = bytes[2] & 64 ? bytes[3] : 255;
	spec.payload = bytes + 4;
	spec.length = (uint16_t)(length - 4);
	deliver(w, world_packet(port, &spec), 0);
}

/* A packet of the engine to a neighbour on the link; it may have to wait for it. */
static void out(struct world *w, uint16_t port, const uint8_t *bytes, size_t length)
{
	char target[48];
	struct packet_spec spec = { .src = "10.0.1.9", .dst = target, .length = 8 };
	uint8_t host = length ? bytes[0] : 1;

	if (host & 1)
		spec.src = "2001:db8:1::9";
	snprintf(target, sizeof(target), host & 1 ? "2001:db8:2::%x" : "203.0.113.%u", host);
	world_output(w, port, world_packet(LAN, &spec));
}

static void step(struct world *w, uint8_t what, const uint8_t *bytes, size_t length)
{
	uint16_t port = what & 4 ? WAN : LAN;

	switch (what % KINDS) {
	case KIND_RAW:
		deliver(w, world_frame(port, bytes, (uint16_t)length), what >> 3 & 1);
		break;
	case KIND_ARP:
		arp(w, port, bytes, length);
		break;
	case KIND_ND:
		nd(w, port, bytes, length);
		break;
	default:
		out(w, what >> 3 & 1, bytes, length);
	}
	world_clear(w);
	if (what & 0x80)
		world_pass(w, (what >> 4 & 7) * 0.5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;

	world_open(&world, world_config, NULL, 0);
	while (size > 2) {
		size_t length = data[1] < size - 2 ? data[1] : size - 2;

		step(&world, data[0], data + 2, length);
		data += 2 + length;
		size -= 2 + length;
	}
	world_close(&world);
	return 0;
}
