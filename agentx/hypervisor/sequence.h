/*
 * What each verb is made of, the same for every hypervisor: the checks before, the driver's steps,
 * the wait for what must follow, and the look at the states that decides about the outcome.
 *
 *   start     refused while a domain bears the name or the UUID; then the memory that the
 *             configuration names is set
 *   shutdown  asks the guest, waits up to shutdown_ms for its death, then destroys it or fails, as
 *             configured. The dead domain is removed: by the monitor it has, else here
 *   reboot    asks the guest, waits likewise; then a monitored domain comes up again by its
 * monitor, any other is removed and started here. outcome's domid is the new domain pause, unpause,
 * destroy, save, restore, memory   done when the states say so reap      removes a domain that is
 * shut down, and only such a one; none is left is a success replace   reap, then start
 */
#ifndef HYPERVISOR_SEQUENCE_H
#define HYPERVISOR_SEQUENCE_H

#include <stdint.h>

#include "hypervisor/hv.h"

#define ACTION_DEADLINE_MAX_MS (24 * 3600 * 1000u)

struct sequence {
	const struct hv_driver *driver;
	struct hv *hv;
	const struct config *config;
	int64_t deadline_ms;	       /* clock_mono_ms(): by then it gives up waiting */
	void (*say)(const char *text); /* each step, for a person; may be NULL */
};

/* Verbs with enum action_extra, as a person types them. */
extern const struct name action_verb_names[];

/* The configuration's entry of the VM that action means: by name, else by UUID; or NULL. */
const struct config_vm *action_vm(const struct config *config, const struct action *action);

/* Whether the action is one that may be tried: verb, VM, number. False with error. */
bool action_check(const struct config *config, const struct action *action, char *error);

/* What an action of this verb may take, where nobody says. */
uint32_t action_deadline_ms(const struct config *config, uint32_t verb);

/* Carries out a checked action; fills outcome but id and journal. */
void sequence_run(const struct sequence *sequence, const struct action *action,
		  struct outcome *outcome);

#endif
