/*
 * One action of the hypervisor process (action.h keeps the queue of them): its phases, its helper,
 * and what its record says about both.
 */
#ifndef HYPERVISOR_ENTRY_H
#define HYPERVISOR_ENTRY_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "hypervisor/action.h"

struct event;

enum phase {
	PHASE_QUEUED,
	PHASE_RUNNING,
	PHASE_MENDING, /* the outcome (unknown) is told; a helper puts things right */
	PHASE_OVER,
};

struct entry {
	TAILQ_ENTRY(entry) next;
	struct actions *actions;
	struct action action;
	struct outcome outcome;
	enum phase phase;
	char *path;	/* of the record */
	bool recorded;	/* the record is written */
	bool forgotten; /* to be removed when it is over */
	pid_t pid;	/* helper; 0: none */
	bool adopted;	/* the helper is an earlier process's child */
	bool late;	/* its deadline passed, it was killed */
	bool stuck;	/* and does not die */
	int64_t deadline_ms;
	struct event *timer; /* own helper: its deadline; adopted: the next look */
};

struct actions {
	struct event_base *base;
	const struct options *options;
	const struct config *config;
	struct actions_handlers handlers;
	char *run_dir;			       /* of the first configuration: records do not move */
	TAILQ_HEAD(entry_list, entry) entries; /* in the order they came */
	size_t count, running;
};

/* A queued action at the end of the queue; and its end, wherever it stands. */
struct entry *entry_add(struct actions *actions, const struct action *action);
void entry_free(struct entry *entry);

/* Says to the engine where it stands. */
void entry_tell(const struct entry *entry);

void entry_set_phase(struct entry *entry, enum phase phase);

/* Writes the record (unless that was done) and starts the helper; where it cannot, it has failed.
 */
void entry_start(struct entry *entry);

/* The outcome, without and with a look at the record: where a helper takes that at this very
 * moment, the helper counts. */
void entry_over(struct entry *entry, const struct outcome *outcome);
void entry_over_text(struct entry *entry, enum request_state state, const char *error);
void entry_settle_as(struct entry *entry, const struct outcome *outcome);

/*
 * A helper of this entry is gone, or there never was one of this process: acts on what the record
 * says. status is that of our own helper, -1 for none. May free the entry, if it was forgotten.
 */
void entry_judge(struct entry *entry, int status);

/* Judges it if its helper (a child of this process) is dead. The same. */
void entry_reap(struct entry *entry);

/* Nothing is to be done any more: frees it, if it was forgotten. */
void entry_end(struct entry *entry);

/* Starts what may start now. */
void actions_serve(struct actions *actions);

#endif
