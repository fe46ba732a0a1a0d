/* What the engine's files share. Nobody else includes this. */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include <sys/queue.h>

#include "engine/engine.h"

struct vm;

/* A domain as the hypervisor listed it last; key domid. */
struct domain {
	uint32_t domid;
	bool named; /* figures came: the name is known */
	bool seen;  /* by the hypervisor process of now */
	bool cpu_known;
	uint32_t cpu_used; /* hundredths of a percent of one CPU */
	struct fact_domain state;
	struct fact_figures figures;
	uint64_t cpu_ns; /* at cpu_mono_us: where the next difference is taken from */
	int64_t cpu_mono_us;
	struct vm *vm; /* NULL: Domain-0, a stub domain, or not known yet */
};

struct request {
	TAILQ_ENTRY(request) next; /* in the order of their acceptance */
	struct store_request kept;
	struct vm *vm;	     /* NULL: its VM is no more */
	bool sent;	     /* to the hypervisor process; at most one a VM */
	bool settled;	     /* the final state is in the store */
	uint32_t removal;    /* token of the hold that cancels it; 0: none does */
	int64_t accepted_ms; /* mono; 0: by an engine before this one */
	int64_t ended_ms;    /* the same */
	bool shown;	     /* by the row of its VM, as what was last asked for */
	uint32_t previous;   /* verb or MiB of that row, should this one be undone */
};

struct vm {
	TAILQ_ENTRY(vm) next; /* those of the configuration first, in the order of the file */
	struct store_vm kept;
	const struct config_vm *config; /* NULL: found on the host */
	struct domain *domain;		/* NULL: none lives */
	uint64_t action;		/* id of the action that runs for it; 0: none */
	uint32_t verb;			/* of that action: enum verb, enum action_extra */
	uint32_t action_domid;		/* the domain that it was started for */
	uint32_t ended_domid;	/* an action that succeeded ended it, listed or not; 0: none */
	uint32_t ended_verb;	/* that action's */
	int64_t await_until_ms; /* mono: an action made a domain that is not listed yet; 0: none */
	uint32_t done_verb;	/* of the last action that succeeded */
	int64_t done_ms;	/* mono */
	uint32_t died;		/* enum shutdown_reason of the last domain */
	uint32_t failed_verb;	/* of the last action where that did not succeed, else 0 */
	uint32_t failed_state;	/* and what it came to: enum request_state */
	int64_t born_ms;	/* mono: since when the domain is known */
	int64_t gone_ms;	/* mono: as kept.gone_wall_ms; 0: by an engine before this one */
	int64_t bury_at_ms;	/* mono: a dead domain is dealt with not before; 0: not set */
	uint32_t quick_deaths;	/* in a row */
	bool crashed;		/* and does not run again yet */
	uint32_t buried;	/* enum shutdown_reason of the dead domain that is being replaced */
	bool reaped;		/* the dead domain was dealt with, or is to stay */
	bool owed;		/* a start after a death, which was cut off */
	bool unsaved;		/* kept differs from the store */
	bool touched;		/* in the engine's list, to be settled */
	TAILQ_ENTRY(vm) touched_next;
};

struct queued_effect {
	STAILQ_ENTRY(queued_effect) next;
	struct effect effect;
};

struct engine {
	struct instant now;
	const struct config *config;
	uint64_t journal;
	uint32_t next_sequence;
	uint64_t next_request;

	TAILQ_HEAD(, vm) vms;
	TAILQ_HEAD(, vm) touched;
	TAILQ_HEAD(, request) requests;
	STAILQ_HEAD(, queued_effect) effects;

	struct rowset domains;	   /* struct domain */
	struct rowset nets, disks; /* facts */
	struct rowset early;	   /* struct fact_figures of domains that are not listed yet */
	struct fact_host host;
	struct mib_rows rows;

	bool hypervisor_there, agentx_there; /* the processes */
	bool states_ok, figures_ok;	     /* the last passes */
	bool states_told, figures_told;	     /* there was one, well or not */
	bool sweep; /* a new hypervisor process: domains that it does not list are gone */
	bool sweep_devices;
	bool looked; /* a states pass was complete once: who has no domain is down */
	bool lost;   /* the journal says that the hypervisor is lost */
	bool figures_lost;
	struct fact_sample states, figures; /* the last of each */
	uint64_t host_cpu_ns;		    /* of all domains, at host_cpu_us */
	int64_t host_cpu_us;
	uint32_t host_cpu_used;
	bool host_cpu_known;
	int64_t tick_ms;	 /* mono: of the last tick */
	int64_t unheard_ms;	 /* since a pass of the states was told, well or not */
	int64_t held_until_ms;	 /* mono: then held requests of an engine before us are released */
	int64_t housekeeping_ms; /* mono: next */
	int64_t table_change_ms; /* mono: a row of vmTable came or went */
	uint64_t internal_actions;
};

/* engine.c */
struct effect *engine_effect(struct engine *engine, enum effect_type type);
/* An event of vm (may be NULL); the caller may fill more of it until the next effect is made. */
struct mib_event *engine_event(struct engine *engine, enum event_type type, const struct vm *vm);

/* vm.c: who is who, and what state it is in */
struct vm *vm_new(struct engine *engine, const uint8_t uuid[UUID_SIZE], const char *name);
struct vm *vm_find_index(const struct engine *engine, uint32_t index);
struct vm *vm_find_uuid(const struct engine *engine, const uint8_t uuid[UUID_SIZE]);
struct vm *vm_find_name(const struct engine *engine, const char *name);
void vm_touch(struct engine *engine, struct vm *vm);
void vm_touch_all(struct engine *engine);
void vm_settle_touched(struct engine *engine);
void vm_load(struct engine *engine);	     /* the configuration changed */
void vm_take_uuids(struct engine *engine);   /* after the first look */
void vm_housekeeping(struct engine *engine); /* forgets who is gone for long */
enum vm_owner vm_owner(const struct engine *engine, const struct vm *vm);
/* What an action did to its domain is not listed yet. */
bool vm_is_foreseen(const struct engine *engine, const struct vm *vm);
/* mono_ms when it is to be looked at again though nothing came; INT64_MAX: never. */
int64_t vm_deadline(const struct engine *engine, const struct vm *vm);
bool vm_has_row(const struct vm *vm);
/* What a verb that succeeded makes of a VM; 0: no state, or a verb that makes none. */
enum vm_state vm_state_after(uint32_t verb);

/* domain.c: facts about domains */
void domain_state(struct engine *engine, const struct message *message);
void domain_figures(struct engine *engine, const struct message *message);
void domain_sample(struct engine *engine, const struct message *message);
void domain_unheard(struct engine *engine); /* nor has anything been for long */
void domain_sweep(struct engine *engine);   /* a new hypervisor process: notes whom it lists */
void domain_attach(struct engine *engine, struct vm *vm, struct domain *domain);
/* One is there whose name is not known yet, nor its VM. */
bool domain_is_nameless(const struct engine *engine);
struct domain *domain_find(const struct engine *engine, uint32_t domid);

/* death.c: what becomes of a dead domain that is ours */
void death_settle(struct engine *engine, struct vm *vm);
/* Tries again later; a start only where it was cut off and not refused. */
void death_failed(struct engine *engine, struct vm *vm, bool cut_off);
int64_t death_deadline(const struct engine *engine, const struct vm *vm);

/* request.c: the requests that are known, and their ends */
bool request_is_open(const struct request *request);
struct request *request_find(const struct engine *engine, uint64_t number);
struct request *request_find_id(const struct engine *engine, const char *id);
void request_put(struct engine *engine, struct request *request); /* stored and shown as it is */
void request_remove(struct engine *engine, struct request *request);
void request_restore(struct engine *engine, const struct store_content *content);
void request_tell_ends(struct engine *engine, const struct store_content *content);
struct mib_event *request_event(struct engine *engine, enum event_type type,
				const struct request *request);
void request_announce(struct engine *engine, const struct request *request); /* its end */
void request_finish(struct engine *engine, struct request *request, const struct outcome *outcome);
void request_stored(struct engine *engine, uint64_t number, int state, bool durable);
void request_housekeeping(struct engine *engine);
uint32_t request_open_count(const struct engine *engine);

/* hold.c: how a SET becomes a request */
void request_hold(struct engine *engine, const struct message *message);
void request_hold_stored(struct engine *engine, struct request *request, bool durable);
void request_removal_stored(struct engine *engine, struct request *request, bool durable);
void request_release(struct engine *engine, const struct message *message);
void request_drop(struct engine *engine, const struct message *message);
void request_release_held(struct engine *engine, bool all);

/* dispatch.c: actions, on to the hypervisor process and back */
void request_dispatch(struct engine *engine, struct vm *vm);
/* Starts an action that no manager asked for; number as ACTION_REAP says. */
void request_internal(struct engine *engine, struct vm *vm, uint32_t verb, uint32_t number);
void request_resend(struct engine *engine); /* a new hypervisor process */
void request_started(struct engine *engine, const struct message *message);
void request_outcome(struct engine *engine, const struct message *message);
void request_forget(struct engine *engine, uint64_t id, uint64_t journal);

/* rows.c: facts into rows */
void rows_put_vm(struct engine *engine, struct vm *vm, enum vm_state state);
void rows_put_host(struct engine *engine);
void rows_put_request(struct engine *engine, const struct request *request);
void rows_drop_vm(struct engine *engine, const struct vm *vm);
void rows_pool(struct engine *engine, const struct message *message);
void rows_host(struct engine *engine, const struct message *message);
void rows_net(struct engine *engine, const struct message *message);
void rows_disk(struct engine *engine, const struct message *message);
void rows_put_devices(struct engine *engine, const struct vm *vm);
void rows_drop_devices(struct engine *engine, uint32_t vm_index);

#endif
