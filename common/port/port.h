/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports: what the engine receives from and sends to, named by URLs (`af_packet:eth1`, `vhost:/run/x.sock?queues=2`). A kind of port is a row of a
 * table in port.c; most are DPDK devices, attached while the process runs (ethdev.c). Opened and closed by the control
 * side; polled by workers, a queue by one worker each.
 */
#ifndef SLUICE_RUNTIME_PORT_H
#define SLUICE_RUNTIME_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "config/conf.h"

enum { PORT_NAME_MAX = 64, PORT_URL_MAX = 256, PORT_QUEUES_MAX = 32, PORT_RING_SIZE = 512 };

struct port;
struct ground;

/* What a port stands on: it is there; it is not, and the port waits for it; it is there again, perhaps another. */
enum port_ground { PORT_STANDS, PORT_WAITS, PORT_BACK };

struct port_bequest;
struct port_bequests;

struct port_ops {
	/* Receives at most n packets of a queue. */
	uint16_t (*rx)(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n);
	/* Sends; answers how many were taken (the caller frees the rest). */
	uint16_t (*tx)(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n);
	bool (*up)(struct port *port); /* whether the other end is there */
	void (*close)(struct port *port);
	/* Frames that the device had but had no room for, since it was opened; NULL: it cannot tell. Any control thread. */
	uint64_t (*missed)(struct port *port);
	/* Looks after what may go away under the port. NULL: nothing does. The main thread, a few times a second. */
	enum port_ground (*tend)(struct port *port);
	/* Takes its link down, so that the neighbour sees none, or gives it back; false: it cannot now. NULL: never can. The main thread. */
	bool (*show_link)(struct port *port, bool up);
};

struct port {
	const struct port_ops *ops;
	uint16_t number;               /* the engine's */
	uint16_t device;               /* DPDK's, where it is one */
	uint16_t rx_queues, tx_queues; /* as obtained: may be fewer than asked for */
	uint8_t mac[6];
	_Atomic uint64_t
	        oversize; /* frames longer than the port can take: left out, not received or not sent */
	_Atomic uint64_t
	        undelivered; /* packets that it took and kept for its peer, who did not come (hold.h) */
	struct rte_mempool *pool;
	void *private; /* of its kind */
	/* Says what it stands on, for a process that takes this one's place (bequest.h); NULL: nothing that could be handed over. Workers have stopped. */
	bool (*bequeath)(struct port *port, struct port_bequest *bequest);
	/* This process is about to leave, and its workers still run: the peer is told to send no more for a moment. Answers whether nothing is on its
	 * way in the port any more; to be asked until it is so. NULL: nothing has to be waited for. */
	bool (*part)(struct port *port);
	struct ground *ground; /* below ports of kernel interfaces (ground.h); else NULL */
	char name[PORT_NAME_MAX];
	char url[PORT_URL_MAX];
	char device_name[PORT_NAME_MAX];
};

struct port_options {
	const char *name;
	const char *url;
	const char *netns; /* NULL: the process's own */
	const char *
	        owner; /* folder of whom the port is for, which interfaces that outlive it bear; NULL: nobody's */
	uint16_t number;
	uint16_t queues; /* one for each worker, if the device has them */
	uint16_t mtu;    /* largest IP packet that is to be sent; 0: the device's own */
	struct rte_mempool *pool;
	const struct conf *where;        /* the place of errors; NULL: they name the port */
	struct port_bequests *inherited; /* from a predecessor; NULL: nothing */
	struct port_bequests *prepared;  /* made ahead; NULL: nothing */
	bool wait; /* an interface or namespace that is not there is waited for; other kinds of ports mind it not */
};

/* Makes ahead what a port will need that is to be opened in a moment, with a predecessor's queues and so many more: what would take long then. A failure is
 * that opening's. The port is not touched. */
void port_prepare(const struct port_options *options, unsigned more, struct port_bequests *prepared);
/* Opens a port; NULL with errors that name the URL and the way out. Waits for no peer. */
struct port *port_open(const struct port_options *options, struct errors *errors);
/* No worker may poll it any more. */
void port_close(struct port *port);
/* Whether the port's other end is there; NULL: no. */
bool port_up(struct port *port);
/* Frames that the device lost for want of room. Any control thread. */
uint64_t port_missed(struct port *port);
/* Looks after what the port stands on. Main thread. */
enum port_ground port_tend(struct port *port);
/* Counts a frame that is too long; rare, hence any worker. */
static inline void port_count_oversize(struct port *port)
{
	atomic_fetch_add_explicit(&port->oversize, 1, memory_order_relaxed);
}
/* For devices that take frames of one segment with so much room before it: sends by `send`, and what it does not take because a frame
 * is otherwise is brought into that shape (a copy), or counted as too long if no mbuf can hold it. Answers how many were taken. */
uint16_t port_send_fit(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n, uint16_t headroom,
                       uint16_t (*send)(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n));
/* Checks a URL without opening anything; `where` names the place of an error. */
bool port_url_check(const char *url, const struct conf *where, struct errors *errors);
/* Whether several ports may have one URL: each is a source or a sink of its own. */
bool port_url_shared(const char *url);

/* One kind. */
struct port_kind {
	const char *prefix; /* "vhost" */
	const char *help;
	bool (*open)(struct port *port, const struct port_options *options, const char *rest,
	             struct errors *errors);
	const char *options[12]; /* names of what may follow a question mark; all of them are numbers */
	bool bare;               /* nothing but options follows the colon */
	bool shared;             /* several ports may have the same URL */
};
extern const struct port_kind port_kinds[]; /* ends with prefix NULL */

/* Opens in port_*.c. `rest` is what follows the colon. */
bool port_open_vhost(struct port *port, const struct port_options *options, const char *rest,
                     struct errors *errors);
bool port_open_virtio(struct port *port, const struct port_options *options, const char *rest,
                      struct errors *errors);
bool port_open_memif(struct port *port, const struct port_options *options, const char *rest,
                     struct errors *errors);
bool port_open_af_packet(struct port *port, const struct port_options *options, const char *rest,
                         struct errors *errors);
bool port_open_af_xdp(struct port *port, const struct port_options *options, const char *rest,
                      struct errors *errors);
bool port_open_tap(struct port *port, const struct port_options *options, const char *rest,
                   struct errors *errors);
bool port_open_pci(struct port *port, const struct port_options *options, const char *rest,
                   struct errors *errors);
bool port_open_pcap(struct port *port, const struct port_options *options, const char *rest,
                    struct errors *errors);
bool port_open_null(struct port *port, const struct port_options *options, const char *rest,
                    struct errors *errors);
bool port_open_replay(struct port *port, const struct port_options *options, const char *rest,
                      struct errors *errors);
bool port_open_synth(struct port *port, const struct port_options *options, const char *rest,
                     struct errors *errors);

/* ethdev.c: attaches a virtual device by name and arguments (NULL: it is there already, a PCI function), configures and starts it. */
bool port_ethdev(struct port *port, const struct port_options *options, const char *device,
                 const char *arguments, uint16_t queues, struct errors *errors);

/* af_packet.c: binds a packet socket with rings to an interface of the calling thread's network namespace. */
bool port_af_packet(struct port *port, const struct port_options *options, const char *interface,
                    struct errors *errors);
/* kernel.c: sockets for so many queues more, made ahead. */
void port_prepare_af_packet(const struct port_options *options, const char *rest, unsigned more,
                            struct port_bequests *prepared);

/* af_xdp.c: binds AF_XDP sockets to the queues of an interface of the calling thread's network namespace. */
bool port_af_xdp(struct port *port, const struct port_options *options, const char *interface,
                 struct errors *errors);

/* kernel.c: whether a socket is of the calling thread's network namespace. */
bool port_socket_is_here(int socket);
/* kernel.c: of an interface by its index, in the namespace of a socket: whether it is up and has a carrier; takes it up or down (without
 * IFF_UP its peer has no carrier; sockets stay bound to it, and hear again when it is up). */
bool port_interface_up(int socket, int interface);
bool port_interface_show(int socket, int interface, bool up);

/* tap.c: makes or takes up a TAP in the calling thread's network namespace; a persistent one outlives the port. */
bool port_tap(struct port *port, const struct port_options *options, const char *name, uint16_t queues,
              bool persistent, struct errors *errors);

/* The value of an option in `PATH?name=value&name=value`, or otherwise; and the part before the question mark. */
unsigned port_option(const char *rest, const char *name, unsigned otherwise);
void port_path(const char *rest, char *path, size_t size);
/* Whether a port may have so many queues; else an error. */
bool port_queues_check(const struct port_options *options, unsigned queues, struct errors *errors);
/* Gives a port without an address of its own one that is made of the host's and the port's names: the same again after
 * a restart, so that peers need not learn it anew. */
void port_make_mac(struct port *port);
/* An error at this port. */
void port_error(struct errors *errors, const struct port_options *options, const char *code,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
