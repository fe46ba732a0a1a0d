/*
 * What each verb is made of, the same for every hypervisor: the checks before, the driver's steps,
 * the wait for what must follow, and the look at the states that decides about the outcome.
 *
 *   start     refused while a domain bears the name or the UUID; then the memory that the
 *             configuration names is set
 *   shutdown  asks the guest, waits up to shutdown_ms for its death, then destroys it or fails, as
 *             configured. The dead domain is removed: by the monitor it has, else here
 *   reboot    asks the guest, waits likewise; then a monitored domain comes up again by its
 *             monitor, any other is removed and started here. outcome's domid is the new domain
 *   reap      removes a domain that is shut down, and only such a one, of which no monitor takes
 *             care; none is left is a success
 *   replace   reap, then start
 *   restart   as shutdown, but that the domain is destroyed in any case; then start. None is left
 *             is no hindrance
 *
 * pause, unpause, destroy, save, restore and memory are done when the states say so.
 *
 * reap and replace do first what action->number (enum on_action) says: a core dump, for which half
 * of the time is given and whose failure is told but stops nothing; or, for rename-restart, the
 * domain is not removed but set aside.
 */
#ifndef HYPERVISOR_SEQUENCE_H
#define HYPERVISOR_SEQUENCE_H

#include <stdint.h>

#include "hypervisor/hv.h"

struct sequence {
	const struct hv_driver *driver;
	struct hv *hv;
	const struct config *config;
	int64_t deadline_ms;	       /* clock_mono_ms(): by then it gives up waiting */
	void (*say)(const char *text); /* each step, for a person; may be NULL */
};

/* Carries out an action that action_check() found good; fills outcome but id and journal. */
void sequence_run(const struct sequence *sequence, const struct action *action,
		  struct outcome *outcome);

#endif
