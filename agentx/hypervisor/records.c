#include "hypervisor/records.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"

/* Another layout is another magic: records do not outlive an upgrade of it. */
#define RECORD_MAGIC (UINT64_C(0x4c58414354000000) + sizeof(struct record))
#define LOCK_LOOK_MS 50 /* between two looks at a VM's lock */

void
record_path(char *path, const char *run_dir, uint64_t journal, uint64_t id)
{
	snprintf(path, PATH_MAX, "%s/actions/%016" PRIx64 "-%" PRIu64, run_dir, journal, id);
}

/* A real directory that nobody else can change; one above it may be shared as /tmp is. */
static bool
is_roots(const char *path, bool above)
{
	struct stat status;

	if (lstat(path, &status) < 0 || !S_ISDIR(status.st_mode) || status.st_uid != 0)
		return false;
	if (above && status.st_mode & S_ISVTX)
		return true;
	return !(status.st_mode & S_IWOTH) && (status.st_gid == 0 || !(status.st_mode & S_IWGRP));
}

/* What stands in the records is carried out by root: from the root directory down nobody else may
 * be able to put others in their place. Whoever is not root has only himself to fear. */
static bool
is_safe(const char *actions)
{
	char whole[PATH_MAX], *slash;
	bool safe;

	if (geteuid() != 0)
		return true;
	safe = is_roots(actions, false) && realpath(actions, whole) && is_roots(whole, false);
	for (bool above = false; safe && (slash = strrchr(whole, '/')) != whole; above = true) {
		*slash = '\0';
		safe = is_roots(whole, above);
	}
	return safe && is_roots("/", true);
}

bool
records_prepare(const char *run_dir, char *error)
{
	char path[PATH_MAX];

	mkdir(run_dir, 0755); /* usually there already */
	snprintf(path, sizeof(path), "%s/actions", run_dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		text_format(error, TEXT_SIZE, "%s cannot be made (%s): no action can be recorded",
			    path, strerror(errno));
	else if (!is_safe(path))
		text_format(error, TEXT_SIZE,
			    "%s is not root's alone: no action is carried out; give run-dir "
			    "back to root (0755)",
			    path);
	else
		return true;
	return false;
}

static bool
write_whole(int fd, const void *data, size_t size, off_t at)
{
	ssize_t r = pwrite(fd, data, size, at);

	return r >= 0 && (size_t)r == size;
}

/* A record appears whole or not at all. */
bool
record_write(const char *path, const struct action *action, char *error)
{
	struct record record = {.magic = RECORD_MAGIC, .written_wall_ms = clock_wall_ms()};
	char fresh[PATH_MAX + 8];
	bool ok;
	int fd;

	record.action = *action;
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ok = fd >= 0 && write_whole(fd, &record, sizeof(record), 0) && rename(fresh, path) == 0;
	if (!ok) {
		text_format(error, TEXT_SIZE, "nothing was done: %s cannot be written (%s)", path,
			    strerror(errno));
		unlink(fresh);
	}
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool
record_read(int fd, struct record *record)
{
	return pread(fd, record, sizeof(*record), 0) == (ssize_t)sizeof(*record) &&
	       record->magic == RECORD_MAGIC &&
	       memchr(record->action.name, 0, sizeof(record->action.name));
}

/* Who holds the lock; 0: nobody. */
static pid_t
lock_holder(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

	if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid;
}

/* The order matters: a helper may take the record, or end, between any two steps. Once it is seen
 * unlocked after it was seen started, the helper is gone and what is read then is final. */
static enum record_state
record_judge(int fd, struct record *record, pid_t *pid)
{
	if (!record_read(fd, record))
		return RECORD_NONE;
	*pid = lock_holder(fd);
	if (*pid != 0)
		return RECORD_RUNS;
	if (!record->started)
		return RECORD_WAITS;
	if (!record_read(fd, record))
		return RECORD_NONE;
	return record->done ? RECORD_DONE : RECORD_DIED;
}

enum record_state
record_look(const char *path, struct record *record, pid_t *pid)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	enum record_state state;

	*pid = 0;
	if (fd < 0)
		return RECORD_NONE;
	state = record_judge(fd, record, pid);
	close(fd);
	return state;
}

static bool
lock_at(int fd, off_t at)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	return fcntl(fd, F_SETLK, &lock) == 0;
}

static bool
record_free_for(const struct record *record, bool mend)
{
	if (mend)
		return record->done && record->outcome.state == REQUEST_UNDECIDED &&
		       !record->mended;
	return !record->started && !record->done;
}

#define RECORD_SET(fd, from, field)                                                                \
	write_whole(fd, &(from)->field, sizeof((from)->field), offsetof(struct record, field))

/* started goes last: it is what counts. */
static bool
record_mark_started(int fd, struct record *record)
{
	record->deadline_mono_ms = clock_mono_ms() + record->action.deadline_ms;
	record->started = 1;
	return RECORD_SET(fd, record, deadline_mono_ms) && RECORD_SET(fd, record, started);
}

int
record_take(const char *path, bool mend, struct record *record)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -1;
	if (lock_at(fd, 0) && record_read(fd, record) && record_free_for(record, mend) &&
	    (mend || record_mark_started(fd, record)))
		return fd;
	close(fd);
	return -1;
}

/* done goes last: it is what counts. */
static bool
write_outcome(int fd, const struct outcome *outcome, bool mended)
{
	struct record record = {.started = 1, .done = 1, .mended = mended};

	record.outcome = *outcome;
	return RECORD_SET(fd, &record, outcome) && RECORD_SET(fd, &record, mended) &&
	       RECORD_SET(fd, &record, started) && RECORD_SET(fd, &record, done);
}

bool
record_done(int fd, const struct outcome *outcome)
{
	return write_outcome(fd, outcome, true);
}

bool
record_mended(int fd)
{
	struct record record = {.mended = 1};

	return RECORD_SET(fd, &record, mended);
}

/* Opens a record that no helper has. */
static int
record_open_idle(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || lock_at(fd, 0))
		return fd;
	close(fd);
	return -1;
}

bool
record_settle(const char *path, const struct outcome *outcome)
{
	int fd = record_open_idle(path);
	struct record record;
	bool ok;

	if (fd < 0)
		return false;
	ok = record_read(fd, &record) && !record.done &&
	     write_outcome(fd, outcome, outcome->state != REQUEST_UNDECIDED);
	close(fd);
	return ok;
}

bool
record_give_up_mending(const char *path)
{
	int fd = record_open_idle(path);
	bool ok = fd >= 0 && record_mended(fd);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool
record_is_at(const char *path, const char *run_dir, const struct record *record)
{
	char right[PATH_MAX];

	record_path(right, run_dir, record->action.journal, record->action.id);
	return strcmp(path, right) == 0;
}

/* What a killed process was just writing goes too: nothing was started from it. */
void
records_scan(const char *run_dir,
	     void (*each)(void *arg, const char *path, const struct record *record), void *arg)
{
	char path[PATH_MAX];
	struct record record;
	struct dirent *entry;
	pid_t pid;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/actions", run_dir);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (!strchr(entry->d_name, '-'))
			continue;
		snprintf(path, sizeof(path), "%s/actions/%s", run_dir, entry->d_name);
		if (record_look(path, &record, &pid) != RECORD_NONE &&
		    record_is_at(path, run_dir, &record)) {
			each(arg, path, &record);
		} else {
			log_warn("%s is no record of an action, and removed", path);
			unlink(path);
		}
	}
	if (dir)
		closedir(dir);
}

/* FNV-1a; where in the one file of locks a VM's lies. */
static off_t
lock_place(const void *key, size_t size, uint64_t seed)
{
	const unsigned char *octet = key;
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;

	while (size-- > 0)
		hash = (hash ^ *octet++) * UINT64_C(0x100000001b3);
	return (off_t)(hash >> 2);
}

static bool
lock_until(int fd, off_t at, int64_t until_ms)
{
	const struct timespec rest = {.tv_nsec = LOCK_LOOK_MS * 1000000L};

	while (!lock_at(fd, at)) {
		if (clock_mono_ms() >= until_ms)
			return false;
		nanosleep(&rest, NULL);
	}
	return true;
}

/* Name before UUID, always: two that want both cannot wait for each other. */
int
vm_lock(const char *run_dir, const char *name, const uint8_t uuid[UUID_SIZE], int64_t wait_ms,
	char *error)
{
	int64_t until_ms = clock_mono_ms() + wait_ms;
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/vm.lock", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		text_format(error, TEXT_SIZE, "%s cannot be opened (%s)", path, strerror(errno));
		return -1;
	}
	if ((!*name || lock_until(fd, lock_place(name, strlen(name), 1), until_ms)) &&
	    (uuid_is_zero(uuid) || lock_until(fd, lock_place(uuid, UUID_SIZE, 2), until_ms)))
		return fd;
	text_format(error, TEXT_SIZE,
		    "another action (or a person's lauxend --action) has had this VM for %" PRId64
		    " s",
		    wait_ms / 1000);
	close(fd);
	return -1;
}
