/* What the files of the ops share: each is called with its line's words, the first of them its own;
 * false: they make no sense. */
#ifndef SIM_OPS_INTERNAL_H
#define SIM_OPS_INTERNAL_H

#include "tests/sim/ops.h"

struct op_call {
	struct world *world;
	const struct scenario_line *line;
	char *const *words; /* the first is the op's own */
	int count;
};

typedef bool op(struct op_call *call);

/* The VM that a word names, or NULL. */
struct vm_truth *op_vm(const struct op_call *call, int word);

/* ops_agent.c: lauxend's processes and its configuration, managers */
op op_agent, op_engine, op_hypervisor, op_agentx, op_host, op_request, op_cancel, op_file,
    op_reload;

/* ops_world.c: guests, people, and what fails */
op op_crash, op_hang, op_poweroff, op_reboot, op_service, op_used, op_xl, op_silence, op_watch,
    op_repeat, op_snmpd, op_probing, op_store, op_inject, op_helper, op_heal, op_wall, op_memory;

#endif
