/*
 * The commands of `simxen ctl`, as one table: what a person or a test tells the simulated host.
 * They run in simxen itself, which gets them as words over the control socket or from a script.
 */
#ifndef SIMXEN_COMMAND_H
#define SIMXEN_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/simxen/host.h"

#define COMMAND_WORDS 32

/* Exit codes of a command. */
enum { COMMAND_OK = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

/* A command's words, options apart. */
struct arguments {
	int count; /* of words, the command itself not among them */
	const char *word[COMMAND_WORDS];
	bool monitor, paused, direct, lasting;
	const char *vm; /* -v; "" where not given */
	unsigned times; /* -n; 0 where not given */
};

struct command_run {
	struct host *host;
	struct arguments args;
	FILE *out;  /* what the command says */
	char *text; /* that, once it has ended */
	size_t length;
	struct op *op; /* while an action goes on */
	void (*done)(void *arg, int status, const char *text);
	void *arg;
};

struct command {
	const char *name;
	const char *usage; /* of its words */
	const char *help;  /* one line */
	int least, most;   /* words */
	/* Returns an exit code, or COMMAND_LATER where run->op goes on. */
	int (*run)(struct command_run *run);
	int path; /* number of the word that is a file's path, from 1; 0: none */
};

#define COMMAND_LATER (-1)

/* By name, or NULL. */
const struct command *command_find(const char *name);

/* Prints the table. */
void command_help(FILE *to);

/*
 * Runs a command; done is called once, perhaps before this returns, with an exit code and what
 * there is to print. words must outlive the run. Returns NULL where it has ended.
 */
struct command_run *command_start(struct host *host, int count, char *const *words,
				  void (*done)(void *arg, int status, const char *text), void *arg);

/* Whoever waited is gone; done is not called. */
void command_abandon(struct command_run *run);

/* The domain of word number i (from 0), or NULL with a text on run->out. */
struct domain *command_domain(struct command_run *run, int i);

/* A number from least to most in word i; false with a text on run->out. */
bool command_number(struct command_run *run, int i, int64_t least, int64_t most, int64_t *number);

/* In commands_show.c and commands_fault.c: parts of the table, ended by a name of NULL. */
extern const struct command commands_show[], commands_fault[];

#endif
