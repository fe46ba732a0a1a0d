/*
 * A walk: all columns of a kind side by side, each with a cursor of its own. The values of a row
 * need not come in one PDU, as a column skips the rows that it has no value for; a row is complete
 * when every cursor is past it. Then it is packed and forgotten here.
 */
#include <stdlib.h>
#include <string.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/vmctl/lib/internal.h"

#define VARBINDS_MAX 100 /* in an answer: snmpd's maxGetbulkResponses */
#define ROWS_MAX 65536	 /* of a kind from a host; no agent of ours has more */
#define PDUS_MAX 100000	 /* of a walk */
/* A walk may take so many times what one answer may, this at least, and this for each row. */
#define PATIENCE 20
#define PATIENCE_MS 30000
#define PATIENCE_ROW_MS 10

struct cursor {
	const struct mib_table *table;
	const struct mib_column *column;
	bool over;
	uint8_t count; /* arcs of the index that came last; 0: none yet */
};

struct walk {
	struct session *session; /* NULL: one of a test */
	enum mib_kind kind;
	struct rows *to;
	struct cursor *cursors;
	size_t columns;
	uint32_t *arcs; /* width of them for each cursor */
	size_t width;
	uint8_t asked[MIB_FIELDS_MAX]; /* the cursors that the open PDU asks for */
	size_t asked_count;
	size_t repetitions, pdus, rows_seen;
	unsigned char *rows; /* that are not complete, ascending */
	size_t row_size, count, room, at;
	int64_t now_ms, begun_ms, patience_ms;
	walked_fn *done;
	void *arg;
};

static const size_t index_width[] = {
    [INDEX_NONE] = 1, [INDEX_NUMBER] = 1, [INDEX_NUMBERS] = 2, [INDEX_TEXT] = REQUEST_ID_SIZE - 1};

/* A field may be shown by several tables of LAUXEN-MIB; one is enough. */
static void
walk_add_columns(struct walk *walk, uint64_t fields)
{
	uint64_t taken = 0;

	for (size_t i = 0; i < mib_tables_count; i++) {
		const struct mib_table *table = &mib_tables[i];

		if (table->kind != walk->kind || table->standard)
			continue;
		for (size_t j = 0; j < table->columns_count; j++) {
			const struct mib_column *column = &table->columns[j];
			uint64_t bit = UINT64_C(1) << column->bit;

			if (column->number == 0 || column->access == MIB_NA || taken & bit ||
			    !(fields & bit) || walk->columns == MIB_FIELDS_MAX)
				continue;
			taken |= bit;
			walk->cursors[walk->columns++] =
			    (struct cursor){.table = table, .column = column};
		}
	}
}

static void
walk_begin_after(struct walk *walk, const void *row)
{
	struct mib_oid oid;

	for (size_t i = 0; i < walk->columns; i++) {
		struct cursor *cursor = &walk->cursors[i];

		mib_instance(cursor->table, cursor->column->number, row, &oid);
		cursor->count = (uint8_t)(oid.count - cursor->table->arcs_count - 1u);
		for (size_t j = 0; j < cursor->count && j < walk->width; j++)
			walk->arcs[i * walk->width + j] =
			    (uint32_t)oid.arcs[cursor->table->arcs_count + 1u + j];
	}
}

/* The cursors that the next PDU is of, and how many rows it may bring. */
static void
walk_choose(struct walk *walk)
{
	walk->asked_count = 0;
	for (size_t i = 0; i < walk->columns; i++)
		if (!walk->cursors[i].over)
			walk->asked[walk->asked_count++] = (uint8_t)i;
	walk->repetitions = walk->asked_count ? VARBINDS_MAX / walk->asked_count : 0;
	if (walk->repetitions == 0)
		walk->repetitions = 1;
}

struct walk *
walk_new(const struct vmctl_want *want, struct rows *rows)
{
	struct walk *walk = mem_alloc(sizeof(*walk));
	uint64_t fields = want->fields ? want->fields : ~UINT64_C(0);

	walk->kind = want->kind;
	walk->to = rows;
	walk->begun_ms = clock_mono_ms();
	walk->patience_ms = PATIENCE_MS;
	walk->row_size = mib_kinds[want->kind].row_size;
	walk->width = index_width[mib_kinds[want->kind].index];
	walk->cursors = mem_array(MIB_FIELDS_MAX, sizeof(*walk->cursors));
	walk_add_columns(walk, fields);
	if (walk->columns == 0) /* nothing but the key */
		walk_add_columns(walk, ~UINT64_C(0));
	walk->cursors = mem_resize(walk->cursors, walk->columns, sizeof(*walk->cursors));
	walk->arcs = mem_array(walk->columns * walk->width, sizeof(*walk->arcs));
	if (want->after)
		walk_begin_after(walk, want->after);
	rows->fields = fields;
	walk_choose(walk);
	return walk;
}

void
walk_free(struct walk *walk)
{
	if (!walk)
		return;
	if (walk->session)
		session_forget(walk->session, walk);
	free(walk->cursors);
	free(walk->arcs);
	free(walk->rows);
	free(walk);
}

bool
walk_over(const struct walk *walk)
{
	for (size_t i = 0; i < walk->columns; i++)
		if (!walk->cursors[i].over)
			return false;
	return true;
}

/* ---- asking ---- */

static size_t
cursor_oid(const struct walk *walk, size_t at, oid *to)
{
	const struct cursor *cursor = &walk->cursors[at];
	size_t count = cursor->table->arcs_count;

	memcpy(to, cursor->table->arcs, count * sizeof(oid));
	to[count++] = cursor->column->number;
	for (size_t i = 0; i < cursor->count; i++)
		to[count++] = walk->arcs[at * walk->width + i];
	return count;
}

/* Scalars by one GET. */
static netsnmp_pdu *
walk_pdu_scalars(const struct walk *walk)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);
	oid name[MAX_OID_LEN];

	for (size_t i = 0; i < walk->columns; i++) {
		size_t count = cursor_oid(walk, i, name);

		name[count++] = 0;
		snmp_add_null_var(pdu, name, count);
	}
	return pdu;
}

netsnmp_pdu *
walk_pdu(const void *arg)
{
	const struct walk *walk = arg;
	netsnmp_pdu *pdu;
	oid name[MAX_OID_LEN];

	if (mib_kinds[walk->kind].index == INDEX_NONE)
		return walk_pdu_scalars(walk);
	pdu = snmp_pdu_create(SNMP_MSG_GETBULK);
	pdu->non_repeaters = 0;
	pdu->max_repetitions = (long)walk->repetitions;
	for (size_t i = 0; i < walk->asked_count; i++)
		snmp_add_null_var(pdu, name, cursor_oid(walk, walk->asked[i], name));
	return pdu;
}

/* ---- answers ---- */

/* Where an answer's variables are read from: its octets, or net-snmp's list. */
struct source {
	struct ber binds;
	const netsnmp_variable_list *list;
	bool raw;
};

/* A value of net-snmp's as the decoder takes it; false: of a type that none of ours has. */
static bool
value_of(const netsnmp_variable_list *variable, struct mib_value *value)
{
	value->tag = variable->type;
	switch (variable->type) {
	case ASN_INTEGER:
		value->integer = (int32_t)*variable->val.integer;
		return true;
	case ASN_COUNTER:
	case ASN_GAUGE:
	case ASN_TIMETICKS:
		value->number = (uint32_t)*variable->val.integer;
		return true;
	case ASN_COUNTER64:
		value->counter64 = (uint64_t)variable->val.counter64->high << 32 |
				   (uint32_t)variable->val.counter64->low;
		return true;
	case ASN_OCTET_STR:
		if (variable->val_len > MIB_OCTETS_MAX)
			return false;
		value->size = variable->val_len;
		memcpy(value->octets, variable->val.string, variable->val_len);
		return true;
	default:
		return false;
	}
}

enum { NEXT_NONE, NEXT_BIND, NEXT_BROKEN };

static int
source_next(struct source *source, struct bind *bind)
{
	const netsnmp_variable_list *variable = source->list;

	if (source->raw)
		return source->binds.at == source->binds.end ? NEXT_NONE
		       : ber_bind(&source->binds, bind)	     ? NEXT_BIND
							     : NEXT_BROKEN;
	if (!variable)
		return NEXT_NONE;
	source->list = variable->next_variable;
	if (variable->name_length > MIB_OID_MAX)
		return NEXT_BROKEN;
	memcpy(bind->name, variable->name, variable->name_length * sizeof(oid));
	bind->count = variable->name_length;
	bind->tag = variable->type;
	bind->fits = value_of(variable, &bind->value);
	return NEXT_BIND;
}

static unsigned char *
row_at(const struct walk *walk, size_t position)
{
	return walk->rows + position * walk->row_size;
}

/* The row of key among those that are not complete; it is added where it is not there. */
static void *
walk_row(struct walk *walk, const void *key)
{
	int (*compare)(const void *, const void *) = mib_compare(walk->kind);
	size_t low = 0, high = walk->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(row_at(walk, middle), key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	walk->at = low;
	if (low < walk->count && compare(row_at(walk, low), key) == 0)
		return row_at(walk, low);
	if (walk->count == walk->room) {
		walk->room = walk->room ? walk->room * 2 : 16;
		walk->rows = mem_resize(walk->rows, walk->room, walk->row_size);
	}
	memmove(row_at(walk, low + 1), row_at(walk, low), (walk->count - low) * walk->row_size);
	memcpy(row_at(walk, low), key, walk->row_size);
	walk->count++;
	walk->rows_seen++;
	return row_at(walk, low);
}

static bool
cursor_holds(const struct cursor *cursor, const struct bind *bind)
{
	size_t count = cursor->table->arcs_count;

	return bind->count > count + 1 && bind->name[count] == cursor->column->number &&
	       memcmp(bind->name, cursor->table->arcs, count * sizeof(oid)) == 0;
}

/* Sign of the index of a name against the cursor's last one. */
static int
cursor_compare(const struct walk *walk, size_t at, const oid *index, size_t count)
{
	const uint32_t *last = &walk->arcs[at * walk->width];
	size_t last_count = walk->cursors[at].count;

	for (size_t i = 0; i < count && i < last_count; i++)
		if (index[i] != last[i])
			return index[i] < last[i] ? -1 : 1;
	return (count > last_count) - (count < last_count);
}

/* The row of the value before, and its index: most values are of the same. */
struct taken {
	void *row;
	size_t count;
	oid index[REQUEST_ID_SIZE];
};

/* One value into its row. NULL: fine; else what is wrong. */
static const char *
walk_take_value(struct walk *walk, size_t at, const struct bind *bind, struct taken *before)
{
	struct cursor *cursor = &walk->cursors[at];
	const oid *index = bind->name + cursor->table->arcs_count + 1;
	size_t count = bind->count - cursor->table->arcs_count - 1;
	_Alignas(8) unsigned char key[VMCTL_ROW_MAX];

	if (count > walk->width)
		return "its answer has an index that is none";
	if (cursor->count > 0 && cursor_compare(walk, at, index, count) <= 0)
		return "its rows do not ascend";
	for (size_t i = 0; i < count; i++)
		walk->arcs[at * walk->width + i] = (uint32_t)index[i];
	cursor->count = (uint8_t)count;
	if (!before->row || before->count != count ||
	    memcmp(before->index, index, count * sizeof(oid)) != 0) {
		if (!mib_row_begin(walk->kind, index, count, key))
			return "its answer has an index that is none";
		if (walk->rows_seen >= ROWS_MAX)
			return "it has more rows than any agent of ours";
		before->row = walk_row(walk, key);
		before->count = count;
		memcpy(before->index, index, count * sizeof(oid));
	}
	/* What does not fit its column is as if it were not there. */
	if (bind->fits)
		mib_decode(cursor->column, &bind->value, walk->now_ms, before->row);
	return NULL;
}

/* Packs the rows that every cursor is past. */
static void
walk_flush(struct walk *walk)
{
	int (*compare)(const void *, const void *) = mib_compare(walk->kind);
	_Alignas(8) unsigned char least[VMCTL_ROW_MAX], key[VMCTL_ROW_MAX];
	bool bounded = false;
	size_t complete = 0;

	for (size_t i = 0; i < walk->columns; i++) {
		const struct cursor *cursor = &walk->cursors[i];
		oid index[REQUEST_ID_SIZE];

		if (cursor->over)
			continue;
		for (size_t j = 0; j < cursor->count; j++)
			index[j] = walk->arcs[i * walk->width + j];
		if (!mib_key(walk->kind, index, cursor->count, key))
			return; /* nothing came for this column yet */
		if (!bounded || compare(key, least) < 0)
			memcpy(least, key, walk->row_size);
		bounded = true;
	}
	while (complete < walk->count && (!bounded || compare(row_at(walk, complete), least) <= 0))
		rows_add(walk->to, walk->kind, row_at(walk, complete++));
	walk->count -= complete;
	if (walk->count > 0) {
		memmove(walk->rows, row_at(walk, complete), walk->count * walk->row_size);
	} else {
		free(walk->rows);
		walk->rows = NULL;
		walk->room = 0;
	}
}

static const char broken[] = "its answer is malformed";

/* The values of the columns in turn; a column whose turn brings another object has ended. */
static const char *
walk_take_bulk(struct walk *walk, struct source *source)
{
	struct taken before = {.row = NULL};
	struct bind bind;
	size_t turn = 0;
	int next;

	while ((next = source_next(source, &bind)) == NEXT_BIND) {
		size_t at = walk->asked[turn++ % walk->asked_count];
		struct cursor *cursor = &walk->cursors[at];
		const char *error;

		if (cursor->over)
			continue;
		if (bind.tag == SNMP_ENDOFMIBVIEW || !cursor_holds(cursor, &bind)) {
			cursor->over = true;
			continue;
		}
		if ((error = walk_take_value(walk, at, &bind, &before)))
			return error;
	}
	if (next == NEXT_BROKEN)
		return broken;
	return turn < walk->asked_count ? "its answer lacks columns that were asked for" : NULL;
}

/* What an object that is not there has for a value is no value (RFC 3416, 4.2.1). */
static const char *
walk_take_scalars(struct walk *walk, struct source *source)
{
	static const oid zero[] = {0};
	_Alignas(8) unsigned char row[VMCTL_ROW_MAX];
	struct bind bind;
	bool found = false;

	mib_row_begin(walk->kind, zero, 1, row);
	for (size_t i = 0; i < walk->columns; i++) {
		struct cursor *cursor = &walk->cursors[i];

		if (source_next(source, &bind) != NEXT_BIND || !cursor_holds(cursor, &bind))
			return "its answer is not what was asked for";
		if (bind.fits && mib_decode(cursor->column, &bind.value, walk->now_ms, row))
			found = true;
		cursor->over = true;
	}
	if (found)
		rows_add(walk->to, walk->kind, row);
	return NULL;
}

bool
walk_take(struct walk *walk, const netsnmp_pdu *pdu, const struct ber *binds, const char **error)
{
	struct source source = {.list = pdu->variables, .raw = binds != NULL};

	if (binds)
		source.binds = *binds;
	walk->now_ms = clock_mono_ms();
	*error = NULL;
	if (pdu->command != SNMP_MSG_RESPONSE)
		*error = "its answer is none";
	else if (pdu->errstat != SNMP_ERR_NOERROR)
		*error = snmp_errstring((int)pdu->errstat);
	else if (mib_kinds[walk->kind].index == INDEX_NONE)
		*error = walk_take_scalars(walk, &source);
	else
		*error = walk_take_bulk(walk, &source);
	if (*error)
		return false;
	walk_flush(walk);
	walk_choose(walk);
	return true;
}

bool
walk_is_late(const struct walk *walk, int64_t now_ms)
{
	return now_ms - walk->begun_ms >
	       walk->patience_ms + (int64_t)walk->rows_seen * PATIENCE_ROW_MS;
}

static void walk_answered(void *arg, enum answer answer, netsnmp_pdu *pdu, const char *error);

static void
walk_ask(struct walk *walk)
{
	session_send_raw(walk->session, walk_pdu, walk_answered, walk);
}

static void
walk_answered(void *arg, enum answer answer, netsnmp_pdu *pdu, const char *error)
{
	struct walk *walk = arg;
	struct ber binds;

	if (answer == ANSWER_OK &&
	    !walk_take(walk, pdu, session_binds(walk->session, &binds) ? &binds : NULL, &error))
		answer = ANSWER_FAILED;
	if (answer == ANSWER_OK && !walk_over(walk)) {
		bool late = walk_is_late(walk, clock_mono_ms());

		if (++walk->pdus < PDUS_MAX && !late) {
			walk_ask(walk);
			return;
		}
		answer = ANSWER_FAILED;
		error = late ? "it answers too slowly" : "its table has no end";
	}
	walk->done(walk->arg, walk, answer, error);
}

struct walk *
walk_start(struct session *session, const struct vmctl_want *want, struct rows *rows,
	   walked_fn *done, void *arg)
{
	struct walk *walk = walk_new(want, rows);

	walk->session = session;
	if (walk->patience_ms < PATIENCE * session_patience_ms(session))
		walk->patience_ms = PATIENCE * session_patience_ms(session);
	walk->done = done;
	walk->arg = arg;
	walk_ask(walk);
	return walk;
}
