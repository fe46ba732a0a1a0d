/*
 * A random run before it is a scenario: VMs with their needs and policies, guests, and what
 * happens. Parts can be left out, which is how a run that fails is made small.
 */
#ifndef SIM_DRAFT_H
#define SIM_DRAFT_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/dice.h"
#include "tests/sim/scenario.h"

#define DRAFT_VMS 12
#define DRAFT_EXTERNALS 2
#define DRAFT_SERVICES 3
#define DRAFT_CONFIGS 3 /* the first, and what is read later */

struct draft_service {
	char name[32], kind[8];
	int port;
};

struct draft_vm {
	char name[16];
	bool there[DRAFT_CONFIGS]; /* in that configuration */
	struct draft_service services[DRAFT_SERVICES];
	int services_count;
	char policy[DRAFT_CONFIGS][400]; /* keys of the section */
	struct {
		int provider; /* of a VM; from DRAFT_VMS on an external */
		int service;  /* -1: all */
	} needs[DRAFT_VMS];
	int needs_count;
	int standby; /* -1: none */
	bool watched_by_needs;
	char guest[200];
};

struct draft_op {
	int64_t at_ms;
	char text[120];
	bool kept;   /* false: left out */
	bool pinned; /* cannot be left out */
};

struct draft {
	uint64_t seed;
	struct draft_vm vms[DRAFT_VMS];
	int vms_count;
	bool vm_kept[DRAFT_VMS];
	struct draft_service externals[DRAFT_EXTERNALS];
	int externals_count;
	char head[800]; /* sections agent, hypervisor, supervision */
	struct draft_op *ops;
	size_t ops_count;
	int64_t end_ms; /* 0: the ops say so */
};

void draft_make(struct draft *draft, uint64_t seed);
void draft_make_ops(struct draft *draft, struct dice *dice); /* a part of that */
void draft_dispose(struct draft *draft);

/* What is kept of it, as a scenario. */
void draft_scenario(const struct draft *draft, struct scenario *scenario);

#endif
