/*
 * What the store must hold, in memory: every VM and request, the counters, and the events that are
 * not on disk yet. Written whole when a store that could not be written heals.
 */
#ifndef STORE_MIRROR_H
#define STORE_MIRROR_H

#include <stdint.h>

#include "base/rowset.h"
#include "store/schema.h"

/* Only ever ascend, whatever becomes of the rows. */
struct counters {
	uint32_t next_sequence, handed;
	uint64_t next_request;
};

struct mirror {
	struct rowset sets[TABLE_COUNT]; /* of events: those that are not on disk */
	size_t events_max;		 /* the oldest event beyond them is forgotten */
	struct counters counters;
	uint64_t journal;
};

void mirror_init(struct mirror *mirror, size_t events_max);
void mirror_dispose(struct mirror *mirror);
void mirror_copy(struct mirror *to, const struct mirror *from); /* to is initialised here */

void mirror_put(struct mirror *mirror, enum table table, const void *row);
void mirror_drop(struct mirror *mirror, enum table table, const void *key);

/* Events up to sequence are on disk. */
void mirror_forget_events(struct mirror *mirror, uint32_t sequence);

/* A row was put: its number is used. */
void counters_note(struct counters *counters, enum table table, const void *row);

#endif
