/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces by rtnetlink. See link.h. */
#include "util/link.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>

enum {
	SEQUENCE = 1,
	REQUEST_BYTES = 512,
	ANSWER_BYTES = 32768 /* as much as the kernel puts into one message of a dump */
};

struct visit {
	void (*call)(void *user, const struct link *link);
	void *user;
};

/* --- what is told --- */

static void text_of(const struct nlattr *a, char *text, size_t size)
{
	snprintf(text, size, "%.*s", (int)mnl_attr_get_payload_len(a), (const char *)mnl_attr_get_payload(a));
}

static int read_details(const struct nlattr *a, void *user)
{
	struct link *link = user;

	if (mnl_attr_get_type(a) == IFLA_TUN_NUM_QUEUES && mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
		link->queues = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

/* What the details mean is the kind's, which comes first. */
static int read_kind(const struct nlattr *a, void *user)
{
	struct link *link = user;

	if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
		text_of(a, link->kind, sizeof(link->kind));
	else if (mnl_attr_get_type(a) == IFLA_INFO_DATA && strcmp(link->kind, "tun") == 0)
		mnl_attr_parse_nested(a, read_details, link);
	return MNL_CB_OK;
}

static int read_attribute(const struct nlattr *a, void *user)
{
	struct link *link = user;

	if (mnl_attr_get_type(a) == IFLA_IFNAME)
		text_of(a, link->name, sizeof(link->name));
	else if (mnl_attr_get_type(a) == IFLA_IFALIAS)
		text_of(a, link->alias, sizeof(link->alias));
	else if (mnl_attr_get_type(a) == IFLA_LINKINFO)
		mnl_attr_parse_nested(a, read_kind, link);
	return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *message, void *user)
{
	const struct ifinfomsg *about = mnl_nlmsg_get_payload(message);
	const struct visit *visit = user;
	struct link link = { .index = 0 };

	if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(*about))
		return MNL_CB_OK;
	link.index = about->ifi_index;
	link.carrier = about->ifi_flags & IFF_LOWER_UP;
	mnl_attr_parse(message, sizeof(*about), read_attribute, &link);
	visit->call(visit->user, &link);
	return MNL_CB_OK;
}

/* --- talking --- */

static struct nlmsghdr *request_of(char *buffer, uint16_t type, uint16_t flags, int index)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *about = mnl_nlmsg_put_extra_header(request, sizeof(*about));

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	request->nlmsg_seq = SEQUENCE;
	about->ifi_index = index;
	return request;
}

/* Asks, and reads answers to the end of them. False with errno. */
static bool ask(const struct nlmsghdr *request, mnl_cb_t read, void *user)
{
	_Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
	struct mnl_socket *kernel = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int more = MNL_CB_ERROR, error;

	if (!kernel)
		return false;
	if (mnl_socket_bind(kernel, 0, MNL_SOCKET_AUTOPID) == 0 &&
	    mnl_socket_sendto(kernel, request, request->nlmsg_len) >= 0)
		more = MNL_CB_OK;
	while (more == MNL_CB_OK) {
		ssize_t got = mnl_socket_recvfrom(kernel, answer, sizeof(answer));

		if (got < 0 && errno == EINTR)
			continue;
		more = got < 0 ? MNL_CB_ERROR
		               : mnl_cb_run(answer, (size_t)got, SEQUENCE, mnl_socket_get_portid(kernel),
		                            read, user);
	}
	error = errno;
	mnl_socket_close(kernel);
	errno = error;
	return more == MNL_CB_STOP;
}

bool links_each(void (*visit)(void *user, const struct link *link), void *user)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_BYTES];
	struct visit each = { visit, user };

	return ask(request_of(buffer, RTM_GETLINK, NLM_F_DUMP, 0), read_link, &each);
}

static void keep(void *user, const struct link *link)
{
	*(struct link *)user = *link;
}

bool link_find(const char *name, struct link *link)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_BYTES];
	struct nlmsghdr *request = request_of(buffer, RTM_GETLINK, NLM_F_ACK, 0);
	struct visit one = { keep, link };

	*link = (struct link){ .index = 0 };
	if (strlen(name) >= LINK_NAME_MAX)
		return false;
	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	return ask(request, read_link, &one) && link->index;
}

bool link_set_alias(int index, const char *alias)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_BYTES];
	struct nlmsghdr *request = request_of(buffer, RTM_SETLINK, NLM_F_ACK, index);

	mnl_attr_put(request, IFLA_IFALIAS, strnlen(alias, LINK_ALIAS_MAX - 1), alias);
	return ask(request, NULL, NULL);
}
