/*
 * The last rows of a host on disk: a file for each host, named by it, written whole and renamed. It
 * is ours alone, but read with care: a file that is not whole, or of another description of the
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

#define MAGIC UINT64_C(0x31306c74636d7601)
#define FILE_MOST (64u << 20) /* octets */

struct head {
	uint64_t magic, fingerprint;
	char name[VMCTL_NAME_SIZE], address[ADDRESS_SIZE];
	int64_t mono_ms, wall_ms; /* when it was written */
};

struct block {
	uint32_t kind, count;
	uint64_t fields, size;
	int64_t wall_ms; /* when the rows were true */
};

/* A host's name may have what no file's name can. */
static void
cache_path(const struct vmctl_host *host, const char *suffix, char *path, size_t size)
{
	size_t used = (size_t)snprintf(path, size, "%s/", host->vmctl->cache);

	for (const char *c = host->name; *c && used + 8 < size; c++)
		if (strchr("/%.", *c) || (unsigned char)*c <= ' ')
			used +=
			    (size_t)snprintf(path + used, size - used, "%%%02x", (unsigned char)*c);
		else
			path[used++] = *c;
	snprintf(path + used, size - used, "%s", suffix);
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

/* One block into rows; octets used, or 0 where it is not whole. */
static size_t
block_read(const uint8_t *from, size_t size, struct block *block, struct rows *rows)
{
	size_t used = sizeof(*block), end;

	if (size < used)
		return 0;
	memcpy(block, from, sizeof(*block));
	if (block->kind == 0 || block->kind >= KIND_COUNT || block->size > size - used)
		return 0;
	rows->fields = block->fields;
	rows->wall_ms = block->wall_ms;
	end = used + block->size;
	for (uint32_t i = 0; i < block->count; i++) {
		size_t row = mib_packed_size((enum mib_kind)block->kind, from + used, end - used);

		if (row == 0)
			return 0;
		rows_add_packed(rows, from + used, row);
		used += row;
	}
	rows_settle(rows);
	return used == end ? end : 0;
}

static bool
head_fits(const struct vmctl_host *host, const struct head *head)
{
	return head->magic == MAGIC && head->fingerprint == mib_fingerprint() &&
	       strncmp(head->name, host->name, sizeof(head->name)) == 0 &&
	       strncmp(head->address, host->text, sizeof(head->address)) == 0;
}

/* All blocks of the host's file into rows, by kind; false: there is no such file. */
static bool
blocks_read(const struct vmctl_host *host, struct rows rows[KIND_COUNT])
{
	char path[4400];
	size_t size, used = sizeof(struct head), step;
	struct block block;
	struct head head;
	uint8_t *data;
	int64_t now_ms = clock_mono_ms(), wall_ms = clock_wall_ms();

	memset(rows, 0, KIND_COUNT * sizeof(*rows));
	if (!host->vmctl->cache)
		return false;
	cache_path(host, ".rows", path, sizeof(path));
	data = file_read(path, &size);
	if (!data || size < used || (memcpy(&head, data, used), !head_fits(host, &head))) {
		free(data);
		return false;
	}
	while (used < size) {
		struct rows found = {0};

		step = block_read(data + used, size - used, &block, &found);
		if (step == 0) {
			rows_clear(&found);
			break;
		}
		used += step;
		rows_clear(&rows[block.kind]);
		/* Moments of that boot, on the clock of this one: by the wall clock. */
		found.shift_ms = (now_ms - wall_ms) - (head.mono_ms - head.wall_ms);
		found.mono_ms = now_ms - (wall_ms - found.wall_ms);
		found.stale = true;
		rows[block.kind] = found;
	}
	free(data);
	return true;
}

bool
vmctl_rows_recall(struct vmctl_host *host, enum mib_kind kind)
{
	struct rows rows[KIND_COUNT];

	if (host->rows[kind].wall_ms != 0)
		return true;
	if (host->recalled[kind])
		return false;
	blocks_read(host, rows);
	for (int k = 1; k < KIND_COUNT; k++) {
		host->recalled[k] = true;
		if (host->rows[k].wall_ms == 0)
			host->rows[k] = rows[k];
		else
			rows_clear(&rows[k]);
	}
	return host->rows[kind].wall_ms != 0;
}

/* ---- writing ---- */

static bool
block_write(FILE *file, enum mib_kind kind, const struct rows *rows)
{
	struct block block = {.kind = (uint32_t)kind,
			      .count = (uint32_t)rows->count,
			      .fields = rows->fields,
			      .size = rows->size,
			      .wall_ms = rows->wall_ms};

	if (fwrite(&block, sizeof(block), 1, file) != 1)
		return false;
	for (const struct chunk *chunk = rows->first; chunk; chunk = chunk->next)
		if (fwrite(chunk->data, chunk->used, 1, file) != 1)
			return false;
	return true;
}

#define KEEP_MS 600000 /* rows with more fields than the new ones stay for so long */

/* The old rows of a kind stay while they say more than the new ones and are not much older. */
static bool
old_stays(const struct rows *old, const struct rows *new)
{
	if (old->wall_ms == 0)
		return false;
	if (!new->changed)
		return true;
	return (old->fields & ~new->fields) != 0 && new->wall_ms - old->wall_ms < KEEP_MS;
}

/* Moments of an older boot's clock, on this one's. */
static void
rows_shift(struct rows *rows, enum mib_kind kind)
{
	_Alignas(8) unsigned char row[VMCTL_ROW_MAX];
	struct rows shifted = {.fields = rows->fields, .wall_ms = rows->wall_ms};

	if (rows->shift_ms == 0)
		return;
	for (size_t i = 0; i < rows->count; i++) {
		mib_unpack(kind, rows->at[i], rows->shift_ms, row);
		rows_add(&shifted, kind, row);
	}
	rows_clear(rows);
	*rows = shifted;
}

static bool
host_write(struct vmctl_host *host, FILE *file)
{
	struct head head = {.magic = MAGIC,
			    .fingerprint = mib_fingerprint(),
			    .mono_ms = clock_mono_ms(),
			    .wall_ms = clock_wall_ms()};
	struct rows old[KIND_COUNT];
	bool ok;

	TEXT_SET(head.name, host->name);
	TEXT_SET(head.address, host->text);
	blocks_read(host, old);
	ok = fwrite(&head, sizeof(head), 1, file) == 1;
	for (int kind = 1; kind < KIND_COUNT; kind++) {
		struct rows *rows = &host->rows[kind];

		if (old_stays(&old[kind], rows)) {
			rows_shift(&old[kind], (enum mib_kind)kind);
			ok = ok && block_write(file, (enum mib_kind)kind, &old[kind]);
		} else if (rows->changed)
			ok = ok && block_write(file, (enum mib_kind)kind, rows);
		rows->changed = false;
		rows_clear(&old[kind]);
	}
	return ok;
}

static bool
host_is_due(const struct vmctl_host *host, int64_t max_age_ms)
{
	char path[4400];
	struct stat status;
	bool changed = false;

	for (int kind = 1; kind < KIND_COUNT; kind++)
		changed |= host->rows[kind].changed;
	if (!changed || host->status != VMCTL_ANSWERS)
		return false;
	cache_path(host, ".rows", path, sizeof(path));
	return stat(path, &status) != 0 ||
	       clock_wall_ms() - status.st_mtim.tv_sec * INT64_C(1000) >= max_age_ms ||
	       status.st_mtim.tv_sec * INT64_C(1000) > clock_wall_ms();
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
	char path[4400], whole[4400], suffix[32];

	if (!vmctl->cache || !directory_make(vmctl->cache))
		return;
	snprintf(suffix, sizeof(suffix), ".new%d", (int)getpid());
	TAILQ_FOREACH (host, &vmctl->hosts, next) {
		FILE *file;
		int fd;
		bool ok;

		if (!host_is_due(host, max_age_ms))
			continue;
		cache_path(host, suffix, path, sizeof(path));
		cache_path(host, ".rows", whole, sizeof(whole));
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		file = fd >= 0 ? fdopen(fd, "w") : NULL;
		if (!file)
			return; /* no place to keep them: it is a cache */
		ok = host_write(host, file);
		if (fclose(file) != 0 || !ok || rename(path, whole) != 0)
			unlink(path);
	}
}
