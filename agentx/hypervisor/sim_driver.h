/* What the parts of the driver for simxen share: the handle, and the actions. */
#ifndef HYPERVISOR_SIM_DRIVER_H
#define HYPERVISOR_SIM_DRIVER_H

#include "hypervisor/hv.h"
#include "hypervisor/sim_client.h"

/* What a guest said of its memory, and when that changed last. */
struct inside {
	uint32_t domid;
	uint64_t total_kib, free_kib;
	int64_t mono_ms;
};

struct hv {
	const struct config *config;
	struct sim_client *client;
	bool watching;
	struct inside *inside; /* of the last pass, by domid */
	size_t inside_count;
	uint64_t time_ms; /* simxen's clock at the pass that goes on */
};

/* find() of the driver. */
int sim_find(struct hv *hv, const char *name, uint32_t *domid, char *error);

/* The domain's row of simxen's list; false where there is none, or no list. */
bool sim_look(struct hv *hv, uint32_t domid, struct sx_domain *row);

/* act() and mend() of the driver. */
void sim_act(struct hv *hv, const struct action *action, const struct config_vm *vm,
	     struct outcome *outcome);
void sim_mend(struct hv *hv, const struct action *action, const struct config_vm *vm,
	      struct outcome *outcome);

#endif
