#include "store/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define BATCH_MAX 512 /* operations in a transaction */

/* Until woken, or due_ms. Caller holds the lock. */
static void
writer_sleep(struct store *store, int64_t due_ms)
{
	int64_t left_ms = due_ms - clock_mono_ms();
	struct timespec until;

	if (due_ms == INT64_MAX) {
		pthread_cond_wait(&store->wake, &store->lock);
		return;
	}
	if (left_ms <= 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += left_ms / 1000;
	until.tv_nsec += left_ms % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&store->wake, &store->lock, &until);
}

/* Whether there is something to do at the end. */
static bool
writer_has_rest(struct store *store)
{
	if (store->in_memory) {
		bool tries = !store->tried_last;

		store->tried_last = true;
		return tries;
	}
	return !TAILQ_EMPTY(&store->queue) || store->handed_due_ms != INT64_MAX;
}

/* Waits for work; false: it is to end. Caller holds the lock. */
static bool
writer_wait(struct store *store)
{
	for (;;) {
		int64_t now_ms = clock_mono_ms();
		int64_t due_ms = store->in_memory ? store->retry_ms : store->handed_due_ms;

		if (store->stop)
			return now_ms < store->stop_ms && writer_has_rest(store);
		if (now_ms >= due_ms || (!store->in_memory && !TAILQ_EMPTY(&store->queue)))
			return true;
		writer_sleep(store, due_ms);
	}
}

/* Says in the directory which numbers memory alone may give out. Caller does not hold the lock. */
static void
writer_mark(struct store *store)
{
	struct counters reserved;

	pthread_mutex_lock(&store->lock);
	reserved = counters_reserve(&store->mirror.counters);
	pthread_mutex_unlock(&store->lock);
	if (store->established)
		files_mark(&store->database.files, &reserved);
}

/* Puts in order what a failure left, and turns to memory. Caller does not hold the lock. */
static void
writer_fail(struct store *store, enum database_rc rc)
{
	struct database *database = &store->database;
	int64_t retry_ms = clock_mono_ms() + RETRY_MS;
	char error[ERROR_SIZE];

	snprintf(error, sizeof(error), "%s", database->error);
	if (rc != DATABASE_BROKEN)
		database_close(database, false);
	else if (database_put_aside(database) == DATABASE_OK)
		retry_ms = clock_mono_ms(); /* a new one can be made at once */
	writer_mark(store);
	pthread_mutex_lock(&store->lock);
	TAILQ_CONCAT(&store->flight, &store->queue, next);
	TAILQ_CONCAT(&store->queue, &store->flight, next);
	store_turn_to_memory(store, error, retry_ms);
	pthread_mutex_unlock(&store->lock);
}

/* Takes what waits. Caller holds the lock. */
static void
writer_take(struct store *store, struct counters *counters)
{
	struct operation *operation;

	for (int i = 0; i < BATCH_MAX && (operation = TAILQ_FIRST(&store->queue)); i++) {
		TAILQ_REMOVE(&store->queue, operation, next);
		TAILQ_INSERT_TAIL(&store->flight, operation, next);
		store->queued--;
	}
	*counters = store->database.counters;
	counters->handed = store->mirror.counters.handed;
	store->handed_due_ms = INT64_MAX;
	store->working_ms = clock_mono_ms();
}

static enum database_rc
writer_write(struct store *store, struct counters *counters)
{
	struct database *database = &store->database;
	enum database_rc rc = database_begin(database);
	const struct operation *operation;

	TAILQ_FOREACH (operation, &store->flight, next) {
		if (rc != DATABASE_OK)
			return rc;
		if (operation->kind == OPERATION_MARK)
			continue;
		if (operation->kind == OPERATION_DROP) {
			rc = database_drop(database, operation->table, operation->data);
			continue;
		}
		rc = database_put(database, operation->table, operation->data);
		counters_note(counters, operation->table, operation->data);
	}
	return rc == DATABASE_OK ? database_commit(database, counters, false) : rc;
}

/* One transaction of what waits. Caller holds the lock, which is free meanwhile. */
static void
writer_batch(struct store *store)
{
	struct operation *operation;
	struct counters counters;
	enum database_rc rc;

	writer_take(store, &counters);
	pthread_mutex_unlock(&store->lock);
	rc = writer_write(store, &counters);
	if (rc != DATABASE_OK)
		writer_fail(store, rc);
	pthread_mutex_lock(&store->lock);
	store->working_ms = 0;
	if (rc != DATABASE_OK)
		return;
	mirror_forget_events(&store->mirror, counters.next_sequence - 1);
	while ((operation = TAILQ_FIRST(&store->flight))) {
		TAILQ_REMOVE(&store->flight, operation, next);
		store_settle(store, operation, true);
	}
}

/* The database again, or a new one; mirror's journal becomes its id. */
static enum database_rc
heal_open(struct store *store, struct mirror *mirror)
{
	struct database *database = &store->database;
	uint64_t journal = store->established ? journal_random() : mirror->journal;
	enum database_rc rc;

	if (database->db)
		return DATABASE_OK;
	rc = database_open(database, MODE_USUAL, journal);
	if (rc == DATABASE_BROKEN && database_put_aside(database) == DATABASE_OK)
		rc = database_open(database, MODE_USUAL, journal);
	if (rc != DATABASE_OK)
		return rc;
	if (!database->fresh && database->journal != mirror->journal) {
		snprintf(
		    database->error, ERROR_SIZE,
		    "%s holds a store that was not read at the start: restart lauxend to use it",
		    database->files.path);
		database_close(database, false);
		return DATABASE_UNAVAILABLE;
	}
	mirror->journal = database->journal;
	return rc;
}

static enum database_rc
heal_table(struct database *database, const struct mirror *mirror, enum table table)
{
	const struct rowset *rows = &mirror->sets[table];
	enum database_rc rc = table == TABLE_EVENT ? DATABASE_OK : database_empty(database, table);

	for (size_t i = 0; i < rows->count && rc == DATABASE_OK; i++)
		rc = database_put(database, table, rowset_at(rows, i));
	return rc;
}

/* Events may be there already, where a commit failed and yet was done: they are counted anew. */
static enum database_rc
heal_write(struct database *database, const struct mirror *mirror)
{
	enum database_rc rc = database_begin(database);

	for (int table = 0; table < TABLE_COUNT && rc == DATABASE_OK; table++)
		rc = heal_table(database, mirror, table);
	if (rc == DATABASE_OK)
		rc = database_number(database, "SELECT count(*) FROM event", 0, &database->events);
	return rc == DATABASE_OK ? database_commit(database, &mirror->counters, false) : rc;
}

/* Unless the queue ran over meanwhile, or it took too long, the store is well again. Caller holds
 * the lock. */
static void
heal_end(struct store *store, const struct mirror *written)
{
	struct operation *health = mem_alloc(sizeof(*health) + 1);

	store->established = true;
	store->mirror.journal = written->journal;
	mirror_forget_events(&store->mirror, written->counters.next_sequence - 1);
	if (!store->healing) {
		free(health);
		return;
	}
	store->in_memory = store->healing = false;
	store->error[0] = 0;
	health->kind = OPERATION_HEALTH;
	health->size = 1;
	store_settle(store, health, true);
}

/* Writes all that memory holds. Caller holds the lock, which is free meanwhile. */
static void
writer_heal(struct store *store)
{
	struct mirror mirror;
	enum database_rc rc;
	bool healed;

	store->healing = true;
	store->working_ms = clock_mono_ms();
	store->handed_due_ms = INT64_MAX;
	mirror_copy(&mirror, &store->mirror);
	pthread_mutex_unlock(&store->lock);
	rc = heal_open(store, &mirror);
	if (rc == DATABASE_OK)
		rc = heal_write(&store->database, &mirror);
	if (rc != DATABASE_OK)
		writer_fail(store, rc);
	pthread_mutex_lock(&store->lock);
	if (rc == DATABASE_OK)
		heal_end(store, &mirror);
	healed = !store->in_memory;
	pthread_mutex_unlock(&store->lock);
	if (healed)
		files_mark(&store->database.files, NULL);
	mirror_dispose(&mirror);
	pthread_mutex_lock(&store->lock);
	store->working_ms = 0;
}

/* The last transaction. Numbers of rows that did not get to the disk are used all the same. */
static void
writer_end(struct database *database, const struct counters *counters)
{
	enum database_rc rc = database_begin(database);

	if (rc == DATABASE_OK)
		rc = database_commit(database, counters, true);
	if (rc != DATABASE_OK)
		log_error("store: no clean end: %s", database->error);
}

/* What did not get to the disk is lost. Caller holds the lock, which is free meanwhile. */
static void
writer_finish(struct store *store)
{
	struct counters counters = store->mirror.counters;
	size_t lost = store->mirror.sets[TABLE_EVENT].count;
	struct operation *operation;
	bool well = !store->in_memory;

	while ((operation = TAILQ_FIRST(&store->queue))) {
		TAILQ_REMOVE(&store->queue, operation, next);
		store_settle(store, operation, false);
	}
	store->queued = 0;
	pthread_mutex_unlock(&store->lock);
	if (lost)
		log_error("store: %zu events did not get to the disk, and are lost", lost);
	if (well)
		writer_end(&store->database, &counters);
	database_close(&store->database, false);
	pthread_mutex_lock(&store->lock);
}

void *
writer_run(void *arg)
{
	struct store *store = arg;
	bool abandoned;

	pthread_mutex_lock(&store->lock);
	while (writer_wait(store)) {
		if (store->in_memory)
			writer_heal(store);
		else
			writer_batch(store);
	}
	writer_finish(store);
	store->has_ended = true;
	abandoned = store->abandoned;
	pthread_cond_signal(&store->ended);
	pthread_mutex_unlock(&store->lock);
	if (abandoned)
		store_free(store);
	return NULL;
}
