#include "store/upgrade.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPLICATION_ID 0x4c617558 /* "LauX"; file(1) shows it */

/*
 * Step i makes version i + 1 of version i. Tables and columns of schema.c are added where they are
 * missing and need no step; what a step is for is a change of what is there.
 */
static const char *const steps[] = {
    "CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT",
};
#define VERSION_NOW ((int64_t)(sizeof(steps) / sizeof(steps[0])))

static enum database_rc
upgrade_recognise(struct database *database, int64_t *version)
{
	int64_t application = 0, things = 0;
	enum database_rc rc = database_number(database, "PRAGMA user_version", 0, version);

	if (rc == DATABASE_OK)
		rc = database_number(database, "PRAGMA application_id", 0, &application);
	if (rc == DATABASE_OK)
		rc = database_number(database, "SELECT count(*) FROM sqlite_schema", 0, &things);
	if (rc != DATABASE_OK)
		return rc;
	database->fresh = *version == 0 && things == 0;
	if (!database->fresh && (application != APPLICATION_ID || *version < 1)) {
		snprintf(database->error, ERROR_SIZE, "%s is no store of lauxend",
			 database->files.path);
		return DATABASE_BROKEN;
	}
	if (*version > VERSION_NOW) {
		snprintf(database->error, ERROR_SIZE,
			 "%s is of a later lauxend (schema %" PRId64 ", this one knows %" PRId64
			 "): run that one, or move the file away",
			 database->files.path, *version, VERSION_NOW);
		return DATABASE_NEWER;
	}
	return DATABASE_OK;
}

static enum database_rc
upgrade_missing(struct database *database, enum table table, const struct column *column,
		bool *missing)
{
	char sql[160];
	int64_t count = 0;
	enum database_rc rc;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'",
		 table_infos[table].name, column->name);
	rc = database_number(database, sql, 0, &count);
	*missing = count == 0;
	return rc;
}

/* Whether all columns of all tables are there. */
static enum database_rc
upgrade_complete(struct database *database, bool *complete)
{
	enum database_rc rc = DATABASE_OK;

	*complete = true;
	for (int table = 0; table < TABLE_COUNT && rc == DATABASE_OK; table++)
		for (size_t i = 0; i < table_infos[table].columns_count && rc == DATABASE_OK; i++) {
			bool missing;

			rc = upgrade_missing(database, table, &table_infos[table].columns[i],
					     &missing);
			*complete = *complete && !missing;
		}
	return rc;
}

static enum database_rc
upgrade_add_column(struct database *database, enum table table, const struct column *column)
{
	char *described = schema_column(column), sql[256];
	bool missing = false;
	enum database_rc rc = upgrade_missing(database, table, column, &missing);

	snprintf(sql, sizeof(sql), "ALTER TABLE %s ADD COLUMN %s", table_infos[table].name,
		 described);
	free(described);
	return rc == DATABASE_OK && missing ? database_exec(database, sql) : rc;
}

static enum database_rc
upgrade_table(struct database *database, enum table table)
{
	char *create = schema_create(table);
	enum database_rc rc = database_exec(database, create);

	free(create);
	for (size_t i = 0; i < table_infos[table].columns_count && rc == DATABASE_OK; i++)
		rc = upgrade_add_column(database, table, &table_infos[table].columns[i]);
	return rc;
}

static enum database_rc
upgrade_stamp(struct database *database, uint64_t journal)
{
	char sql[256];

	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %" PRId64,
		 APPLICATION_ID, VERSION_NOW);
	if (database->fresh)
		snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql),
			 "; INSERT INTO meta (name, value) VALUES ('journal', %" PRIu64
			 "), ('clean', 1)",
			 journal);
	return database_exec(database, sql);
}

/* All in one transaction: a store is made whole or not at all. */
static enum database_rc
upgrade_make(struct database *database, int64_t version, uint64_t journal)
{
	enum database_rc rc = database_exec(database, "BEGIN IMMEDIATE");

	for (int64_t i = version; i < VERSION_NOW && rc == DATABASE_OK; i++)
		rc = database_exec(database, steps[i]);
	for (int table = 0; table < TABLE_COUNT && rc == DATABASE_OK; table++)
		rc = upgrade_table(database, table);
	if (rc == DATABASE_OK)
		rc = upgrade_stamp(database, journal);
	return rc == DATABASE_OK ? database_exec(database, "COMMIT") : rc;
}

static enum database_rc
upgrade_log_ahead(struct database *database)
{
	sqlite3_stmt *statement = NULL;
	int r = sqlite3_prepare_v2(database->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
	const char *mode = NULL;
	enum database_rc rc;

	if (r == SQLITE_OK)
		r = sqlite3_step(statement);
	if (r == SQLITE_ROW)
		mode = (const char *)sqlite3_column_text(statement, 0);
	rc = database_result(database, r);
	/* It is no error where it cannot be: SQLite answers with the mode that it stays in. */
	if (rc == DATABASE_OK && (!mode || strcmp(mode, "wal") != 0)) {
		snprintf(database->error, ERROR_SIZE,
			 "%s: its file system cannot hold a write-ahead log", database->files.path);
		rc = DATABASE_UNAVAILABLE;
	}
	sqlite3_finalize(statement);
	return rc;
}

enum database_rc
upgrade_run(struct database *database, bool may_write, uint64_t journal)
{
	int64_t version = 0;
	bool complete = false;
	enum database_rc rc = upgrade_recognise(database, &version);

	if (rc == DATABASE_OK && may_write)
		rc = upgrade_log_ahead(database);
	if (rc == DATABASE_OK && version == VERSION_NOW)
		rc = upgrade_complete(database, &complete);
	if (rc != DATABASE_OK || complete)
		return rc;
	if (!may_write)
		return DATABASE_UNAVAILABLE;
	return upgrade_make(database, version, journal);
}
