/*
 * A store on a disk that loses power.
 *
 *   store_power DIR SEED LOSSES [liar]
 *
 * SQLite writes through a layer that keeps, for each file, what was synced and the writes since. At
 * LOSSES random moments (after a random write or sync) it makes in DIR the files as a loss of power
 * would leave them: what was synced, and of each later write all, some sectors, or nothing, in no
 * order. Each time a store is opened there: everything that was acknowledged by then must be in it,
 * without gaps, and the database whole. liar: syncs do nothing, so that something must be lost.
 *
 * Not played: the loss of a file's name. The losses begin once the store is open, and by then the
 * directory was synced.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store.h"

#define SECTOR 512
#define DISK_FILES 4
#define JOURNAL 1000 /* small: pages are freed and used again */
#define WINDOW 40

struct change { /* a write, or where data is NULL a new size */
	int64_t at;
	int size;
	unsigned char *data;
};

/* A file as the disk has it: bytes that are sure, and changes that are not. */
struct disk_file {
	char name[16]; /* "" and "-wal": what follows store.db */
	bool used;
	unsigned char *synced;
	int64_t size;
	struct change *changes;
	size_t count, room;
};

/* What SQLite holds: ours, and the true file right behind it. */
struct shim_file {
	sqlite3_file base;
	struct disk_file *disk; /* NULL: not looked at */
	sqlite3_file *real;
};

static struct {
	pthread_mutex_t lock;
	struct disk_file files[DISK_FILES];
	bool armed, liar;
	unsigned seed;
	uint32_t acknowledged; /* last event, in order */
	const char *dir;
	int losses, losses_max, bad;
	int changes_seen; /* unsynced, over all losses: that there was something to lose */
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static sqlite3_vfs *real_vfs;

static int
random_below(int bound)
{
	return (int)(rand_r(&disk.seed) % (unsigned)bound);
}

static void
bytes_resize(unsigned char **bytes, int64_t *size, int64_t wanted)
{
	if (wanted > *size) {
		*bytes = mem_resize(*bytes, (size_t)wanted, 1);
		memset(*bytes + *size, 0, (size_t)(wanted - *size));
	}
	*size = wanted;
}

/* Applies a change, or with torn each sector of it or not. */
static void
change_apply(const struct change *change, bool torn, unsigned char **bytes, int64_t *size)
{
	if (!change->data) {
		bytes_resize(bytes, size, change->at);
		return;
	}
	for (int from = 0; from < change->size;) {
		int to = from + SECTOR - (int)((change->at + from) % SECTOR);

		if (to > change->size)
			to = change->size;
		if (!torn || random_below(2)) {
			if (change->at + to > *size)
				bytes_resize(bytes, size, change->at + to);
			memcpy(*bytes + change->at + from, change->data + from,
			       (size_t)(to - from));
		}
		from = to;
	}
}

static void
disk_forget(struct disk_file *file)
{
	for (size_t i = 0; i < file->count; i++)
		free(file->changes[i].data);
	file->count = 0;
}

static void
disk_sync(struct disk_file *file)
{
	for (size_t i = 0; i < file->count; i++)
		change_apply(&file->changes[i], false, &file->synced, &file->size);
	disk_forget(file);
}

static void
disk_change(struct disk_file *file, int64_t at, const void *data, int size)
{
	struct change *change;

	if (file->count == file->room) {
		file->room = file->room ? file->room * 2 : 64;
		file->changes = mem_resize(file->changes, file->room, sizeof(*file->changes));
	}
	change = &file->changes[file->count++];
	*change =
	    (struct change){.at = at, .size = size, .data = data ? mem_alloc((size_t)size) : NULL};
	if (data)
		memcpy(change->data, data, (size_t)size);
}

/* The file as the loss leaves it, in disk.dir. */
static void
loss_write(const struct disk_file *file)
{
	unsigned char *bytes = mem_alloc((size_t)file->size);
	int64_t size = file->size;
	char path[4096];
	FILE *to;

	if (file->size)
		memcpy(bytes, file->synced, (size_t)file->size);
	for (size_t i = 0; i < file->count; i++) {
		int fate = random_below(4); /* whole, whole, torn, not at all */

		if (fate < 3)
			change_apply(&file->changes[i], fate == 2, &bytes, &size);
	}
	snprintf(path, sizeof(path), "%s/lost/store.db%s", disk.dir, file->name);
	to = fopen(path, "w");
	if (!to || fwrite(bytes, 1, (size_t)size, to) != (size_t)size || fclose(to) != 0)
		fatal("%s cannot be written", path);
	free(bytes);
}

static void
loss_clear(void)
{
	static const char *const names[] = {"store.db", "store.db-wal", "store.db-shm",
					    "store.lock"};
	char path[4096];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/lost/%s", disk.dir, names[i]);
		unlink(path);
	}
}

static void
loss_health(void *arg, bool ok, const char *error)
{
	(void)error;
	*(bool *)arg = ok;
}

/* Writes are on disk in the order in which they were given: see write_some(). */
static bool
requests_fit(const struct store_content *content)
{
	uint64_t ahead = content->next_request - content->next_sequence;
	size_t count = content->requests_count;

	return ahead <= 1 && count >= 1 && count <= 1 + ahead &&
	       content->requests[count - 1].number + 1 == content->next_request;
}

/* Opens what is left: acknowledged must be in it. */
static bool
loss_survived(uint32_t acknowledged)
{
	static const struct store_handlers handlers = {.health = loss_health};
	struct event_base *base = event_base_new();
	struct store_content content;
	char dir[4096];
	bool ok = false, whole = true;
	struct store *store;

	snprintf(dir, sizeof(dir), "%s/lost", disk.dir);
	store = store_open(base, dir, JOURNAL, &handlers, &ok, &content);
	for (size_t i = 1; i < content.events_count; i++)
		whole = whole && content.events[i].sequence == content.events[i - 1].sequence + 1;
	whole = whole && ok && !content.rescued && content.next_sequence > acknowledged &&
		content.events_count > 0 &&
		content.events[content.events_count - 1].sequence + 1 == content.next_sequence &&
		requests_fit(&content);
	if (!whole)
		log_warn("loss %d: event %" PRIu32
			 " was acknowledged; ok %d, rescued %d, next %" PRIu32 ", %zu events",
			 disk.losses, acknowledged, ok, content.rescued, content.next_sequence,
			 content.events_count);
	store_close(store, clock_mono_ms() + 10000);
	event_base_free(base);
	free(content.vms);
	free(content.requests);
	free(content.events);
	free(content.services);
	return whole;
}

/* After a write or a sync: perhaps the power goes now. Caller holds the lock. */
static void
disk_moment(void)
{
	if (!disk.armed || disk.losses == disk.losses_max || random_below(25) != 0)
		return;
	disk.armed = false; /* what the check itself does is no part of this */
	disk.losses++;
	loss_clear();
	for (int i = 0; i < DISK_FILES; i++)
		if (disk.files[i].used) {
			disk.changes_seen += (int)disk.files[i].count;
			loss_write(&disk.files[i]);
		}
	sqlite3_vfs_register(real_vfs, 1);
	disk.bad += !loss_survived(disk.acknowledged);
	disk.armed = true;
}

#define REAL(file) (((struct shim_file *)(file))->real)
#define DISK(file) (((struct shim_file *)(file))->disk)

static int
shim_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
	int r = REAL(file)->pMethods->xWrite(REAL(file), data, size, at);

	if (r == SQLITE_OK && DISK(file)) {
		pthread_mutex_lock(&disk.lock);
		disk_change(DISK(file), at, data, size);
		disk_moment();
		pthread_mutex_unlock(&disk.lock);
	}
	return r;
}

static int
shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int r = REAL(file)->pMethods->xTruncate(REAL(file), size);

	if (r == SQLITE_OK && DISK(file)) {
		pthread_mutex_lock(&disk.lock);
		disk_change(DISK(file), size, NULL, 0);
		pthread_mutex_unlock(&disk.lock);
	}
	return r;
}

static int
shim_sync(sqlite3_file *file, int flags)
{
	if (DISK(file)) {
		pthread_mutex_lock(&disk.lock);
		if (!disk.liar || !disk.armed)
			disk_sync(DISK(file));
		disk_moment();
		pthread_mutex_unlock(&disk.lock);
	}
	return REAL(file)->pMethods->xSync(REAL(file), flags);
}

static int
shim_close(sqlite3_file *file)
{
	return REAL(file)->pMethods ? REAL(file)->pMethods->xClose(REAL(file)) : SQLITE_OK;
}

/* The rest is handed through. */
#define PASS(name, parameters, ...)                                                                \
	static int shim_##name parameters                                                          \
	{                                                                                          \
		return REAL(file)->pMethods->name(REAL(file), ##__VA_ARGS__);                      \
	}
PASS(xRead, (sqlite3_file * file, void *to, int size, sqlite3_int64 at), to, size, at)
PASS(xFileSize, (sqlite3_file * file, sqlite3_int64 *size), size)
PASS(xLock, (sqlite3_file * file, int level), level)
PASS(xUnlock, (sqlite3_file * file, int level), level)
PASS(xCheckReservedLock, (sqlite3_file * file, int *held), held)
PASS(xFileControl, (sqlite3_file * file, int what, void *arg), what, arg)
PASS(xSectorSize, (sqlite3_file * file))
PASS(xDeviceCharacteristics, (sqlite3_file * file))
PASS(xShmMap, (sqlite3_file * file, int page, int size, int extend, void volatile **at), page, size,
     extend, at)
PASS(xShmLock, (sqlite3_file * file, int offset, int count, int flags), offset, count, flags)
PASS(xShmUnmap, (sqlite3_file * file, int remove), remove)

static void
shim_barrier(sqlite3_file *file)
{
	REAL(file)->pMethods->xShmBarrier(REAL(file));
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_xRead,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_xFileSize,
    .xLock = shim_xLock,
    .xUnlock = shim_xUnlock,
    .xCheckReservedLock = shim_xCheckReservedLock,
    .xFileControl = shim_xFileControl,
    .xSectorSize = shim_xSectorSize,
    .xDeviceCharacteristics = shim_xDeviceCharacteristics,
    .xShmMap = shim_xShmMap,
    .xShmLock = shim_xShmLock,
    .xShmBarrier = shim_barrier,
    .xShmUnmap = shim_xShmUnmap,
};

static struct disk_file *
disk_find(const char *path)
{
	const char *name = strstr(path, "/live/store.db");

	if (!name)
		return NULL;
	name += strlen("/live/store.db");
	for (int i = 0; i < DISK_FILES; i++) {
		struct disk_file *file = &disk.files[i];

		if (!file->used || strcmp(file->name, name) == 0) {
			file->used = true;
			snprintf(file->name, sizeof(file->name), "%s", name);
			return file;
		}
	}
	fatal("too many files: %s", path);
}

static int
shim_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags, int *out)
{
	struct shim_file *shim = (struct shim_file *)file;
	int r;

	(void)vfs;
	shim->real = (sqlite3_file *)(shim + 1);
	shim->disk = path ? disk_find(path) : NULL;
	r = real_vfs->xOpen(real_vfs, path, shim->real, flags, out);
	file->pMethods = r == SQLITE_OK ? &shim_methods : NULL;
	return r;
}

static int
shim_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	struct disk_file *file = disk_find(path);

	(void)vfs;
	if (file) {
		pthread_mutex_lock(&disk.lock);
		disk_forget(file);
		file->size = 0;
		pthread_mutex_unlock(&disk.lock);
	}
	return real_vfs->xDelete(real_vfs, path, sync);
}

static struct sqlite3_vfs shim_vfs;

static void
shim_register(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	shim_vfs = *real_vfs;
	shim_vfs.pNext = NULL;
	shim_vfs.zName = "power";
	shim_vfs.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
	shim_vfs.xOpen = shim_open;
	shim_vfs.xDelete = shim_delete;
	sqlite3_vfs_register(&shim_vfs, 1);
}

struct writer {
	struct event_base *base;
	struct store *store;
	uint32_t sequence;
	int waiting;
	bool ok;
};

static void
told_health(void *arg, bool ok, const char *error)
{
	((struct writer *)arg)->ok = ok;
	if (!ok)
		fatal("degraded: %s", error);
}

static void
told_done(void *arg, uint64_t tag, bool durable)
{
	struct writer *w = arg;

	w->waiting--;
	if (!durable)
		fatal("event %" PRIu64 " is not durable", tag);
	pthread_mutex_lock(&disk.lock);
	disk.acknowledged = (uint32_t)tag;
	pthread_mutex_unlock(&disk.lock);
}

/* Request N, which takes the place of request N - 1, then event N. */
static void
write_some(struct writer *w)
{
	int burst = 1 + rand() % WINDOW;

	while (w->waiting < burst) {
		struct store_request request = {.number = w->sequence};
		struct mib_event event = {.sequence = w->sequence};

		TEXT_FORMAT(event.text, "event %" PRIu32, w->sequence);
		store_put_request(w->store, &request, NULL, NULL, 0);
		store_drop_request(w->store, w->sequence - 1);
		store_append_event(w->store, &event, told_done, w, w->sequence++);
		w->waiting++;
	}
}

static bool
all_lost(void)
{
	bool all;

	pthread_mutex_lock(&disk.lock);
	all = disk.losses == disk.losses_max;
	pthread_mutex_unlock(&disk.lock);
	return all;
}

static void
arm(bool armed)
{
	pthread_mutex_lock(&disk.lock);
	disk.armed = armed;
	pthread_mutex_unlock(&disk.lock);
}

static void
run_writer(const char *dir)
{
	static const struct store_handlers handlers = {.health = told_health};
	struct writer w = {.base = event_base_new(), .sequence = 1};
	struct store_content content;

	w.store = store_open(w.base, dir, JOURNAL, &handlers, &w, &content);
	write_some(&w);
	while (w.waiting > 0)
		event_base_loop(w.base, EVLOOP_ONCE);
	arm(true);
	while (!all_lost()) {
		write_some(&w);
		event_base_loop(w.base, EVLOOP_ONCE);
	}
	arm(false);
	store_close(w.store, clock_mono_ms() + 10000);
	event_base_free(w.base);
}

int
main(int argc, char **argv)
{
	char live[4096], lost[4096];

	if (argc < 4 || atoi(argv[3]) <= 0) {
		fprintf(stderr, "usage: store_power DIR SEED LOSSES [liar]\n");
		return 2;
	}
	disk.dir = argv[1];
	disk.seed = (unsigned)strtoul(argv[2], NULL, 10);
	srand(disk.seed);
	disk.losses_max = atoi(argv[3]);
	disk.liar = argc > 4;
	snprintf(live, sizeof(live), "%s/live", argv[1]);
	snprintf(lost, sizeof(lost), "%s/lost", argv[1]);
	mkdir(argv[1], 0700);
	if (mkdir(live, 0700) < 0 || mkdir(lost, 0700) < 0)
		fatal("%s must be a new directory", argv[1]);
	shim_register();
	run_writer(live);
	printf(
	    "%d losses of power, %d changes unsynced then, %d with something lost, event %" PRIu32
	    " at the end\n",
	    disk.losses, disk.changes_seen, disk.bad, disk.acknowledged);
	for (int i = 0; i < DISK_FILES; i++) {
		disk_forget(&disk.files[i]);
		free(disk.files[i].changes);
		free(disk.files[i].synced);
	}
	return disk.bad ? 1 : 0;
}
