/*
 * The parent: starts hypervisor, engine and agentx, joins them by socketpairs, starts again what
 * died, has a new configuration checked before they read it, and ends them. It reads nothing that
 * comes from outside.
 */
#ifndef PARENT_PARENT_H
#define PARENT_PARENT_H

#include "base/process.h"

/* Runs until SIGTERM or SIGINT. user: what engine and agentx run as where this is root. Returns the
 * exit status. */
int parent_main(const struct options *options, const char *user);

#endif
