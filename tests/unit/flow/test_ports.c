/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port blocks: bounds, owners, preferences, exhaustion, grants, claims; nothing is ever given twice.
 */
#include "helper_flow.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "flow/ports.h"

enum { BASE = 0xcb007100 }; /* 203.0.113.0 */

static struct ports *pool_of(unsigned addresses, uint16_t first, uint16_t last)
{
	struct ports_range range = { htonl(BASE), htonl(BASE + addresses - 1) };
	struct ports_options options = { &range, 1, first, last };
	struct errors errors = ERRORS_NONE;
	struct ports *pool = ports_new(&options, &errors);

	assert_false(errors_any(&errors));
	assert_non_null(pool);
	return pool;
}

static struct ports_stats stats_of(const struct ports *pool, unsigned bucket)
{
	struct ports_stats stats;

	ports_stats(pool, bucket, &stats);
	return stats;
}

/* Allocates everything of a bucket; marks what it got and checks that it is in bounds, its own and new. */
static uint32_t drain(struct ports *pool, unsigned bucket, enum ports_space space, uint8_t *seen,
                      unsigned addresses, uint16_t first, uint16_t last, uint64_t *seed)
{
	struct ports_request request = { .space = space };
	uint32_t n = 0, address;
	uint16_t port;

	for (;; n++) {
		uint32_t at;

		request.seed = test_random(seed);
		request.flags = request.seed >> 8 & 7;
		request.preferred = htons((uint16_t)test_random(seed));
		request.address = htonl(BASE + test_random(seed) % addresses);
		if (!ports_allocate(pool, bucket, &request, &address, &port))
			return n;
		at = ntohl(address) - BASE;
		assert_true(at < addresses);
		assert_in_range(ntohs(port), first, last);
		assert_int_equal(ports_owner(pool, address, port), bucket);
		assert_false(seen[at * 65536 + ntohs(port)]);
		seen[at * 65536 + ntohs(port)] = 1;
	}
}

static void drain_all(unsigned addresses, uint16_t first, uint16_t last)
{
	struct ports *pool = pool_of(addresses, first, last);
	uint64_t seed = addresses + first;
	uint32_t blocks = 0;

	for (unsigned space = 0; space < PORTS_SPACES; space++) {
		uint8_t *seen = calloc(addresses, 65536);

		for (unsigned k = 0; k < PORTS_BUCKETS; k++) {
			struct ports_stats before = stats_of(pool, k);

			assert_int_equal(drain(pool, k, space, seen, addresses, first, last, &seed),
			                 before.available[space]);
			assert_int_equal(stats_of(pool, k).available[space], 0);
			assert_int_equal(stats_of(pool, k).used[space], before.available[space]);
			blocks += space ? 0 : before.bucket_blocks;
		}
		free(seen);
	}
	assert_int_equal(blocks, (stats_of(pool, 0).blocks + 1) / 2);
	ports_free(pool);
}

static void nothing_twice(void **state)
{
	(void)state;
	drain_all(1, 1024, 65535);
	drain_all(3, 1024, 65535);
	drain_all(16, 1000, 5003);
	drain_all(1, 65535, 65535);
	drain_all(5, 1, 100);
}

/* Random allocations and releases against an array; half of the requests name a bucket that has little. */
static void against_model(void **state)
{
	enum { ADDRESSES = 2 };
	struct ports *pool = pool_of(ADDRESSES, 1024, 65535);
	static int taken[PORTS_SPACES][ADDRESSES * 65536];
	static struct {
		uint32_t address;
		uint16_t port;
		uint8_t space, bucket;
	} held[3000];
	uint64_t seed = 3;
	uint32_t n = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		unsigned bucket = test_random(&seed) % 8;

		if (n && (n == 3000 || test_random(&seed) & 1)) {
			uint32_t k = test_random(&seed) % n;

			assert_false(ports_release(pool, held[k].bucket + 1U, held[k].space, held[k].address,
			                           held[k].port));
			assert_true(ports_release(pool, held[k].bucket, held[k].space, held[k].address,
			                          held[k].port));
			assert_false(ports_release(pool, held[k].bucket, held[k].space, held[k].address,
			                           held[k].port));
			taken[held[k].space][(ntohl(held[k].address) - BASE) * 65536 + ntohs(held[k].port)]--;
			held[k] = held[--n];
		} else {
			struct ports_request request = { .space = test_random(&seed) % PORTS_SPACES,
				                         .flags = test_random(&seed) & 7,
				                         .preferred = (uint16_t)test_random(&seed),
				                         .address = htonl(BASE + (test_random(&seed) & 3)),
				                         .seed = test_random(&seed) };

			if (!ports_allocate(pool, bucket, &request, &held[n].address, &held[n].port)) {
				assert_int_equal(stats_of(pool, bucket).available[request.space], 0);
				continue;
			}
			held[n].space = (uint8_t)request.space;
			held[n].bucket = (uint8_t)bucket;
			assert_int_equal(taken[request.space][(ntohl(held[n].address) - BASE) * 65536 +
			                                      ntohs(held[n].port)]++,
			                 0);
			n++;
		}
	}
	ports_free(pool);
}

static void keeps_parity(void **state)
{
	struct ports *pool = pool_of(1, 1025, 65535);
	struct ports_request request = { .space = PORTS_UDP, .flags = PORTS_PARITY };
	uint32_t address, even = stats_of(pool, 3).available[PORTS_UDP] / 2;
	uint16_t port;

	(void)state;
	request.preferred = htons(5000);
	for (uint32_t i = 0; i < even; i++) {
		request.seed = i * 2654435761U;
		assert_true(ports_allocate(pool, 3, &request, &address, &port));
		assert_int_equal(ntohs(port) & 1, 0);
	}
	/* No even one is left; an odd one is better than none. */
	assert_true(ports_allocate(pool, 3, &request, &address, &port));
	assert_int_equal(ntohs(port) & 1, 1);
	request.preferred = htons(5001);
	assert_true(ports_allocate(pool, 3, &request, &address, &port));
	assert_int_equal(ntohs(port) & 1, 1);
	ports_free(pool);
}

static void preservation(void **state)
{
	struct ports *pool = pool_of(1, 1024, 65535);
	struct ports_request request = { .space = PORTS_TCP,
		                         .flags = PORTS_PRESERVE,
		                         .address = htonl(BASE) };
	uint32_t address;
	uint16_t port;

	(void)state;
	/* Block 3 begins at 1024 + 3 * 64 and belongs to bucket 3. */
	request.preferred = htons(1024 + 3 * 64 + 5);
	assert_true(ports_allocate(pool, 3, &request, &address, &port));
	assert_int_equal(port, request.preferred);
	assert_true(ports_allocate(pool, 3, &request, &address, &port));
	assert_int_not_equal(port, request.preferred);
	request.flags |= PORTS_ADDRESS;
	request.preferred = htons(1024 + 3 * 64 + 6);
	assert_true(ports_allocate(pool, 3, &request, &address, &port));
	assert_int_equal(port, request.preferred);
	/* Of another space it is free; of another bucket it is not to be had. */
	request.space = PORTS_ICMP;
	assert_true(ports_allocate(pool, 3, &request, &address, &port));
	assert_int_equal(port, request.preferred);
	request.space = PORTS_UDP;
	assert_true(ports_allocate(pool, 4, &request, &address, &port));
	assert_int_not_equal(port, request.preferred);
	ports_free(pool);
}

static void paired_address(void **state)
{
	struct ports *pool = pool_of(3, 1024, 65535);
	struct ports_request request = { .space = PORTS_UDP, .flags = PORTS_ADDRESS };
	uint32_t address;
	uint16_t port;

	(void)state;
	for (uint32_t i = 0; i < 150; i++) {
		request.address = htonl(BASE + i % 3);
		request.seed = i * 2654435761U;
		assert_true(ports_allocate(pool, 9, &request, &address, &port));
		assert_int_equal(address, request.address);
	}
	ports_free(pool);
}

static void starts_are_spread(void **state)
{
	struct ports *pool = pool_of(4, 1024, 65535);
	struct ports_request request = { .space = PORTS_UDP };
	bool seen[PORTS_BLOCK] = { false };
	unsigned different = 0;
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 100; i++) {
		uint32_t address;
		uint16_t port;

		request.seed = test_random(&seed);
		assert_true(ports_allocate(pool, 0, &request, &address, &port));
		seen[(ntohs(port) - 1024) % PORTS_BLOCK] = true;
	}
	for (int i = 0; i < PORTS_BLOCK; i++)
		different += seen[i];
	assert_true(different > 35);
	ports_free(pool);
}

static void grants(void **state)
{
	struct ports *pool = pool_of(1, 1024, 65535);
	struct ports_request request = { .space = PORTS_TCP };
	uint8_t *seen = calloc(1, 65536);
	uint64_t seed = 1;
	uint32_t total = 0, granted = 0;

	(void)state;
	assert_false(ports_wants(pool, 0));
	total = drain(pool, 0, PORTS_TCP, seen, 1, 1024, 65535, &seed);
	assert_true(ports_wants(pool, 0));
	assert_false(ports_wants(pool, 1));
	for (;; granted++) {
		if (!ports_grant(pool, 0))
			break;
		assert_false(ports_grant(pool, 0));
		total += drain(pool, 0, PORTS_TCP, seen, 1, 1024, 65535, &seed);
	}
	assert_int_equal(granted, 504);
	assert_int_equal(stats_of(pool, 0).reserve, 0);
	assert_int_equal(stats_of(pool, 0).bucket_blocks, 504 + 2);
	assert_int_equal(total, (504 + 2) * 64);
	request.space = PORTS_UDP;
	assert_true(ports_allocate(pool, 0, &request, &(uint32_t){ 0 }, &(uint16_t){ 0 }));
	ports_free(pool);
	free(seen);
	/* What is freed ends the want; so does a grant, once it was fetched. */
	pool = pool_of(1, 1024, 65535);
	for (int i = 0; i < 100; i++)
		assert_true(ports_allocate(pool, 5, &request, &(uint32_t){ 0 }, &(uint16_t){ 0 }));
	assert_true(ports_wants(pool, 5));
	assert_true(ports_grant(pool, 5));
	ports_adopt(pool, 5);
	assert_false(ports_wants(pool, 5));
	ports_free(pool);
}

/* After a restart: what sessions hold is claimed anew, also in blocks that were granted. */
static void claims(void **state)
{
	struct ports *pool = pool_of(1, 1024, 65535);
	uint32_t address = htonl(BASE);
	uint16_t granted = htons(1024 + 600 * 64 + 7), own = htons(1024 + 2 * 64 + 1);
	uint8_t *seen = calloc(1, 65536);
	uint64_t seed = 1;

	(void)state;
	assert_true(ports_claim(pool, 2, PORTS_TCP, address, own));
	assert_false(ports_claim(pool, 2, PORTS_TCP, address, own));
	assert_true(ports_claim(pool, 2, PORTS_UDP, address, own));
	assert_false(ports_claim(pool, 3, PORTS_ICMP, address, own));
	assert_false(ports_claim(pool, 2, PORTS_TCP, address, htons(80)));
	assert_false(ports_claim(pool, 2, PORTS_TCP, htonl(BASE + 1), own));
	assert_int_equal(ports_owner(pool, address, granted), 600 % 256);
	assert_true(ports_claim(pool, 2, PORTS_TCP, address, granted));
	assert_int_equal(ports_owner(pool, address, granted), 2);
	assert_false(ports_claim(pool, 3, PORTS_TCP, address, granted));
	assert_int_equal(stats_of(pool, 2).reserve, 503);
	seen[1024 + 600 * 64 + 7] = seen[1024 + 2 * 64 + 1] = 1;
	assert_int_equal(drain(pool, 2, PORTS_TCP, seen, 1, 1024, 65535, &seed), 3 * 64 - 2);
	/* The reserve never gives that block again. */
	for (int i = 0; i < 503; i++) {
		assert_true(ports_grant(pool, 7));
		ports_adopt(pool, 7);
	}
	assert_false(ports_grant(pool, 7));
	assert_int_equal(ports_owner(pool, address, granted), 2);
	assert_true(ports_release(pool, 2, PORTS_TCP, address, granted));
	ports_free(pool);
	free(seen);
}

/* A list is taken over with the first request that names it, by each bucket for itself, and another replaces it. */
static void withheld(void **state)
{
	struct ports *pool = pool_of(1, 1024, 65535);
	const uint32_t base = htonl(BASE);
	const uint16_t block2 = 1024 + 2 * 64;
	struct ports_hold first[] = { { base, 22, (uint16_t)(block2 + 9), PORTS_TCP },
		                      { base, (uint16_t)(block2 + 9), (uint16_t)(block2 + 11), PORTS_UDP },
		                      { htonl(BASE + 9), 2000, 3000, PORTS_TCP } };
	struct ports_hold second = { base, (uint16_t)(block2 + 63), 65535, PORTS_TCP };
	struct ports_withheld *a = ports_withheld_new(pool, first, 3),
	                      *b = ports_withheld_new(pool, &second, 1);
	struct ports_request request = { .space = PORTS_TCP,
		                         .flags = PORTS_PRESERVE,
		                         .preferred = htons((uint16_t)(block2 + 9)),
		                         .withheld = a };
	uint32_t address, all = stats_of(pool, 2).available[PORTS_TCP];
	uint16_t port;

	(void)state;
	assert_true(ports_allocate(pool, 2, &request, &address, &port));
	assert_int_not_equal(port, request.preferred);
	assert_int_equal(stats_of(pool, 2).available[PORTS_TCP], all - 10 - 1);
	assert_int_equal(stats_of(pool, 2).available[PORTS_UDP], all - 3);
	assert_int_equal(stats_of(pool, 2).used[PORTS_TCP], 1);
	assert_true(ports_release(pool, 2, PORTS_TCP, address, port));
	/* Under another list it may be had; taken, it stays so when the first list comes back, and returns to nobody. */
	request.withheld = b;
	assert_true(ports_allocate(pool, 2, &request, &address, &port));
	assert_int_equal(port, request.preferred);
	assert_int_equal(stats_of(pool, 2).available[PORTS_TCP], all - 1 - 65);
	request.withheld = a;
	assert_true(ports_allocate(pool, 2, &request, &(uint32_t){ 0 }, &(uint16_t){ 0 }));
	assert_int_equal(stats_of(pool, 2).available[PORTS_TCP], all - 10 - 1);
	assert_true(ports_release(pool, 2, PORTS_TCP, base, htons((uint16_t)(block2 + 9))));
	assert_int_equal(stats_of(pool, 2).available[PORTS_TCP], all - 10 - 1);
	assert_int_equal(stats_of(pool, 2).used[PORTS_TCP], 1);
	request.withheld = NULL;
	assert_true(ports_allocate(pool, 2, &request, &(uint32_t){ 0 }, &port));
	assert_int_equal(port, request.preferred);
	assert_int_equal(stats_of(pool, 2).available[PORTS_TCP], all - 2);
	ports_withheld_free(a);
	ports_withheld_free(b);
	ports_free(pool);
}

enum { HOLDS = 4 };

static bool is_held(const struct ports_hold *holds, unsigned port, unsigned space)
{
	for (unsigned i = 0; i < HOLDS; i++)
		if (holds[i].space == space && port >= holds[i].first && port <= holds[i].last)
			return true;
	return false;
}

/* Ports of a block of the bucket, at random. */
static void random_holds(struct ports_hold *holds, uint64_t *seed)
{
	for (unsigned i = 0; i < HOLDS; i++) {
		uint32_t first = 1000 + 64 * (test_random(seed) & 1 ? 2 : 258) + test_random(seed) % 80;

		holds[i] = (struct ports_hold){ htonl(BASE), (uint16_t)first,
			                        (uint16_t)(first + test_random(seed) % 60),
			                        (uint8_t)(test_random(seed) % 2) };
	}
}

static uint32_t free_by_model(const uint8_t *taken, const struct ports_hold *holds, unsigned space)
{
	uint32_t n = 0;

	for (unsigned block = 2; block <= 258; block += 256)
		for (unsigned port = 1024 + 64 * block; port < 1088 + 64 * block; port++)
			n += !taken[port] && !is_held(holds, port, space);
	return n;
}

/* Lists change while ports are taken and given back; what is left is what a look at every port says. */
static void withheld_against_model(void **state)
{
	struct ports *pool = pool_of(1, 1024, 65535);
	static uint8_t taken[2][65536];
	struct ports_hold holds[HOLDS];
	struct ports_withheld *list = NULL;
	uint64_t seed = 11;

	(void)state;
	for (unsigned i = 0; i < 30000; i++) {
		struct ports_request request = { .space = test_random(&seed) & 1,
			                         .flags = test_random(&seed) & 7,
			                         .address = htonl(BASE),
			                         .seed = test_random(&seed) };
		unsigned port = 1024 + 64 * (test_random(&seed) & 1 ? 2 : 258) + test_random(&seed) % 64;
		uint16_t got;

		if (i % 100 == 0) {
			ports_withheld_free(list);
			random_holds(holds, &seed);
			list = ports_withheld_new(pool, holds, HOLDS);
		}
		request.withheld = list;
		request.preferred = htons((uint16_t)port);
		if (ports_allocate(pool, 2, &request, &(uint32_t){ 0 }, &got)) {
			assert_false(taken[request.space][ntohs(got)]);
			assert_false(is_held(holds, ntohs(got), request.space));
			taken[request.space][ntohs(got)] = 1;
		} else {
			assert_int_equal(free_by_model(taken[request.space], holds, request.space), 0);
		}
		assert_int_equal(ports_release(pool, 2, request.space, htonl(BASE), htons((uint16_t)port)),
		                 taken[request.space][port]);
		taken[request.space][port] = 0;
		for (unsigned space = 0; space < 2; space++)
			assert_int_equal(stats_of(pool, 2).available[space],
			                 free_by_model(taken[space], holds, space));
	}
	ports_withheld_free(list);
	ports_free(pool);
}

/* A bucket of which everything is withheld is empty at once, asks for more, and finds withheld what it is given. */
static void withheld_entirely(void **state)
{
	struct ports *pool = pool_of(1, 1024, 65535);
	struct ports_hold most = { htonl(BASE), 1024, 65500, PORTS_TCP };
	struct ports_withheld *list = ports_withheld_new(pool, &most, 1);
	struct ports_request request = { .space = PORTS_TCP, .withheld = list };
	unsigned grants = 0;

	(void)state;
	assert_false(ports_allocate(pool, 7, &request, &(uint32_t){ 0 }, &(uint16_t){ 0 }));
	assert_true(ports_wants(pool, 7));
	for (; ports_grant(pool, 7); grants++)
		if (ports_allocate(pool, 7, &request, &(uint32_t){ 0 }, &(uint16_t){ 0 }))
			break;
	assert_int_equal(grants, 503);
	assert_int_equal(stats_of(pool, 7).available[PORTS_TCP], 34);
	request.space = PORTS_UDP;
	assert_true(ports_allocate(pool, 7, &request, &(uint32_t){ 0 }, &(uint16_t){ 0 }));
	ports_withheld_free(list);
	ports_free(pool);
}

static void owners(void **state)
{
	struct ports_range ranges[2] = { { htonl(10), htonl(12) }, { htonl(100), htonl(100) } };
	struct ports_options options = { ranges, 2, 0, 0 };
	struct errors errors = ERRORS_NONE;
	struct ports *pool = ports_new(&options, &errors);

	(void)state;
	assert_int_equal(ports_owner(pool, htonl(10), htons(1024)), 0);
	assert_int_equal(ports_owner(pool, htonl(12), htons(1024)), 2);
	assert_int_equal(ports_owner(pool, htonl(100), htons(1024 + 63)), 3);
	assert_int_equal(ports_owner(pool, htonl(10), htons(1024 + 64)), 4);
	assert_int_equal(ports_owner(pool, htonl(100), htons(65535)), (1007 * 4 + 3) % 256);
	assert_int_equal(ports_owner(pool, htonl(10), htons(1023)), -1);
	assert_int_equal(ports_owner(pool, htonl(9), htons(2000)), -1);
	assert_int_equal(ports_owner(pool, htonl(13), htons(2000)), -1);
	assert_int_equal(ports_owner(pool, htonl(101), htons(2000)), -1);
	ports_free(pool);
}

static void bad_options(void **state)
{
	struct ports_range backwards = { htonl(5), htonl(4) }, all = { 0, UINT32_MAX };
	struct ports_range overlapping[2] = { { htonl(1), htonl(5) }, { htonl(5), htonl(6) } };
	struct errors errors = ERRORS_NONE;

	(void)state;
	assert_null(ports_new(&(struct ports_options){ &backwards, 1, 0, 0 }, &errors));
	assert_null(ports_new(&(struct ports_options){ &all, 1, 0, 0 }, &errors));
	assert_null(ports_new(&(struct ports_options){ overlapping, 2, 0, 0 }, &errors));
	assert_null(ports_new(&(struct ports_options){ overlapping, 1, 20, 10 }, &errors));
	assert_null(ports_new(&(struct ports_options){ NULL, 0, 0, 0 }, &errors));
	assert_int_equal(errors.count, 5);
	errors_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_twice),
		cmocka_unit_test(against_model),
		cmocka_unit_test(keeps_parity),
		cmocka_unit_test(preservation),
		cmocka_unit_test(paired_address),
		cmocka_unit_test(starts_are_spread),
		cmocka_unit_test(grants),
		cmocka_unit_test(claims),
		cmocka_unit_test(withheld),
		cmocka_unit_test(withheld_entirely),
		cmocka_unit_test(withheld_against_model),
		cmocka_unit_test(owners),
		cmocka_unit_test(bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
