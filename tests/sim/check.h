/*
 * What must hold at each step of any run, whatever happens. The world tells what went on; the first
 * rule that is broken ends the run, with its name. check_*.c has a rule a function.
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "tests/sim/world.h"

struct check *check_new(struct world *world);
void check_free(struct check *check);

void check_fail(struct world *world, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool check_failed(const struct check *check);
const char *check_rule(const struct check *check); /* that was broken; "" */
const char *check_text(const struct check *check);

/* The engine: a new one with what it was given, its configuration, its end. */
void check_born(struct world *world, const struct store_content *content);
void check_loaded(struct world *world);
void check_died(struct world *world);
void check_agentx(struct world *world); /* a new agentx process */

/* After each call into it, when all effects were carried out. */
void check_step(struct world *world);

/* An effect, before it is carried out; false: it is not to be (a lie of the world). */
bool check_effect(struct world *world, struct effect *effect);

/* A message of the hypervisor process reaches it; an answer of the prober does. */
void check_told(struct world *world, const struct message *message);
void check_probed(struct world *world, const struct config_service *service,
		  struct probe_report *report);

/* A helper begins; an action is over. */
void check_started(struct world *world, const struct action *action);
void check_outcome(struct world *world, const struct action *action, const struct outcome *outcome);

/* A row is on disk (NULL: all that memory held). */
void check_durable(struct world *world, int table, const void *row);

/* A manager was told noError; snmpd acknowledged; a row of agentx changed. */
void check_accepted(struct world *world, const struct hold *hold, const char *whom, uint32_t token);
void check_handed(struct world *world, const struct mib_event *event);
void check_row(struct world *world, int kind, const void *old, const void *row);

/* In the world: a domain changed; a person did verb to a VM (shutdown, pause, start, ...). */
void check_domain(struct world *world, const struct domain *d, enum model_change change);
void check_person(struct world *world, struct vm_truth *vm, enum verb verb);
void check_healed(struct world *world);
void check_booted(struct world *world);

/* How many actions of that kind went out. */
unsigned check_actions(const struct world *world, uint32_t verb, const char *vm);
/* How many events of that type were made, of that VM; "": of any or none. */
unsigned check_events(const struct world *world, enum event_type type, const char *vm);

/* How long it may take until all is at rest, once nothing happens any more; and that it is. */
int64_t check_bound_ms(const struct world *world);
bool check_rests(struct world *world, char *why, size_t size); /* why not */
void check_rest(struct world *world);

#endif
