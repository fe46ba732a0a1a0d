#include "base/timers.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

static bool
timer_before(const struct timer *a, const struct timer *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

/* Places run from 1: the children of n are 2n and 2n+1. */
static void
heap_put(struct timers *timers, size_t place, struct timer *t)
{
	timers->heap[place - 1] = t;
	t->place = place;
}

static void
heap_rise(struct timers *timers, struct timer *t)
{
	size_t place = t->place;

	while (place > 1 && timer_before(t, timers->heap[place / 2 - 1])) {
		heap_put(timers, place, timers->heap[place / 2 - 1]);
		place /= 2;
	}
	heap_put(timers, place, t);
}

static void
heap_sink(struct timers *timers, struct timer *t)
{
	size_t place = t->place, child;

	while ((child = place * 2) <= timers->count) {
		if (child < timers->count &&
		    timer_before(timers->heap[child], timers->heap[child - 1]))
			child++;
		if (!timer_before(timers->heap[child - 1], t))
			break;
		heap_put(timers, place, timers->heap[child - 1]);
		place = child;
	}
	heap_put(timers, place, t);
}

void
timers_set(struct timers *timers, struct timer *t, int64_t due_ms, void (*fire)(void *arg),
	   void *arg)
{
	timers_cancel(timers, t);
	if (timers->count == timers->room) {
		timers->room = timers->room ? timers->room * 2 : 64;
		timers->heap = mem_resize(timers->heap, timers->room, sizeof(*timers->heap));
	}
	*t = (struct timer){.due_ms = due_ms, .order = ++timers->order, .fire = fire, .arg = arg};
	heap_put(timers, ++timers->count, t);
	heap_rise(timers, t);
}

void
timers_cancel(struct timers *timers, struct timer *t)
{
	struct timer *last;

	if (!t->place)
		return;
	last = timers->heap[--timers->count];
	if (last != t) {
		heap_put(timers, t->place, last);
		heap_rise(timers, last);
		heap_sink(timers, last);
	}
	t->place = 0;
}

struct timer *
timers_take(struct timers *timers, int64_t now_ms)
{
	struct timer *first = timers->count ? timers->heap[0] : NULL;

	if (!first || first->due_ms > now_ms)
		return NULL;
	timers_cancel(timers, first);
	return first;
}

int64_t
timers_deadline(const struct timers *timers)
{
	return timers->count ? timers->heap[0]->due_ms : TIMERS_NEVER;
}

void
timers_dispose(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){0};
}
