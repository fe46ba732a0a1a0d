/*
 * The simulated host as a whole: the model with all that listens to it. host.c ties them: each
 * change of a domain goes to the sockets of its services, to actions that wait, to subscribers.
 */
#ifndef SIMXEN_HOST_H
#define SIMXEN_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/simxen/model.h"
#include "tools/simxen/ops.h"

struct event_base;

struct host {
	struct model *model;
	struct ops ops;
	struct services *services; /* NULL: no sockets */
	struct server *server;	   /* NULL in virtual time */
	struct event_base *base;   /* the same */
	struct event *wakeup;
	int64_t started_ms;			 /* on the monotonic clock: model time 0 */
	bool xenstore_hangs, empty_list, silent; /* injected */
	bool quit;
	FILE *history; /* each change is written there; NULL: nowhere */
};

void host_init(struct host *host, const struct model_config *config);
void host_dispose(struct host *host);

/* Reads the clock, lets happen what is due, and sets the wake-up for what comes next. To be called
 * before anything looks at the model, and after anything that acted on it. */
void host_catch_up(struct host *host);

/* Creates the domain of def at once, without an action. up: it need not boot. */
bool host_preset(struct host *host, const struct vmdef *def, bool monitor, bool up);

#endif
