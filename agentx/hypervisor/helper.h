/* The helper that carries out one action: how the hypervisor process starts it. Its main is
 * action_main() of hv.h. */
#ifndef HYPERVISOR_HELPER_H
#define HYPERVISOR_HELPER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/process.h"

struct config;

/* Forks a helper for the record (or to mend what the record's helper left), as the leader of a
 * process group of its own, named lauxend-action. Its pid, or -1. */
pid_t helper_spawn(const struct options *options, const struct config *config, const char *record,
		   bool mend);

#endif
