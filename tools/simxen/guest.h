/*
 * The inside of a domain, for model.c only: booting, serving, ending, ballooning, on a clock that
 * stands while the domain is paused. Part of the pure model. What others read of it is in model.h.
 */
#ifndef SIMXEN_GUEST_H
#define SIMXEN_GUEST_H

#include "tools/simxen/model.h"

#define GUEST_LEAST_MIB 16 /* a balloon target below kills the guest, as Xen lets it */

/* Arms what follows birth: booting, or being up at once where the domain was restored. */
void guest_begin(struct domain *d);

/* The clock stops, and goes on. Only called where domain_active() changes. */
void guest_freeze(struct domain *d);
void guest_thaw(struct domain *d);

/* Begins to end with reason, at once or, while booting, as soon as it is up. */
void guest_stop(struct domain *d, enum shutdown_reason reason);

/* Takes what the toolstack asked for, where its kernel runs. */
void guest_see_control(struct domain *d);

/* Answers nothing any more; crashes after_ms later, -1: never. */
void guest_hang(struct domain *d, int64_t after_ms);

/* Has been given too little memory: crashes when the balloon gets there. */
void guest_starve(struct domain *d);

/* False where d has no such service. */
bool guest_set_fault(struct domain *d, const struct vmdef_service *service,
		     enum service_fault fault);

/* In model.c: the domain ends with reason. */
void model_end(struct domain *d, enum shutdown_reason reason);

#endif
