/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks of pcapng (draft-ietf-opsawg-pcapng), in the byte order of this host. Pure. */
#include <string.h>

#include "runtime/look/capture.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINK_ETHERNET = 1,
	OPTION_APPLICATION = 4,
	OPTION_NAME = 2,
	OPTION_RESOLUTION = 9,
	OPTION_FLAGS = 2,
	NANOSECONDS = 9, /* 10^-9 */
};

static size_t put32(uint8_t *to, size_t at, uint32_t value)
{
	memcpy(to + at, &value, sizeof(value));
	return at + sizeof(value);
}

static size_t put16(uint8_t *to, size_t at, uint16_t value)
{
	memcpy(to + at, &value, sizeof(value));
	return at + sizeof(value);
}

/* Fills up to a multiple of four. */
static size_t pad(uint8_t *to, size_t at)
{
	while (at % 4)
		to[at++] = 0;
	return at;
}

static size_t put_option(uint8_t *to, size_t at, uint16_t code, const void *value, uint16_t length)
{
	at = put16(to, at, code);
	at = put16(to, at, length);
	memcpy(to + at, value, length);
	return pad(to, at + length);
}

/* The end of the options, and the block's length at both of its ends. */
static size_t finish(uint8_t *to, size_t at)
{
	at = put32(to, at, 0);
	put32(to, 4, (uint32_t)at + 4);
	return put32(to, at, (uint32_t)at + 4);
}

size_t pcapng_section(uint8_t *to)
{
	static const char application[] = "sluice " SLUICE_VERSION;
	size_t at = put32(to, 0, BLOCK_SECTION);

	at = put32(to, at + 4, BYTE_ORDER_MAGIC);
	at = put16(to, at, 1);
	at = put16(to, at, 0);
	at = put32(to, at, UINT32_MAX); /* length of the section: not said */
	at = put32(to, at, UINT32_MAX);
	at = put_option(to, at, OPTION_APPLICATION, application, sizeof(application) - 1);
	return finish(to, at);
}

size_t pcapng_interface(uint8_t *to, const char *name, uint32_t snap)
{
	const uint8_t resolution = NANOSECONDS;
	size_t at = put32(to, 0, BLOCK_INTERFACE);

	at = put16(to, at + 4, LINK_ETHERNET);
	at = put16(to, at, 0);
	at = put32(to, at, snap);
	at = put_option(to, at, OPTION_NAME, name, (uint16_t)strlen(name));
	at = put_option(to, at, OPTION_RESOLUTION, &resolution, sizeof(resolution));
	return finish(to, at);
}

size_t pcapng_packet(uint8_t *to, const struct capture_head *head)
{
	const uint32_t flags = head->direction;
	size_t at = put32(to, 0, BLOCK_PACKET);

	at = put32(to, at + 4, head->gate);
	at = put32(to, at, (uint32_t)(head->time >> 32));
	at = put32(to, at, (uint32_t)head->time);
	at = put32(to, at, head->kept);
	at = put32(to, at, head->length);
	at = pad(to, at + head->kept);
	at = put_option(to, at, OPTION_FLAGS, &flags, sizeof(flags));
	return finish(to, at);
}
