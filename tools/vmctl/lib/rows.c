#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/vmctl/lib/internal.h"

void
rows_clear(struct rows *rows)
{
	struct chunk *chunk;

	while ((chunk = rows->first)) {
		rows->first = chunk->next;
		free(chunk);
	}
	free(rows->at);
	*rows = (struct rows){0};
}

_Static_assert(MIB_PACKED_MAX <= CHUNK_SIZE, "a row fits a chunk");

static uint8_t *
rows_room(struct rows *rows, size_t size)
{
	struct chunk *chunk = rows->last;

	if (!chunk || chunk->used + size > CHUNK_SIZE) {
		chunk = mem_resize(NULL, 1, sizeof(*chunk));
		chunk->next = NULL;
		chunk->used = 0;
		if (rows->last)
			rows->last->next = chunk;
		else
			rows->first = chunk;
		rows->last = chunk;
	}
	chunk->used += size;
	return chunk->data + chunk->used - size;
}

void
rows_add_packed(struct rows *rows, const uint8_t *packed, size_t size)
{
	if (rows->count == rows->room) {
		rows->room = rows->room * 2 + 16;
		rows->at = mem_resize(rows->at, rows->room, sizeof(*rows->at));
	}
	rows->at[rows->count] = rows_room(rows, size);
	memcpy(rows->at[rows->count++], packed, size);
	rows->size += size;
}

void
rows_add(struct rows *rows, enum mib_kind kind, const void *row)
{
	uint8_t packed[MIB_PACKED_MAX];
	size_t size = mib_pack(kind, rows->fields, row, packed);

	/* cppcheck-suppress uninitvar ; mib_pack() fills it */
	rows_add_packed(rows, packed, size);
}

/* Moves the last chunk, which *to points at and whose first row is number from, to where it needs
 * no more room than its rows. */
static void
rows_move(struct rows *rows, size_t from, struct chunk **to)
{
	struct chunk *last = *to, *cut;
	size_t size = offsetof(struct chunk, data) + last->used;

	cut = mem_alloc(size);
	memcpy(cut, last, size);
	for (size_t i = from; i < rows->count; i++)
		rows->at[i] = cut->data + (rows->at[i] - last->data);
	*to = rows->last = cut;
	free(last);
}

void
rows_settle(struct rows *rows)
{
	struct chunk *last = rows->last;

	rows->at = mem_resize(rows->at, rows->count, sizeof(*rows->at));
	rows->room = rows->count;
	/* The last chunk, cut: its rows may move. */
	if (last) {
		struct chunk **to = &rows->first;
		size_t from = rows->count;

		while (from > 0 && rows->at[from - 1] >= last->data &&
		       rows->at[from - 1] < last->data + CHUNK_SIZE)
			from--;
		while (*to != last)
			to = &(*to)->next;
		rows_move(rows, from, to);
	}
}

size_t
vmctl_rows_count(const struct vmctl_host *host, enum mib_kind kind)
{
	return host->rows[kind].count;
}

bool
vmctl_row(const struct vmctl_host *host, enum mib_kind kind, size_t position, void *row)
{
	const struct rows *rows = &host->rows[kind];

	if (position >= rows->count)
		return false;
	mib_unpack(kind, rows->fields, rows->at[position], rows->shift_ms, row);
	return true;
}

int64_t
vmctl_rows_age_ms(const struct vmctl_host *host, enum mib_kind kind)
{
	const struct rows *rows = &host->rows[kind];
	int64_t age_ms = clock_mono_ms() - rows->mono_ms;

	return rows->wall_ms == 0 ? -1 : age_ms > 0 ? age_ms : 0;
}

bool
vmctl_rows_stale(const struct vmctl_host *host, enum mib_kind kind)
{
	return host->rows[kind].wall_ms != 0 && host->rows[kind].stale;
}
