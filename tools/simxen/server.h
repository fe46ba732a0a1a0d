/*
 * The hypervisor's socket: clients of protocol.h. Nobody can block it: all sockets are
 * non-blocking, requests are short and come one at a time, and who does not take its answers is
 * dropped once too many wait.
 */
#ifndef SIMXEN_SERVER_H
#define SIMXEN_SERVER_H

#include <stdbool.h>

#include "tools/simxen/host.h"

struct server;

/* Listens at path, in place of a socket there that nobody serves. NULL, with the reason logged. */
struct server *server_new(struct host *host, const char *path);

/* Closes everything and removes the socket. */
void server_free(struct server *server);

/* Tells all subscribers. */
void server_tell(struct server *server, const struct domain *d, enum model_change change);

/*
 * To be called when host->silent or host->xenstore_hangs has changed. Silent: connections stay
 * and get nothing, new ones are not let in. Hanging xenstore: lists go on, without names; samples,
 * news and all actions but pause and unpause wait.
 */
void server_mood(struct server *server);

/* A unix stream socket that listens at path (0600); -1, with the reason logged. */
int server_listen(const char *path);

#endif
