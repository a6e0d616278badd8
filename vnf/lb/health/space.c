/* SPDX-License-Identifier: BSD-3-Clause */
/* See space.h. */
#include "lb/health/space.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE "health"

enum { MTU = 1280 }; /* no link on the way has less: nothing needs fragments */

static bool refuse(struct errors *errors, const char *what)
{
	errors_add(errors, NULL, "no-health-checks", NULL, 0, "health checks: %s: %s", what, strerror(errno));
	return false;
}

/* Echo sockets for whoever is in this namespace; what a file says that cannot be written to. */
static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return written;
}

static int make_tun(void)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = DEVICE };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (ioctl(fd, TUNSETIFF, &request) == 0 && ioctl(fd, TUNSETOFFLOAD, 0) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool bring_up(struct space *s)
{
	struct ifreq request = { .ifr_name = DEVICE, .ifr_mtu = MTU };

	if (ioctl(s->control[0], SIOCSIFMTU, &request) < 0)
		return false;
	request.ifr_flags = IFF_UP;
	if (ioctl(s->control[0], SIOCSIFFLAGS, &request) < 0)
		return false;
	s->interface = if_nametoindex(DEVICE);
	return s->interface != 0;
}

/* A kernel without IPv6 has no socket of it: then checks of IPv6 addresses fail by themselves. */
static bool open_control(struct space *s)
{
	s->control[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	s->control[1] = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return s->control[0] >= 0;
}

bool space_open(struct space *s, struct errors *errors)
{
	*s = (struct space){ .tun = -1, .control = { -1, -1 } };
	if (unshare(CLONE_NEWNET) < 0)
		return refuse(errors, "a network namespace of their own (it takes CAP_SYS_ADMIN)");
	if (!write_text("/proc/sys/net/ipv4/ping_group_range", "0 2147483647"))
		return refuse(errors, "/proc/sys/net/ipv4/ping_group_range (it must be writable)");
	s->tun = make_tun();
	if (s->tun < 0)
		return refuse(errors, "a TUN device (it takes CAP_NET_ADMIN and /dev/net/tun)");
	if (open_control(s) && bring_up(s))
		return true;
	refuse(errors, "the device cannot be brought up");
	space_close(s);
	return false;
}

static bool route4(const struct space *s)
{
	struct rtentry route = { .rt_flags = RTF_UP, .rt_dev = (char[]){ DEVICE } };
	struct sockaddr_in any = { .sin_family = AF_INET };

	memcpy(&route.rt_dst, &any, sizeof(any));
	memcpy(&route.rt_genmask, &any, sizeof(any));
	return ioctl(s->control[0], SIOCADDRT, &route) == 0 || errno == EEXIST;
}

static bool address4(const struct space *s, const struct ip_addr *address)
{
	struct ifreq request = { .ifr_name = DEVICE };
	struct sockaddr_in in = { .sin_family = AF_INET };

	memcpy(&in.sin_addr, address->bytes, 4);
	memcpy(&request.ifr_addr, &in, sizeof(in));
	if (ioctl(s->control[0], SIOCSIFADDR, &request) < 0)
		return false;
	if (!address->family)
		return true;
	in.sin_addr.s_addr = INADDR_NONE;
	memcpy(&request.ifr_netmask, &in, sizeof(in));
	return ioctl(s->control[0], SIOCSIFNETMASK, &request) == 0 && route4(s);
}

static bool route6(const struct space *s)
{
	struct in6_rtmsg route = { .rtmsg_flags = RTF_UP,
		                   .rtmsg_ifindex = (int)s->interface,
		                   .rtmsg_metric = 1 };

	return ioctl(s->control[1], SIOCADDRT, &route) == 0 || errno == EEXIST;
}

static bool address6(const struct space *s, const struct ip_addr *old, const struct ip_addr *address)
{
	struct in6_ifreq request = { .ifr6_prefixlen = 128, .ifr6_ifindex = (int)s->interface };

	if (old->family) {
		memcpy(&request.ifr6_addr, old->bytes, 16);
		ioctl(s->control[1], SIOCDIFADDR, &request);
	}
	if (!address->family)
		return true;
	memcpy(&request.ifr6_addr, address->bytes, 16);
	return ioctl(s->control[1], SIOCSIFADDR, &request) == 0 && route6(s);
}

bool space_address(const struct space *s, const struct ip_addr *old, const struct ip_addr *address,
                   struct errors *errors)
{
	uint8_t family = address->family ? address->family : old->family;
	char text[NET_TEXT];

	if (!family || ip_addr_equal(old, address))
		return true;
	if (family == 4 ? address4(s, address) : address6(s, old, address))
		return true;
	ip_addr_format(address, text, sizeof(text));
	errors_add(errors, NULL, "no-health-source", NULL, 0,
	           "health checks cannot come from %s: the kernel refuses the address: %s", text,
	           strerror(errno));
	return false;
}

void space_close(struct space *s)
{
	int *fds[] = { &s->tun, &s->control[0], &s->control[1] };

	for (unsigned i = 0; i < 3; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}
