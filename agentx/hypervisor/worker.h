/*
 * The workers of the hypervisor process: forked children (no exec) that do nothing but ask the
 * driver, so that a call that blocks for ever takes nothing along.
 *
 *   states, figures   wait for WORKER_GO, make one pass, say the facts and then MSG_SAMPLE
 *   watch             says WORKER_CHANGED whenever something may have changed; has no deadline
 *
 * They talk over a SOCK_SEQPACKET pair in struct message (base/channel.h). Unlike on a channel a
 * message carries as many rows of one type as it holds. A worker touches no VM: killing it is
 * always safe.
 */
#ifndef HYPERVISOR_WORKER_H
#define HYPERVISOR_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/messages.h"
#include "base/process.h"
#include "config/config.h"

struct event_base;
struct facts;

enum worker_kind { WORKER_STATES, WORKER_FIGURES, WORKER_WATCH, WORKER_COUNT };

enum worker_message {
	WORKER_GO = 1000, /* to the worker; body: struct worker_go */
	WORKER_POOL,	  /* from figures; detail: position of the storage path that it now asks */
	WORKER_CHANGED,	  /* from the watch */
	WORKER_ERROR,	  /* body: text; the watch ends after it */
};

#define WORKER_POOLS 64 /* storage paths at most, as config.h */

struct worker_go {
	uint64_t pools_left_out; /* a bit each: paths that did not answer */
	uint32_t urgent;
	uint32_t spare;
};

/* The body of a worker: runs until fd's other end is gone; ends the (forked) process. */
void worker_main(enum worker_kind kind, int fd, const struct config *config,
		 const struct options *options) __attribute__((noreturn));

/* The side of the hypervisor process: all three, with their watchdog. */
struct workers;

struct workers_handlers {
	void (*news)(void *arg); /* facts has something new for the engine */
	void *arg;
};

/* Starts the workers and samples each config->interval_ms into facts. config must live until
 * workers_configure() gives another or workers_free(). */
struct workers *workers_new(struct event_base *base, const struct options *options,
			    const struct config *config, struct facts *facts,
			    const struct workers_handlers *handlers);
void workers_free(struct workers *workers);

/* A new configuration; restarts the workers where it changes what they do. */
void workers_configure(struct workers *workers, const struct config *config);

/* A pass of the states at once (one more, where one runs). */
void workers_look(struct workers *workers);

/* A child may have died (SIGCHLD). */
void workers_reap(struct workers *workers);

#endif
