/*
 * Actions of the toolstack: what `xl create`, `xl save` and the like do with the model over some
 * time, with the injected faults on top. An action is a chain of steps on the model's timers; it
 * always ends later, never inside ops_start(). It reads and writes the files that it is given and
 * does no other I/O.
 */
#ifndef SIMXEN_OPS_H
#define SIMXEN_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/simxen/inject.h"
#include "tools/simxen/model.h"

struct op;

struct ops {
	struct model *model;
	struct inject inject;
	bool disk_full; /* injected: saves fail */
	struct op *first;
};

struct op_request {
	enum verb verb;
	uint32_t domid;	       /* all but VERB_START and VERB_RESTORE */
	const char *path;      /* VERB_START, VERB_RESTORE, VERB_SAVE */
	const char *overrides; /* VERB_START: text over the file's; may be NULL */
	uint64_t mib;	       /* VERB_MEMORY */
	bool monitor, paused;  /* VERB_START, VERB_RESTORE */
	bool direct;	       /* no injected faults */
};

struct op_result {
	unsigned failed; /* 0, or xl's exit code */
	uint32_t domid;	 /* that was acted on or made */
	char text[MODEL_ERROR];
};

/* Starts an action; done is called once, at its end, with arg. */
struct op *ops_start(struct ops *ops, const struct op_request *request,
		     void (*done)(void *arg, const struct op_result *result), void *arg);

/*
 * Whoever waited for the action was killed: nothing goes on. A domain that was being built stays,
 * paused; one that was being saved stays, suspended, and the file stays half-written.
 */
void ops_abandon(struct op *op);

/* To be called on each change of a domain: actions may wait for it. */
void ops_domain_changed(struct ops *ops, const struct domain *d, enum model_change change);

/* Ends all actions as failed and takes back all injections. */
void ops_dispose(struct ops *ops);

#endif
