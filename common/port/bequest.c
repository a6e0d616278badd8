/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors of ports on their way from process to process. See bequest.h. */
#include "port/bequest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manage/log.h"
#include "port/port.h"

union control {
	char bytes[CMSG_SPACE(BEQUEST_FDS * sizeof(int))];
	struct cmsghdr align;
};

bool bequest_give(int heir, struct port_bequest *b, const char *what)
{
	union control control = { { 0 } };
	struct iovec part = { b, offsetof(struct port_bequest, fds) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control };

	b->version = BEQUEST_VERSION;
	control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
		                          .cmsg_type = SCM_RIGHTS,
		                          .cmsg_len = CMSG_LEN(b->count * sizeof(int)) };
	memcpy(CMSG_DATA(&control.align), b->fds, b->count * sizeof(int));
	message.msg_controllen = b->count ? CMSG_SPACE(b->count * sizeof(int)) : 0;
	if (sendmsg(heir, &message, MSG_NOSIGNAL) >= 0)
		return true;
	log_warn("port-not-handed-over", "port=%s reason=%m", what);
	return false;
}

bool bequest_send(int heir, struct port *port)
{
	struct port_bequest b = { .count = 0 };

	if (!port->bequeath || !port->bequeath(port, &b) || b.count > BEQUEST_FDS)
		return true;
	snprintf(b.url, sizeof(b.url), "%s", port->url);
	return bequest_give(heir, &b, port->name);
}

/* The descriptors that came with a message; one that is not ours to read is closed. */
static uint32_t read_fds(struct msghdr *message, int fds[BEQUEST_FDS])
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(message);
	bool rights = c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS;
	size_t bytes = rights ? c->cmsg_len - CMSG_LEN(0) : 0;

	if (bytes)
		memcpy(fds, CMSG_DATA(c), bytes);
	return (uint32_t)(bytes / sizeof(int));
}

/* All of one, of a version that we know; and not without end. */
static bool acceptable(const struct port_bequest *b, const struct msghdr *message, ssize_t got,
                       const struct port_bequests *bequests)
{
	return got == (ssize_t)message->msg_iov->iov_len &&
	       !(message->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && b->version == BEQUEST_VERSION &&
	       bequests->count < BEQUESTS_MAX;
}

bool bequests_add(struct port_bequests *bequests, const struct port_bequest *b)
{
	struct port_bequest *longer = realloc(bequests->list, (bequests->count + 1) * sizeof(*longer));

	if (!longer)
		return false;
	bequests->list = longer;
	bequests->list[bequests->count++] = *b;
	return true;
}

bool bequest_receive(int giver, struct port_bequests *bequests)
{
	struct port_bequest b = { 0 };
	union control control;
	struct iovec part = { &b, offsetof(struct port_bequest, fds) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t got = recvmsg(giver, &message, MSG_CMSG_CLOEXEC);

	/* A giver that left before it read all that we said: what it gave follows. */
	if (got < 0 && (errno == EINTR || errno == ECONNRESET))
		return true;
	if (got <= 0)
		return false;
	b.count = read_fds(&message, b.fds);
	b.url[sizeof(b.url) - 1] = b.netns[sizeof(b.netns) - 1] = '\0';
	if (!acceptable(&b, &message, got, bequests) || !bequests_add(bequests, &b))
		bequest_refuse(&b);
	return true;
}

static struct port_bequest *find(const struct port_bequests *from, const struct port_options *options)
{
	for (size_t i = 0; from && i < from->count; i++) {
		struct port_bequest *b = &from->list[i];

		if (!b->taken && strcmp(b->url, options->url) == 0 &&
		    strcmp(b->netns, options->netns ? options->netns : "") == 0)
			return b;
	}
	return NULL;
}

bool bequest_waits(const struct port_options *options)
{
	return find(options->inherited, options) != NULL;
}

static bool take(const struct port_bequests *from, const struct port_options *options,
                 struct port_bequest *taken)
{
	struct port_bequest *b = find(from, options);

	*taken = (struct port_bequest){ 0 };
	if (!b)
		return false;
	*taken = *b;
	b->taken = true;
	return true;
}

bool bequest_take(const struct port_options *options, struct port_bequest *taken)
{
	return take(options->inherited, options, taken);
}

bool bequest_take_prepared(const struct port_options *options, struct port_bequest *taken)
{
	return take(options->prepared, options, taken);
}

void bequest_refuse(const struct port_bequest *taken)
{
	for (uint32_t i = 0; i < taken->count; i++)
		close(taken->fds[i]);
}

void bequests_free(struct port_bequests *bequests)
{
	for (size_t i = 0; i < bequests->count; i++)
		if (!bequests->list[i].taken)
			bequest_refuse(&bequests->list[i]);
	free(bequests->list);
	*bequests = (struct port_bequests){ NULL, 0 };
}
