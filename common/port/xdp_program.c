/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program of an AF_XDP port, five instructions that are written here by hand: no compiler and no library is needed to have it.
 * Control side.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/if_link.h>

#include "port/xdp.h"

static int bpf(int command, union bpf_attr *attributes)
{
	return (int)syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

static int make_map(unsigned queues)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.map_type = BPF_MAP_TYPE_XSKMAP;
	a.key_size = a.value_size = sizeof(uint32_t);
	a.max_entries = queues;
	return bpf(BPF_MAP_CREATE, &a);
}

/* return redirect_map(map, context->rx_queue_index, XDP_PASS): what comes by a queue without a socket goes to the kernel. */
static int load(int map)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_REG_1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map },
		{ .code = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.prog_type = BPF_PROG_TYPE_XDP;
	a.expected_attach_type = BPF_XDP;
	a.insns = (uintptr_t)code;
	a.insn_cnt = sizeof(code) / sizeof(*code);
	a.license = (uintptr_t) "Dual BSD/GPL";
	memcpy(a.prog_name, "sluice", sizeof("sluice"));
	return bpf(BPF_PROG_LOAD, &a);
}

static int attach(int program, unsigned interface, unsigned how)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.link_create.prog_fd = (uint32_t)program;
	a.link_create.target_ifindex = interface;
	a.link_create.attach_type = BPF_XDP;
	a.link_create.flags = how;
	return bpf(BPF_LINK_CREATE, &a);
}

bool xdp_program_attach(struct xdp_program *p, unsigned interface, unsigned queues, bool commonly,
                        const char **asked)
{
	int program, why;

	p->link = -1;
	*asked = "a map of sockets";
	p->map = make_map(queues);
	if (p->map < 0)
		return false;
	*asked = "a program";
	program = load(p->map);
	if (program >= 0) {
		*asked = "a place for a program on the interface";
		p->link = attach(program, interface, XDP_FLAGS_DRV_MODE);
		if (p->link < 0 && commonly && errno != EBUSY && errno != EPERM)
			p->link = attach(program, interface, XDP_FLAGS_SKB_MODE);
	}
	why = errno;
	if (program >= 0)
		close(program);
	if (p->link >= 0)
		return true;
	xdp_program_close(p);
	errno = why;
	return false;
}

bool xdp_program_add(struct xdp_program *p, unsigned queue, int socket)
{
	uint32_t key = queue, value = (uint32_t)socket;
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.map_fd = (uint32_t)p->map;
	a.key = (uintptr_t)&key;
	a.value = (uintptr_t)&value;
	return bpf(BPF_MAP_UPDATE_ELEM, &a) == 0;
}

void xdp_program_close(struct xdp_program *p)
{
	if (p->link >= 0)
		close(p->link);
	if (p->map >= 0)
		close(p->map);
	p->link = p->map = -1;
}
