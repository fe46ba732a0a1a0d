#include "store/database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store.h"
#include "store/upgrade.h"

#define BUSY_MS 2000 /* what a person with the sqlite3 shell may hold us up */
#define CHECK_MS 3000
#define ASIDE_PAUSE_MS 600000 /* a disk that breaks all that is written is not filled with it */

void
database_init(struct database *database, const char *dir, uint32_t journal_size)
{
	*database = (struct database){.journal_size = journal_size};
	files_init(&database->files, dir);
}

void
database_dispose(struct database *database)
{
	database_close(database, false);
	files_dispose(&database->files);
}

/* Results that say that the file is no whole database. Any other may pass. */
static enum database_rc
database_classify(int r)
{
	switch (r & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return DATABASE_OK;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* our statements are right: the tables are not */
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_SCHEMA:
		return DATABASE_BROKEN;
	default:
		return DATABASE_UNAVAILABLE;
	}
}

enum database_rc
database_result(struct database *database, int r)
{
	enum database_rc rc = database_classify(r);
	int number = database->db ? sqlite3_system_errno(database->db) : 0;

	if (rc == DATABASE_OK)
		return rc;
	snprintf(database->error, ERROR_SIZE, "%s: %s%s%s", database->files.path,
		 database->db ? sqlite3_errmsg(database->db) : sqlite3_errstr(r),
		 number ? ", " : "", number ? strerror(number) : "");
	return rc;
}

enum database_rc
database_exec(struct database *database, const char *sql)
{
	return database_result(database, sqlite3_exec(database->db, sql, NULL, NULL, NULL));
}

/* Runs a prepared statement that gives no rows. */
static enum database_rc
database_step(struct database *database, sqlite3_stmt *statement, int bound)
{
	int r = bound == SQLITE_OK ? sqlite3_step(statement) : bound;
	enum database_rc rc = database_result(database, r);

	sqlite3_reset(statement);
	return rc;
}

enum database_rc
database_number(struct database *database, const char *sql, int64_t absent, int64_t *number)
{
	sqlite3_stmt *statement = NULL;
	int r = sqlite3_prepare_v2(database->db, sql, -1, &statement, NULL);
	enum database_rc rc;

	*number = absent;
	if (r == SQLITE_OK)
		r = sqlite3_step(statement);
	if (r == SQLITE_ROW)
		*number = sqlite3_column_int64(statement, 0);
	rc = database_result(database, r);
	sqlite3_finalize(statement);
	return rc;
}

static const char *const mode_options[MODE_COUNT] = {
    [MODE_USUAL] = "",
    [MODE_NO_SHM] = "",
    [MODE_IMMUTABLE] = "?immutable=1",
};

/* A file: URI, in which three characters of a path mean something (SQLite, "URI Filenames"). */
static char *
database_uri(const struct database *database, enum database_mode mode)
{
	char *uri = mem_alloc(strlen(database->files.path) * 3 + 32), *to = uri;

	to += sprintf(to, "file:");
	for (const char *from = database->files.path; *from; from++)
		to += sprintf(to, strchr("?#%", *from) ? "%%%02x" : "%c", *from);
	sprintf(to, "%s", mode_options[mode]);
	return uri;
}

static enum database_rc
database_connect(struct database *database, enum database_mode mode)
{
	int flags =
	    SQLITE_OPEN_URI | (mode == MODE_IMMUTABLE ? SQLITE_OPEN_READONLY
						      : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	char *uri = database_uri(database, mode);
	int r = sqlite3_open_v2(uri, &database->db, flags, NULL);
	enum database_rc rc = database_result(database, r);

	free(uri);
	if (rc != DATABASE_OK)
		return rc == DATABASE_BROKEN ? DATABASE_UNAVAILABLE : rc;
	sqlite3_extended_result_codes(database->db, 1);
	sqlite3_busy_timeout(database->db, BUSY_MS);
	rc = database_exec(database, "PRAGMA synchronous = FULL");
	/* Without this the log's index is a file of its own, which a full disk has no room for. */
	if (rc == DATABASE_OK && mode == MODE_NO_SHM)
		rc = database_exec(database, "PRAGMA locking_mode = EXCLUSIVE");
	return rc;
}

static int
database_late(void *until_ms)
{
	return clock_mono_ms() > *(int64_t *)until_ms;
}

/* A whole check, where the last process did not end cleanly; a huge file is not waited for. */
static enum database_rc
database_check(struct database *database)
{
	int64_t until_ms = clock_mono_ms() + CHECK_MS;
	sqlite3_stmt *statement = NULL;
	const char *answer = NULL;
	enum database_rc rc;
	int r;

	sqlite3_progress_handler(database->db, 10000, database_late, &until_ms);
	r = sqlite3_prepare_v2(database->db, "PRAGMA integrity_check(1)", -1, &statement, NULL);
	if (r == SQLITE_OK)
		r = sqlite3_step(statement);
	if (r == SQLITE_ROW)
		answer = (const char *)sqlite3_column_text(statement, 0);
	if ((r & 0xff) == SQLITE_INTERRUPT) {
		log_warn("%s was not checked whole: it takes over %d ms", database->files.path,
			 CHECK_MS);
		rc = DATABASE_OK;
	} else if (answer && strcmp(answer, "ok") != 0) {
		snprintf(database->error, ERROR_SIZE, "%s: %s", database->files.path, answer);
		rc = DATABASE_BROKEN;
	} else {
		rc = database_result(database, r);
	}
	sqlite3_finalize(statement);
	sqlite3_progress_handler(database->db, 0, NULL, NULL);
	return rc;
}

#define META(name) "SELECT value FROM meta WHERE name = '" name "'"

/* The meta table; a counter never lies below what the rows show. */
static enum database_rc
database_read_meta(struct database *database)
{
	int64_t journal, clean, sequence, handed, request, last_event, last_request;
	enum database_rc rc = DATABASE_OK;
	const struct {
		const char *sql;
		int64_t absent, *number;
	} numbers[] = {
	    {META("journal"), 0, &journal},
	    {META("clean"), 0, &clean},
	    {META("next_sequence"), 1, &sequence},
	    {META("handed"), 0, &handed},
	    {META("next_request"), 1, &request},
	    {"SELECT max(lxEventSequence) FROM event", 0, &last_event},
	    {"SELECT max(number) FROM request", 0, &last_request},
	    {"SELECT count(*) FROM event", 0, &database->events},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && rc == DATABASE_OK; i++)
		rc =
		    database_number(database, numbers[i].sql, numbers[i].absent, numbers[i].number);
	if (rc != DATABASE_OK)
		return rc;
	if (sequence <= last_event)
		sequence = last_event + (last_event < INT64_MAX);
	if (request <= last_request)
		request = last_request + (last_request < INT64_MAX);
	if (journal <= 0 || sequence < 1 || sequence > UINT32_MAX || handed < 0 ||
	    handed > UINT32_MAX || request < 1) {
		snprintf(database->error, ERROR_SIZE, "%s: its numbers make no sense",
			 database->files.path);
		return DATABASE_BROKEN;
	}
	database->journal = (uint64_t)journal;
	database->clean = clean != 0;
	database->counters = (struct counters){.next_sequence = (uint32_t)sequence,
					       .handed = (uint32_t)handed,
					       .next_request = (uint64_t)request};
	return DATABASE_OK;
}

static enum database_rc
database_prepare_one(struct database *database, sqlite3_stmt **statement, char *sql)
{
	int r =
	    sqlite3_prepare_v3(database->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);

	free(sql);
	return database_result(database, r);
}

static enum database_rc
database_prepare(struct database *database)
{
	enum database_rc rc = database_prepare_one(
	    database, &database->put_meta,
	    mem_string("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)"));

	for (int i = 0; i < TABLE_COUNT && rc == DATABASE_OK; i++) {
		rc = database_prepare_one(database, &database->put[i], schema_put(i));
		if (rc == DATABASE_OK)
			rc = database_prepare_one(database, &database->drop[i], schema_drop(i));
	}
	if (rc != DATABASE_OK)
		return rc;
	return database_prepare_one(
	    database, &database->trim,
	    mem_string(
		"DELETE FROM event WHERE lxEventSequence IN (SELECT lxEventSequence FROM event"
		" ORDER BY lxEventSequence LIMIT ?)"));
}

static enum database_rc
database_open_steps(struct database *database, enum database_mode mode, uint64_t journal)
{
	enum database_rc rc = database_connect(database, mode);

	if (rc == DATABASE_OK)
		rc = upgrade_run(database, mode == MODE_USUAL, journal);
	if (rc == DATABASE_OK)
		rc = database_read_meta(database);
	if (rc == DATABASE_OK && !database->clean)
		rc = database_check(database);
	if (rc == DATABASE_OK)
		rc = database_prepare(database);
	if (rc == DATABASE_OK && database->fresh && !files_sync_dir(&database->files)) {
		snprintf(database->error, ERROR_SIZE, "%s: %s", database->files.dir,
			 strerror(errno));
		rc = DATABASE_UNAVAILABLE;
	}
	return rc;
}

enum database_rc
database_open(struct database *database, enum database_mode mode, uint64_t journal)
{
	enum database_rc rc;

	database->fresh = false;
	if (!files_lock(&database->files, database->error, ERROR_SIZE))
		return DATABASE_UNAVAILABLE;
	/* Without its log the file would be an old state that looks whole. */
	if (mode == MODE_IMMUTABLE && files_have_log(&database->files))
		return DATABASE_UNAVAILABLE;
	rc = database_open_steps(database, mode, journal);
	if (rc != DATABASE_OK)
		database_close(database, rc == DATABASE_BROKEN);
	return rc;
}

/* Appends the row that the statement stands on; one that makes no sense is left out. */
static void
database_read_row(struct database *database, sqlite3_stmt *statement, enum table table, char **rows,
		  size_t *count, size_t *room)
{
	size_t size = table_infos[table].row_size;
	const char *column;

	if (*count == *room) {
		*room = *room ? *room * 2 : 64;
		*rows = mem_resize(*rows, *room, size);
	}
	column = schema_read(statement, table, *rows + *count * size);
	if (column)
		log_warn("%s: table %s: a row's %s makes no sense, the row is left out",
			 database->files.path, table_infos[table].name, column);
	else
		++*count;
}

static void
rows_reverse(char *rows, size_t count, size_t size)
{
	char *held = mem_alloc(size);

	for (size_t low = 0, high = count; low + 1 < high; low++) {
		high--;
		memcpy(held, rows + low * size, size);
		memcpy(rows + low * size, rows + high * size, size);
		memcpy(rows + high * size, held, size);
	}
	free(held);
}

/* The newest rows of a table, ascending. */
static enum database_rc
database_read_table(struct database *database, enum table table, int64_t limit, void *to,
		    size_t *count)
{
	sqlite3_stmt *statement = NULL;
	enum database_rc rc = database_prepare_one(database, &statement, schema_select(table));
	size_t room = 0;
	char *rows = NULL;
	int r = SQLITE_OK;

	*count = 0;
	if (rc == DATABASE_OK)
		r = sqlite3_bind_int64(statement, 1, limit);
	while (rc == DATABASE_OK && r != SQLITE_DONE) {
		r = sqlite3_step(statement);
		if (r == SQLITE_ROW)
			database_read_row(database, statement, table, &rows, count, &room);
		rc = database_result(database, r);
	}
	sqlite3_finalize(statement);
	rows_reverse(rows, *count, table_infos[table].row_size);
	memcpy(to, &rows, sizeof(rows));
	return rc;
}

enum database_rc
database_read(struct database *database, struct store_content *content)
{
	enum database_rc rc =
	    database_read_table(database, TABLE_VM, -1, &content->vms, &content->vms_count);

	if (rc == DATABASE_OK)
		rc = database_read_table(database, TABLE_REQUEST, -1, &content->requests,
					 &content->requests_count);
	if (rc == DATABASE_OK)
		rc = database_read_table(database, TABLE_SERVICE, -1, &content->services,
					 &content->services_count);
	if (rc == DATABASE_OK)
		rc = database_read_table(database, TABLE_EVENT, database->journal_size,
					 &content->events, &content->events_count);
	return rc;
}

void
database_close(struct database *database, bool broken)
{
	for (int i = 0; i < TABLE_COUNT; i++) {
		sqlite3_finalize(database->put[i]);
		sqlite3_finalize(database->drop[i]);
		database->put[i] = database->drop[i] = NULL;
	}
	sqlite3_finalize(database->put_meta);
	sqlite3_finalize(database->trim);
	database->put_meta = database->trim = NULL;
	if (database->db && broken)
		sqlite3_db_config(database->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_close(database->db);
	database->db = NULL;
}

enum database_rc
database_put_aside(struct database *database)
{
	char aside[4096], why[ERROR_SIZE];

	int64_t now_ms = clock_mono_ms();

	database_close(database, true);
	snprintf(why, sizeof(why), "%s", database->error);
	if (database->aside_ms && now_ms - database->aside_ms < ASIDE_PAUSE_MS) {
		snprintf(database->error, ERROR_SIZE,
			 "%.160s; so soon after the last one: check the disk", why);
		return DATABASE_UNAVAILABLE;
	}
	database->aside_ms = now_ms;
	if (!files_put_aside(&database->files, aside, sizeof(aside))) {
		snprintf(database->error, ERROR_SIZE, "%.160s; it cannot be put aside: %s", why,
			 strerror(errno));
		return DATABASE_UNAVAILABLE;
	}
	log_error("%s; it was put aside as %s, and a new store is begun", why, aside);
	return DATABASE_OK;
}

enum database_rc
database_begin(struct database *database)
{
	int moved = 0;

	sqlite3_file_control(database->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (moved) {
		snprintf(database->error, ERROR_SIZE, "%s was removed or renamed while in use",
			 database->files.path);
		return DATABASE_UNAVAILABLE;
	}
	return database_exec(database, "BEGIN IMMEDIATE");
}

enum database_rc
database_put(struct database *database, enum table table, const void *row)
{
	database->events += table == TABLE_EVENT;
	return database_step(database, database->put[table],
			     schema_bind(database->put[table], table, row));
}

enum database_rc
database_drop(struct database *database, enum table table, const void *key)
{
	return database_step(database, database->drop[table],
			     schema_bind_key(database->drop[table], table, key));
}

enum database_rc
database_empty(struct database *database, enum table table)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "DELETE FROM %s", table_infos[table].name);
	return database_exec(database, sql);
}

static enum database_rc
database_trim(struct database *database)
{
	int64_t excess = database->events - database->journal_size;

	if (excess <= 0)
		return DATABASE_OK;
	database->events = database->journal_size;
	return database_step(database, database->trim,
			     sqlite3_bind_int64(database->trim, 1, excess));
}

static enum database_rc
database_put_meta(struct database *database, const char *name, uint64_t old, uint64_t value)
{
	int r;

	if (old == value)
		return DATABASE_OK;
	r = sqlite3_bind_text(database->put_meta, 1, name, -1, SQLITE_STATIC);
	if (r == SQLITE_OK)
		r = sqlite3_bind_int64(database->put_meta, 2, (int64_t)value);
	return database_step(database, database->put_meta, r);
}

enum database_rc
database_commit(struct database *database, const struct counters *counters, bool clean)
{
	const struct counters *old = &database->counters;
	enum database_rc rc = database_trim(database);

	if (rc == DATABASE_OK)
		rc = database_put_meta(database, "next_sequence", old->next_sequence,
				       counters->next_sequence);
	if (rc == DATABASE_OK)
		rc = database_put_meta(database, "handed", old->handed, counters->handed);
	if (rc == DATABASE_OK)
		rc = database_put_meta(database, "next_request", old->next_request,
				       counters->next_request);
	if (rc == DATABASE_OK)
		rc = database_put_meta(database, "clean", database->clean, clean);
	if (rc == DATABASE_OK)
		rc = database_exec(database, "COMMIT");
	if (rc != DATABASE_OK)
		return rc;
	database->counters = *counters;
	database->clean = clean;
	return rc;
}
