/*
 * The database of the store: opened, checked, brought to the present schema, read, written in
 * transactions. Used by one thread at a time. Knows no queue and no memory: see writer.h.
 */
#ifndef STORE_DATABASE_H
#define STORE_DATABASE_H

#include <sqlite3.h>

#include "store/files.h"
#include "store/mirror.h"
#include "store/schema.h"

struct store_content;

#define ERROR_SIZE 256

enum database_rc {
	DATABASE_OK,
	DATABASE_UNAVAILABLE, /* now; try again later */
	DATABASE_NEWER,	      /* of a later lauxend: left alone */
	DATABASE_BROKEN,      /* to be put aside */
};

/* How it is opened: as usual, or only to be read at the start where that fails. */
enum database_mode { MODE_USUAL, MODE_NO_SHM, MODE_IMMUTABLE, MODE_COUNT };

struct database {
	struct files files;
	sqlite3 *db; /* NULL: closed */
	sqlite3_stmt *put[TABLE_COUNT], *drop[TABLE_COUNT], *put_meta, *trim;
	uint32_t journal_size;
	int64_t aside_ms;	  /* when one was put aside last; 0: never */
	int64_t events;		  /* rows of the event table */
	bool fresh;		  /* made by this open */
	bool clean;		  /* the last end was */
	uint64_t journal;	  /* its id */
	struct counters counters; /* as they are on disk */
	char error[ERROR_SIZE];	  /* of the last result that was not DATABASE_OK */
};

void database_init(struct database *database, const char *dir, uint32_t journal_size);
void database_dispose(struct database *database);

/* Opens; a missing or empty one is made, with journal as its id. */
enum database_rc database_open(struct database *database, enum database_mode mode,
			       uint64_t journal);

/* Runs SQL that gives no rows. */
enum database_rc database_exec(struct database *database, const char *sql);

/* The one number that a query gives; absent where it gives none. */
enum database_rc database_number(struct database *database, const char *sql, int64_t absent,
				 int64_t *number);

/* What SQLite's result code r, just returned, means; error then has its text. */
enum database_rc database_result(struct database *database, int r);

/* Reads all rows into the arrays of content. */
enum database_rc database_read(struct database *database, struct store_content *content);

/* Closes; where it is not to be checkpointed (it is broken) its files stay as they are. */
void database_close(struct database *database, bool broken);

/* Closes, renames; then the way is free for a new one. */
enum database_rc database_put_aside(struct database *database);

/*
 * A transaction: begin, changes, commit. After any result but DATABASE_OK the caller closes the
 * database; what was in the transaction is then undone, or (a failed commit) perhaps not: write it
 * again. Counters and the mark of a clean end are part of a commit.
 */
enum database_rc database_begin(struct database *database);
enum database_rc database_put(struct database *database, enum table table, const void *row);
enum database_rc database_drop(struct database *database, enum table table, const void *key);
enum database_rc database_empty(struct database *database, enum table table);
enum database_rc database_commit(struct database *database, const struct counters *counters,
				 bool clean);

#endif
