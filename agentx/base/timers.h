/*
 * Timers on a clock that the caller moves: a heap ordered by due time, ties in the order in which
 * the timers were set, so that a run depends on nothing but the times and the commands. A timer is
 * embedded in what it belongs to; zeroed memory is an idle timer.
 */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include <stddef.h>
#include <stdint.h>

#define TIMERS_NEVER INT64_MAX

struct timer {
	int64_t due_ms;
	uint64_t order;
	size_t place; /* in the heap, from 1; 0: not set */
	void (*fire)(void *arg);
	void *arg;
};

struct timers {
	struct timer **heap;
	size_t count, room;
	uint64_t order;
};

/* Sets t to fire at due_ms; moves it where it is set already. */
void timers_set(struct timers *timers, struct timer *t, int64_t due_ms, void (*fire)(void *arg),
		void *arg);

/* Does nothing where t is not set. */
void timers_cancel(struct timers *timers, struct timer *t);

/* Takes out the first timer that is due by now_ms, or returns NULL. */
struct timer *timers_take(struct timers *timers, int64_t now_ms);

/* When the first timer is due, or TIMERS_NEVER. */
int64_t timers_deadline(const struct timers *timers);

/* Forgets all timers; they must not be used any more. */
void timers_dispose(struct timers *timers);

#endif
