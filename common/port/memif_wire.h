/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared memory packet interface (memif), version 2.0, as both ends see it: messages over a SOCK_SEQPACKET socket,
 * and rings of descriptors in memory that the client makes and the server maps. Only shapes and numbers. All of it is
 * in the order of the machine, for both ends are on one.
 */
#ifndef SLUICE_PORT_MEMIF_WIRE_H
#define SLUICE_PORT_MEMIF_WIRE_H

#include <stdint.h>

enum {
	MEMIF_COOKIE = 0x3e31f20,
	MEMIF_VERSION = 2 << 8,
	MEMIF_NAME = 32,
	MEMIF_SECRET = 24,
	MEMIF_TEXT = 96,
	MEMIF_MODE_ETHERNET = 0,
};

enum memif_type {
	MEMIF_ACK = 1,
	MEMIF_HELLO,
	MEMIF_INIT,
	MEMIF_ADD_REGION,
	MEMIF_ADD_RING,
	MEMIF_CONNECT,
	MEMIF_CONNECTED,
	MEMIF_DISCONNECT,
};

struct memif_hello {
	uint8_t name[MEMIF_NAME];
	uint16_t min_version, max_version, max_region, max_from_server, max_from_client;
	uint8_t max_log2_size;
} __attribute__((packed));

struct memif_init {
	uint16_t version;
	uint32_t id;
	uint8_t mode;
	uint8_t secret[MEMIF_SECRET];
	uint8_t name[MEMIF_NAME];
} __attribute__((packed));

struct memif_add_region {
	uint16_t index;
	uint64_t size;
} __attribute__((packed));

enum { MEMIF_RING_FROM_CLIENT = 1 }; /* flags of an added ring */

struct memif_add_ring {
	uint16_t flags, index, region;
	uint32_t offset;
	uint8_t log2_size;
	uint16_t private_size;
} __attribute__((packed));

struct memif_message {
	uint16_t type;
	union {
		struct memif_hello hello;
		struct memif_init init;
		struct memif_add_region region;
		struct memif_add_ring ring;
		uint8_t name[MEMIF_NAME]; /* of CONNECT and CONNECTED */
		struct {
			uint32_t code;
			uint8_t text[MEMIF_TEXT];
		} __attribute__((packed)) disconnect;
	};
} __attribute__((packed, aligned(128)));

_Static_assert(sizeof(struct memif_message) == 128, "a message has 128 bytes");

/* A packet's buffer, or a part of one. */
struct memif_desc {
	uint16_t flags, region;
	uint32_t length, offset, metadata;
};

enum { MEMIF_DESC_NEXT = 1, MEMIF_RING_NO_INTERRUPT = 1 };

/*
 * The client writes head, the server tail; buffers are the client's. Toward the server, what lies between tail and head
 * are packets; toward the client they are empty buffers, and those before tail hold packets.
 */
struct memif_ring {
	uint32_t cookie;
	uint16_t flags, head;
	uint8_t rest[56];
	uint16_t tail;
	uint8_t more[62];
	struct memif_desc desc[];
};

_Static_assert(sizeof(struct memif_ring) == 128, "descriptors are in the ring's third line");

#endif
