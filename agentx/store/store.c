#include "store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/writer.h"

#define QUEUE_MAX 10000 /* operations; a disk that is that far behind hangs */
#define HANDED_DELAY_MS 1000
#define OTHER_ENDS_MS 5000 /* for the engine of a parent that was killed: it writes what waits */
#define CLOSE_GRACE_MS 100 /* a writer that is at the deadline still ends properly */

static struct operation *
operation_new(enum operation_kind kind, const void *data, size_t size)
{
	struct operation *operation = mem_alloc(sizeof(*operation) + size);

	operation->kind = kind;
	operation->size = size;
	memcpy(operation->data, data, size);
	return operation;
}

void
store_settle(struct store *store, struct operation *operation, bool result)
{
	uint64_t one = 1;

	operation->result = result;
	TAILQ_INSERT_TAIL(&store->settled, operation, next);
	if (write(store->settled_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("store: the engine's loop cannot be woken: %s", strerror(errno));
}

static void
store_settle_all(struct store *store, struct operations *operations, bool result)
{
	struct operation *operation;

	while ((operation = TAILQ_FIRST(operations))) {
		TAILQ_REMOVE(operations, operation, next);
		store_settle(store, operation, result);
	}
}

/* The writer may be reading what is in flight: only the news of it are settled, which are not told
 * again when it comes back. Caller holds the lock. */
static void
store_settle_flight(struct store *store)
{
	struct operation *operation;

	TAILQ_FOREACH (operation, &store->flight, next) {
		struct operation *news;

		if (!operation->done)
			continue;
		news = operation_new(operation->kind, "", 1);
		news->done = operation->done;
		news->arg = operation->arg;
		news->tag = operation->tag;
		operation->done = NULL;
		store_settle(store, news, false);
	}
}

void
store_turn_to_memory(struct store *store, const char *error, int64_t retry_ms)
{
	bool news = !store->in_memory || strcmp(store->error, error) != 0;

	store->in_memory = true;
	store->healing = false;
	store->retry_ms = retry_ms;
	if (news) {
		snprintf(store->error, ERROR_SIZE, "%s", error);
		store_settle(store, operation_new(OPERATION_HEALTH, error, strlen(error) + 1),
			     false);
	}
	store_settle_flight(store);
	store_settle_all(store, &store->queue, false);
	store->queued = 0;
}

/* Looks again when the writer has been at it too long. Caller holds the lock. */
static void
store_watch(struct store *store)
{
	int64_t now_ms = clock_mono_ms();
	int64_t wait_ms = (store->working_ms ? store->working_ms : now_ms) + HANG_MS - now_ms;
	struct timeval wait;

	if (evtimer_pending(store->watch, NULL))
		return;
	wait_ms = wait_ms < 0 ? 0 : wait_ms;
	wait = (struct timeval){wait_ms / 1000, wait_ms % 1000 * 1000};
	evtimer_add(store->watch, &wait);
}

static bool
store_hangs(const struct store *store)
{
	return store->working_ms != 0 && clock_mono_ms() - store->working_ms >= HANG_MS;
}

/* The writer begins to heal as soon as it is back. */
static void
store_look(evutil_socket_t fd, short what, void *arg)
{
	struct store *store = arg;
	bool waits;

	(void)fd, (void)what;
	pthread_mutex_lock(&store->lock);
	waits = !store->in_memory || store->healing;
	if (waits && store_hangs(store))
		store_turn_to_memory(store, "the disk does not answer", clock_mono_ms());
	else if (waits && (store->working_ms != 0 || !TAILQ_EMPTY(&store->queue)))
		store_watch(store);
	pthread_mutex_unlock(&store->lock);
}

/* Takes the operation over: the one way in. */
static void
store_submit(struct store *store, struct operation *operation)
{
	pthread_mutex_lock(&store->lock);
	if (operation->kind == OPERATION_PUT)
		mirror_put(&store->mirror, operation->table, operation->data);
	else if (operation->kind == OPERATION_DROP)
		mirror_drop(&store->mirror, operation->table, operation->data);
	if (store->queued == QUEUE_MAX)
		store_turn_to_memory(store, "the disk is slower than what there is to write",
				     clock_mono_ms());
	if (store->in_memory && !store->healing) {
		store_settle(store, operation, false);
	} else {
		TAILQ_INSERT_TAIL(&store->queue, operation, next);
		store->queued++;
		store_watch(store);
	}
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
}

static void
store_put(struct store *store, enum table table, const void *row, store_done *done, void *arg,
	  uint64_t tag)
{
	struct operation *operation =
	    operation_new(OPERATION_PUT, row, table_infos[table].row_size);

	operation->table = table;
	operation->done = done;
	operation->arg = arg;
	operation->tag = tag;
	store_submit(store, operation);
}

static void
store_drop(struct store *store, enum table table, const void *key)
{
	struct operation *operation =
	    operation_new(OPERATION_DROP, key, table_infos[table].row_size);

	operation->table = table;
	store_submit(store, operation);
}

void
store_begin(struct store *store)
{
	pthread_mutex_lock(&store->lock);
}

void
store_end(struct store *store)
{
	pthread_mutex_unlock(&store->lock);
}

void
store_put_vm(struct store *store, const struct store_vm *vm)
{
	store_put(store, TABLE_VM, vm, NULL, NULL, 0);
}

void
store_drop_vm(struct store *store, const uint8_t uuid[UUID_SIZE])
{
	struct store_vm key = {0};

	memcpy(key.uuid, uuid, UUID_SIZE);
	store_drop(store, TABLE_VM, &key);
}

void
store_put_request(struct store *store, const struct store_request *request, store_done *done,
		  void *arg, uint64_t tag)
{
	store_put(store, TABLE_REQUEST, request, done, arg, tag);
}

void
store_drop_request(struct store *store, uint64_t number)
{
	struct store_request key = {.number = number};

	store_drop(store, TABLE_REQUEST, &key);
}

void
store_put_service(struct store *store, const struct store_service *service)
{
	store_put(store, TABLE_SERVICE, service, NULL, NULL, 0);
}

void
store_drop_service(struct store *store, uint32_t index)
{
	struct store_service key = {.index = index};

	store_drop(store, TABLE_SERVICE, &key);
}

void
store_append_event(struct store *store, const struct mib_event *event, store_done *done, void *arg,
		   uint64_t tag)
{
	store_put(store, TABLE_EVENT, event, done, arg, tag);
}

void
store_mark(struct store *store, store_done *done, void *arg)
{
	struct operation *operation = operation_new(OPERATION_MARK, "", 1);

	operation->done = done;
	operation->arg = arg;
	store_submit(store, operation);
}

void
store_put_handed(struct store *store, uint32_t sequence)
{
	pthread_mutex_lock(&store->lock);
	store->mirror.counters.handed = sequence;
	if (store->handed_due_ms == INT64_MAX) {
		store->handed_due_ms = clock_mono_ms() + HANDED_DELAY_MS;
		pthread_cond_signal(&store->wake);
	}
	pthread_mutex_unlock(&store->lock);
}

uint64_t
store_journal(struct store *store)
{
	uint64_t journal;

	pthread_mutex_lock(&store->lock);
	journal = store->mirror.journal;
	pthread_mutex_unlock(&store->lock);
	return journal;
}

/* Tells what is settled, and frees it; the store is not needed for it. */
static void
store_tell(const struct store_handlers *handlers, void *arg, struct operations *settled)
{
	struct operation *operation;

	while ((operation = TAILQ_FIRST(settled))) {
		TAILQ_REMOVE(settled, operation, next);
		if (operation->kind == OPERATION_HEALTH)
			handlers->health(arg, operation->result, (const char *)operation->data);
		else if (operation->done)
			operation->done(operation->arg, operation->tag, operation->result);
		free(operation);
	}
}

static void
store_readable(evutil_socket_t fd, short what, void *arg)
{
	struct operations settled = TAILQ_HEAD_INITIALIZER(settled);
	struct store *store = arg;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return;
	pthread_mutex_lock(&store->lock);
	TAILQ_CONCAT(&settled, &store->settled, next);
	pthread_mutex_unlock(&store->lock);
	store_tell(store->handlers, store->arg, &settled);
}

static void
store_init_sync(struct store *store)
{
	pthread_mutexattr_t recursive;
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutexattr_init(&recursive); /* store_begin() keeps it over the puts */
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&store->lock, &recursive);
	pthread_mutexattr_destroy(&recursive);
	pthread_cond_init(&store->wake, &monotonic);
	pthread_cond_init(&store->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	TAILQ_INIT(&store->queue);
	TAILQ_INIT(&store->flight);
	TAILQ_INIT(&store->settled);
}

/* Signals are the loop's. */
static void
store_start_thread(struct store *store)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&store->thread, NULL, writer_run, store);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		fatal("store: no thread: %s", strerror(r));
}

struct store *
store_open(struct event_base *base, const char *dir, uint32_t journal_size,
	   const struct store_handlers *handlers, void *arg, struct store_content *content)
{
	struct store *store = mem_alloc(sizeof(*store));
	bool taken;

	store->handlers = handlers;
	store->arg = arg;
	store->handed_due_ms = INT64_MAX;
	store_init_sync(store);
	store->settled_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (store->settled_fd < 0)
		fatal("store: no eventfd: %s", strerror(errno));
	store->event =
	    event_new(base, store->settled_fd, EV_READ | EV_PERSIST, store_readable, store);
	if (!store->event || event_add(store->event, NULL) < 0)
		fatal("store: libevent refuses its eventfd");
	store->watch = evtimer_new(base, store_look, store);
	if (!store->watch)
		fatal("store: no timer");
	database_init(&store->database, dir, journal_size);
	mirror_init(&store->mirror, journal_size);
	taken = !files_wait(&store->database.files, clock_mono_ms() + OTHER_ENDS_MS);
	store_load(store, content);
	content->taken = taken;
	handlers->health(arg, !store->in_memory, store->error);
	store_start_thread(store);
	return store;
}

void
store_free(struct store *store)
{
	struct operation *operation;

	while ((operation = TAILQ_FIRST(&store->settled))) {
		TAILQ_REMOVE(&store->settled, operation, next);
		free(operation);
	}
	database_dispose(&store->database);
	mirror_dispose(&store->mirror);
	close(store->settled_fd);
	pthread_cond_destroy(&store->wake);
	pthread_cond_destroy(&store->ended);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

/* Caller holds the lock. */
static void
store_wait_ended(struct store *store, int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_mono_ms();
	struct timespec until;
	int r = 0;

	if (left_ms < 0)
		left_ms = 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += left_ms / 1000;
	until.tv_nsec += left_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (!store->has_ended && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&store->ended, &store->lock, &until);
}

/* The disk hangs: the writer keeps the store until it comes back, or the process ends. Caller holds
 * the lock. */
static void
store_abandon(struct store *store)
{
	pthread_detach(store->thread);
	store->abandoned = true;
	log_error("store: the disk does not answer, what waited for it is lost");
	store_settle_flight(store);
	store_settle_all(store, &store->queue, false);
	store->queued = 0;
}

void
store_close(struct store *store, int64_t deadline_ms)
{
	struct operations settled = TAILQ_HEAD_INITIALIZER(settled);
	const struct store_handlers *handlers = store->handlers;
	void *arg = store->arg;
	pthread_t thread = store->thread;
	bool abandoned;

	event_free(store->event);
	event_free(store->watch);
	pthread_mutex_lock(&store->lock);
	store->stop = true;
	store->stop_ms = deadline_ms;
	pthread_cond_signal(&store->wake);
	store_wait_ended(store, deadline_ms + CLOSE_GRACE_MS);
	abandoned = !store->has_ended;
	if (abandoned)
		store_abandon(store);
	TAILQ_CONCAT(&settled, &store->settled, next);
	pthread_mutex_unlock(&store->lock); /* abandoned: the store may be gone from here on */
	if (!abandoned) {
		pthread_join(thread, NULL);
		store_free(store);
	}
	store_tell(handlers, arg, &settled);
}
