/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The filter behind share.h, in the classic language of socket filters. Not PACKET_FANOUT: of a group whose members come and go the others' shares change:
 * a filter is a function of the frame alone, so a flow stays with its queue as long as the port lives.
 */
#include "port/share.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <string.h>
#include <sys/socket.h>

#include "packet/tuple.h"

enum {
	TYPE_AT = 12,
	IP4_SRC = ETH_HLEN + 12,
	IP4_END = ETH_HLEN + 20,
	IP6_SRC = ETH_HLEN + 8,
	IP6_END = ETH_HLEN + 40,
	IP6_WORDS = 8,
	STEPS_MAX = 80,
	ALL = 0x40000, /* of a frame that is taken */
};

struct filter {
	struct sock_filter steps[STEPS_MAX];
	unsigned short count;
};

static void step(struct filter *f, uint16_t code, uint32_t value)
{
	f->steps[f->count++] = (struct sock_filter)BPF_STMT(code, value);
}

/* Goes past the next `skip` steps unless the accumulator compares so. */
static void unless(struct filter *f, uint16_t compare, uint32_t value, unsigned skip)
{
	f->steps[f->count++] =
	        (struct sock_filter)BPF_JUMP(BPF_JMP | compare | BPF_K, value, 0, (uint8_t)skip);
}

/* All words from one offset on together: the accumulator is left with their sum without carry. */
static void fold(struct filter *f, uint32_t at, unsigned words)
{
	step(f, BPF_LD | BPF_W | BPF_ABS, at);
	for (unsigned i = 1; i < words; i++) {
		step(f, BPF_MISC | BPF_TAX, 0);
		step(f, BPF_LD | BPF_W | BPF_ABS, at + 4 * i);
		step(f, BPF_ALU | BPF_XOR | BPF_X, 0);
	}
}

/* Of which queues: one of so many, and one of the former number (0: there is no such). */
struct shares {
	unsigned queue, queues, former;
};

/* The bucket, which is in both registers, is of this queue among so many: taken. */
static void take_if(struct filter *f, unsigned queue, unsigned queues)
{
	step(f, BPF_ALU | BPF_MOD | BPF_K, queues);
	unless(f, BPF_JEQ, queue, 1);
	step(f, BPF_RET | BPF_K, ALL);
	step(f, BPF_MISC | BPF_TXA, 0);
}

/* The end of a branch for a family. */
static void decide(struct filter *f, const struct shares *shares)
{
	step(f, BPF_ALU | BPF_MUL | BPF_K, PAIR_FACTOR);
	step(f, BPF_ALU | BPF_RSH | BPF_K, PAIR_SHIFT);
	step(f, BPF_MISC | BPF_TAX, 0);
	take_if(f, shares->queue, shares->queues);
	if (shares->former)
		take_if(f, shares->queue, shares->former);
	step(f, BPF_RET | BPF_K, 0);
}

/* A branch for frames of one type that hold both addresses; others go on behind it. */
static void family(struct filter *f, uint16_t type, uint32_t end, uint32_t at, unsigned words,
                   const struct shares *shares)
{
	struct filter body = { .count = 0 };

	fold(&body, at, words);
	decide(&body, shares);
	step(f, BPF_LD | BPF_H | BPF_ABS, TYPE_AT);
	unless(f, BPF_JEQ, type, body.count + 2u);
	step(f, BPF_LD | BPF_W | BPF_LEN, 0);
	unless(f, BPF_JGE, end, body.count);
	for (unsigned i = 0; i < body.count; i++)
		f->steps[f->count++] = body.steps[i];
}

static bool attach(int socket, const struct shares *shares)
{
	uint32_t others = shares->queue ? 0 : ALL;
	struct filter f = { .count = 0 };
	struct sock_fprog program;

	/* A load from behind the end would refuse the frame at every socket. */
	step(&f, BPF_LD | BPF_W | BPF_LEN, 0);
	f.steps[f.count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ETH_HLEN, 1, 0);
	step(&f, BPF_RET | BPF_K, others);
	family(&f, ETH_P_IP, IP4_END, IP4_SRC, 2, shares);
	family(&f, ETH_P_IPV6, IP6_END, IP6_SRC, IP6_WORDS, shares);
	step(&f, BPF_RET | BPF_K, others);
	program = (struct sock_fprog){ f.count, f.steps };
	return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

bool share_take(int socket, unsigned queue, unsigned queues)
{
	return attach(socket, &(struct shares){ queue, queues, 0 });
}

bool share_take_both(int socket, unsigned queue, unsigned queues, unsigned former)
{
	return attach(socket, &(struct shares){ queue, queues, former });
}

unsigned share_bucket(const uint8_t *frame, size_t length)
{
	uint16_t type = length > ETH_HLEN ? (uint16_t)(frame[TYPE_AT] << 8 | frame[TYPE_AT + 1]) : 0;
	struct tuple t;

	memset(&t, 0, sizeof(t));
	if (type == ETH_P_IP && length >= IP4_END) {
		memcpy(t.src.bytes, frame + IP4_SRC, 4);
		memcpy(t.dst.bytes, frame + IP4_SRC + 4, 4);
	} else if (type == ETH_P_IPV6 && length >= IP6_END) {
		memcpy(t.src.bytes, frame + IP6_SRC, 16);
		memcpy(t.dst.bytes, frame + IP6_SRC + 16, 16);
	}
	return tuple_pair_bucket(&t);
}
