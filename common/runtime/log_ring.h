/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker wants to say to people: a small ring of texts, written by the worker without blocking, read by the control thread, which
 * makes log lines and events of them. A full ring loses the line and counts it; a worker may say at most a few hundred a second.
 */
#ifndef SLUICE_RUNTIME_LOG_RING_H
#define SLUICE_RUNTIME_LOG_RING_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { LOG_RING_SIZE = 64, LOG_RING_TEXT = 200 };

struct log_record {
	const char *event; /* static text */
	uint16_t nf;       /* id of the function that speaks */
	char text[LOG_RING_TEXT];
};

struct log_ring {
	_Atomic uint32_t head; /* moved by the reader */
	_Atomic uint32_t tail; /* moved by the writer */
	_Atomic uint64_t lost;
	struct log_record records[LOG_RING_SIZE];
};

/* Writer: formats into the next record, or counts the loss. */
static inline void log_ring_put(struct log_ring *ring, uint16_t nf, const char *event, const char *format,
                                va_list args)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	struct log_record *record = &ring->records[tail % LOG_RING_SIZE];

	if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) == LOG_RING_SIZE) {
		atomic_store_explicit(&ring->lost,
		                      atomic_load_explicit(&ring->lost, memory_order_relaxed) + 1,
		                      memory_order_relaxed);
		return;
	}
	record->event = event;
	record->nf = nf;
	vsnprintf(record->text, sizeof(record->text), format, args);
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

/* Reader: copies the oldest record out; false: there is none. */
static inline bool log_ring_get(struct log_ring *ring, struct log_record *out)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	if (head == atomic_load_explicit(&ring->tail, memory_order_acquire))
		return false;
	*out = ring->records[head % LOG_RING_SIZE];
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return true;
}

#endif
