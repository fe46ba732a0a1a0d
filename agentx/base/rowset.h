/*
 * A sorted set of rows of one fixed size that remembers which rows changed since they were last
 * handed on. All tables of all processes are rowsets: what the hypervisor said, what the MIB shows.
 * A newer row takes the place of one that still waits; a removed row waits as a tombstone.
 */
#ifndef BASE_ROWSET_H
#define BASE_ROWSET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct row {
	TAILQ_ENTRY(row) changed;
	bool waits; /* in the list of changed rows */
	bool gone;  /* removed; only there to be handed on */
	bool seen;  /* put since rowset_begin() */
	_Alignas(8) unsigned char data[];
};

struct rowset {
	size_t row_size;			      /* octets */
	int (*compare)(const void *a, const void *b); /* order of the keys within two rows */
	bool tracks;				      /* keeps the list of changed rows */
	struct row **rows;
	size_t count, capacity;
	TAILQ_HEAD(, row) changed;
};

void rowset_init(struct rowset *set, size_t row_size, int (*compare)(const void *a, const void *b),
		 bool tracks);
void rowset_dispose(struct rowset *set);

/* Position of the first row whose key is not below that of key; count where there is none. */
size_t rowset_seek(const struct rowset *set, const void *key);

/* The row with key's key, or NULL. Valid until that row is removed. */
void *rowset_find(const struct rowset *set, const void *key);
void *rowset_at(const struct rowset *set, size_t position);

/* Adds or replaces; true where anything differs from before (rows compare by memcmp). */
bool rowset_put(struct rowset *set, const void *row);
bool rowset_remove(struct rowset *set, const void *key);
void rowset_clear(struct rowset *set);

/* A whole snapshot: begin, put each row, end; end removes the rows that were not put. */
void rowset_begin(struct rowset *set);
void rowset_end(struct rowset *set);

/* The same as put, for the row at data (a pointer that place, find or at gave): its key is not
 * looked for. */
bool rowset_replace(struct rowset *set, void *data, const void *row);

/* Puts, and gives where the row stands. */
void *rowset_place(struct rowset *set, const void *row);

/* Marks the row at data (as above) as changed after it was edited in place. */
void rowset_touch(struct rowset *set, void *data);

/* Takes the oldest changed row: copies it to row, sets *gone. False where none waits. */
bool rowset_take(struct rowset *set, void *row, bool *gone);

/* Takes one row out of the list of changed ones, for who sends it ahead; false: did not wait. */
bool rowset_take_one(struct rowset *set, const void *key);
bool rowset_waits(const struct rowset *set);

/* A new listener that has nothing: every row waits, no tombstone does. */
void rowset_resend(struct rowset *set);

#endif
