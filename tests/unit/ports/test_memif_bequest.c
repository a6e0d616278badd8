/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Either end of a memif handed over to another process while packets lie in the rings: to a successor that is told the truth, or anything.
 */
#include "helper_memif.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ROUNDS = 3000, WAIT_MS = 30000 };

/* What a predecessor says, as it arrives: descriptors are the receiver's. */
static struct port_bequest handed(const struct memif_peer *p)
{
	struct port_bequest b = { 0 };

	memif_bequeath(p, &b);
	for (uint32_t i = 0; i < b.count; i++)
		b.fds[i] = dup(b.fds[i]);
	return b;
}

static struct memif_peer *succeeded(struct memif_peer *p)
{
	struct port_bequest b = handed(p);
	struct memif_peer *heir = new_peer(-1, p->server, p->tx_wanted);

	memif_forget(p);
	free(p);
	assert_true(memif_inherit(heir, &b));
	bequest_refuse(&b);
	return heir;
}

static unsigned descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void goes_on_in_another_process(void **state)
{
	unsigned before = descriptors(), handovers = 0;
	struct pair pair = pair_joined(2, 2, true);
	uint32_t out[2] = { 0 }, in[2] = { 0 };

	(void)state;
	pair_port.oversize = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		out[0] = send_some(&pair.client->tx[1], out[0]);
		out[1] = send_some(&pair.server->tx[1], out[1]);
		if (!dice(20) && ++handovers)
			pair.server = succeeded(pair.server);
		if (!dice(20) && ++handovers)
			pair.client = succeeded(pair.client);
		in[0] = receive_some(&pair.server->rx[1], in[0]);
		in[1] = receive_some(&pair.client->rx[1], in[1]);
	}
	assert_true(handovers > 100 && in[0] > ROUNDS && in[1] > ROUNDS);
	assert_int_equal(pair_port.oversize, 0);
	pair_part(pair);
	assert_int_equal(descriptors(), before);
	assert_int_equal(rte_mempool_in_use_count(pair_pool), 0);
}

static void wakes_whom_its_predecessor_should_have(void **state)
{
	struct pair pair = pair_joined(1, 1, true);

	(void)state;
	pair.server->rx[0].ring->flags = 0;
	send_some(&pair.client->tx[0], 0);
	pair.client = succeeded(pair.client);
	assert_true(atomic_load(&pair.client->tx[0].kick));
	pair.server = succeeded(pair.server);
	assert_false(atomic_load(&pair.server->tx[0].kick));
	pair_part(pair);
}

/* --- real ports, as a server --- */

struct place {
	char folder[32], url[PORT_URL_MAX];
};

static struct place new_place(void)
{
	struct place place = { .folder = "/tmp/test-memif-XXXXXX" };

	assert_non_null(mkdtemp(place.folder));
	snprintf(place.url, sizeof(place.url), "memif:%s/m.sock?server=1", place.folder);
	return place;
}

static struct port *opened(const struct place *place, uint16_t queues, struct port_bequests *inherited)
{
	struct port_options options = {
		.name = "m", .url = place->url, .queues = queues, .pool = pair_pool, .inherited = inherited
	};
	struct errors errors = ERRORS_NONE;
	struct port *server = port_open(&options, &errors);

	assert_non_null(server);
	return server;
}

/* A client that connects there; the server may have to part from another first. */
static struct memif_peer *client_at(const struct place *place, uint16_t queues)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct memif_peer *client = new_peer(socket(AF_UNIX, SOCK_SEQPACKET, 0), false, queues);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/m.sock", place->folder);
	assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (!memif_introduce(client, "client"))
		fail_msg("%s", client->reason);
	return client;
}

static void leave(struct memif_peer *client)
{
	memif_forget(client);
	free(client);
}

/* The port of a successor, with so many queues. */
static struct port *succeeded_by(const struct place *place, struct port *server, uint16_t queues)
{
	struct port_bequest b = { 0 };
	struct port_bequests inherited = { 0 };
	struct port *heir;

	while (!port_up(server))
		usleep(1000);
	assert_true(server->bequeath(server, &b));
	snprintf(b.url, sizeof(b.url), "%s", place->url);
	for (uint32_t i = 0; i < b.count; i++)
		b.fds[i] = dup(b.fds[i]);
	assert_true(bequests_add(&inherited, &b));
	port_close(server);
	heir = opened(place, queues, &inherited);
	bequests_free(&inherited);
	return heir;
}

/* Nothing is sent after the hand-over: whoever sleeps must be woken for what lies there. */
static void wakes_a_reader_at_once_when_it_takes_over(void **state)
{
	struct place place = new_place();
	struct port *server = opened(&place, 1, NULL);
	struct memif_peer *client = client_at(&place, 1);
	struct pollfd event = { .fd = client->rx[0].event, .events = POLLIN };

	(void)state;
	client->rx[0].ring->flags = 0;
	server = succeeded_by(&place, server, 1);
	assert_int_equal(poll(&event, 1, WAIT_MS), 1);
	leave(client);
	port_close(server);
	assert_int_equal(rmdir(place.folder), 0);
}

/* What it was agreed upon with one worker is what four have, until a peer comes that has more; one that has no more is welcome, too. */
static void the_next_peer_has_as_many_queues_as_are_wanted(void **state)
{
	static const uint16_t offered[] = { 1, 2 };
	struct place place = new_place();
	struct port *server = opened(&place, 1, NULL);
	struct memif_peer *client = client_at(&place, 1);

	(void)state;
	server = succeeded_by(&place, server, 2);
	assert_int_equal(server->rx_queues, 2);
	assert_int_equal(server->tx_queues, 1);
	for (unsigned i = 0; i < sizeof(offered) / sizeof(*offered); i++) {
		leave(client);
		client = client_at(&place, offered[i]);
		while (!port_up(server))
			usleep(1000);
		assert_int_equal(server->tx_queues, offered[i]);
	}
	leave(client);
	port_close(server);
	assert_int_equal(rmdir(place.folder), 0);
}

/* A descriptor may be lacking anywhere. */
static void says_why_it_cannot_take_over(void **state)
{
	unsigned before = descriptors(), failures = 0;
	struct pair pair = pair_joined(1, 1, true);
	struct port_bequest b = handed(pair.server);
	struct rlimit was, limit;
	bool well = false;
	int lowest = dup(0);

	(void)state;
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (limit = was, limit.rlim_cur = (rlim_t)lowest; !well; limit.rlim_cur++) {
		struct memif_peer *heir = new_peer(-1, true, 1);

		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		well = memif_inherit(heir, &b);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
		if (!well)
			assert_non_null(heir->reason);
		failures += !well;
		leave(heir);
	}
	assert_true(failures >= 4); /* memory, two events, and the connection itself */
	bequest_refuse(&b);
	pair_part(pair);
	assert_int_equal(descriptors(), before);
}

/* A torn or mad bequest: refused, or of queues that lie in the memory that came, which turn without harm. Nothing stays open. */
static void mad_bequests_do_no_harm(void **state)
{
	unsigned before = descriptors(), refused = 0;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pair pair = pair_joined(1, 1, true);
		struct port_bequest b = handed(dice(2) ? pair.server : pair.client);
		struct memif_peer *heir = new_peer(-1, dice(8) ? b.value[0] : !b.value[0], 1);

		b.value[dice(16)] = dice(2) ? dice(70) : dice(UINT32_MAX);
		if (!dice(4))
			close(b.fds[--b.count]);
		if (!dice(4)) {
			uint32_t a = dice(b.count), c = dice(b.count);
			int fd = b.fds[a];

			b.fds[a] = b.fds[c];
			b.fds[c] = fd;
		}
		if (memif_inherit(heir, &b)) {
			pair_turn(&heir->rx[0], &heir->tx[0]);
			memif_forget(heir);
		} else {
			assert_non_null(heir->reason);
			refused++;
		}
		assert_int_equal(heir->fd, -1);
		bequest_refuse(&b);
		free(heir);
		pair_part(pair);
	}
	assert_true(refused > ROUNDS / 8);
	assert_int_equal(descriptors(), before);
	assert_int_equal(rte_mempool_in_use_count(pair_pool), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_in_another_process),
		cmocka_unit_test(wakes_whom_its_predecessor_should_have),
		cmocka_unit_test(wakes_a_reader_at_once_when_it_takes_over),
		cmocka_unit_test(the_next_peer_has_as_many_queues_as_are_wanted),
		cmocka_unit_test(says_why_it_cannot_take_over),
		cmocka_unit_test(mad_bequests_do_no_harm),
	};

	return cmocka_run_group_tests(tests, pair_start, pair_stop);
}
