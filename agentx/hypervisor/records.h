/*
 * Records of actions: one file each, run_dir/actions/JOURNAL-ID, which outlives the processes that
 * work on it. The hypervisor process writes it before it starts the helper; the helper holds a lock
 * on it for its life, and writes into it that it began and what became of it. So whoever looks
 * later knows which it is:
 *
 *   waits   no helper ever began: it may be started
 *   runs    a helper holds the lock
 *   died    a helper began and is gone without an outcome: never to be started again
 *   done    the outcome is in it
 *
 * The lock is a POSIX record lock: children of the helper do not inherit it, and the kernel names
 * the process that holds it. The file is written whole at first, so that a full disk shows before
 * anything was done, and a later write of the same octets needs no room.
 */
#ifndef HYPERVISOR_RECORDS_H
#define HYPERVISOR_RECORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/messages.h"

#define RECORD_KEEP_MS (24 * 3600 * INT64_C(1000)) /* nobody asks for an older outcome */

struct record {
	uint64_t magic;
	struct action action;
	int64_t written_wall_ms;
	int64_t deadline_mono_ms; /* from the start on; the helper is killed then */
	uint32_t started;
	uint32_t done;	 /* outcome is valid */
	uint32_t mended; /* after an unknown outcome: nothing is left to be put right */
	uint32_t spare;
	struct outcome outcome;
};

enum record_state { RECORD_NONE, RECORD_WAITS, RECORD_RUNS, RECORD_DIED, RECORD_DONE };

/* Path of the record of an action; room is PATH_MAX octets. */
void record_path(char *path, const char *run_dir, uint64_t journal, uint64_t id);

/* Makes run_dir and run_dir/actions where they are missing; false with error (TEXT_SIZE octets)
 * where they cannot be made, or where another user could change them, as root acts on what is in
 * them. */
bool records_prepare(const char *run_dir, char *error);

/* Writes a new record, for a helper to take; false with error. */
bool record_write(const char *path, const struct action *action, char *error);

/* Reads a record and says what is with it; *pid is the helper's where it runs. NONE: no (whole)
 * record is there. */
enum record_state record_look(const char *path, struct record *record, pid_t *pid);

/*
 * For the helper: takes the lock and marks the record as started, deadline and all; returns the
 * descriptor, whose closing gives the lock back, or -1: another helper did or does it. For a mend,
 * only a record with an unknown outcome that was not mended yet can be taken.
 */
int record_take(const char *path, bool mend, struct record *record);

/* For the helper, which holds fd: what became of it by the driver's own word, which leaves nothing
 * to be mended; and that it was mended. */
bool record_done(int fd, const struct outcome *outcome);
bool record_mended(int fd);

/* For the process, where the helper is gone; an unknown outcome is left to be mended. False: there
 * is no record, it is done, or a helper has it. */
bool record_settle(const char *path, const struct outcome *outcome);
bool record_give_up_mending(const char *path);

/* Calls each for every record below run_dir; removes what is no record. */
void records_scan(const char *run_dir,
		  void (*each)(void *arg, const char *path, const struct record *record),
		  void *arg);

/*
 * The locks of a VM, by its name and its UUID (either may be empty): one action or person at a
 * time. Waits up to wait_ms. Returns a descriptor that holds them as long as it is open in this
 * process, or -1 with error.
 */
int vm_lock(const char *run_dir, const char *name, const uint8_t uuid[UUID_SIZE], int64_t wait_ms,
	    char *error);

#endif
