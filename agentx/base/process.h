/*
 * What the three children have in common: the loop, the channel to the parent, the configuration
 * from it, signals, peers that come (again) by the parent, a clean end.
 *
 * lauxend starts them as `lauxend --child ROLE [-d] [-v]`, with PROCESS_CONTROL_FD as one end of a
 * SOCK_SEQPACKET pair, and PROCESS_CONFIG_FD as the text of the configuration that was checked (for
 * config_load_checked()). A child ends when the parent is gone or sends SIGTERM.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/messages.h"

#define PROCESS_CONTROL_FD 3
#define PROCESS_CONFIG_FD 4 /* what the process works with; after a reload the new one */
#define PROCESS_ICMP_FD 5   /* the engine's, where the parent may open them: raw sockets */
#define PROCESS_ICMP6_FD 6

struct event_base;

/* How the program was called; handed down to every child. */
struct options {
	bool foreground; /* log to stderr */
	int verbose;
	const char *record; /* absolute path: what the engine is told is recorded there; or NULL */
};

struct process_handlers {
	/* A peer's channel: fd is the handler's. Comes again when that peer was restarted. */
	void (*peer)(void *arg, enum role role, int fd);
	/* fd is of a new configuration, and not the handler's. False: it cannot be used. */
	bool (*reload)(void *arg, int fd);
	void (*reload_refused)(void *arg, const char *error);	      /* may be NULL */
	void (*restarts)(void *arg, const struct restarts *restarts); /* may be NULL */
	void (*stop)(void *arg); /* the loop is about to end; may be NULL */
};

/* The loop of this process; made by process_init(). */
struct event_base *process_init(enum role role, const struct options *options,
				const struct process_handlers *handlers, void *arg);

/* Runs the loop until SIGTERM, SIGINT or the parent's end; returns the exit status. */
int process_run(void);

/* A socket of that protocol (IPPROTO_...) that was inherited as fd, with close-on-exec; -1: it was
 * not. */
int process_take_socket(int fd, int protocol);

/* fork(2) with all signals blocked in the new process, which would serve them with the handlers of
 * this one: it lets them in once it has handlers of its own, as process_fork_begin() does. */
pid_t process_fork(void);

/* In a fork of a child that goes on as a process of its own, under title (15 octets) and, in the
 * log, role: the signals of process_init() but SIGPIPE are as at a start, and all descriptors but
 * the standard ones and keep (-1: none) are closed. */
void process_fork_begin(const struct options *options, const char *title, const char *role,
			int keep);

/* Asks the parent to read the configuration anew; the answer is reload() or reload_refused(). */
void process_ask_reload(void);

/* The three mains; each returns the exit status. */
int hypervisor_main(const struct options *options);
int engine_main(const struct options *options);
int agentx_main(const struct options *options);

#endif
