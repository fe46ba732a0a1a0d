/*
 * The VMs' services as real sockets on the loopback network. A service that serves accepts and
 * answers. One that is closed has no socket: refused. One that is silent keeps its socket and lets
 * nobody in: the accept queue is kept full by connections of our own, so that the kernel drops
 * further SYNs; datagrams stay unread; connections that stand get no answer. When it serves again,
 * clients that still wait get in.
 */
#ifndef SIMXEN_SERVICES_H
#define SIMXEN_SERVICES_H

#include "tools/simxen/model.h"

struct event_base;
struct services;

/*
 * Ports under 1024 are moved up by offset where this process may not bind them, or, with always,
 * in any case.
 */
struct services *services_new(struct event_base *base, uint16_t offset, bool always);
void services_free(struct services *services);

/* Brings the sockets of d in line with the model; to be called on each change of d. */
void services_follow(struct services *services, struct domain *d, enum model_change change);

/* The port that a service has in fact. */
uint16_t services_port(const struct services *services, const struct vmdef_service *service);

/* Why service i of d could not be opened, or NULL. */
const char *services_error(const struct domain *d, unsigned i);

#endif
