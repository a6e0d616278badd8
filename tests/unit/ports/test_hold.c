/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that are kept for a peer which is away: in their order, not too many, not for ever, freed once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <unistd.h>

#include <rte_mempool.h>

#include "port/hold.h"
#include "runtime/process/eal.h"

enum { MBUFS = HOLD_MAX + 512, BURST = 32 };

/* A device that takes so many packets and looks at their numbers. */
static struct {
	unsigned room;
	uint32_t next;
	bool up;
} device;

static struct rte_mempool *pool;
static struct hold hold;
static struct port port;
static uint32_t made;

static uint16_t device_send(struct port *to, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	uint16_t taken = (uint16_t)RTE_MIN((unsigned)n, device.room);

	assert_ptr_equal(to, &port);
	assert_int_equal(queue, 0);
	for (uint16_t i = 0; i < taken; i++)
		assert_int_equal(*rte_pktmbuf_mtod(m[i], uint32_t *), device.next++);
	rte_pktmbuf_free_bulk(m, taken);
	device.room -= taken;
	return taken;
}

static bool device_up(struct port *of)
{
	(void)of;
	return device.up;
}

static const struct port_ops ops = { .up = device_up };

/* Sends as a port does; answers how many were taken and frees the others. */
static unsigned send(unsigned n)
{
	struct rte_mbuf *m[BURST];
	uint16_t taken;

	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, m, n), 0);
	for (unsigned i = 0; i < n; i++)
		*rte_pktmbuf_mtod(m[i], uint32_t *) = made++;
	taken = hold_send(&hold, &port, 0, m, (uint16_t)n, device_send);
	rte_pktmbuf_free_bulk(m + taken, n - taken);
	made -= n - taken;
	return taken;
}

static int begin(void **state)
{
	(void)state;
	memset(&device, 0, sizeof(device));
	port = (struct port){ .ops = &ops };
	made = 0;
	return hold_make(&hold, 1) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	hold_free(&hold, &port);
	return rte_mempool_avail_count(pool) == MBUFS ? 0 : -1;
}

static void nothing_is_kept_unasked(void **state)
{
	(void)state;
	assert_false(hold_concerns(&hold, 0));
	hold_settle(&hold); /* of one that never went */
	assert_false(hold_concerns(&hold, 0));
	device.room = 5;
	assert_int_equal(send(8), 5);
	assert_false(hold_any(&hold));
}

static void goes_in_order_when_the_peer_is_back(void **state)
{
	(void)state;
	hold_begin(&hold);
	assert_true(hold_concerns(&hold, 0));
	assert_true(hold_lasts(&hold));
	assert_int_equal(send(10), 10);
	device.room = 4; /* first those that wait, then none of the new ones: it is full */
	assert_int_equal(send(10), 10);
	assert_int_equal(device.next, 4);
	hold_settle(&hold);
	device.up = true;
	device.room = 1000;
	hold_let_go(&hold, &port, 0, device_send);
	assert_int_equal(device.next, 20);
	assert_false(hold_any(&hold));
	assert_int_equal(send(10), 10);
	assert_int_equal(device.next, 30);
	assert_int_equal(atomic_load(&port.undelivered), 0);
}

static void a_full_peer_gets_the_rest_later(void **state)
{
	(void)state;
	hold_begin(&hold);
	assert_int_equal(send(32), 32);
	device.up = true;
	hold_end(&hold);
	for (unsigned rounds = 0; rounds < 4; rounds++) {
		device.room = 8;
		assert_int_equal(send(1), 0); /* it is behind those */
		assert_int_equal(device.next, 8 * (rounds + 1));
	}
	assert_false(hold_concerns(&hold, 0));
}

/* So much came at once that it has no room for a while, although it is there. */
static void a_peer_that_is_late(void **state)
{
	(void)state;
	hold_begin(&hold);
	assert_int_equal(send(10), 10);
	hold_settle(&hold);
	device.up = true;
	while (hold_lasts(&hold))
		usleep(1000);
	device.room = 10; /* all that waited, nothing new */
	assert_int_equal(send(10), 10);
	assert_int_equal(device.next, 10);
	assert_int_equal(send(10), 10);
	device.room = 1000;
	hold_let_go(&hold, &port, 0, device_send);
	assert_int_equal(device.next, 30);
	while (hold_concerns(&hold, 0)) {
		usleep(10000);
		assert_int_equal(send(1), 1);
	}
	device.room = 0;
	assert_int_equal(send(10), 0); /* as ever */
}

static void not_too_many(void **state)
{
	unsigned taken = 0;

	(void)state;
	hold_begin(&hold);
	for (unsigned i = 0; i < HOLD_MAX / BURST + 2; i++)
		taken += send(BURST);
	assert_int_equal(taken, HOLD_MAX);
	device.room = HOLD_MAX;
	hold_let_go(&hold, &port, 0, device_send);
	assert_int_equal(device.next, HOLD_MAX);
}

static void not_for_ever(void **state)
{
	(void)state;
	hold_begin(&hold);
	assert_int_equal(send(3), 3);
	while (hold_lasts(&hold))
		usleep(10000);
	assert_int_equal(send(3), 0);
	assert_int_equal(atomic_load(&port.undelivered), 3);
	assert_false(hold_concerns(&hold, 0));
}

static void a_peer_that_goes_for_good(void **state)
{
	(void)state;
	hold_begin(&hold);
	assert_int_equal(send(3), 3);
	hold_end(&hold);
	hold_let_go(&hold, &port, 0, device_send);
	assert_int_equal(atomic_load(&port.undelivered), 3);
}

static int set_up(void **state)
{
	struct eal_options options = { .name = "hold", .memory_mb = 64, .hugepages = EAL_HUGEPAGES_NEVER };
	struct errors errors = ERRORS_NONE;

	(void)state;
	if (!eal_start(&options, &errors))
		return -1;
	pool = rte_pktmbuf_pool_create("hold", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return pool ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	rte_mempool_free(pool);
	eal_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_kept_unasked, begin, end),
		cmocka_unit_test_setup_teardown(goes_in_order_when_the_peer_is_back, begin, end),
		cmocka_unit_test_setup_teardown(a_full_peer_gets_the_rest_later, begin, end),
		cmocka_unit_test_setup_teardown(a_peer_that_is_late, begin, end),
		cmocka_unit_test_setup_teardown(not_too_many, begin, end),
		cmocka_unit_test_setup_teardown(not_for_ever, begin, end),
		cmocka_unit_test_setup_teardown(a_peer_that_goes_for_good, begin, end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
