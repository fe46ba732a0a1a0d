/*
 * The last rows of a host on disk: a file for each host and kind, written whole and renamed. They
 * are ours alone, but read with care: a file that is not whole, or of another description of the
 * tables, is as if it were not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/vmctl/lib/internal.h"

#define MAGIC UINT64_C(0x33306c74636d7601)
#define FILE_MOST (64u << 20) /* octets */
#define PATH_SIZE 4400
#define KEEP_MS 600000 /* rows with more fields than the new ones stay for so long */

struct head {
	uint64_t magic, fingerprint;
	char name[VMCTL_NAME_SIZE], address[TRANSPORT_SIZE];
	uint32_t kind, count;
	uint64_t fields;
	int64_t mono_ms, wall_ms; /* when it was written: its boot's clock */
	int64_t true_ms;	  /* when the rows were true, since 1970 */
};

/* A host's name may have what no file's name can. */
static void
cache_path(const struct vmctl_host *host, enum mib_kind kind, const char *suffix,
	   char path[PATH_SIZE])
{
	size_t used = (size_t)snprintf(path, PATH_SIZE, "%s/", host->vmctl->cache);

	for (const char *c = host->name; *c && used + 64 < PATH_SIZE; c++)
		if (strchr("/%.", *c) || (unsigned char)*c <= ' ')
			used += (size_t)snprintf(path + used, PATH_SIZE - used, "%%%02x",
						 (unsigned char)*c);
		else
			path[used++] = *c;
	snprintf(path + used, PATH_SIZE - used, ".%s%s", mib_kinds[kind].name, suffix);
}

/* The whole file, to be freed; NULL: there is none. */
static uint8_t *
file_read(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;
	uint8_t *data = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
	    status.st_size < FILE_MOST) {
		*size = (size_t)status.st_size;
		data = mem_alloc(*size);
		if (read(fd, data, *size) != (ssize_t)*size) {
			free(data);
			data = NULL;
		}
	}
	close(fd);
	return data;
}

static bool
head_fits(const struct vmctl_host *host, enum mib_kind kind, const struct head *head)
{
	return head->magic == MAGIC && head->fingerprint == mib_fingerprint() &&
	       head->kind == (uint32_t)kind &&
	       strncmp(head->name, host->name, sizeof(head->name)) == 0 &&
	       strncmp(head->address, host->text, sizeof(head->address)) == 0;
}

/* All rows or none. */
static bool
take_rows(enum mib_kind kind, const uint8_t *data, size_t size, uint32_t count, struct rows *rows)
{
	size_t used = 0;

	for (uint32_t i = 0; i < count; i++) {
		size_t row = mib_packed_size(kind, rows->fields, data + used, size - used);

		if (row == 0)
			return false;
		rows_add_packed(rows, data + used, row);
		used += row;
	}
	rows_settle(rows);
	return used == size;
}

static bool
cache_read(const struct vmctl_host *host, enum mib_kind kind, struct rows *rows)
{
	int64_t now_ms = clock_mono_ms(), wall_ms = clock_wall_ms();
	char path[PATH_SIZE];
	struct head head;
	size_t size = 0;
	uint8_t *data;
	bool ok;

	*rows = (struct rows){0};
	cache_path(host, kind, "", path);
	data = file_read(path, &size);
	ok = data && size >= sizeof(head);
	if (ok) {
		memcpy(&head, data, sizeof(head));
		rows->fields = head.fields;
		ok = head_fits(host, kind, &head) &&
		     take_rows(kind, data + sizeof(head), size - sizeof(head), head.count, rows);
	}
	free(data);
	if (!ok) {
		rows_clear(rows);
		return false;
	}
	rows->wall_ms = head.true_ms;
	/* Moments of that boot, on the clock of this one: by the wall clock. */
	rows->shift_ms = (now_ms - wall_ms) - (head.mono_ms - head.wall_ms);
	rows->mono_ms = now_ms - (wall_ms - head.true_ms);
	rows->stale = true;
	return true;
}

bool
vmctl_rows_recall(struct vmctl_host *host, enum mib_kind kind)
{
	if (host->rows[kind].wall_ms == 0 && !host->recalled[kind] && host->vmctl->cache)
		cache_read(host, kind, &host->rows[kind]);
	host->recalled[kind] = true;
	return host->rows[kind].wall_ms != 0;
}

/* ---- writing ---- */

static bool
rows_write(const struct vmctl_host *host, enum mib_kind kind, const struct rows *rows, FILE *file)
{
	struct head head = {.magic = MAGIC,
			    .fingerprint = mib_fingerprint(),
			    .kind = (uint32_t)kind,
			    .count = (uint32_t)rows->count,
			    .fields = rows->fields,
			    .mono_ms = clock_mono_ms(),
			    .wall_ms = clock_wall_ms(),
			    .true_ms = rows->wall_ms};

	TEXT_SET(head.name, host->name);
	TEXT_SET(head.address, host->text);
	if (fwrite(&head, sizeof(head), 1, file) != 1)
		return false;
	for (const struct chunk *chunk = rows->first; chunk; chunk = chunk->next)
		if (fwrite(chunk->data, chunk->used, 1, file) != 1)
			return false;
	return true;
}

/* VMs came or went, or one is in another state: that counts more than fields that are not asked
 * for. */
static bool
vms_changed(const struct rows *old, const struct rows *new)
{
	struct mib_vm was, is;

	if (!(old->fields & new->fields &VMCTL_FIELD(mib_vm, state)))
		return false;
	if (old->count != new->count)
		return true;
	for (size_t i = 0; i < old->count; i++) {
		mib_unpack(KIND_VM, old->fields, old->at[i], 0, &was);
		mib_unpack(KIND_VM, new->fields, new->at[i], 0, &is);
		if (was.index != is.index || was.state != is.state)
			return true;
	}
	return false;
}

/* What is on disk stays while it is young, or says more than the new rows, is still true, and not
 * much older. */
static bool
file_stays(const struct vmctl_host *host, enum mib_kind kind, const char *path, int64_t max_age_ms)
{
	int64_t now_ms = clock_wall_ms(), written_ms;
	struct stat status;
	struct rows old;
	bool stays;

	if (stat(path, &status) != 0)
		return false;
	written_ms = status.st_mtim.tv_sec * INT64_C(1000) + status.st_mtim.tv_nsec / 1000000;
	if (written_ms > now_ms - max_age_ms && written_ms <= now_ms)
		return true;
	stays = cache_read(host, kind, &old) && (old.fields & ~host->rows[kind].fields) != 0 &&
		now_ms - old.wall_ms < KEEP_MS &&
		!(kind == KIND_VM && vms_changed(&old, &host->rows[kind]));
	rows_clear(&old);
	return stays;
}

static void
cache_write(const struct vmctl_host *host, enum mib_kind kind, int64_t max_age_ms)
{
	char path[PATH_SIZE], new[PATH_SIZE], suffix[32];
	FILE *file;
	int fd;
	bool ok;

	cache_path(host, kind, "", path);
	if (file_stays(host, kind, path, max_age_ms))
		return;
	snprintf(suffix, sizeof(suffix), ".new%d", (int)getpid());
	cache_path(host, kind, suffix, new);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file)
		return; /* no place to keep them: it is a cache */
	ok = rows_write(host, kind, &host->rows[kind], file);
	if (fclose(file) != 0 || !ok || rename(new, path) != 0)
		unlink(new);
}

/* Each directory of the path that is missing. */
static bool
directory_make(const char *directory)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s", directory);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0755);
		*slash = '/';
	}
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

void
vmctl_cache_write(struct vmctl *vmctl, int64_t max_age_ms)
{
	struct vmctl_host *host;

	if (!vmctl->cache || !directory_make(vmctl->cache))
		return;
	TAILQ_FOREACH (host, &vmctl->hosts, next)
		for (int kind = 1; kind < KIND_COUNT; kind++) {
			if (host->rows[kind].changed)
				cache_write(host, (enum mib_kind)kind, max_age_ms);
			host->rows[kind].changed = false;
		}
}
