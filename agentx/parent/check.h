/*
 * Has the configuration checked by `lauxend -n -f FILE` in processes of its own, as each user that
 * will read it. The parent itself, which is root, never reads the file.
 */
#ifndef PARENT_CHECK_H
#define PARENT_CHECK_H

#include <stdbool.h>
#include <sys/types.h>

#include "parent/launch.h"

#define CHECK_MS 10000 /* that one process gets */

struct check {
	const char *file;
	const struct identity *identity; /* who else reads it */
	pid_t pid;			 /* of the process that checks; 0: none */
	bool second;			 /* it runs as that identity */
	int output;			 /* what it said; -1: none */
	bool late;			 /* it was killed for taking too long */
};

void check_init(struct check *check, const char *file, const struct identity *identity);

/* Starts the first process. */
bool check_start(struct check *check);

enum check_result { CHECK_GOES_ON, CHECK_GOOD, CHECK_BAD };

/* The process ended with this wait(2) status. Goes on with the second one, or is done. */
enum check_result check_ended(struct check *check, int status);

/* After CHECK_BAD: the first error, and how many lines follow it. */
void check_error(const struct check *check, char *text, size_t size, int *more);

/* Takes too long: kills the process, whose end is then CHECK_BAD. */
void check_give_up(struct check *check);

void check_dispose(struct check *check);

/* All of it at once; on false the errors went to stderr. */
bool check_now(const char *file, const struct identity *identity);

#endif
