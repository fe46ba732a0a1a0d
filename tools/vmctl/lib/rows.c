#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/vmctl/lib/internal.h"

void
rows_clear(struct rows *rows)
{
	free(rows->data);
	free(rows->at);
	*rows = (struct rows){0};
}

void
rows_add_packed(struct rows *rows, const uint8_t *packed, size_t size)
{
	if (rows->size + size > rows->size_room) {
		rows->size_room = rows->size_room * 3 / 2 + 2 * size;
		rows->data = mem_resize(rows->data, rows->size_room, 1);
	}
	if (rows->count == rows->room) {
		rows->room = rows->room * 3 / 2 + 8;
		rows->at = mem_resize(rows->at, rows->room, sizeof(*rows->at));
	}
	memcpy(rows->data + rows->size, packed, size);
	rows->at[rows->count++] = (uint32_t)rows->size;
	rows->size += size;
}

void
rows_add(struct rows *rows, enum mib_kind kind, const void *row)
{
	uint8_t packed[MIB_PACKED_MAX];

	rows_add_packed(rows, packed, mib_pack(kind, row, rows->fields, packed));
}

void
rows_settle(struct rows *rows)
{
	rows->data = mem_resize(rows->data, rows->size, 1);
	rows->at = mem_resize(rows->at, rows->count, sizeof(*rows->at));
	rows->size_room = rows->size;
	rows->room = rows->count;
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
	mib_unpack(kind, rows->data + rows->at[position], rows->shift_ms, row);
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
