#include "base/rowset.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct row *
row_of(void *data)
{
	return (struct row *)((unsigned char *)data - offsetof(struct row, data));
}

void
rowset_init(struct rowset *set, size_t row_size, int (*compare)(const void *a, const void *b),
	    bool tracks)
{
	*set = (struct rowset){.row_size = row_size, .compare = compare, .tracks = tracks};
	TAILQ_INIT(&set->changed);
}

static void
row_forget_change(struct rowset *set, struct row *row)
{
	if (row->waits)
		TAILQ_REMOVE(&set->changed, row, changed);
	row->waits = false;
}

static void
row_note_change(struct rowset *set, struct row *row)
{
	if (row->waits || !set->tracks)
		return;
	TAILQ_INSERT_TAIL(&set->changed, row, changed);
	row->waits = true;
}

static void
rowset_drop_tombstones(struct rowset *set)
{
	struct row *row, *next;

	for (row = TAILQ_FIRST(&set->changed); row; row = next) {
		next = TAILQ_NEXT(row, changed);
		row_forget_change(set, row);
		if (row->gone)
			free(row);
	}
}

void
rowset_dispose(struct rowset *set)
{
	rowset_drop_tombstones(set);
	for (size_t i = 0; i < set->count; i++)
		free(set->rows[i]);
	free(set->rows);
	set->rows = NULL;
	set->count = set->capacity = 0;
}

size_t
rowset_seek(const struct rowset *set, const void *key)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->compare(set->rows[middle]->data, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *
rowset_at(const struct rowset *set, size_t position)
{
	return position < set->count ? set->rows[position]->data : NULL;
}

void *
rowset_find(const struct rowset *set, const void *key)
{
	void *data = rowset_at(set, rowset_seek(set, key));

	return data && set->compare(data, key) == 0 ? data : NULL;
}

static struct row *
rowset_insert(struct rowset *set, size_t position, const void *data)
{
	struct row *row = mem_alloc(sizeof(*row) + set->row_size);

	memcpy(row->data, data, set->row_size);
	if (set->count == set->capacity) {
		set->capacity = set->capacity ? set->capacity * 2 : 16;
		set->rows = mem_resize(set->rows, set->capacity, sizeof(struct row *));
	}
	memmove(set->rows + position + 1, set->rows + position,
		(set->count - position) * sizeof(struct row *));
	set->rows[position] = row;
	set->count++;
	return row;
}

bool
rowset_replace(struct rowset *set, void *data, const void *with)
{
	struct row *row = row_of(data);

	row->seen = true;
	if (memcmp(row->data, with, set->row_size) == 0)
		return false;
	memcpy(row->data, with, set->row_size);
	row_note_change(set, row);
	return true;
}

static bool
rowset_put_at(struct rowset *set, const void *data, struct row **row)
{
	size_t position = rowset_seek(set, data);

	*row = position < set->count ? set->rows[position] : NULL;
	if (*row && set->compare((*row)->data, data) == 0)
		return rowset_replace(set, (*row)->data, data);
	*row = rowset_insert(set, position, data);
	(*row)->seen = true;
	row_note_change(set, *row);
	return true;
}

bool
rowset_put(struct rowset *set, const void *data)
{
	struct row *row;

	return rowset_put_at(set, data, &row);
}

void *
rowset_place(struct rowset *set, const void *data)
{
	struct row *row;

	rowset_put_at(set, data, &row);
	return row->data;
}

static void
rowset_remove_at(struct rowset *set, size_t position)
{
	struct row *row = set->rows[position];

	set->count--;
	memmove(set->rows + position, set->rows + position + 1,
		(set->count - position) * sizeof(struct row *));
	if (!set->tracks) {
		free(row);
		return;
	}
	row->gone = true;
	row_note_change(set, row);
}

bool
rowset_remove(struct rowset *set, const void *key)
{
	size_t position = rowset_seek(set, key);

	if (position == set->count || set->compare(set->rows[position]->data, key) != 0)
		return false;
	rowset_remove_at(set, position);
	return true;
}

void
rowset_clear(struct rowset *set)
{
	while (set->count > 0)
		rowset_remove_at(set, set->count - 1);
}

void
rowset_begin(struct rowset *set)
{
	for (size_t i = 0; i < set->count; i++)
		set->rows[i]->seen = false;
}

void
rowset_end(struct rowset *set)
{
	for (size_t i = set->count; i-- > 0;)
		if (!set->rows[i]->seen)
			rowset_remove_at(set, i);
}

void
rowset_touch(struct rowset *set, void *data)
{
	row_note_change(set, row_of(data));
}

bool
rowset_take(struct rowset *set, void *data, bool *gone)
{
	struct row *row = TAILQ_FIRST(&set->changed);

	if (!row)
		return false;
	row_forget_change(set, row);
	memcpy(data, row->data, set->row_size);
	*gone = row->gone;
	if (row->gone)
		free(row);
	return true;
}

/* Rows of this key that are gone must not be told after the one that took their place. */
static void
drop_tombstones_of(struct rowset *set, const void *key)
{
	struct row *row, *next;

	for (row = TAILQ_FIRST(&set->changed); row; row = next) {
		next = TAILQ_NEXT(row, changed);
		if (!row->gone || set->compare(row->data, key) != 0)
			continue;
		row_forget_change(set, row);
		free(row);
	}
}

bool
rowset_take_one(struct rowset *set, const void *key)
{
	void *data = rowset_find(set, key);

	if (!data || !row_of(data)->waits)
		return false;
	row_forget_change(set, row_of(data));
	drop_tombstones_of(set, key);
	return true;
}

bool
rowset_waits(const struct rowset *set)
{
	return !TAILQ_EMPTY(&set->changed);
}

void
rowset_resend(struct rowset *set)
{
	rowset_drop_tombstones(set);
	for (size_t i = 0; i < set->count; i++)
		row_note_change(set, set->rows[i]);
}
