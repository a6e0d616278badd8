/* SPDX-License-Identifier: BSD-3-Clause */
/* What a port stands on, taken away and given back. See ground.h. */
#include "port/ground.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <rte_ether.h>

#include "manage/log.h"
#include "port/bequest.h"
#include "port/gate.h"

struct ground {
	_Atomic int there;          /* 0: the port is open below; -1: it waits */
	const struct port_ops *ops; /* of its kind; port->private is theirs */
	bool (*bequeath)(struct port *port, struct port_bequest *bequest); /* of its kind */
	ground_open_fn *open;
	pthread_mutex_t lock; /* the port is not opened or closed below while it is asked something */
	dev_t device;         /* with the next, the namespace in which it was opened */
	ino_t inode;
	uint16_t queues, mtu;    /* as asked for */
	_Atomic uint64_t missed; /* in lives that are over */
	char netns[PORT_NAME_MAX], owner[256];
	char why[256]; /* what the log was last told of it */
	struct gate rx_gate[PORT_QUEUES_MAX], tx_gate[PORT_QUEUES_MAX];
};

/* --- workers --- */

static uint16_t ground_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct ground *g = port->ground;
	uint16_t got = 0;

	if (gate_enter(&g->rx_gate[queue], &g->there) < 0)
		return 0;
	/* It may have come back with fewer queues than a moment ago. */
	if (queue < port->rx_queues)
		got = g->ops->rx(port, queue, m, n);
	gate_leave(&g->rx_gate[queue]);
	return got;
}

static uint16_t ground_tx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct ground *g = port->ground;
	uint16_t sent = 0;

	if (gate_enter(&g->tx_gate[queue], &g->there) < 0)
		return 0;
	if (queue < port->tx_queues)
		sent = g->ops->tx(port, queue, m, n);
	gate_leave(&g->tx_gate[queue]);
	return sent;
}

/* --- the control side --- */

/* What /run/netns/NAME is; false: there is none. A port of the process's own namespace has that for good. */
static bool find_netns(const struct ground *g, dev_t *device, ino_t *inode)
{
	char path[128];
	struct stat file = { 0 };

	snprintf(path, sizeof(path), "/run/netns/%s", g->netns);
	if (g->netns[0] && stat(path, &file) < 0)
		return false;
	*device = file.st_dev;
	*inode = file.st_ino;
	return true;
}

static bool ground_bequeath(struct port *port, struct port_bequest *bequest);

/* By another struct port, for workers use this one while it waits: none of them may pass by the gates. The MAC stays what
 * neighbours know, and what the configuration that runs was compiled with. */
static bool open_below(struct port *port, const struct port_options *options, const char *rest,
                       struct errors *errors)
{
	struct ground *g = port->ground;
	struct port below = { .number = port->number, .pool = port->pool };

	memcpy(below.name, port->name, sizeof(below.name));
	memcpy(below.url, port->url, sizeof(below.url));
	/* Asked before: one that is made anew meanwhile is seen at the next turn. */
	find_netns(g, &g->device, &g->inode);
	if (!g->open(&below, options, rest, errors))
		return false;
	g->ops = below.ops;
	g->bequeath = below.bequeath;
	port->bequeath = ground_bequeath;
	port->private = below.private;
	port->rx_queues = below.rx_queues;
	port->tx_queues = below.tx_queues;
	if (rte_is_zero_ether_addr((const struct rte_ether_addr *)port->mac))
		memcpy(port->mac, below.mac, sizeof(port->mac));
	return true;
}

static void let_go(struct port *port)
{
	struct ground *g = port->ground;

	if (atomic_load(&g->there) < 0)
		return;
	gates_close(&g->there, g->rx_gate, g->tx_gate, PORT_QUEUES_MAX);
	if (g->ops->missed)
		atomic_fetch_add(&g->missed, g->ops->missed(port));
	g->ops->close(port);
	port->private = NULL;
}

static bool stands(struct port *port)
{
	struct ground *g = port->ground;
	dev_t device;
	ino_t inode;

	return find_netns(g, &device, &inode) && device == g->device && inode == g->inode &&
	       g->ops->tend(port) == PORT_STANDS;
}

/* Why it waits, once for each reason: it may be for long. */
static void tell_why(struct port *port, const struct errors *errors)
{
	struct ground *g = port->ground;
	const char *why = errors->count ? errors->list[0].detail : "?";

	if (strncmp(g->why, why, sizeof(g->why) - 1) != 0)
		log_warn("interface-waits", "port=%s text=%s", port->name, why);
	snprintf(g->why, sizeof(g->why), "%s", why);
}

static bool open_again(struct port *port)
{
	struct ground *g = port->ground;
	struct port_options options = { .name = port->name,
		                        .url = port->url,
		                        .netns = g->netns[0] ? g->netns : NULL,
		                        .owner = g->owner[0] ? g->owner : NULL,
		                        .number = port->number,
		                        .queues = g->queues,
		                        .mtu = g->mtu,
		                        .pool = port->pool };
	struct errors errors = ERRORS_NONE;
	bool well = open_below(port, &options, strchr(port->url, ':') + 1, &errors);

	if (well) {
		g->why[0] = '\0';
		atomic_store_explicit(&g->there, 0, memory_order_release);
	} else {
		tell_why(port, &errors);
	}
	errors_free(&errors);
	return well;
}

static enum port_ground tend(struct port *port)
{
	if (atomic_load(&port->ground->there) < 0) {
		if (!open_again(port))
			return PORT_WAITS;
		log_info("interface-back", "port=%s device=%s", port->name, port->url);
		return PORT_BACK;
	}
	if (stands(port))
		return PORT_STANDS;
	let_go(port);
	log_warn("interface-lost", "port=%s device=%s", port->name, port->url);
	return PORT_WAITS;
}

static enum port_ground ground_tend(struct port *port)
{
	enum port_ground now;

	pthread_mutex_lock(&port->ground->lock);
	now = tend(port);
	pthread_mutex_unlock(&port->ground->lock);
	return now;
}

static bool ground_up(struct port *port)
{
	struct ground *g = port->ground;
	bool up;

	pthread_mutex_lock(&g->lock);
	up = atomic_load(&g->there) == 0 && g->ops->up(port);
	pthread_mutex_unlock(&g->lock);
	return up;
}

static uint64_t ground_missed(struct port *port)
{
	struct ground *g = port->ground;
	uint64_t sum;

	pthread_mutex_lock(&g->lock);
	sum = atomic_load(&g->missed);
	if (atomic_load(&g->there) == 0 && g->ops->missed)
		sum += g->ops->missed(port);
	pthread_mutex_unlock(&g->lock);
	return sum;
}

static bool ground_show_link(struct port *port, bool up)
{
	struct ground *g = port->ground;
	bool shown;

	pthread_mutex_lock(&g->lock);
	shown = atomic_load(&g->there) == 0 && g->ops->show_link && g->ops->show_link(port, up);
	pthread_mutex_unlock(&g->lock);
	return shown;
}

/* What the kind of port says, and the namespace that it is known by. */
static bool ground_bequeath(struct port *port, struct port_bequest *bequest)
{
	struct ground *g = port->ground;
	bool said;

	pthread_mutex_lock(&g->lock);
	said = atomic_load(&g->there) == 0 && stands(port) && g->bequeath && g->bequeath(port, bequest);
	snprintf(bequest->netns, sizeof(bequest->netns), "%s", g->netns);
	pthread_mutex_unlock(&g->lock);
	return said;
}

static void ground_close(struct port *port)
{
	let_go(port);
	pthread_mutex_destroy(&port->ground->lock);
	free(port->ground);
}

static const struct port_ops ground_ops = { ground_rx,     ground_tx,   ground_up,       ground_close,
	                                    ground_missed, ground_tend, ground_show_link };

static struct ground *new_ground(const struct port_options *options, ground_open_fn *open)
{
	struct ground *g = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*g));

	if (!g)
		return NULL;
	memset(g, 0, sizeof(*g));
	atomic_init(&g->there, -1);
	pthread_mutex_init(&g->lock, NULL);
	g->open = open;
	g->queues = options->queues;
	g->mtu = options->mtu;
	snprintf(g->netns, sizeof(g->netns), "%s", options->netns ? options->netns : "");
	snprintf(g->owner, sizeof(g->owner), "%s", options->owner ? options->owner : "");
	return g;
}

/* Its ground is not there yet: known by a MAC of its own until then, and ever after. */
static void wait_for_it(struct port *port, const struct errors *errors)
{
	port_make_mac(port);
	port->rx_queues = port->tx_queues = 1;
	tell_why(port, errors);
}

bool ground_open(struct port *port, const struct port_options *options, const char *rest,
                 ground_open_fn *open, struct errors *errors)
{
	struct errors found = ERRORS_NONE;

	port->ground = new_ground(options, open);
	if (!port->ground) {
		port_error(errors, options, "no-memory", "not enough memory");
		return false;
	}
	if (open_below(port, options, rest, options->wait ? &found : errors))
		atomic_store(&port->ground->there, 0);
	else if (options->wait)
		wait_for_it(port, &found);
	port->ops = &ground_ops;
	errors_free(&found);
	if (atomic_load(&port->ground->there) == 0 || options->wait)
		return true;
	ground_close(port);
	return false;
}
