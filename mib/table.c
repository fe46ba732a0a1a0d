#include "mib/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"

/*
 * A place is a column that has instances. All places in the order of their OIDs are what an OID is
 * looked up in, each known by its arcs under the root of its module.
 */
#define TAIL_MAX 8
struct place {
	const struct mib_table *table;
	const struct mib_column *column;
	size_t tail_count;
	unsigned long tail[TAIL_MAX];
};

struct module {
	const unsigned long *root;
	size_t root_count;
	struct place *places;
	size_t count;
};

static struct module modules[2]; /* LAUXEN-MIB, VM-MIB: by mib_table.standard */

/* Sign of a compared with b, as OIDs. */
static int
arcs_compare(const unsigned long *a, size_t a_count, const unsigned long *b, size_t b_count)
{
	size_t count = a_count < b_count ? a_count : b_count;

	for (size_t i = 0; i < count; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return (a_count > b_count) - (a_count < b_count);
}

static int
place_compare(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	return arcs_compare(left->tail, left->tail_count, right->tail, right->tail_count);
}

static void
module_add(struct module *module, const struct mib_table *table, const struct mib_column *column)
{
	struct place *place;
	size_t count = table->arcs_count - module->root_count;

	if (column->number == 0 || column->access == MIB_NA)
		return;
	module->places = mem_resize(module->places, module->count + 1, sizeof(*module->places));
	place = &module->places[module->count++];
	*place = (struct place){.table = table, .column = column, .tail_count = count + 1};
	memcpy(place->tail, table->arcs + module->root_count, count * sizeof(unsigned long));
	place->tail[count] = column->number;
}

static const struct module *
module_of(bool standard)
{
	if (modules[0].count > 0)
		return &modules[standard];
	modules[0] = (struct module){.root = mib_root, .root_count = mib_root_count};
	modules[1] = (struct module){.root = mib_vm_mib, .root_count = mib_vm_mib_count};
	for (size_t i = 0; i < mib_tables_count; i++)
		for (size_t j = 0; j < mib_tables[i].columns_count; j++)
			module_add(&modules[mib_tables[i].standard], &mib_tables[i],
				   &mib_tables[i].columns[j]);
	for (int i = 0; i < 2; i++)
		qsort(modules[i].places, modules[i].count, sizeof(struct place), place_compare);
	return &modules[standard];
}

/* Number of places of the module that are at or before the arcs under its root. */
static size_t
module_seek(const struct module *module, const unsigned long *tail, size_t count)
{
	size_t low = 0, high = module->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct place *place = &module->places[middle];

		if (arcs_compare(place->tail, place->tail_count, tail, count) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
place_holds(const struct place *place, const unsigned long *tail, size_t count)
{
	return count >= place->tail_count &&
	       arcs_compare(place->tail, place->tail_count, tail, place->tail_count) == 0;
}

const struct mib_table *
mib_locate(const unsigned long *oid, size_t count, const struct mib_column **column,
	   size_t *index_at)
{
	for (int standard = 0; standard < 2; standard++) {
		const struct module *module = module_of(standard);
		size_t skip = module->root_count, after;
		const struct place *place;

		if (count < skip || arcs_compare(oid, skip, module->root, skip) != 0)
			continue;
		after = module_seek(module, oid + skip, count - skip);
		if (after == 0)
			return NULL;
		place = &module->places[after - 1];
		if (!place_holds(place, oid + skip, count - skip))
			return NULL;
		*column = place->column;
		*index_at = skip + place->tail_count;
		return place->table;
	}
	return NULL;
}

const struct mib_column *
mib_column(const struct mib_table *table, uint32_t number)
{
	for (size_t i = 0; i < table->columns_count; i++)
		if (number > 0 && table->columns[i].number == number)
			return &table->columns[i];
	return NULL;
}

/* Keys: the fields after absent, two numbers at most or one text. */
struct number_key {
	uint64_t absent;
	uint32_t number[2];
};

struct text_key {
	uint64_t absent;
	char text[REQUEST_ID_SIZE];
};

_Static_assert(offsetof(struct mib_request, id) == offsetof(struct text_key, text) &&
		   sizeof(((struct mib_request *)NULL)->id) == REQUEST_ID_SIZE,
	       "the text that a request's row is found by");
_Static_assert(offsetof(struct mib_net, index) == offsetof(struct number_key, number[1]),
	       "the numbers that a row is found by");

static int
compare_none(const void *a, const void *b)
{
	(void)a, (void)b;
	return 0;
}

static int
compare_number(const void *a, const void *b)
{
	uint32_t left = ((const struct number_key *)a)->number[0];
	uint32_t right = ((const struct number_key *)b)->number[0];

	return (left > right) - (left < right);
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32_t left = ((const struct number_key *)a)->number[1];
	uint32_t right = ((const struct number_key *)b)->number[1];
	int first = compare_number(a, b);

	return first != 0 ? first : (left > right) - (left < right);
}

/* The order of IMPLIED text is that of its octets, the shorter first: strncmp's. */
static int
compare_text(const void *a, const void *b)
{
	return strncmp(((const struct text_key *)a)->text, ((const struct text_key *)b)->text,
		       REQUEST_ID_SIZE);
}

/* The arcs of a row's index; room for REQUEST_ID_SIZE of them. */
static size_t
arcs_none(const void *row, unsigned long *arcs)
{
	(void)row;
	arcs[0] = 0;
	return 1;
}

static size_t
arcs_number(const void *row, unsigned long *arcs)
{
	arcs[0] = ((const struct number_key *)row)->number[0];
	return 1;
}

static size_t
arcs_numbers(const void *row, unsigned long *arcs)
{
	arcs[0] = ((const struct number_key *)row)->number[0];
	arcs[1] = ((const struct number_key *)row)->number[1];
	return 2;
}

static size_t
arcs_text(const void *row, unsigned long *arcs)
{
	const struct text_key *key = row;
	size_t count = strnlen(key->text, REQUEST_ID_SIZE - 1);

	for (size_t i = 0; i < count; i++)
		arcs[i] = (unsigned char)key->text[i];
	return count;
}

/* And back; false where the arcs are no such index. */
static bool
key_none(const unsigned long *arcs, size_t count, void *row)
{
	(void)row;
	return count == 1 && arcs[0] == 0;
}

static bool
key_number(const unsigned long *arcs, size_t count, void *row)
{
	if (count != 1 || arcs[0] > UINT32_MAX)
		return false;
	((struct number_key *)row)->number[0] = (uint32_t)arcs[0];
	return true;
}

static bool
key_numbers(const unsigned long *arcs, size_t count, void *row)
{
	if (count != 2 || arcs[1] > UINT32_MAX)
		return false;
	((struct number_key *)row)->number[1] = (uint32_t)arcs[1];
	return key_number(arcs, 1, row);
}

static bool
key_text(const unsigned long *arcs, size_t count, void *row)
{
	struct text_key *key = row;

	if (count >= REQUEST_ID_SIZE)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (arcs[i] == 0 || arcs[i] > UINT8_MAX)
			return false;
		key->text[i] = (char)arcs[i];
	}
	return true;
}

static const struct index_kind {
	int (*compare)(const void *a, const void *b);
	size_t (*arcs)(const void *row, unsigned long *arcs);
	bool (*key)(const unsigned long *arcs, size_t count, void *row);
} index_kinds[] = {
    [INDEX_NONE] = {compare_none, arcs_none, key_none},
    [INDEX_NUMBER] = {compare_number, arcs_number, key_number},
    [INDEX_NUMBERS] = {compare_numbers, arcs_numbers, key_numbers},
    [INDEX_TEXT] = {compare_text, arcs_text, key_text},
};

static const struct index_kind *
index_of(enum mib_kind kind)
{
	return &index_kinds[mib_kinds[kind].index];
}

int (*mib_compare(enum mib_kind kind))(const void *a, const void *b)
{
	return index_of(kind)->compare;
}

bool
mib_key(enum mib_kind kind, const unsigned long *arcs, size_t count, void *row)
{
	memset(row, 0, mib_kinds[kind].row_size);
	return count > 0 && index_of(kind)->key(arcs, count, row);
}

void
mib_rows_init(struct mib_rows *rows, bool tracks)
{
	memset(rows, 0, sizeof(*rows));
	for (int kind = 1; kind < KIND_COUNT; kind++)
		rowset_init(&rows->sets[kind], mib_kinds[kind].row_size, mib_compare(kind), tracks);
}

void
mib_rows_dispose(struct mib_rows *rows)
{
	for (int kind = 1; kind < KIND_COUNT; kind++)
		rowset_dispose(&rows->sets[kind]);
}

void
mib_instance(const struct mib_table *table, uint32_t column, const void *row, struct mib_oid *oid)
{
	size_t count = table->arcs_count;

	memcpy(oid->arcs, table->arcs, count * sizeof(unsigned long));
	oid->arcs[count++] = column;
	oid->count = count + index_of(table->kind)->arcs(row, oid->arcs + count);
}

/* Position of the first row whose index is after (or, with at, not before) the arcs. */
static size_t
rows_seek(const struct rowset *set, enum mib_kind kind, const unsigned long *arcs, size_t count,
	  bool at)
{
	size_t (*arcs_of)(const void *, unsigned long *) = index_of(kind)->arcs;
	unsigned long index[REQUEST_ID_SIZE];
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		size_t index_count = arcs_of(set->rows[middle]->data, index);
		int order = arcs_compare(index, index_count, arcs, count);

		if (order < 0 || (order == 0 && !at))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
mib_get(const struct mib_rows *rows, const unsigned long *oid, size_t count, int64_t now_ms,
	struct mib_value *value)
{
	const struct mib_column *column;
	size_t index_at, position, index_count;
	const struct mib_table *table = mib_locate(oid, count, &column, &index_at);
	unsigned long index[REQUEST_ID_SIZE];
	const struct rowset *set;
	const void *row;

	if (!table)
		return false;
	set = &rows->sets[table->kind];
	position = rows_seek(set, table->kind, oid + index_at, count - index_at, true);
	row = rowset_at(set, position);
	if (!row)
		return false;
	index_count = index_of(table->kind)->arcs(row, index);
	return arcs_compare(index, index_count, oid + index_at, count - index_at) == 0 &&
	       mib_value(column, row, now_ms, value);
}

/* The first row of a place from position on that has a value. */
static bool
place_next(const struct mib_rows *rows, const struct place *place, size_t position, int64_t now_ms,
	   struct mib_oid *next, struct mib_value *value)
{
	const struct rowset *set = &rows->sets[place->table->kind];

	for (; position < set->count; position++) {
		const void *row = set->rows[position]->data;

		if (!mib_value(place->column, row, now_ms, value))
			continue;
		mib_instance(place->table, place->column->number, row, next);
		return true;
	}
	return false;
}

bool
mib_next(const struct mib_rows *rows, bool standard, const unsigned long *oid, size_t count,
	 int64_t now_ms, struct mib_oid *next, struct mib_value *value)
{
	const struct module *module = module_of(standard);
	size_t skip = module->root_count, at = 0;
	int order = arcs_compare(oid, count < skip ? count : skip, module->root, skip);

	if (order > 0)
		return false;
	if (order == 0) {
		at = module_seek(module, oid + skip, count - skip);
		if (at > 0 && place_holds(&module->places[at - 1], oid + skip, count - skip)) {
			const struct place *place = &module->places[at - 1];
			size_t index_at = skip + place->tail_count;
			size_t position =
			    rows_seek(&rows->sets[place->table->kind], place->table->kind,
				      oid + index_at, count - index_at, false);

			if (place_next(rows, place, position, now_ms, next, value))
				return true;
		}
	}
	for (; at < module->count; at++)
		if (place_next(rows, &module->places[at], 0, now_ms, next, value))
			return true;
	return false;
}
