/* The helper that carries out one action: how the hypervisor process starts it. Its main is
 * action_main() of hv.h. */
#ifndef HYPERVISOR_HELPER_H
#define HYPERVISOR_HELPER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/process.h"
#include "config/config.h"

/*
 * Keeps config in run_dir/actions/config for the helpers, so that they work with what the process
 * works with while the file itself may be half edited. Where that fails they read the file.
 */
void helper_write_config(const char *run_dir, const struct config *config);

/* Execs a helper for the record (or to mend what the record's helper left), as the leader of a
 * process group of its own. Its pid, or -1. */
pid_t helper_spawn(const struct options *options, const char *run_dir, const char *record,
		   bool mend);

#endif
