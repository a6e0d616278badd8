/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces by rtnetlink. See link.h. */
#include "util/link.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES = 32768 }; /* as much as the kernel puts into one message of a dump */

struct request {
	struct nlmsghdr head;
	struct ifinfomsg about;
	char room[NLA_HDRLEN + LINK_ALIAS_MAX];
};

/* Sends; the answer is a socket to be read from, -1 with errno. */
static int ask(struct request *request)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd >= 0 && send(fd, request, request->head.nlmsg_len, 0) == (ssize_t)request->head.nlmsg_len)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* --- what is told --- */

static void text_of(const struct rtattr *a, char *text, size_t size)
{
	snprintf(text, size, "%.*s", (int)RTA_PAYLOAD(a), (const char *)RTA_DATA(a));
}

static void read_details(struct link *link, const struct rtattr *about)
{
	int left = (int)RTA_PAYLOAD(about);

	for (const struct rtattr *a = RTA_DATA(about); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_TUN_NUM_QUEUES && RTA_PAYLOAD(a) >= sizeof(link->queues))
			memcpy(&link->queues, RTA_DATA(a), sizeof(link->queues));
}

static void read_kind(struct link *link, const struct rtattr *about)
{
	int left = (int)RTA_PAYLOAD(about);

	/* What the details mean is the kind's, which comes first. */
	for (const struct rtattr *a = RTA_DATA(about); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_INFO_KIND)
			text_of(a, link->kind, sizeof(link->kind));
		else if (a->rta_type == IFLA_INFO_DATA && strcmp(link->kind, "tun") == 0)
			read_details(link, a);
	}
}

static void read_link(const struct nlmsghdr *message, struct link *link)
{
	const struct ifinfomsg *about = NLMSG_DATA(message);
	int left = (int)IFLA_PAYLOAD(message);

	*link = (struct link){ .index = about->ifi_index, .carrier = about->ifi_flags & IFF_LOWER_UP };
	for (const struct rtattr *a = IFLA_RTA(about); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFNAME)
			text_of(a, link->name, sizeof(link->name));
		else if (a->rta_type == IFLA_IFALIAS)
			text_of(a, link->alias, sizeof(link->alias));
		else if (a->rta_type == IFLA_LINKINFO)
			read_kind(link, a);
	}
}

/* --- all --- */

/* Of one answer. 1: there is more, 0: that was all, -1: an error, with errno. */
static int read_answer(const char *bytes, size_t length, void (*visit)(void *user, const struct link *link),
                       void *user)
{
	unsigned left = (unsigned)length;

	for (const struct nlmsghdr *m = (const void *)bytes; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
		struct link link;

		if (m->nlmsg_type == NLMSG_DONE)
			return 0;
		if (m->nlmsg_type == NLMSG_ERROR) {
			errno = -((const struct nlmsgerr *)NLMSG_DATA(m))->error;
			return -1;
		}
		if (m->nlmsg_type != RTM_NEWLINK)
			continue;
		read_link(m, &link);
		visit(user, &link);
	}
	return 1;
}

bool links_each(void (*visit)(void *user, const struct link *link), void *user)
{
	struct request request = { .head = { .nlmsg_len = offsetof(struct request, room),
		                             .nlmsg_type = RTM_GETLINK,
		                             .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
	int fd = ask(&request), more = fd < 0 ? -1 : 1;

	while (more > 0) {
		ssize_t got = recv(fd, answer, sizeof(answer), 0);

		if (got < 0 && errno == EINTR)
			continue;
		more = got > 0 ? read_answer(answer, (size_t)got, visit, user) : -1;
	}
	if (fd >= 0)
		close(fd);
	return more == 0;
}

static void pick(void *user, const struct link *link)
{
	struct link *wanted = user;

	if (!wanted->index && strcmp(wanted->name, link->name) == 0)
		*wanted = *link;
}

bool link_find(const char *name, struct link *link)
{
	*link = (struct link){ .index = 0 };
	snprintf(link->name, sizeof(link->name), "%s", name);
	return links_each(pick, link) && link->index;
}

bool link_set_alias(int index, const char *alias)
{
	size_t length = strnlen(alias, LINK_ALIAS_MAX - 1);
	struct request request = { .head = { .nlmsg_len = (uint32_t)(offsetof(struct request, room) +
		                                                     RTA_LENGTH(length)),
		                             .nlmsg_type = RTM_SETLINK,
		                             .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		                   .about = { .ifi_index = index } };
	struct rtattr *a = (struct rtattr *)request.room;
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		struct request mine;
	} answer = { .error = { .error = -EIO } };
	int fd;

	a->rta_type = IFLA_IFALIAS;
	a->rta_len = (unsigned short)RTA_LENGTH(length);
	memcpy(RTA_DATA(a), alias, length);
	fd = ask(&request);
	if (fd < 0)
		return false;
	if (recv(fd, &answer, sizeof(answer), 0) >= (ssize_t)offsetof(typeof(answer), mine))
		errno = -answer.error.error;
	close(fd);
	return answer.error.error == 0;
}
