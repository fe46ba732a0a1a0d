/*
 * Inside of the store: what the engine's thread (store.c) and the writer's thread (writer.c) share,
 * all under lock but where said.
 *
 * Well: an operation changes the mirror and joins the queue; the writer takes what waits into one
 * transaction, and the operations come back, settled, to the loop. In memory: an operation changes
 * the mirror and is settled at once, as not durable; every few seconds the writer writes the whole
 * mirror, and operations join the queue again while it does. A disk that does not answer fails
 * nothing: the loop watches how long the writer has been at it, and turns to memory. What is in
 * flight then is the writer's still, but its news are told; when the writer is back, it heals.
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#define RETRY_MS 5000 /* from one attempt to heal to the next */
#define HANG_MS 5000  /* in one transaction: the disk does not answer; over database.c's BUSY_MS */

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "store/database.h"
#include "store/mirror.h"
#include "store/store.h"

enum operation_kind { OPERATION_PUT, OPERATION_DROP, OPERATION_MARK, OPERATION_HEALTH };

struct operation {
	TAILQ_ENTRY(operation) next;
	enum operation_kind kind;
	enum table table;
	bool result; /* durable; of a health: it is well */
	store_done *done;
	void *arg;
	uint64_t tag;
	size_t size;			  /* octets of data */
	_Alignas(8) unsigned char data[]; /* the row (of a drop, its key), or the error */
};
TAILQ_HEAD(operations, operation);

struct store {
	pthread_mutex_t lock;
	pthread_cond_t wake;  /* the writer: there is work */
	pthread_cond_t ended; /* who closes: the writer has ended */
	pthread_t thread;

	struct operations queue, flight; /* waiting; in the writer's transaction */
	size_t queued;			 /* in queue */
	struct operations settled;	 /* for the loop, in order */
	int settled_fd;			 /* an eventfd: settled has something */

	struct mirror mirror;
	int64_t working_ms;	/* since when the writer is at the database; 0: it is not */
	int64_t handed_due_ms;	/* when mirror's handed is to be written; INT64_MAX: it is */
	bool in_memory;		/* the database is not being written */
	bool healing;		/* the mirror is */
	int64_t retry_ms;	/* when it is tried next; in memory only */
	char error[ERROR_SIZE]; /* why in memory */

	bool stop;	 /* write what waits, and end */
	int64_t stop_ms; /* by then */
	bool tried_last; /* to heal since stop */
	bool has_ended;	 /* the thread has */
	bool abandoned;	 /* nobody waits for it any more: it frees the store itself */

	/* The writer's alone once its thread runs. */
	struct database database;
	bool established; /* mirror's journal is the id of a database on disk */

	/* The loop's alone. */
	struct event *event;
	struct event *watch; /* pending while something waits for the writer */
	const struct store_handlers *handlers;
	void *arg;
};

/* Reads the database, or makes it; whatever happens the mirror is filled and in_memory is right. */
void store_load(struct store *store, struct store_content *content);

/* A new journal id: positive as SQLite's signed integers go. */
uint64_t journal_random(void);

/* What is to be marked as used up while no database says so. */
struct counters counters_reserve(const struct counters *counters);

/* The thread: argument and result as pthread_create() has them. */
void *writer_run(void *store);

/* Gives an operation back to the loop. Caller holds the lock. */
void store_settle(struct store *store, struct operation *operation, bool result);

/* Turns to memory: health first, then all that waits, or is in flight, is settled as not durable.
 * Caller holds the lock. The writer tries again at retry_ms. */
void store_turn_to_memory(struct store *store, const char *error, int64_t retry_ms);

void store_free(struct store *store);

#endif
