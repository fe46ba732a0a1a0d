/*
 * Has the configuration checked by `lauxend -nv -f FILE` in a process of its own, which prints it
 * back: what the children then work with, whatever becomes of the file. The parent itself, which is
 * root, reads neither the file nor that text.
 */
#ifndef PARENT_CHECK_H
#define PARENT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHECK_MS 10000 /* that the process gets */

struct check {
	const char *file;
	pid_t pid;  /* of the process that checks; 0: none */
	int text;   /* in memory: the configuration as it prints it; -1: none */
	int errors; /* likewise: what it complains of */
	bool late;  /* it was killed for taking too long */
};

void check_init(struct check *check, const char *file);
void check_dispose(struct check *check);

/* Starts the process. running: the text that lauxend runs with, which the file has to be able to
 * follow; -1: it does not run yet. */
bool check_start(struct check *check, int running);

/* The process ended with this wait(2) status: is the configuration good? */
bool check_ended(struct check *check, int status);

/* After a good one: the text, which nobody can change any more; the caller's. */
int check_take(struct check *check);

/* After a bad one: the first error, and how many lines follow it. */
void check_error(const struct check *check, char *text, size_t size, int *more);

/* Takes too long: kills the process, whose end is then a bad one. */
void check_give_up(struct check *check);

/* All of it at once, before the start; on false the errors went to stderr. */
bool check_now(struct check *check);

#endif
