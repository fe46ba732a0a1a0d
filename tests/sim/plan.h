/*
 * A random run before it is a scenario: VMs with their needs and policies, guests, and what
 * happens. Parts can be left out, which is how a run that fails is made small.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/dice.h"
#include "tests/sim/scenario.h"

#define PLAN_VMS 12
#define PLAN_EXTERNALS 2
#define PLAN_SERVICES 3
#define PLAN_CONFIGS 3 /* the first, and what is read later */

struct plan_service {
	char name[32], kind[8];
	int port;
};

struct plan_vm {
	char name[16];
	bool there[PLAN_CONFIGS]; /* in that configuration */
	struct plan_service services[PLAN_SERVICES];
	int services_count;
	char policy[PLAN_CONFIGS][400]; /* keys of the section */
	struct {
		int provider; /* of a VM; from PLAN_VMS on an external */
		int service;  /* -1: all */
	} needs[PLAN_VMS];
	int needs_count;
	int standby; /* -1: none */
	bool watched_by_needs;
	char guest[200];
};

struct plan_op {
	int64_t at_ms;
	char text[120];
	bool kept;   /* false: left out */
	bool pinned; /* cannot be left out */
};

struct plan {
	uint64_t seed;
	struct plan_vm vms[PLAN_VMS];
	int vms_count;
	bool vm_kept[PLAN_VMS];
	struct plan_service externals[PLAN_EXTERNALS];
	int externals_count;
	char head[800]; /* sections agent, hypervisor, supervision */
	struct plan_op *ops;
	size_t ops_count;
	int64_t end_ms; /* 0: the ops say so */
};

void plan_make(struct plan *plan, uint64_t seed);
void plan_make_ops(struct plan *plan, struct dice *dice); /* a part of that */
void plan_dispose(struct plan *plan);

/* What is kept of it, as a scenario. */
void plan_scenario(const struct plan *plan, struct scenario *scenario);

#endif
