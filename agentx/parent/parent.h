/*
 * The parent: starts hypervisor, engine and agentx, joins them by socketpairs, starts again what
 * died, gives them the configuration, of which only what was checked ever becomes the current one,
 * and ends them. It reads nothing that comes from outside.
 */
#ifndef PARENT_PARENT_H
#define PARENT_PARENT_H

#include "base/process.h"

/* Runs until SIGTERM or SIGINT. file: absolute path of the configuration. user: what engine and
 * agentx run as where this is root. Returns the exit status. */
int parent_main(const struct options *options, const char *file, const char *user);

#endif
