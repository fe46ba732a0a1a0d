/*
 * The store's files in its directory, beside what SQLite does with them: the lock that lets one
 * process in, the mark in it, and broken databases put aside.
 */
#ifndef STORE_FILES_H
#define STORE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/mirror.h"

#define STORE_FILE "store.db"
#define STORE_LOCK "store.lock"

struct files {
	char *dir, *path; /* path: of the database */
	int lock_fd;	  /* -1: not held */
};

void files_init(struct files *files, const char *dir);
void files_dispose(struct files *files); /* gives the lock back */

/* Takes the lock, or keeps it. False: error (size octets) says why and what to do. */
bool files_lock(struct files *files, char *error, size_t size);

/* Waits until the lock can be had, at most until_ms (clock_mono_ms()): a process that has it may be
 * just ending. False: it did not. */
bool files_wait(struct files *files, int64_t until_ms);

/*
 * The mark: numbers below these may be in use although no database says so, as it could not be
 * written. Octets of the lock file that are overwritten in place, which a full disk allows. NULL
 * takes the mark away. False: could not be written, or the lock is not held.
 */
bool files_mark(const struct files *files, const struct counters *reserved);
bool files_marked(const struct files *files, struct counters *reserved);

/* Renames the database with its -wal and -shm to store.db.broken-TIME; aside (size octets) gets the
 * new name of the database. False: it could not, errno says why. */
bool files_put_aside(const struct files *files, char *aside, size_t size);

/* The names in the directory are on disk. */
bool files_sync_dir(const struct files *files);

/* Whether a write-ahead log with anything in it stands beside the database. */
bool files_have_log(const struct files *files);

#endif
