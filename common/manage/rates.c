/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Token buckets, one a client, in a table of fixed size: a client that is not there takes the place of the
 * one of its row that was away longest. Whoever fills the table with names can so get a full bucket again,
 * at the price of as many addresses or subjects. Guarded by a lock.
 */
#include "manage/rest_private.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 256, WAYS = 8, SECOND_US = 1000000 };

struct bucket {
	char client[CALLER_SUBJECT + 8];
	uint64_t last_us;
	uint64_t left; /* millionths of a request */
};

struct rates {
	pthread_mutex_t lock;
	unsigned rate, burst;
	struct bucket buckets[ROWS][WAYS];
};

struct rates *rates_new(unsigned rate, unsigned burst)
{
	struct rates *rates = calloc(1, sizeof *rates);
	if (!rates)
		return NULL;
	pthread_mutex_init(&rates->lock, NULL);
	rates->rate = rate;
	rates->burst = burst;
	return rates;
}

void rates_free(struct rates *rates)
{
	if (!rates)
		return;
	pthread_mutex_destroy(&rates->lock);
	free(rates);
}

void rates_set(struct rates *rates, unsigned rate, unsigned burst)
{
	pthread_mutex_lock(&rates->lock);
	rates->rate = rate;
	rates->burst = burst;
	pthread_mutex_unlock(&rates->lock);
}

/* FNV-1a. */
static unsigned row_of(const char *client)
{
	uint32_t hash = 2166136261;
	for (; *client; client++)
		hash = (hash ^ (unsigned char)*client) * 16777619;
	return (hash ^ hash >> 16) % ROWS;
}

/* Lock held. */
static struct bucket *bucket_of(struct rates *rates, const char *client, uint64_t now_us)
{
	struct bucket *row = rates->buckets[row_of(client)], *oldest = row;
	for (struct bucket *bucket = row; bucket < row + WAYS; bucket++) {
		if (!strcmp(bucket->client, client))
			return bucket;
		if (bucket->last_us < oldest->last_us)
			oldest = bucket;
	}
	*oldest = (struct bucket){ .last_us = now_us, .left = (uint64_t)rates->burst * SECOND_US };
	strncpy(oldest->client, client, sizeof oldest->client - 1);
	return oldest;
}

unsigned rates_take(struct rates *rates, const char *client, uint64_t now_us)
{
	unsigned wait = 0;
	pthread_mutex_lock(&rates->lock);
	uint64_t full = (uint64_t)rates->burst * SECOND_US;
	struct bucket *bucket = bucket_of(rates, client, now_us);
	/* Whoever waited for the lock comes with a time that is over. */
	uint64_t passed = now_us > bucket->last_us ? now_us - bucket->last_us : 0,
	         most = full / rates->rate + 1;
	bucket->left += (passed < most ? passed : most) * rates->rate;
	if (bucket->left > full)
		bucket->left = full;
	bucket->last_us += passed;
	if (bucket->left >= SECOND_US)
		bucket->left -= SECOND_US;
	else
		wait = 1 + (unsigned)((SECOND_US - bucket->left) / rates->rate / SECOND_US);
	pthread_mutex_unlock(&rates->lock);
	return wait;
}
