#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define PATH_SIZE 4096
#define LOCK_LOOK_MS 20 /* between two looks at a lock that another has */
#define MARK_SIZE 64	/* octets, always all of them: a place on the disk is theirs */
#define MARK_FORMAT "in memory: events %" PRIu32 ", requests %" PRIu64 "\n"
#define MARK_READ "in memory: events %" SCNu32 ", requests %" SCNu64

void
files_init(struct files *files, const char *dir)
{
	char path[PATH_SIZE];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, STORE_FILE) >= sizeof(path) - 64)
		fatal("the state directory's name is too long");
	*files = (struct files){.dir = mem_string(dir), .path = mem_string(path), .lock_fd = -1};
}

static void
files_unlock(struct files *files)
{
	if (files->lock_fd >= 0)
		close(files->lock_fd);
	files->lock_fd = -1;
}

void
files_dispose(struct files *files)
{
	files_unlock(files);
	free(files->dir);
	free(files->path);
	*files = (struct files){.lock_fd = -1};
}

/* The held lock is worth nothing once its file was removed: another process would make its own. */
static bool
files_lock_stands(const struct files *files, const char *path)
{
	struct stat held, named;

	return files->lock_fd >= 0 && fstat(files->lock_fd, &held) == 0 &&
	       stat(path, &named) == 0 && held.st_dev == named.st_dev &&
	       held.st_ino == named.st_ino;
}

/* Opens the lock file; its name goes to path. */
static bool
files_open_lock(struct files *files, char path[static PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s", files->dir, STORE_LOCK);
	if (files_lock_stands(files, path))
		return true;
	files_unlock(files);
	files->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return files->lock_fd >= 0;
}

bool
files_lock(struct files *files, char *error, size_t size)
{
	char path[PATH_SIZE];
	struct stat status;

	if (!files_open_lock(files, path)) {
		snprintf(error, size, "%s: %s", path, strerror(errno));
		return false;
	}
	if (flock(files->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		snprintf(error, size,
			 errno == EWOULDBLOCK ? "%s is used by another lauxend: stop that one, or "
						"give each a state directory"
					      : "%s cannot be locked: %m",
			 files->dir);
		files_unlock(files);
		return false;
	}
	if (fstat(files->lock_fd, &status) == 0 && status.st_size < MARK_SIZE)
		files_mark(files, NULL);
	return true;
}

bool
files_wait(struct files *files, int64_t until_ms)
{
	const struct timespec rest = {.tv_nsec = LOCK_LOOK_MS * 1000000L};
	char path[PATH_SIZE];
	bool said = false;

	while (files_open_lock(files, path) && flock(files->lock_fd, LOCK_EX | LOCK_NB) < 0 &&
	       errno == EWOULDBLOCK) {
		if (clock_mono_ms() >= until_ms)
			return false;
		if (!said)
			log_info("store: another lauxend has %s; waiting for its end", files->dir);
		said = true;
		nanosleep(&rest, NULL);
	}
	return true;
}

bool
files_mark(const struct files *files, const struct counters *reserved)
{
	char mark[MARK_SIZE + 1] = "";

	if (reserved)
		snprintf(mark, sizeof(mark), MARK_FORMAT, reserved->next_sequence,
			 reserved->next_request);
	return files->lock_fd >= 0 && pwrite(files->lock_fd, mark, MARK_SIZE, 0) == MARK_SIZE &&
	       fdatasync(files->lock_fd) == 0;
}

bool
files_marked(const struct files *files, struct counters *reserved)
{
	char mark[MARK_SIZE + 1] = "";

	return files->lock_fd >= 0 && pread(files->lock_fd, mark, MARK_SIZE, 0) == MARK_SIZE &&
	       sscanf(mark, MARK_READ, &reserved->next_sequence, &reserved->next_request) == 2;
}

/* A free name store.db.broken-TIME; rename(2) would replace what has it. */
static bool
files_aside_name(const struct files *files, char *aside, size_t size)
{
	time_t now = time(NULL);
	struct stat status;
	struct tm tm;
	char when[32];

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(aside, size, "%s.broken-%s", files->path, when);
	for (int i = 2; lstat(aside, &status) == 0; i++) {
		if (i > 99) {
			errno = EEXIST;
			return false;
		}
		snprintf(aside, size, "%s.broken-%s.%d", files->path, when, i);
	}
	return true;
}

bool
files_put_aside(const struct files *files, char *aside, size_t size)
{
	/* The database first: a log without its database is nothing, a database without its log
	 * would be an old state that looks whole. */
	static const char *const suffixes[] = {"", "-wal", "-shm"};

	if (!files_aside_name(files, aside, size))
		return false;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char from[PATH_SIZE], to[PATH_SIZE + 8];

		snprintf(from, sizeof(from), "%s%s", files->path, suffixes[i]);
		snprintf(to, sizeof(to), "%s%s", aside, suffixes[i]);
		if (rename(from, to) < 0 && (errno != ENOENT || i == 0))
			return false;
	}
	return files_sync_dir(files);
}

bool
files_sync_dir(const struct files *files)
{
	int fd = open(files->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

bool
files_have_log(const struct files *files)
{
	char path[PATH_SIZE];
	struct stat status;

	snprintf(path, sizeof(path), "%s-wal", files->path);
	return stat(path, &status) == 0 && status.st_size > 0;
}
