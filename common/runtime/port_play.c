/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports for measuring: templates in memory are played round and round at full speed, and what is sent is freed. `replay:` takes
 * its templates from a capture, `synth:` makes UDP flows by a seed, or (learn=1) learns them: it plays, turned round, what it has been sent, so that the answers to
 * translated flows come in as they would; silent=1 only swallows. One worker plays (queue 0).
 */
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>
#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "packet/pkt.h"
#include "runtime/port.h"

enum { TEMPLATE_BYTES = 64, PLAY_BURST = 64 };

struct template
{
	uint8_t bytes[TEMPLATE_BYTES];
};

struct play {
	struct template *templates; /* one cache line each: the head of a frame */
	uint16_t *lengths;          /* NULL: all of `length` */
	uint32_t count, room, next;
	uint16_t length;
	bool learns; /* what is sent becomes a template, turned round, until `room` are there */
	bool silent; /* nothing to receive */
	bool asked; /* an ARP request was sent: `answer` is the next frame to be received */
	uint8_t answer[RTE_ETHER_HDR_LEN + 28];
};

/* The one neighbour of such a port answers for every address. */
static void note_arp(struct play *play, struct rte_mbuf *m)
{
	static const uint8_t mac[6] = { 0x02, 0xaa, 0, 0, 0, 1 };
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint8_t *answer = play->answer, *arp = answer + RTE_ETHER_HDR_LEN;

	if (frame[12] != 0x08 || frame[13] != 0x06 || frame[21] != 1)
		return;
	memcpy(answer, frame, sizeof(play->answer));
	memcpy(answer, frame + 6, 6);
	memcpy(answer + 6, mac, 6);
	arp[7] = 2;
	memcpy(arp + 8, mac, 6);
	memcpy(arp + 14, frame + RTE_ETHER_HDR_LEN + 24, 4);
	memcpy(arp + 18, frame + RTE_ETHER_HDR_LEN + 8, 10);
	play->asked = true;
}

static uint16_t give_answer(struct port *port, struct play *play, struct rte_mbuf **m)
{
	play->asked = false;
	m[0] = rte_pktmbuf_alloc(port->pool);
	if (!m[0])
		return 0;
	memcpy(rte_pktmbuf_append(m[0], sizeof(play->answer)), play->answer, sizeof(play->answer));
	return 1;
}

static uint16_t play_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct play *play = port->private;

	if (unlikely(play->asked))
		return give_answer(port, play, m);
	if (queue || play->silent || !play->count ||
	    rte_pktmbuf_alloc_bulk(port->pool, m, n) != 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		uint32_t at = play->next;
		uint16_t length = play->lengths ? play->lengths[at] : play->length;

		rte_memcpy(rte_pktmbuf_mtod(m[i], void *), play->templates[at].bytes, TEMPLATE_BYTES);
		m[i]->data_len = length;
		m[i]->pkt_len = length;
		play->next = at + 1 >= play->count ? 0 : at + 1;
		rte_prefetch0(&play->templates[play->next + 8 < play->count ? play->next + 8 : 0]);
	}
	return n;
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t x = a[i];

		a[i] = b[i];
		b[i] = x;
	}
}

/* The frame that would answer this one; sums stay true, for they do not mind the order. */
static void learn(struct play *play, struct rte_mbuf *m)
{
	struct template *t = &play->templates[play->count];
	uint8_t *ip = t->bytes + RTE_ETHER_HDR_LEN;

	memcpy(t->bytes, rte_pktmbuf_mtod(m, void *), TEMPLATE_BYTES);
	swap(t->bytes, t->bytes + 6, 6);
	swap(ip + 12, ip + 16, 4);
	swap(ip + 20, ip + 22, 2);
	ip[8] = 64;
	ip[10] = ip[11] = 0;
	memcpy(ip + 10, &(uint16_t){ rte_ipv4_cksum((struct rte_ipv4_hdr *)ip) }, 2);
	play->count++;
}

static uint16_t play_tx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct play *play = port->private;

	(void)queue;
	for (uint16_t i = 0; i < n; i++)
		note_arp(play, m[i]);
	if (unlikely(play->learns && play->count < play->room))
		for (uint16_t i = 0; i < n && play->count < play->room; i++)
			if (rte_pktmbuf_mtod(m[i], const uint8_t *)[13] == 0)
				learn(play, m[i]);
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

static bool play_up(struct port *port)
{
	(void)port;
	return true;
}

static void play_close(struct port *port)
{
	struct play *play = port->private;

	free(play->templates);
	free(play->lengths);
	free(play);
}

static const struct port_ops play_ops = { play_rx, play_tx, play_up, play_close };

static struct play *new_play(struct port *port, const struct port_options *options, uint32_t room,
                             struct errors *errors)
{
	struct play *play = calloc(1, sizeof(*play));

	if (play)
		play->templates = aligned_alloc(RTE_CACHE_LINE_SIZE, (size_t)room * sizeof(struct template));
	if (!play || !play->templates) {
		port_error(errors, options, "no-memory", "not enough memory for %u templates", room);
		free(play);
		return NULL;
	}
	memset(play->templates, 0, (size_t)room * sizeof(struct template));
	play->room = room;
	port->private = play;
	port->ops = &play_ops;
	port->rx_queues = 1;
	port->tx_queues = options->queues;
	memcpy(port->mac, (uint8_t[]){ 0x02, 0x53, 0x4c, 0, 0, (uint8_t)options->number }, 6);
	return play;
}

static bool add_frame(struct play *play, const struct pcap_pkthdr *header, const uint8_t *bytes)
{
	if (play->count == play->room || header->caplen < RTE_ETHER_HDR_LEN || header->caplen > 2000)
		return play->count < play->room;
	memcpy(play->templates[play->count].bytes, bytes,
	       header->caplen < TEMPLATE_BYTES ? header->caplen : TEMPLATE_BYTES);
	play->lengths[play->count++] = (uint16_t)header->caplen;
	return true;
}

bool port_open_replay(struct port *port, const struct port_options *options, const char *rest,
                      struct errors *errors)
{
	uint32_t room = port_option(rest, "frames", 65536);
	char path[PORT_URL_MAX], why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	struct play *play;
	pcap_t *pcap;

	port_path(rest, path, sizeof(path));
	pcap = pcap_open_offline(path, why);
	if (!pcap) {
		port_error(errors, options, "no-file", "cannot read the capture: %s", why);
		return false;
	}
	play = new_play(port, options, room, errors);
	if (play)
		play->lengths = calloc(room, sizeof(*play->lengths));
	while (play && play->lengths && pcap_next_ex(pcap, &header, &bytes) == 1 &&
	       add_frame(play, header, bytes))
		continue;
	pcap_close(pcap);
	if (play)
		play->silent = play->count == 0;
	return play != NULL;
}

/* A UDP frame of flow i: 10.x.y.z to 198.18.y.z, ports by the seed. */
static void make_flow(struct template *t, uint32_t i, uint32_t seed, uint16_t length)
{
	uint32_t random = rte_hash_crc_4byte(i, seed);
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)t->bytes;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ether + 1);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	memcpy(&ether->src_addr, (uint8_t[]){ 0x02, 0xaa, 0, 0, 0, 1 }, 6);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = 0x45;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(length - RTE_ETHER_HDR_LEN));
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_UDP;
	ip->src_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 2) + (i & 0xfffff));
	ip->dst_addr = rte_cpu_to_be_32(RTE_IPV4(198, 18, 0, 1) + (random & 0xffff));
	udp->src_port = rte_cpu_to_be_16((uint16_t)(1024 + (random >> 16) % 60000));
	udp->dst_port = rte_cpu_to_be_16((uint16_t)(1024 + i % 50000));
	udp->dgram_len = rte_cpu_to_be_16((uint16_t)(length - RTE_ETHER_HDR_LEN - sizeof(*ip)));
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

bool port_open_synth(struct port *port, const struct port_options *options, const char *rest,
                     struct errors *errors)
{
	uint32_t flows = port_option(rest, "flows", 65536), seed = port_option(rest, "seed", 1);
	unsigned size = port_option(rest, "size", 64);
	struct play *play;

	if (flows < 1 || size < 60 || size > 1518) {
		port_error(errors, options, "bad-option", "flows must be at least 1, size 60 to 1518 bytes");
		return false;
	}
	play = new_play(port, options, flows, errors);
	if (!play)
		return false;
	play->length = (uint16_t)size;
	play->learns = port_option(rest, "learn", 0) != 0;
	play->silent = port_option(rest, "silent", 0) != 0;
	if (play->learns || play->silent)
		return true;
	for (uint32_t i = 0; i < flows; i++) {
		memcpy(play->templates[i].bytes, port->mac, 6);
		make_flow(&play->templates[i], i, seed, (uint16_t)size);
	}
	play->count = flows;
	return true;
}
