/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What AF_XDP needs of the kernel: a program that gives an interface's frames to the sockets of a map, and a socket with its rings and the memory
 * that frames lie in. Made by the control side in the interface's network namespace; the rings are polled by a worker.
 */
#ifndef SLUICE_PORT_XDP_H
#define SLUICE_PORT_XDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/if_xdp.h>

enum { XDP_FRAME = 4096, XDP_RING = 1024 };

/* One of a socket's four rings, as mapped here. */
struct xdp_ring {
	uint32_t *producer, *consumer, *flags;
	void *entries; /* uint64_t or struct xdp_desc */
	void *map;
	size_t length;
};

/* Addresses of frames to send with. */
struct xdp_free {
	uint32_t count;
	uint64_t frames[XDP_RING];
};

/* Half of the frames are for receiving: they are in the fill ring, or hold what has come. The others are for sending. Frames, and what is known of
 * them, lie in a file in memory: with the two descriptors another process can go on where this one was. */
struct xdp_socket {
	int fd, memory; /* -1: none */
	uint8_t *frames;
	struct xdp_free *free; /* behind the frames */
	struct xdp_ring fill, completion, rx, tx;
};

/* Binds a socket to a queue of an interface. False: errno, and what was asked for in vain. */
bool xdp_socket_open(struct xdp_socket *s, unsigned interface, unsigned queue, const char **asked);
/* Goes on with another process's, which no longer uses it; both descriptors are the socket's afterwards. False: they are none of these, or the kernel does
 * not give the rings of a bound socket again; then they are still the caller's. */
bool xdp_socket_inherit(struct xdp_socket *s, int fd, int memory);
/* The kernel's part ends with the last process that has its descriptors. */
void xdp_socket_close(struct xdp_socket *s);

/* A program on an interface; gone when both descriptors are closed, also by the process's end. */
struct xdp_program {
	int map, link; /* -1: none */
};

/* False: errno, and what was asked for in vain. By the driver, or where it cannot and `commonly` is allowed
 * by the kernel's common way. */
bool xdp_program_attach(struct xdp_program *p, unsigned interface, unsigned queues, bool commonly,
                        const char **asked);
bool xdp_program_add(struct xdp_program *p, unsigned queue, int socket);
void xdp_program_close(struct xdp_program *p);

#endif
