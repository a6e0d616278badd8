/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets of AF_XDP, their memory and their rings. Control side. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/xdp.h"

enum { FRAMES = 2 * XDP_RING };

static const size_t frames_bytes = (size_t)FRAMES * XDP_FRAME, all_bytes = (size_t)(FRAMES + 4) * XDP_FRAME;

static bool map_ring(struct xdp_ring *r, int fd, const struct xdp_ring_offset *at, uint64_t place,
                     size_t entry)
{
	uint8_t *base;

	r->length = at->desc + XDP_RING * entry;
	base = mmap(NULL, r->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)place);
	if (base == MAP_FAILED)
		return false;
	r->map = base;
	r->producer = (uint32_t *)(base + at->producer);
	r->consumer = (uint32_t *)(base + at->consumer);
	r->flags = (uint32_t *)(base + at->flags);
	r->entries = base + at->desc;
	return true;
}

static bool map_rings(struct xdp_socket *s)
{
	struct xdp_mmap_offsets at;
	socklen_t length = sizeof(at);

	return getsockopt(s->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &length) == 0 && length == sizeof(at) &&
	       map_ring(&s->fill, s->fd, &at.fr, XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t)) &&
	       map_ring(&s->completion, s->fd, &at.cr, XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(uint64_t)) &&
	       map_ring(&s->rx, s->fd, &at.rx, XDP_PGOFF_RX_RING, sizeof(struct xdp_desc)) &&
	       map_ring(&s->tx, s->fd, &at.tx, XDP_PGOFF_TX_RING, sizeof(struct xdp_desc));
}

static bool set(int fd, int option, int value)
{
	return setsockopt(fd, SOL_XDP, option, &value, sizeof(value)) == 0;
}

static bool map_memory(struct xdp_socket *s)
{
	uint8_t *bytes =
	        mmap(NULL, all_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->memory, 0);

	_Static_assert(sizeof(struct xdp_free) <= 4 * XDP_FRAME, "behind the frames");
	if (bytes == MAP_FAILED)
		return false;
	s->frames = bytes;
	s->free = (struct xdp_free *)(bytes + frames_bytes);
	return true;
}

static bool give_memory(struct xdp_socket *s)
{
	struct xdp_umem_reg memory = { .len = frames_bytes, .chunk_size = XDP_FRAME };

	s->memory = memfd_create("xdp-frames", MFD_CLOEXEC);
	if (s->memory < 0 || ftruncate(s->memory, (off_t)all_bytes) < 0 || !map_memory(s))
		return false;
	memory.addr = (uintptr_t)s->frames;
	return setsockopt(s->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)) == 0;
}

static void share_out(struct xdp_socket *s)
{
	uint64_t *fill = s->fill.entries;

	for (uint32_t i = 0; i < XDP_RING; i++) {
		fill[i] = (uint64_t)i * XDP_FRAME;
		s->free->frames[i] = (uint64_t)(XDP_RING + i) * XDP_FRAME;
	}
	s->free->count = XDP_RING;
	__atomic_store_n(s->fill.producer, XDP_RING, __ATOMIC_RELEASE);
}

static bool set_up(struct xdp_socket *s, unsigned interface, unsigned queue, const char **asked)
{
	struct sockaddr_xdp address = { .sxdp_family = AF_XDP,
		                        .sxdp_flags = XDP_USE_NEED_WAKEUP,
		                        .sxdp_ifindex = interface,
		                        .sxdp_queue_id = queue };

	*asked = "a socket";
	s->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return false;
	*asked = "memory and rings of a socket";
	if (!give_memory(s) || !set(s->fd, XDP_UMEM_FILL_RING, XDP_RING) ||
	    !set(s->fd, XDP_UMEM_COMPLETION_RING, XDP_RING) || !set(s->fd, XDP_RX_RING, XDP_RING) ||
	    !set(s->fd, XDP_TX_RING, XDP_RING) || !map_rings(s))
		return false;
	share_out(s);
	*asked = "a queue of the interface";
	return bind(s->fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

bool xdp_socket_open(struct xdp_socket *s, unsigned interface, unsigned queue, const char **asked)
{
	int why;

	memset(s, 0, sizeof(*s));
	s->memory = -1;
	if (set_up(s, interface, queue, asked))
		return true;
	why = errno;
	xdp_socket_close(s);
	errno = why;
	return false;
}

static bool is_ours(const struct xdp_socket *s)
{
	int family = 0, length = sizeof(family);
	struct stat file;

	return getsockopt(s->fd, SOL_SOCKET, SO_DOMAIN, &family, (socklen_t *)&length) == 0 &&
	       family == AF_XDP && fstat(s->memory, &file) == 0 && S_ISREG(file.st_mode) &&
	       file.st_size == (off_t)all_bytes;
}

bool xdp_socket_inherit(struct xdp_socket *s, int fd, int memory)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->memory = memory;
	if (is_ours(s) && map_memory(s) && s->free->count <= XDP_RING && map_rings(s))
		return true;
	s->fd = s->memory = -1;
	xdp_socket_close(s);
	return false;
}

static void unmap(struct xdp_ring *r)
{
	if (r->map)
		munmap(r->map, r->length);
	r->map = NULL;
}

void xdp_socket_close(struct xdp_socket *s)
{
	unmap(&s->fill);
	unmap(&s->completion);
	unmap(&s->rx);
	unmap(&s->tx);
	if (s->fd >= 0)
		close(s->fd);
	if (s->frames)
		munmap(s->frames, all_bytes);
	if (s->memory >= 0)
		close(s->memory);
	s->frames = NULL;
	s->fd = s->memory = -1;
}
