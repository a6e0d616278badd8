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
#include "port/port.h"

enum { TEMPLATE_BYTES = 64, AHEAD = 8, ANSWERS_MAX = 32, NEIGHBOUR_BYTES = RTE_ETHER_HDR_LEN + 28 };

struct template
{
	uint8_t bytes[TEMPLATE_BYTES];
};

/* A frame of a capture: its first template of as many as it needs. */
struct span {
	uint32_t first;
	uint16_t length;
};

struct play {
	struct template *templates; /* one cache line each */
	struct span *spans;         /* of a capture; NULL: each template is the head of a frame of `length` */
	uint64_t
	        rearm; /* the word of an mbuf that its receiver sets: room before the frame, one reference, one segment */
	uint32_t count, room, next;
	uint16_t length;
	bool learns;    /* what is sent becomes a template, turned round, until `room` are there */
	bool silent;    /* nothing to receive */
	uint32_t asked; /* ARP requests that were sent: their answers are the next frames to be received */
	uint8_t answers[ANSWERS_MAX][NEIGHBOUR_BYTES];
};

/* The one neighbour of such a port answers for every address. */
static void note_arp(struct play *play, struct rte_mbuf *m)
{
	static const uint8_t mac[6] = { 0x02, 0xaa, 0, 0, 0, 1 };
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint8_t *answer, *arp;

	if (frame[12] != 0x08 || frame[13] != 0x06 || frame[21] != 1 || play->asked == ANSWERS_MAX)
		return;
	answer = play->answers[play->asked++ % ANSWERS_MAX];
	arp = answer + RTE_ETHER_HDR_LEN;
	memcpy(answer, frame, NEIGHBOUR_BYTES);
	memcpy(answer, frame + 6, 6);
	memcpy(answer + 6, mac, 6);
	arp[7] = 2;
	memcpy(arp + 8, mac, 6);
	memcpy(arp + 14, frame + RTE_ETHER_HDR_LEN + 24, 4);
	memcpy(arp + 18, frame + RTE_ETHER_HDR_LEN + 8, 10);
}

static uint16_t give_answer(struct port *port, struct play *play, struct rte_mbuf **m)
{
	m[0] = rte_pktmbuf_alloc(port->pool);
	if (!m[0])
		return 0;
	memcpy(rte_pktmbuf_append(m[0], NEIGHBOUR_BYTES), play->answers[--play->asked % ANSWERS_MAX],
	       NEIGHBOUR_BYTES);
	return 1;
}

/* An mbuf as it lies in its pool has one reference, one segment and nothing behind it, so the second of its cache lines
 * need not be touched. */
static void wake(const struct play *play, struct rte_mbuf *m, uint16_t length)
{
	memcpy(&m->rearm_data, &play->rearm, sizeof(play->rearm));
	m->ol_flags = 0;
	m->packet_type = 0;
	m->data_len = length;
	m->pkt_len = length;
}

static void give_heads(struct play *play, struct rte_mbuf **m, uint16_t n)
{
	const struct template *t = &play->templates[play->next];

	for (uint16_t i = 0; i < n; i++) {
		wake(play, m[i], play->length);
		rte_prefetch0(t + i + AHEAD);
		memcpy((uint8_t *)m[i]->buf_addr + RTE_PKTMBUF_HEADROOM, t[i].bytes, TEMPLATE_BYTES);
	}
}

static void give_frames(struct play *play, struct rte_mbuf **m, uint16_t n)
{
	const struct span *span = &play->spans[play->next];

	for (uint16_t i = 0; i < n; i++) {
		wake(play, m[i], span[i].length);
		rte_memcpy((uint8_t *)m[i]->buf_addr + RTE_PKTMBUF_HEADROOM,
		           play->templates[span[i].first].bytes, span[i].length);
	}
}

static uint16_t play_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct play *play = port->private;
	uint32_t left = play->count - play->next;

	if (unlikely(play->asked))
		return queue ? 0 : give_answer(port, play, m);
	if (n > left)
		n = (uint16_t)left; /* a burst ends with the round */
	if (queue || play->silent || !n || rte_mempool_get_bulk(port->pool, (void **)m, n) != 0)
		return 0;
	if (play->spans)
		give_frames(play, m, n);
	else
		give_heads(play, m, n);
	play->next = play->next + n == play->count ? 0 : play->next + n;
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

/* Whether it can go back to its pool as it is: one reference, one segment, its own buffer. */
static bool plain(const struct rte_mbuf *m, const struct rte_mempool *pool)
{
	return (m->pool == pool) & (m->refcnt == 1) & (m->nb_segs == 1) &
	       !(m->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL));
}

static void give_back(struct port *port, struct rte_mbuf **m, uint16_t n)
{
	bool all = true;

	for (uint16_t i = 0; i < n; i++)
		all &= plain(m[i], port->pool);
	if (likely(all))
		rte_mempool_put_bulk(port->pool, (void **)m, n);
	else
		rte_pktmbuf_free_bulk(m, n);
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
	give_back(port, m, n);
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
	free(play->spans);
	free(play);
}

static const struct port_ops play_ops = { play_rx, play_tx, play_up, play_close, NULL, NULL, NULL };

static uint64_t rearm_word(void)
{
	struct rte_mbuf m = {
		.data_off = RTE_PKTMBUF_HEADROOM, .refcnt = 1, .nb_segs = 1, .port = RTE_MBUF_PORT_INVALID
	};
	uint64_t word;

	memcpy(&word, &m.rearm_data, sizeof(word));
	return word;
}

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
	play->rearm = rearm_word();
	port->private = play;
	port->ops = &play_ops;
	port->rx_queues = 1;
	port->tx_queues = options->queues;
	memcpy(port->mac, (uint8_t[]){ 0x02, 0x53, 0x4c, 0, 0, (uint8_t)options->number }, 6);
	return play;
}

/* Templates that a frame takes. */
static uint32_t lines_of(uint32_t length)
{
	return (length + TEMPLATE_BYTES - 1) / TEMPLATE_BYTES;
}

/* The captured frames that can be played: whole, and no larger than an mbuf. Their number, and of lines together. */
static uint32_t count_frames(const char *path, uint32_t most, uint32_t room, uint32_t *lines, char *why)
{
	pcap_t *pcap = pcap_open_offline(path, why);
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	uint32_t frames = 0;

	*lines = 0;
	while (pcap && frames < most && pcap_next_ex(pcap, &header, &bytes) == 1) {
		if (header->caplen < header->len || header->caplen > room ||
		    header->caplen < RTE_ETHER_HDR_LEN)
			continue;
		*lines += lines_of(header->caplen);
		frames++;
	}
	if (pcap)
		pcap_close(pcap);
	return frames;
}

/* The same frames in the same order, now kept. */
static void read_frames(struct play *play, const char *path, uint32_t frames, uint32_t room)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, why);
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	uint32_t line = 0;

	while (pcap && play->count < frames && pcap_next_ex(pcap, &header, &bytes) == 1) {
		if (header->caplen < header->len || header->caplen > room ||
		    header->caplen < RTE_ETHER_HDR_LEN || line + lines_of(header->caplen) > play->room)
			continue;
		memcpy(play->templates[line].bytes, bytes, header->caplen);
		play->spans[play->count++] = (struct span){ line, (uint16_t)header->caplen };
		line += lines_of(header->caplen);
	}
	if (pcap)
		pcap_close(pcap);
}

bool port_open_replay(struct port *port, const struct port_options *options, const char *rest,
                      struct errors *errors)
{
	uint32_t room = rte_pktmbuf_data_room_size(port->pool) - RTE_PKTMBUF_HEADROOM, lines, frames;
	char path[PORT_URL_MAX], why[PCAP_ERRBUF_SIZE] = "";
	struct play *play;

	port_path(rest, path, sizeof(path));
	frames = count_frames(path, port_option(rest, "frames", 65536), room, &lines, why);
	if (!frames) {
		port_error(errors, options, "no-file", "cannot be played: %s",
		           why[0] ? why : "the capture holds no whole Ethernet frame");
		return false;
	}
	play = new_play(port, options, lines, errors);
	if (!play)
		return false;
	play->spans = calloc(frames, sizeof(*play->spans));
	if (!play->spans) {
		port_error(errors, options, "no-memory", "not enough memory for %u frames", frames);
		play_close(port);
		return false;
	}
	read_frames(play, path, frames, room);
	return true;
}

/* One of so many addresses from the first on. */
struct addresses {
	uint32_t first, count;
};

/* Where flows come from, and go to. */
struct ends {
	struct addresses sources, targets;
};

/* The source of flow i: one after the other from 10.0.0.2 on, or by the seed where the URL names sources. */
static uint32_t source_of(uint32_t i, uint32_t seed, struct addresses sources)
{
	if (!sources.count)
		return RTE_IPV4(10, 0, 0, 2) + (i & 0xfffff);
	return sources.first + rte_hash_crc_4byte(i, ~seed) % sources.count;
}

/* A UDP frame of flow i; its destination and ports are by the seed. */
static void make_flow(struct template *t, uint32_t i, uint32_t seed, const struct ends *ends, uint16_t length)
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
	ip->src_addr = rte_cpu_to_be_32(source_of(i, seed, ends->sources));
	ip->dst_addr = rte_cpu_to_be_32(ends->targets.first + random % ends->targets.count);
	udp->src_port = rte_cpu_to_be_16((uint16_t)(1024 + (random >> 16) % 60000));
	udp->dst_port = rte_cpu_to_be_16((uint16_t)(1024 + i % 50000));
	udp->dgram_len = rte_cpu_to_be_16((uint16_t)(length - RTE_ETHER_HDR_LEN - sizeof(*ip)));
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

bool port_open_synth(struct port *port, const struct port_options *options, const char *rest,
                     struct errors *errors)
{
	uint32_t flows = port_option(rest, "flows", 65536), seed = port_option(rest, "seed", 1);
	struct ends ends = {
		{ port_option(rest, "from", RTE_IPV4(10, 0, 0, 2)), port_option(rest, "sources", 0) },
		{ port_option(rest, "to", RTE_IPV4(198u, 18, 0, 1)), port_option(rest, "targets", 65536) }
	};
	unsigned size = port_option(rest, "size", 64);
	struct play *play;

	if (flows < 1 || ends.targets.count < 1 || size < 60 || size > 1518) {
		port_error(errors, options, "bad-option",
		           "flows and targets must be at least 1, size 60 to 1518 bytes");
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
		make_flow(&play->templates[i], i, seed, &ends, (uint16_t)size);
	}
	play->count = flows;
	return true;
}
