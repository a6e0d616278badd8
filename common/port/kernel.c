/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports onto kernel interfaces: AF_PACKET or AF_XDP on one that exists, and a TAP of our own. They belong at the outside of a
 * chain, for they carry less than a million packets a second. An interface that the kernel had is prepared: up,
 * offloads off at our end, no IPv6 of the kernel's own. The kernel's end of a TAP is our neighbour and keeps its ways.
 * Control side; the calling thread enters the port's network namespace while it opens.
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/af_packet_private.h"
#include "port/bequest.h"
#include "port/ground.h"

/* Enters a namespace; the answer is a descriptor of the old one for leave(), -1 where none was asked for, -2 on failure. */
static int enter(const struct port_options *options, struct errors *errors)
{
	char path[128];
	int old, wanted;

	if (!options->netns)
		return -1;
	snprintf(path, sizeof(path), "/run/netns/%s", options->netns);
	wanted = open(path, O_RDONLY | O_CLOEXEC);
	old = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (wanted < 0 || old < 0 || setns(wanted, CLONE_NEWNET) < 0) {
		port_error(errors, options, "no-netns",
		           "cannot enter the network namespace \"%s\": %s (make it with: ip netns add %s)",
		           options->netns, strerror(errno), options->netns);
		close(wanted);
		close(old);
		return -2;
	}
	close(wanted);
	return old;
}

static void leave(int old)
{
	if (old < 0)
		return;
	if (setns(old, CLONE_NEWNET) < 0)
		abort(); /* a thread in the wrong namespace would open everything else there */
	close(old);
}

static void interface_names(char *text, size_t size)
{
	struct if_nameindex *list = if_nameindex();
	size_t used = 0;

	text[0] = '\0';
	for (struct if_nameindex *i = list; i && i->if_name && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", i->if_name);
	if_freenameindex(list);
}

static void offload_off(int fd, const char *name, uint32_t command)
{
	struct ethtool_value value = { .cmd = command, .data = 0 };
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	request.ifr_data = (void *)&value;
	ioctl(fd, SIOCETHTOOL, &request); /* a driver without the offload refuses: as good as off */
}

static void no_kernel_ipv6(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "1", 1) < 0)
			errno = 0; /* a kernel without IPv6 has nothing to turn off */
		close(fd);
	}
}

static bool bring_up(int fd, const char *name)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return false;
	if (request.ifr_flags & IFF_UP)
		return true;
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

/* A port of large packets needs an interface that takes them; one that its owner gave more keeps that. */
static bool raise_mtu(const struct port_options *options, const char *name, struct errors *errors)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };
	bool well;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	well = ioctl(fd, SIOCGIFMTU, &request) == 0;
	if (well && options->mtu > ETH_DATA_LEN && request.ifr_mtu < options->mtu) {
		request.ifr_mtu = options->mtu;
		well = ioctl(fd, SIOCSIFMTU, &request) == 0;
	}
	if (!well)
		port_error(errors, options, "bad-mtu", "the interface takes no MTU of %u: %s", options->mtu,
		           strerror(errno));
	close(fd);
	return well;
}

static bool turn_up(const struct port_options *options, const char *name, struct errors *errors)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = bring_up(fd, name);

	if (!up)
		port_error(errors, options, "no-interface", "the interface cannot be brought up: %s",
		           strerror(errno));
	close(fd);
	return up;
}

/* An interface that was the kernel's becomes ours: it must not answer beside us. */
static void make_ours(int fd, const char *name)
{
	static const uint32_t offloads[] = { ETHTOOL_STXCSUM, ETHTOOL_SRXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO,
		                             ETHTOOL_SGRO };

	no_kernel_ipv6(name);
	for (unsigned i = 0; i < sizeof(offloads) / sizeof(*offloads); i++)
		offload_off(fd, name, offloads[i]);
}

static bool prepare(const struct port_options *options, const char *name, struct errors *errors)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!bequest_waits(
	            options)) /* else it has been ours; each of these takes a lock that all of the kernel shares */
		make_ours(fd, name);
	close(fd);
	return raise_mtu(options, name, errors) && turn_up(options, name, errors);
}

static bool exists(const struct port_options *options, const char *name, struct errors *errors)
{
	char names[384];

	if (if_nametoindex(name))
		return true;
	interface_names(names, sizeof(names));
	port_error(errors, options, "no-interface", "there is no interface \"%s\" in %s%s; there are: %s",
	           name, options->netns ? "network namespace " : "this network namespace",
	           options->netns ? options->netns : "", names);
	return false;
}

/* What stands before the options; a name that the kernel would cut short is some other interface's. */
static bool interface_name(const struct port_options *options, const char *rest, char name[IF_NAMESIZE],
                           struct errors *errors)
{
	size_t length = strcspn(rest, "?");

	if (length > 0 && length < IF_NAMESIZE && !memchr(rest, '/', length)) {
		port_path(rest, name, IF_NAMESIZE);
		return true;
	}
	port_error(errors, options, "bad-interface",
	           "an interface's name has 1 to %d characters and no slash", IF_NAMESIZE - 1);
	return false;
}

bool port_socket_is_here(int socket)
{
	struct stat its, ours;
	int netns = ioctl(socket, SIOCGSKNS);
	bool here = netns >= 0 && fstat(netns, &its) == 0 && stat("/proc/thread-self/ns/net", &ours) == 0 &&
	            its.st_dev == ours.st_dev && its.st_ino == ours.st_ino;

	if (netns >= 0)
		close(netns);
	return here;
}

/* Asked by its index: one of the same name may have taken its place, which is not ours before the port is tended. */
static bool read_flags(int socket, int interface, struct ifreq *request)
{
	*request = (struct ifreq){ .ifr_ifindex = interface };
	return ioctl(socket, SIOCGIFNAME, request) == 0 && ioctl(socket, SIOCGIFFLAGS, request) == 0;
}

bool port_interface_up(int socket, int interface)
{
	const int wanted = IFF_UP | IFF_RUNNING;
	struct ifreq request;

	return read_flags(socket, interface, &request) && (request.ifr_flags & wanted) == wanted;
}

bool port_interface_show(int socket, int interface, bool up)
{
	struct ifreq request;

	if (!read_flags(socket, interface, &request))
		return false;
	request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
	return ioctl(socket, SIOCSIFFLAGS, &request) == 0;
}

typedef bool open_fn(struct port *, const struct port_options *, const char *, struct errors *);

/* Opens a port on an interface of the kernel's, in the namespace that the options name. */
static bool open_on(struct port *port, const struct port_options *options, const char *rest, open_fn *open_it,
                    struct errors *errors)
{
	char interface[IF_NAMESIZE];
	int old;
	bool opened;

	if (!interface_name(options, rest, interface, errors))
		return false;
	old = enter(options, errors);
	if (old == -2)
		return false;
	opened = exists(options, interface, errors) && prepare(options, interface, errors) &&
	         open_it(port, options, interface, errors);
	leave(old);
	return opened;
}

static bool open_af_packet(struct port *port, const struct port_options *options, const char *rest,
                           struct errors *errors)
{
	return open_on(port, options, rest, port_af_packet, errors);
}

static bool open_af_xdp(struct port *port, const struct port_options *options, const char *rest,
                        struct errors *errors)
{
	return open_on(port, options, rest, port_af_xdp, errors);
}

bool port_open_af_packet(struct port *port, const struct port_options *options, const char *rest,
                         struct errors *errors)
{
	return ground_open(port, options, rest, open_af_packet, errors);
}

void port_prepare_af_packet(const struct port_options *options, const char *rest, unsigned more,
                            struct port_bequests *prepared)
{
	struct errors ignored = ERRORS_NONE;
	struct port_bequest b = { .version = BEQUEST_VERSION };
	char interface[IF_NAMESIZE];
	int old = interface_name(options, rest, interface, &ignored) ? enter(options, &ignored) : -2;

	snprintf(b.url, sizeof(b.url), "%s", options->url);
	snprintf(b.netns, sizeof(b.netns), "%s", options->netns ? options->netns : "");
	if (old != -2 && af_packet_prepare(more, interface, af_packet_large(options->pool), &b) &&
	    !bequests_add(prepared, &b))
		bequest_refuse(&b);
	if (old != -2)
		leave(old);
	errors_free(&ignored);
}

bool port_open_af_xdp(struct port *port, const struct port_options *options, const char *rest,
                      struct errors *errors)
{
	return ground_open(port, options, rest, open_af_xdp, errors);
}

static bool open_tap(struct port *port, const struct port_options *options, const char *rest,
                     struct errors *errors)
{
	unsigned queues = port_option(rest, "queues", options->queues);
	char name[IF_NAMESIZE];
	int old;
	bool opened;

	if (!interface_name(options, rest, name, errors))
		return false;
	if (queues < 1 || queues > PORT_QUEUES_MAX) {
		port_error(errors, options, "bad-option", "queues must be from 1 to %d", PORT_QUEUES_MAX);
		return false;
	}
	old = enter(options, errors);
	if (old == -2)
		return false;
	opened =
	        port_tap(port, options, name, (uint16_t)queues, port_option(rest, "persist", 0) != 0, errors);
	if (opened && (!raise_mtu(options, name, errors) || !turn_up(options, name, errors))) {
		port->ops->close(port);
		opened = false;
	}
	leave(old);
	return opened;
}

bool port_open_tap(struct port *port, const struct port_options *options, const char *rest,
                   struct errors *errors)
{
	return ground_open(port, options, rest, open_tap, errors);
}
