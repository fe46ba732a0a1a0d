/*
 * The store, by the contract of store/store.h: what was put between begin and end is one
 * transaction; done is told once it is on disk; an engine that is killed loses what was not yet,
 * and of the transaction under way nobody knows. Without a disk it goes on in memory and says so.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/mirror.h"
#include "tests/sim/check.h"
#include "tests/sim/world.h"

#define HANDED_MS 1000
#define HEAL_MS 5000
#define RESERVE 1000000 /* numbers that memory alone may give out */
#define JOURNAL UINT64_C(0x10ca1)
#define MARK TABLE_COUNT /* for a table: it puts nothing */

struct write {
	STAILQ_ENTRY(write) next;
	int table;
	bool drop, durable;
	store_done *done;
	void *arg;
	uint64_t tag;
	_Alignas(8) unsigned char data[];
};
STAILQ_HEAD(writes, write);

struct store {
	struct world *world;
	struct mirror memory, disk;
	struct writes open, queue, flight, settled;
	struct timer commit, settle, handed, heal;
	bool fails; /* injected */
	bool loses; /* injected: a transaction that is cut off never comes to the disk */
	bool in_memory, marked;
	int64_t slow_ms; /* injected: on top of each transaction */
};

static void commit_begin(struct store *store);

static void
writes_free(struct writes *writes)
{
	struct write *write;

	while ((write = STAILQ_FIRST(writes))) {
		STAILQ_REMOVE_HEAD(writes, next);
		free(write);
	}
}

static void
apply(struct mirror *mirror, const struct write *write)
{
	if (write->table == MARK)
		return;
	if (write->drop)
		mirror_drop(mirror, (enum table)write->table, write->data);
	else
		mirror_put(mirror, (enum table)write->table, write->data);
}

static void
to_disk(struct store *store, const struct write *write)
{
	if (!write->drop && write->table != MARK)
		check_durable(store->world, write->table, write->data);
	apply(&store->disk, write);
}

/* What memory alone held. */
static void
all_to_disk(struct store *store)
{
	uint32_t last = store->disk.counters.next_sequence - 1;

	for (int table = 0; table < TABLE_COUNT; table++) {
		const struct rowset *set = &store->memory.sets[table];

		for (size_t i = 0; i < set->count; i++) {
			const struct mib_event *event = rowset_at(set, i);

			if (table != TABLE_EVENT || event->sequence > last)
				check_durable(store->world, table, event);
		}
	}
	mirror_dispose(&store->disk);
	mirror_copy(&store->disk, &store->memory);
}

/* In the engine's loop; who is told may put more. */
static void
settle(void *arg)
{
	struct store *store = arg;
	struct writes settled = STAILQ_HEAD_INITIALIZER(settled);
	uint64_t life = store->world->daemon.lives_count;
	struct write *write;

	STAILQ_CONCAT(&settled, &store->settled);
	while ((write = STAILQ_FIRST(&settled))) {
		STAILQ_REMOVE_HEAD(&settled, next);
		if (write->done && store->world->daemon.lives &&
		    store->world->daemon.lives_count == life)
			write->done(write->arg, write->tag, write->durable);
		free(write);
	}
}

static void
settle_soon(struct store *store)
{
	if (store->settle.place == 0)
		world_after(store->world, &store->settle, world_lag(store->world, LAG_LINK, 2),
			    settle, store);
}

static void
settle_all(struct store *store, struct writes *writes, bool durable)
{
	struct write *write;

	STAILQ_FOREACH (write, writes, next)
		write->durable = durable;
	STAILQ_CONCAT(&store->settled, writes);
	settle_soon(store);
}

static void
heal(void *arg)
{
	struct store *store = arg;

	if (store->fails) {
		world_after(store->world, &store->heal, HEAL_MS, heal, store);
		return;
	}
	all_to_disk(store);
	store->in_memory = store->marked = false;
	if (store->world->daemon.lives)
		daemon_note_store(store->world, true, "");
}

static void
turn_to_memory(struct store *store)
{
	store->in_memory = store->marked = true;
	if (store->world->daemon.lives)
		daemon_note_store(store->world, false, "No space left on device");
	settle_all(store, &store->flight, false);
	settle_all(store, &store->queue, false);
	world_after(store->world, &store->heal, HEAL_MS, heal, store);
}

static void
commit_end(void *arg)
{
	struct store *store = arg;
	struct write *write;

	if (store->fails) {
		turn_to_memory(store);
		return;
	}
	STAILQ_FOREACH (write, &store->flight, next)
		to_disk(store, write);
	store->disk.counters.handed = store->memory.counters.handed;
	settle_all(store, &store->flight, true);
	commit_begin(store);
}

static void
commit_begin(struct store *store)
{
	if (store->commit.place != 0 || STAILQ_EMPTY(&store->queue))
		return;
	STAILQ_CONCAT(&store->flight, &store->queue);
	world_after(store->world, &store->commit,
		    world_lag(store->world, LAG_COMMIT, 0) + store->slow_ms, commit_end, store);
}

void
sim_store_begin(struct store *store)
{
	(void)store; /* all that comes until the end is in one group anyway */
}

void
sim_store_end(struct store *store)
{
	if (store->in_memory) {
		settle_all(store, &store->open, false);
		return;
	}
	STAILQ_CONCAT(&store->queue, &store->open);
	commit_begin(store);
}

static struct write *
submit(struct store *store, int table, bool drop, const void *row, size_t size, store_done *done,
       void *arg, uint64_t tag)
{
	struct write *write = mem_alloc(sizeof(*write) + size);

	write->table = table;
	write->drop = drop;
	write->done = done;
	write->arg = arg;
	write->tag = tag;
	memcpy(write->data, row, size);
	apply(&store->memory, write);
	STAILQ_INSERT_TAIL(&store->open, write, next);
	return write;
}

void
sim_store_put(struct store *store, int table, const void *row, store_done *done, void *arg,
	      uint64_t tag)
{
	submit(store, table, false, row, table_infos[table].row_size, done, arg, tag);
}

void
sim_store_mark(struct store *store, store_done *done, const void *data, size_t size)
{
	struct write *write = submit(store, MARK, false, data, size, done, NULL, 0);

	write->arg = write->data;
}

void
sim_store_drop(struct store *store, int table, const void *key)
{
	submit(store, table, true, key, table_infos[table].row_size, NULL, NULL, 0);
}

static void
write_handed(void *arg)
{
	struct store *store = arg;

	if (!store->in_memory)
		store->disk.counters.handed = store->memory.counters.handed;
}

void
store_put_handed(struct store *store, uint32_t sequence)
{
	store->memory.counters.handed = sequence;
	if (store->handed.place == 0)
		world_after(store->world, &store->handed, HANDED_MS, write_handed, store);
}

void
store_append_event(struct store *store, const struct mib_event *event, store_done *done, void *arg,
		   uint64_t tag)
{
	sim_store_put(store, TABLE_EVENT, event, done, arg, tag);
}

/* ---- the end of one engine, the begin of the next ---- */

void
sim_store_crash(struct store *store)
{
	struct timer *timers[] = {&store->commit, &store->settle, &store->handed, &store->heal};
	struct write *write;

	/* A transaction that was under way: nobody knows. */
	if (!STAILQ_EMPTY(&store->flight) && !store->fails && store->commit.place != 0 &&
	    !store->loses && world_dice(store->world, 77, 0) % 2)
		STAILQ_FOREACH (write, &store->flight, next)
			to_disk(store, write);
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++)
		world_cancel(store->world, timers[i]);
	writes_free(&store->open);
	writes_free(&store->queue);
	writes_free(&store->flight);
	writes_free(&store->settled);
	if (store->marked) {
		store->disk.counters = store->memory.counters;
		store->disk.counters.next_sequence += RESERVE;
		store->disk.counters.next_request += RESERVE;
	}
	store->in_memory = store->marked = false;
	mirror_dispose(&store->memory);
	mirror_copy(&store->memory, &store->disk);
}

void
sim_store_flush(struct store *store)
{
	struct write *write;

	STAILQ_CONCAT(&store->flight, &store->queue);
	if (!store->in_memory && !store->fails)
		STAILQ_FOREACH (write, &store->flight, next)
			to_disk(store, write);
	if (!store->in_memory)
		store->disk.counters = store->memory.counters;
	writes_free(&store->flight);
}

static void *
rows_of(const struct rowset *set, size_t *count)
{
	unsigned char *rows = mem_array(set->count + 1, set->row_size);

	for (size_t i = 0; i < set->count; i++)
		memcpy(rows + i * set->row_size, rowset_at(set, i), set->row_size);
	*count = set->count;
	return rows;
}

void
sim_store_read(struct store *store, struct store_content *content)
{
	const struct mirror *disk = &store->disk;

	*content = (struct store_content){
	    .journal = disk->journal,
	    .fresh = disk->counters.next_sequence == 1,
	    .next_sequence = disk->counters.next_sequence,
	    .handed = disk->counters.handed,
	    .next_request = disk->counters.next_request,
	};
	content->vms = rows_of(&disk->sets[TABLE_VM], &content->vms_count);
	content->requests = rows_of(&disk->sets[TABLE_REQUEST], &content->requests_count);
	content->services = rows_of(&disk->sets[TABLE_SERVICE], &content->services_count);
	content->events = rows_of(&disk->sets[TABLE_EVENT], &content->events_count);
}

bool
sim_store_in_memory(const struct store *store)
{
	return store->in_memory;
}

void
sim_store_lose(struct store *store, bool loses)
{
	store->loses = loses;
}

void
sim_store_fail(struct store *store, bool fails, int64_t slow_ms)
{
	store->fails = fails;
	store->slow_ms = slow_ms;
}

struct store *
sim_store_new(struct world *world)
{
	struct store *store = mem_alloc(sizeof(*store));

	store->world = world;
	mirror_init(&store->memory, 100000);
	mirror_init(&store->disk, 100000);
	store->memory.journal = store->disk.journal = JOURNAL;
	STAILQ_INIT(&store->open);
	STAILQ_INIT(&store->queue);
	STAILQ_INIT(&store->flight);
	STAILQ_INIT(&store->settled);
	return store;
}

void
sim_store_free(struct store *store)
{
	sim_store_crash(store);
	mirror_dispose(&store->memory);
	mirror_dispose(&store->disk);
	free(store);
}
