/*
 * How the rows of the store stand in SQLite: for each struct one list of columns, which makes the
 * table, writes the row and reads it back. A new field is one line in schema.c (none for a column
 * of the MIB's own structs); the column is added to an older database when it is opened.
 *
 * Columns of the MIB's structs bear the MIB's names. A field that is absent is NULL.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

enum table { TABLE_VM, TABLE_REQUEST, TABLE_EVENT, TABLE_SERVICE, TABLE_COUNT };

enum column_type {
	COLUMN_I32,
	COLUMN_U32,
	COLUMN_I64,
	COLUMN_U64,
	COLUMN_TEXT,
	COLUMN_UUID,
	COLUMN_TIMES, /* an array of I64, as text: decimal numbers with blanks between */
};

struct column {
	const char *name;
	enum column_type type;
	size_t offset, size; /* of the field in the row, octets */
	int bit;	     /* of the field in the row's absent; -1: never absent */
};

struct table_info {
	const char *name;
	size_t row_size;
	const struct column *columns; /* the first is the primary key */
	size_t columns_count;
	size_t absent; /* offset of the row's uint64_t absent, where a column has a bit */
	int (*compare)(const void *a, const void *b); /* order of the keys */
};

extern const struct table_info table_infos[TABLE_COUNT];

/* Statements of a table, to free(): CREATE TABLE with the key alone, INSERT OR REPLACE, DELETE by
 * key, SELECT of all columns (newest key first, at most ?1 rows). */
char *schema_create(enum table table);
char *schema_put(enum table table);
char *schema_drop(enum table table);
char *schema_select(enum table table);

/* "name TYPE" of a column, for ALTER TABLE; to free(). */
char *schema_column(const struct column *column);

/* Binds all columns of a row, or only the key; SQLite's result code. */
int schema_bind(sqlite3_stmt *statement, enum table table, const void *row);
int schema_bind_key(sqlite3_stmt *statement, enum table table, const void *row);

/* Reads the row that SELECT stands on into row (zeroed here); NULL, or the name of the column that
 * makes no sense. */
const char *schema_read(sqlite3_stmt *statement, enum table table, void *row);

#endif
