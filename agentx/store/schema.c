#include "store/schema.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "store/store.h"

#define TIMES_MAX 32 /* of an array */
_Static_assert(RESTARTS_KEPT <= TIMES_MAX, "bind_times() has no room for them");

#define FIELD_SIZE(s, field) sizeof(((struct s *)NULL)->field)
#define FIELD(s, name, field, type)                                                                \
	{                                                                                          \
		name, COLUMN_##type, offsetof(struct s, field), FIELD_SIZE(s, field), -1           \
	}

#define VM(field, type) FIELD(store_vm, #field, field, type)
static const struct column vm_columns[] = {
    VM(uuid, UUID),
    VM(name, TEXT),
    FIELD(store_vm, "vm_index", index, U32),
    VM(desired, U32),
    VM(state, U32),
    VM(domid, U32),
    VM(owner, U32),
    VM(restarts, U32),
    VM(crashes, U32),
    VM(configured, U32),
    VM(gone_wall_ms, I64),
    VM(start_wall_ms, I64),
    VM(change_wall_ms, I64),
    VM(discontinuity_wall_ms, I64),
    VM(change_reason, TEXT),
    VM(memory_target_mib, U32),
    VM(last_verb, U32),
    VM(goal, U32),
    VM(blocked, U32),
    VM(excused, U32),
    VM(replaced, U32),
    VM(unseen, U32),
    VM(needs_human, U32),
    VM(human_reason, TEXT),
    VM(restarts_wall_ms, TIMES),
    VM(maintenance_s, U32),
    VM(maintenance_wall_ms, I64),
    VM(boot_id, UUID),
    VM(memory_rest_wall_ms, I64),
    VM(memory_min_mib, U32),
    VM(memory_max_mib, U32),
    VM(memory_high, U32),
    VM(memory_low, U32),
};

#define SERVICE(field, type) FIELD(store_service, #field, field, type)
static const struct column service_columns[] = {
    FIELD(store_service, "service_index", index, U32),
    SERVICE(provider, TEXT),
    SERVICE(service, TEXT),
    SERVICE(gone_wall_ms, I64),
};

/* A type of the MIB as a column. Those that run on the monotonic clock outlive no boot, and have
 * none. */
#define COLUMN_OF_INTEGER COLUMN_I32
#define COLUMN_OF_ENUM COLUMN_I32
#define COLUMN_OF_TRUTH COLUMN_I32
#define COLUMN_OF_ROWSTATUS COLUMN_I32
#define COLUMN_OF_GAUGE COLUMN_U32
#define COLUMN_OF_UNSIGNED COLUMN_U32
#define COLUMN_OF_COUNTER COLUMN_U32
#define COLUMN_OF_COUNTER64 COLUMN_U64
#define COLUMN_OF_TEXT COLUMN_TEXT
#define COLUMN_OF_UUID COLUMN_UUID
#define COLUMN_OF_DATE COLUMN_I64

#define REQUEST(field, type) FIELD(store_request, #field, field, type)
#define REQUEST_ROW(s, number, object, field, type, length, access, names)                         \
	{#object, COLUMN_OF_##type, offsetof(struct store_request, row.field),                     \
	 FIELD_SIZE(store_request, row.field), s##_BIT_##field},
static const struct column request_columns[] = {
    REQUEST(number, U64),
    MIB_REQUEST_COLUMNS(REQUEST_ROW) REQUEST(uuid, UUID),
    REQUEST(domid, U32),
    REQUEST(token, U32),
};

#define EVENT_ROW(s, number, object, field, type, length, access, names)                           \
	{#object, COLUMN_OF_##type, offsetof(struct s, field), FIELD_SIZE(s, field),               \
	 s##_BIT_##field},
static const struct column event_columns[] = {MIB_EVENT_COLUMNS(EVENT_ROW)};

static int
vm_compare(const void *a, const void *b)
{
	return memcmp(((const struct store_vm *)a)->uuid, ((const struct store_vm *)b)->uuid,
		      UUID_SIZE);
}

static int
request_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct store_request *)a)->number;
	uint64_t y = ((const struct store_request *)b)->number;

	return (x > y) - (x < y);
}

static int
event_compare(const void *a, const void *b)
{
	uint32_t x = ((const struct mib_event *)a)->sequence;
	uint32_t y = ((const struct mib_event *)b)->sequence;

	return (x > y) - (x < y);
}

static int
service_compare(const void *a, const void *b)
{
	uint32_t x = ((const struct store_service *)a)->index;
	uint32_t y = ((const struct store_service *)b)->index;

	return (x > y) - (x < y);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
const struct table_info table_infos[TABLE_COUNT] = {
    [TABLE_VM] = {"vm", sizeof(struct store_vm), vm_columns, COUNT(vm_columns), 0, vm_compare},
    [TABLE_REQUEST] = {"request", sizeof(struct store_request), request_columns,
		       COUNT(request_columns), offsetof(struct store_request, row.absent),
		       request_compare},
    [TABLE_EVENT] = {"event", sizeof(struct mib_event), event_columns, COUNT(event_columns),
		     offsetof(struct mib_event, absent), event_compare},
    [TABLE_SERVICE] = {"service", sizeof(struct store_service), service_columns,
		       COUNT(service_columns), 0, service_compare},
};

static int
bind_i32(sqlite3_stmt *statement, int at, const void *field, size_t size)
{
	int32_t value;

	(void)size;
	memcpy(&value, field, sizeof(value));
	return sqlite3_bind_int64(statement, at, value);
}

static int
bind_u32(sqlite3_stmt *statement, int at, const void *field, size_t size)
{
	uint32_t value;

	(void)size;
	memcpy(&value, field, sizeof(value));
	return sqlite3_bind_int64(statement, at, value);
}

/* SQLite's integers are signed: a U64 from 2^63 on stands there as a negative number. */
static int
bind_64(sqlite3_stmt *statement, int at, const void *field, size_t size)
{
	int64_t value;

	(void)size;
	memcpy(&value, field, sizeof(value));
	return sqlite3_bind_int64(statement, at, value);
}

static int
bind_text(sqlite3_stmt *statement, int at, const void *field, size_t size)
{
	return sqlite3_bind_text(statement, at, field, (int)strnlen(field, size), SQLITE_TRANSIENT);
}

static int
bind_uuid(sqlite3_stmt *statement, int at, const void *field, size_t size)
{
	char text[UUID_TEXT_SIZE];

	(void)size;
	uuid_text(field, text);
	return sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT);
}

static int
bind_times(sqlite3_stmt *statement, int at, const void *field, size_t size)
{
	const int64_t *times = field;
	char text[TIMES_MAX * 21 + 1] = "";
	int length = 0;

	for (size_t i = 0; i < size / sizeof(*times); i++)
		length += snprintf(text + length, sizeof(text) - (size_t)length, "%s%" PRId64,
				   i ? " " : "", times[i]);
	return sqlite3_bind_text(statement, at, text, length, SQLITE_TRANSIENT);
}

static bool
read_i32(sqlite3_stmt *statement, int at, void *field, size_t size)
{
	int64_t value = sqlite3_column_int64(statement, at);
	int32_t cut = (int32_t)value;

	(void)size;
	memcpy(field, &cut, sizeof(cut));
	return cut == value;
}

static bool
read_u32(sqlite3_stmt *statement, int at, void *field, size_t size)
{
	int64_t value = sqlite3_column_int64(statement, at);
	uint32_t cut = (uint32_t)value;

	(void)size;
	memcpy(field, &cut, sizeof(cut));
	return cut == value;
}

static bool
read_64(sqlite3_stmt *statement, int at, void *field, size_t size)
{
	int64_t value = sqlite3_column_int64(statement, at);

	(void)size;
	memcpy(field, &value, sizeof(value));
	return true;
}

static bool
read_text(sqlite3_stmt *statement, int at, void *field, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(statement, at);

	text_set(field, size, text ? text : "");
	return text != NULL;
}

static bool
read_uuid(sqlite3_stmt *statement, int at, void *field, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(statement, at);

	(void)size;
	return text && uuid_parse(text, field);
}

static bool
read_times(sqlite3_stmt *statement, int at, void *field, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(statement, at);
	int64_t *times = field;
	char *end;

	for (size_t i = 0; text && i < size / sizeof(*times); i++, text = end) {
		times[i] = strtoll(text, &end, 10);
		if (end == text)
			return false;
	}
	return text && *text == '\0';
}

static const struct {
	const char *sql;
	int (*bind)(sqlite3_stmt *statement, int at, const void *field, size_t size);
	bool (*read)(sqlite3_stmt *statement, int at, void *field, size_t size);
} types[] = {
    [COLUMN_I32] = {"INTEGER", bind_i32, read_i32},
    [COLUMN_U32] = {"INTEGER", bind_u32, read_u32},
    [COLUMN_I64] = {"INTEGER", bind_64, read_64},
    [COLUMN_U64] = {"INTEGER", bind_64, read_64},
    [COLUMN_TEXT] = {"TEXT", bind_text, read_text},
    [COLUMN_UUID] = {"TEXT", bind_uuid, read_uuid},
    [COLUMN_TIMES] = {"TEXT", bind_times, read_times},
};

static char *schema_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *
schema_format(const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		fatal("out of memory (a statement)");
	return text;
}

/* The names of all columns, or a question mark for each; to free(). */
static char *
schema_list(const struct table_info *info, bool names)
{
	char *list = mem_string("");

	for (size_t i = 0; i < info->columns_count; i++) {
		char *longer = schema_format("%s%s%s", list, i ? ", " : "",
					     names ? info->columns[i].name : "?");

		free(list);
		list = longer;
	}
	return list;
}

char *
schema_create(enum table table)
{
	const struct table_info *info = &table_infos[table];

	return schema_format("CREATE TABLE IF NOT EXISTS %s (%s %s PRIMARY KEY NOT NULL) STRICT",
			     info->name, info->columns[0].name, types[info->columns[0].type].sql);
}

char *
schema_put(enum table table)
{
	char *names = schema_list(&table_infos[table], true);
	char *marks = schema_list(&table_infos[table], false);
	char *sql = schema_format("INSERT OR REPLACE INTO %s (%s) VALUES (%s)",
				  table_infos[table].name, names, marks);

	free(names);
	free(marks);
	return sql;
}

char *
schema_drop(enum table table)
{
	return schema_format("DELETE FROM %s WHERE %s = ?", table_infos[table].name,
			     table_infos[table].columns[0].name);
}

char *
schema_select(enum table table)
{
	const struct table_info *info = &table_infos[table];
	char *names = schema_list(info, true);
	char *sql = schema_format("SELECT %s FROM %s ORDER BY %s DESC LIMIT ?1", names, info->name,
				  info->columns[0].name);

	free(names);
	return sql;
}

char *
schema_column(const struct column *column)
{
	return schema_format("%s %s", column->name, types[column->type].sql);
}

static bool
column_absent(const struct table_info *info, const struct column *column, const void *row)
{
	uint64_t absent;

	if (column->bit < 0)
		return false;
	memcpy(&absent, (const char *)row + info->absent, sizeof(absent));
	return absent >> column->bit & 1;
}

static void
column_set_absent(const struct table_info *info, const struct column *column, void *row)
{
	uint64_t absent;

	if (column->bit < 0)
		return;
	memcpy(&absent, (char *)row + info->absent, sizeof(absent));
	absent |= UINT64_C(1) << column->bit;
	memcpy((char *)row + info->absent, &absent, sizeof(absent));
}

int
schema_bind(sqlite3_stmt *statement, enum table table, const void *row)
{
	const struct table_info *info = &table_infos[table];
	int r = SQLITE_OK;

	for (size_t i = 0; i < info->columns_count && r == SQLITE_OK; i++) {
		const struct column *column = &info->columns[i];

		r = column_absent(info, column, row)
			? sqlite3_bind_null(statement, (int)i + 1)
			: types[column->type].bind(statement, (int)i + 1,
						   (const char *)row + column->offset,
						   column->size);
	}
	return r;
}

int
schema_bind_key(sqlite3_stmt *statement, enum table table, const void *row)
{
	const struct column *key = table_infos[table].columns;

	return types[key->type].bind(statement, 1, (const char *)row + key->offset, key->size);
}

const char *
schema_read(sqlite3_stmt *statement, enum table table, void *row)
{
	const struct table_info *info = &table_infos[table];

	memset(row, 0, info->row_size);
	for (size_t i = 0; i < info->columns_count; i++) {
		const struct column *column = &info->columns[i];

		if (sqlite3_column_type(statement, (int)i) == SQLITE_NULL)
			column_set_absent(info, column, row);
		else if (!types[column->type].read(statement, (int)i, (char *)row + column->offset,
						   column->size))
			return column->name;
	}
	return NULL;
}
