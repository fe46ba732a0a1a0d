/*
 * Starts another process of this program: with the descriptors that it is given and no others, in a
 * process group of its own (a terminal's ^C is the parent's alone), and as another user where
 * asked.
 */
#ifndef PARENT_LAUNCH_H
#define PARENT_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

/* Who a process is to run as. */
struct identity {
	bool switches; /* false: as the caller */
	uid_t uid;
	gid_t gid;
	char user[64];
};

/* As root: looks up user, false, after a log line, where there is none. Others run all as they are,
 * as root does that names root. */
bool identity_find(struct identity *identity, const char *user);

struct launch {
	char *const *argv;   /* ends with NULL */
	int output, errors;  /* become stdout and stderr; -1: the caller's */
	int control, config; /* become PROCESS_CONTROL_FD, PROCESS_CONFIG_FD; -1: none */
	int icmp, icmp6;     /* PROCESS_ICMP_FD, PROCESS_ICMP6_FD; likewise */
	const struct identity *identity; /* NULL: the caller's */
};

/* The new process's id, or -1 after a log line. */
pid_t launch(const struct launch *how);

/* At the very start: makes sure that descriptors 0, 1 and 2 are open, so that nothing else ever
 * gets their numbers, and closes all others that the caller left open. */
void launch_prepare(void);

#endif
