/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bounded pool of threads that handlers run on. Two queues: quick jobs go first, and slow ones never
 * occupy the last thread, so that a quick request is served while every slow one waits. Jobs are intrusive;
 * all data is guarded by `lock`.
 */
#include "manage/rest_private.h"

#include <signal.h>
#include <stdlib.h>

struct queue {
	struct pool_job *head, **end;
	unsigned count;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct queue quick, slow;
	unsigned limit, slow_running, threads; /* limit: of each queue */
	bool stopping;
	void (*run)(struct pool_job *);
	pthread_t thread[];
};

static void queue_put(struct queue *queue, struct pool_job *job)
{
	job->next = NULL;
	*queue->end = job;
	queue->end = &job->next;
	queue->count++;
}

static struct pool_job *queue_get(struct queue *queue)
{
	struct pool_job *job = queue->head;
	if (!job)
		return NULL;
	queue->count--;
	if (!(queue->head = job->next))
		queue->end = &queue->head;
	return job;
}

static struct pool_job *next_job(struct pool *pool)
{
	struct pool_job *job = queue_get(&pool->quick);
	if (!job && pool->slow_running + 1 < pool->threads)
		job = queue_get(&pool->slow);
	return job;
}

static void run_job(struct pool *pool, struct pool_job *job)
{
	bool slow = job->slow;
	pool->slow_running += slow;
	pthread_mutex_unlock(&pool->lock);
	pool->run(job);
	pthread_mutex_lock(&pool->lock);
	pool->slow_running -= slow;
	if (slow)
		pthread_cond_signal(&pool->change);
}

static void *pool_thread(void *argument)
{
	struct pool *pool = argument;
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct pool_job *job = next_job(pool);
		if (job)
			run_job(pool, job);
		else if (pool->stopping && !pool->quick.count && !pool->slow.count)
			break;
		else
			pthread_cond_wait(&pool->change, &pool->lock);
	}
	pthread_cond_broadcast(&pool->change);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

bool thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, REST_STACK);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(thread, &attributes, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return !failed;
}

struct pool *pool_new(unsigned threads, unsigned queue, void (*run)(struct pool_job *))
{
	struct pool *pool = calloc(1, sizeof *pool + threads * sizeof(pthread_t));
	if (!pool)
		return NULL;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->change, NULL);
	pool->quick.end = &pool->quick.head;
	pool->slow.end = &pool->slow.head;
	pool->limit = queue;
	pool->run = run;
	pthread_mutex_lock(&pool->lock);
	while (pool->threads < threads && thread_start(&pool->thread[pool->threads], pool_thread, pool))
		pool->threads++;
	pthread_mutex_unlock(&pool->lock);
	if (pool->threads == threads)
		return pool;
	pool_free(pool);
	return NULL;
}

bool pool_submit(struct pool *pool, struct pool_job *job)
{
	struct queue *queue = job->slow ? &pool->slow : &pool->quick;
	pthread_mutex_lock(&pool->lock);
	bool room = queue->count < pool->limit && !pool->stopping;
	if (room) {
		queue_put(queue, job);
		pthread_cond_signal(&pool->change);
	}
	pthread_mutex_unlock(&pool->lock);
	return room;
}

void pool_drain(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->change);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	pool->threads = 0;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pool_drain(pool);
	pthread_cond_destroy(&pool->change);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
