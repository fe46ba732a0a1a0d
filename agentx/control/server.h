/*
 * The engine's end of control/control.h: a few clients, each with one request. It knows the engine
 * by what it is given: how to hand a request in, and the rows that show what becomes of it.
 */
#ifndef CONTROL_SERVER_H
#define CONTROL_SERVER_H

#include <stdbool.h>

#include "base/rowset.h"
#include "control/control.h"

struct event_base;
struct control_server;

struct control_handlers {
	/* A client asks; the answer comes by control_server_held() with the same token, now or
	 * later. */
	void (*hold)(void *arg, uint32_t token, const struct hold *hold);
	/* What was held is to be done. */
	void (*release)(void *arg, uint32_t token);
	/* What is still to be answered is not wanted any more: its client went away. */
	void (*drop)(void *arg, uint32_t token);
};

/* Listens in directory; a socket that an engine before left there is replaced. NULL, after a log
 * line, where that cannot be: the agent goes on without. vms, requests: the engine's rows. */
struct control_server *control_server_new(struct event_base *base, const char *directory,
					  const struct rowset *vms, const struct rowset *requests,
					  const struct control_handlers *handlers, void *arg);
/* Drops what is still to be answered. */
void control_server_free(struct control_server *server);

/* False: the token is none of ours. The error of an answer that is ok is passed on as a remark. */
bool control_server_held(struct control_server *server, uint32_t token,
			 const struct hold_answer *answer, const char *id);

/* Tells clients of requests whose rows changed since. To be called after each of the engine's
 * steps. */
void control_server_look(struct control_server *server);

#endif
