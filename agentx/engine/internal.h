/* What the engine's files share. Nobody else includes this. */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include <sys/queue.h>

#include "base/timers.h"
#include "engine/engine.h"

#define MEMORY_REST_MS 3600000 /* memory that a person has set stays so long */

struct vm;
struct need;
struct target;

/*
 * A service that a VM or an external host offers, or offered: its index outlives its section. What
 * is known of it is what its carrier is (the hypervisor's word), and what attempts to reach it came
 * to (service.c).
 */
struct service {
	struct store_service kept;
	const struct config_service *config; /* NULL: no section names it */
	const struct config_provider *provider;
	const struct config_external *external; /* NULL: it is a VM's */
	struct vm *vm;				/* whose it is; NULL: an external host's */
	struct service *stand_in; /* of the standby of its VM, by its name; NULL: it has none */
	struct service *stood_in; /* the reverse */
	struct need **needed_by;  /* in the engine's order */
	size_t needed_by_count;
	struct target *target;
	bool watched; /* it is probed now; else its state is its carrier's */
	enum service_state state;
	int64_t since_wall_ms;
	int64_t down_ms;		   /* mono: since when it is down */
	bool answered;			   /* since its VM was started */
	bool was_up;			   /* once, as this section has it */
	bool failed_told, dependency_told; /* events whose other half is still to come */
	uint64_t first_attempt;		   /* what came of an earlier one says nothing of now */
	uint32_t rises, failures, errors;  /* in a row */
	int64_t failed_ms;		   /* mono: when the last attempt that failed began */
	int64_t probed_ms;		   /* mono: when the last answer came; 0: never */
	uint32_t latency_us;
	uint32_t changes; /* of its state */
	uint32_t waiters; /* launches that wait for it */
	char text[TEXT_SIZE];
	struct mib_service *row; /* NULL: it has none */
};

/* What several services may have in common: one attempt serves them all. */
struct target {
	struct engine *engine;
	struct service **services; /* in the order of the file */
	size_t services_count;
	char *command; /* its own, as configurations go */
	uint32_t kind, payload;
	uint16_t port;
	char address[ADDRESS_SIZE];
	uint64_t attempt;	   /* that is not answered yet; 0: none */
	int64_t asked_ms, late_ms; /* mono: when it began, when it is not waited for any more */
	int64_t hurry_ms;	   /* mono: the next one not later; INT64_MAX: by the interval */
	struct timer timer;
};

/* That a VM needs a service. */
struct need {
	struct vm *vm;
	struct service *service;
	enum dependency_state state;
	int64_t since_wall_ms;
	struct mib_dependency *row; /* both as long as the graph stands */
	struct mib_required *required;
};

/* What a VM is to its services. */
enum presence {
	PRESENCE_UNKNOWN, /* not looked at yet */
	PRESENCE_OFF,
	PRESENCE_SUSPENDED, /* paused, or being saved */
	PRESENCE_RUNS,
};

/* What supervision has in mind with a VM (policy.c, care.c). Times on the monotonic clock. */
struct policy {
	int64_t wake_ms; /* it is settled again by then; INT64_MAX: only if something comes */
	enum monitor_state monitor;
	bool well;	       /* as vm_is_well() has it */
	bool away;	       /* it is off, and nothing brings it up */
	bool hopeless;	       /* only a person can make it answer again */
	int64_t since_wall_ms; /* since when it is as its row of the plan says */
	char why[TEXT_SIZE];   /* of the last action of ours */
	char error[TEXT_SIZE]; /* why the last that failed did */
	int64_t retry_ms;      /* nothing of ours is tried before */
	uint32_t fails;	       /* actions of ours that failed, in a row */
	bool stop_failed;      /* of this domain a stop of ours did */
	bool launching;	       /* its launch is wanted; those that it needs know that it waits */
	int64_t launching_ms;  /* since then */
	int64_t ready_ms;      /* since when it has all that it needs; 0: it has not */
	int64_t due_ms;	       /* since when a restart is due; 0: it is not */
	int64_t restarts_ms[RESTARTS_KEPT]; /* as kept.restarts_wall_ms */
	uint32_t restarts_row;		    /* and all was not well between */
	bool counted;			    /* the start that runs is one of them */
	bool
	    fresh; /* its next start is none, whatever was before: a person wants it, or the boot */
	int64_t maintenance_ms; /* as kept.maintenance_wall_ms */
	bool deferred;		/* it is one that engine->deferred speaks of */
	bool spoken;		/* a person has asked for something since this engine began */
	int64_t memory_rest_ms; /* as kept.memory_rest_wall_ms */
	int64_t memory_ms;	/* of the last change by us */
	int64_t memory_next_ms; /* the next not before */
};

struct member;
struct plan;

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

/* A SET, or a client of the control socket, that waits for a held request. */
struct holder {
	TAILQ_ENTRY(holder) next;
	uint32_t token;
	bool by_hand; /* of the control socket: what becomes of agentx is nothing to it */
};

struct request {
	TAILQ_ENTRY(request) next;  /* in the order of their acceptance */
	TAILQ_ENTRY(request) of_vm; /* of its VM's open ones, in the same order */
	bool listed;		    /* there */
	struct store_request kept;
	struct vm *vm;	     /* NULL: its VM is no more */
	bool sent;	     /* to the hypervisor process; at most one a VM */
	bool sent_before;    /* by an engine before this one */
	bool settled;	     /* the final state is in the store */
	uint32_t removal;    /* token of the hold that cancels or removes it; 0: none does */
	bool cancels;	     /* the removal found it open */
	int64_t accepted_ms; /* mono; 0: by an engine before this one */
	int64_t ended_ms;    /* the same */
	bool on_disk;	     /* at least as it is held */
	TAILQ_HEAD(, holder) holders; /* while it is held; equal ones share it */
	struct plan *plan;	      /* that it made; NULL: it is over, or none for plan.c */
	bool shown;		      /* by the row of its VM, as what was last asked for */
	uint32_t previous;	      /* verb or MiB of that row, should this one be undone */
};

struct vm {
	TAILQ_ENTRY(vm) next; /* those of the configuration first, in the order of the file */
	struct engine *engine;
	size_t rank;			/* its place in the engine's order */
	struct store_vm kept;		/* name and uuid are set by vm_set_name(), vm_set_uuid() */
	const struct config_vm *config; /* NULL: found on the host */
	struct domain *domain;		/* NULL: none lives */
	uint64_t action;		/* id of the action that runs for it; 0: none */
	uint32_t verb;			/* of that action: enum verb, enum action_extra */
	uint32_t action_domid;		/* the domain that it was started for */
	int64_t await_until_ms; /* mono: an action made a domain that is not listed yet; 0: none */

	/* What actions did to it, the last of each kind. domid: that it was begun for; by_us: it
	 * was no request's; times on the monotonic clock. */
	struct {
		uint32_t verb, domid; /* domid 0: none */
		uint32_t state;	      /* what it came to where the domain lived on; else 0 */
		int64_t ms;	      /* of its begin or end */
		bool by_us;
	} acted; /* that is to end a domain */
	struct {
		uint32_t verb, domid; /* domid 0: none */
	} ended;		      /* that did, whether the domain was listed or not */
	struct {
		uint32_t domid; /* the new one; 0: none */
		bool by_us;
	} made; /* that made a domain */
	struct {
		uint32_t verb, domid;
		int64_t ms, read_us; /* read_us: of what was known of the domain then */
		bool by_us;
	} done; /* that succeeded */
	struct {
		uint32_t verb, state; /* verb 0: it succeeded; state: enum request_state */
		bool by_us;
	} failed; /* the last of all, where it did not succeed */

	bool own_unsure;       /* whether the hypervisor process of now knows of own */
	struct action own;     /* the action that runs, where it is ours and this engine began it */
	enum vm_state state;   /* as its row shows it; kept.state is the last that was known */
	uint32_t died;	       /* enum shutdown_reason of the last domain */
	int64_t born_ms;       /* mono: since when the domain is known */
	int64_t gone_ms;       /* mono: as kept.gone_wall_ms; 0: by an engine before this one */
	int64_t bury_at_ms;    /* mono: a dead domain is dealt with not before; 0: not set */
	uint32_t quick_deaths; /* in a row */
	bool crashed;	       /* and does not run again yet */
	uint32_t buried;       /* enum shutdown_reason of the dead domain that is being replaced */
	bool reaped;	       /* the dead domain was dealt with, or is to stay */
	uint32_t burials, unburied_domid; /* how many failed, of the dead domain of that id */
	bool owed;			  /* a start after a death, which was cut off */
	bool unsaved;			  /* kept differs from the store */
	bool touched;			  /* to be settled */
	uint32_t shown;			  /* state that its row shows; 0: it has none */
	struct mib_vm *row;		  /* NULL: it has none */
	struct mib_plan *plan_row;	  /* likewise */

	/* graph.c: what the configuration says of it and the others */
	struct vm *standby, *primary; /* NULL: none */
	bool deserted;		      /* who was its standby when it was replaced is that no more */
	struct service **services;    /* its own, in the order of the file */
	size_t services_count;
	struct need *needs; /* likewise */
	size_t needs_count;
	struct vm **providers;	/* whose services it needs, and their standbys; none twice */
	struct vm **dependents; /* the reverse */
	size_t providers_count, dependents_count;
	uint32_t wave; /* 1: needs no VM; else one more than the highest of its providers */
	size_t mark;   /* of who walks the graph */

	/* service.c */
	bool known; /* kept.state is that of now, or of when the hypervisor answered last */
	enum presence presence;
	uint32_t presence_domid; /* the domain that this was last said of */
	int64_t boot_left_ms;	 /* of its boot allowance, when it was last running or stopped */
	int64_t boot_since_ms;	 /* mono: since then it runs */
	bool boot_found; /* its start was before we looked: the allowance is what that leaves of it
			  */
	uint32_t needs_ok, needs_failed; /* how many */

	struct policy policy;

	/* plan.c */
	TAILQ_HEAD(, member) members;	/* its places in plans */
	bool stopping;			/* it is to be shut down in its turn */
	uint32_t busy_dependents;	/* that are, or have one that is */
	struct timer timer;		/* when it is touched next though nothing came */
	TAILQ_HEAD(, request) requests; /* open ones */
};

/* What a VM is found by: each of its three sets is ordered by one of these. */
struct vm_key {
	uint8_t uuid[UUID_SIZE];
	char name[VM_NAME_SIZE];
	uint32_t index;
	struct vm *vm;
};

struct service_key {
	char provider[VM_NAME_SIZE];
	char name[SERVICE_NAME_SIZE];
	uint32_t index;
	struct service *service;
};

struct target_key {
	struct target *target;
};

struct attempt {
	uint64_t number;
	struct target *target;
};

struct request_key {
	uint64_t number;
	char id[REQUEST_ID_SIZE];
	struct request *request;
};

/* What a configuration says of all VMs together; the VMs and services point into it. */
struct graph {
	struct service **services; /* those of VMs, then those of externals */
	size_t services_count;
	struct service **target_services; /* by target */
	struct need *needs;
	struct need **needed_by; /* the same, by service */
	size_t needs_count;
	struct vm **providers, **dependents;
};

struct queued_effect {
	STAILQ_ENTRY(queued_effect) next;
	struct effect effect;
};

struct engine {
	struct instant now;
	void (*observe)(void *arg, const struct engine_call *call);
	void *observe_arg;
	const struct config *config;
	uint64_t journal;
	uint32_t next_sequence;
	uint64_t next_request;

	TAILQ_HEAD(, vm) vms;
	struct rowset vms_by_index, vms_by_uuid, vms_by_name; /* struct vm_key */
	struct vm **order; /* the same, in the order in which they are settled */
	size_t order_count, order_room;
	size_t touched_count, touched_from; /* all that are touched have this rank or a later one */
	uint32_t shown[VM_CRASHED + 1];	    /* rows of VMs, by state */
	const struct vm *settling;	    /* the one that is being settled; NULL: none is */
	bool host_changed;		    /* what the host's row shows */
	TAILQ_HEAD(, request) requests;
	size_t requests_count;
	struct rowset requests_by_number, requests_by_id; /* struct request_key */
	STAILQ_HEAD(, queued_effect) effects;
	struct timers timers;

	struct rowset services_by_name, services_by_index; /* struct service_key */
	struct rowset targets;				   /* struct target_key */
	struct rowset attempts; /* struct attempt: those that are not answered */
	uint64_t next_attempt;
	struct graph graph;

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
	bool nameless; /* a domain has no name yet, and no figures ever came: it may be any VM */
	bool looked;   /* a states pass was complete once: who has no domain is down */
	bool partial;  /* a pass of the states is under way: some of them are of before, some of now
			*/
	bool deferred; /* a VM is to be settled again once it is complete */
	bool lost;     /* the journal says that the hypervisor is lost */
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
	bool own_unsure; /* of some VM */

	TAILQ_HEAD(, plan) plans;
	bool boot_known;	    /* of the host, by a look of ours */
	uint8_t boot_id[UUID_SIZE]; /* as the store has it; zero: it knows of none */
	bool unseen;		    /* a VM is */
	uint64_t promised_mib;	    /* to VMs: what the host has free may not show it yet */
	int64_t promised_ms;	    /* mono: the last of that */
};

/* engine.c */
struct effect *engine_effect(struct engine *engine, enum effect_type type);
/* An event of vm (may be NULL); the caller may fill more of it until the next effect is made. */
struct mib_event *engine_event(struct engine *engine, enum event_type type, const struct vm *vm);

/* vms.c: which VMs there are */
void vms_init(struct engine *engine);
void vms_dispose(struct engine *engine);
struct vm *vm_new(struct engine *engine, const uint8_t uuid[UUID_SIZE], const char *name);
void vm_restore(struct engine *engine, const struct store_vm *kept);
/* These two change what it is found by. With another UUID it is another row of the store. */
void vm_set_uuid(struct engine *engine, struct vm *vm, const uint8_t uuid[UUID_SIZE]);
void vm_set_name(struct engine *engine, struct vm *vm, const char *name);
struct vm *vm_find_index(const struct engine *engine, uint32_t index);
struct vm *vm_find_uuid(const struct engine *engine, const uint8_t uuid[UUID_SIZE]);
struct vm *vm_find_name(const struct engine *engine, const char *name);
void vm_touch(struct engine *engine, struct vm *vm);
void vm_touch_pair(struct engine *engine, struct vm *vm); /* and the one that waits for it */
void vm_touch_all(struct engine *engine);
void vm_settle_touched(struct engine *engine);
void vm_load(struct engine *engine);	     /* the configuration changed */
void vm_take_uuids(struct engine *engine);   /* after the first look */
void vm_housekeeping(struct engine *engine); /* forgets who is gone for long */

/* vm.c: what state a VM is in, and what follows */
void vm_settle(struct engine *engine, struct vm *vm);
enum vm_owner vm_owner(const struct engine *engine, const struct vm *vm);
/* What an action did to its domain is not listed yet. */
bool vm_is_foreseen(const struct engine *engine, const struct vm *vm);
bool vm_has_row(const struct vm *vm);
/* The verb of the action that made the state, and whether that was ours; VERB_NONE: none did. */
uint32_t vm_cause(const struct engine *engine, const struct vm *vm, enum vm_state state);
bool vm_cause_is_ours(const struct vm *vm);
bool vm_is_brought_up(const struct vm *vm); /* by the action that runs */
/* What a verb that succeeded makes of a VM; 0: no state, or a verb that makes none. */
enum vm_state vm_state_after(uint32_t verb);

/*
 * services.c: which services there are. vms, here and below: the VM of each section, by its
 * position. What is the same as in the configuration before keeps what is known of it.
 */
void services_init(struct engine *engine);
void services_restore(struct engine *engine, const struct store_content *content);
void services_dispose(struct engine *engine);
void services_load(struct engine *engine, struct vm *const *vms);
void services_housekeeping(struct engine *engine); /* forgets what is gone for long */
struct service *service_find(const struct engine *engine, const char *provider, const char *name);

/* graph.c: who needs whom, and the order that follows */
void graph_load(struct engine *engine, struct vm *const *vms);
void graph_dispose(struct engine *engine);

/* service.c: what is known of each service */
/* The VM that runs what answers for it: its own, or the standby; NULL: it is an external's. */
struct vm *service_carrier(const struct service *service);
void service_take(struct engine *engine, struct service *service,
		  const struct probe_report *report);	   /* an attempt has ended */
void service_follow(struct engine *engine, struct vm *vm); /* vm's state may be another */
/* The services of vm, by their carrier; state: what they are where that runs. */
void service_carry_all(struct engine *engine, struct vm *vm, enum service_state state);
void service_load(struct engine *engine); /* the graph is another */
void service_wait(struct engine *engine, struct service *service, bool waits); /* a launch */
/* An event of an engine before us: the other half may be ours to tell. */
void service_recall(struct engine *engine, const struct mib_event *event);
bool vm_boots(const struct engine *engine, const struct vm *vm); /* its allowance is not over */
/* Its section is new: what runs may boot still. And when it was started is known better now. */
void boot_find(struct engine *engine, struct vm *vm);
void boot_recall(struct engine *engine, struct vm *vm);

/* target.c: when they are tried */
void target_begin(struct engine *engine, struct target *target);    /* one of them is to be now */
void target_schedule(struct engine *engine, struct target *target); /* anew, by what they are */
void target_try(struct engine *engine, struct target *target);	    /* at once */
void target_report(struct engine *engine, const struct probe_report *report);

/* care.c: what supervision asks of a VM, and what it keeps, each change with its event */
bool vm_is_off(const struct vm *vm);	   /* by the hypervisor's word, without a dead domain */
bool vm_is_preserved(const struct vm *vm); /* with one that stays */
bool vm_has_all(const struct vm *vm);	   /* every service that it needs is up */
bool vm_is_replaced(const struct vm *vm);  /* by its standby */
bool vm_stands_in(const struct vm *vm);	   /* for its primary */
bool vm_in_maintenance(const struct vm *vm);
/* The n-th service that answers only while vm runs: its own, then its primary's where it stands in;
 * NULL: no more. */
struct service *vm_carries(const struct vm *vm, size_t n);
bool vm_is_watched(const struct vm *vm); /* it carries one */
bool vm_is_well(const struct vm *vm);	 /* it runs, and all that it carries is up */
void care_list_needs(const struct vm *vm, char *text, size_t size); /* that are not up, in words */
/* A VM that will not give it by itself what it needs and has not; NULL: there is none. */
const struct vm *care_lacks(const struct vm *vm);
void care_settle(struct engine *engine, struct vm *vm); /* works out what others ask of it */
void care_restore(struct engine *engine, struct vm *vm);
void care_set_goal(struct engine *engine, struct vm *vm, enum plan_goal goal);
void care_set_desired(struct vm *vm, enum vm_desired desired);
/* Somebody did something to it on purpose; why: what. */
void care_leave_alone(struct engine *engine, struct vm *vm, enum vm_desired desired,
		      const char *why);
uint32_t care_restarts(const struct engine *engine, const struct vm *vm); /* in the window */
bool care_may_restart(const struct engine *engine, const struct vm *vm);
void care_count_restart(struct engine *engine, struct vm *vm);
void care_tell_restart(struct engine *engine, struct vm *vm, const char *why); /* and counts */
void care_block(struct engine *engine, struct vm *vm, enum dependency_policy how, const char *why);
void care_unblock(struct engine *engine, struct vm *vm, const char *why);
void care_need_human(struct engine *engine, struct vm *vm, const char *why);
void care_human_over(struct engine *engine, struct vm *vm, const char *why);
void care_maintain(struct engine *engine, struct vm *vm, uint32_t seconds);
void care_end_maintenance(struct engine *engine, struct vm *vm, const char *why);
void care_replace(struct engine *engine, struct vm *vm, const char *why); /* by its standby */
void care_recall(struct engine *engine, struct vm *vm);			  /* the reverse, begun */
void care_release(struct engine *engine, struct vm *vm, const char *why); /* and done */

/* policy.c: the rules */
void policy_settle(struct engine *engine, struct vm *vm);
/* Where neither a primary nor its standby is to replace the other: the other of a VM that is off,
 * which it is not to be started beside; NULL: there is none. */
const struct vm *policy_bar(const struct vm *vm);
const struct vm *policy_bar_is_up(const struct vm *vm);	    /* the same, where that one lives */
bool policy_holds_back(const struct vm *vm, uint32_t verb); /* a request waits for another VM */
void policy_outcome(struct engine *engine, struct vm *vm, uint32_t verb,
		    const struct outcome *outcome);
/* Of a VM that crashed: whether it may be started at once, as its file says, and after what. */
bool policy_may_replace(struct engine *engine, struct vm *vm);
int64_t policy_replace_wait_ms(const struct vm *vm);

/* notice.c: what others do to a VM */
void notice_state(struct engine *engine, struct vm *vm, enum vm_state from, enum vm_state to);
void notice_request(struct engine *engine, struct vm *vm, const struct mib_request *request);
void notice_done(struct engine *engine, struct vm *vm, uint32_t verb); /* as was asked for */
void
notice_host(struct engine *engine); /* a look at the figures, and so at the host, is complete */

/* memory.c: the last rule */
struct memory_marks {
	uint32_t min_mib, max_mib, high, low;
};
struct memory_marks memory_marks(const struct vm *vm); /* as set, else as configured */
bool rule_memory(struct engine *engine, struct vm *vm);

/* plan.c: launch and shutdown of many, as requests that last */
bool plan_takes(const struct request *request);
const char *plan_refusal(const struct engine *engine, const struct hold *hold);
void plan_begin(struct engine *engine, struct request *request);
void plan_restore(struct engine *engine, struct request *request);
void plan_drop(struct engine *engine, struct request *request);
void plan_interrupt(struct engine *engine, struct vm *vm, enum plan_goal goal);
void plan_dispose(struct engine *engine);
void plan_load(struct engine *engine);
void plan_settle(struct engine *engine, struct vm *vm);
void plan_finish_settled(struct engine *engine);
void plan_forget_vm(struct engine *engine, struct vm *vm);
bool plan_names(const struct vm *vm); /* a person's request by its name is under way */
void plan_list_busy(const struct vm *vm, char *text, size_t size); /* what vm waits for */

/* domain.c: facts about domains */
void domain_state(struct engine *engine, const struct message *message);
void domain_figures(struct engine *engine, const struct message *message);
void domain_sample(struct engine *engine, const struct message *message);
void domain_unheard(struct engine *engine); /* nor has anything been for long */
void domain_sweep(struct engine *engine);   /* a new hypervisor process: notes whom it lists */
/* Attaches one that was not vm's so far, as vm had or was known by another: by its UUID. */
void domain_find_other(struct engine *engine, struct vm *vm);
void domain_attach(struct engine *engine, struct vm *vm, struct domain *domain);
/* One is there whose name is not known yet, nor its VM. */
bool domain_is_nameless(const struct engine *engine);
struct domain *domain_find(const struct engine *engine, uint32_t domid);

/* death.c: what becomes of a dead domain that is ours */
void death_settle(struct engine *engine, struct vm *vm);
void death_outcome(struct engine *engine, struct vm *vm, enum request_state state);
bool death_is_reboot(uint32_t reason); /* enum shutdown_reason */
bool death_is_crash(uint32_t reason);
int64_t death_deadline(const struct engine *engine, const struct vm *vm);

/* request.c: the requests that are known, and their ends */
void request_init(struct engine *engine);
void request_dispose(struct engine *engine);
bool request_is_open(const struct request *request);
bool request_is_ours(const struct request *request); /* it ends in the engine */
void request_begin(struct engine *engine, struct request *request);
void request_add(struct engine *engine, struct request *request);
void request_list(struct request *request);   /* its state is another */
void request_orphan(struct request *request); /* its VM goes */
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
void request_settle_all(struct engine *engine); /* the store is well again */
void request_resume(struct engine *engine);	/* plans and the like of an engine before us */
void request_reloaded(struct engine *engine, const char *error); /* ends those that wait for it */
void request_housekeeping(struct engine *engine);
uint32_t request_open_count(const struct engine *engine);

/* holder.c: who waits for a held request */
void holders_init(struct request *request);
void holders_restore(struct request *request); /* of one that an engine before us held */
void holders_dispose(struct request *request);
void holder_add(struct request *request, uint32_t token, bool by_hand);
void holder_remove(struct request *request, struct holder *holder);
struct holder *holder_find(const struct request *request, uint32_t token);
void holders_remove(struct request *request, bool by_hand);
bool holders_have(const struct request *request, bool by_hand);

/* hold.c: how a SET becomes a request */
void request_hold(struct engine *engine, const struct message *message);
void request_hold_by_hand(struct engine *engine, const struct message *message);
void request_hold_stored(struct engine *engine, struct request *request, bool durable);
void request_removal_stored(struct engine *engine, struct request *request, bool durable);
void request_release(struct engine *engine, const struct message *message);
void request_was_released(struct engine *engine, struct request *request);
void request_drop(struct engine *engine, const struct message *message);
void request_release_held(struct engine *engine, bool all);

/* dispatch.c: actions, on to the hypervisor process and back */
void request_dispatch(struct engine *engine, struct vm *vm);
/* Starts an action that no manager asked for; number as struct action has it. */
void request_internal(struct engine *engine, struct vm *vm, uint32_t verb, uint32_t number);
bool request_is_internal(uint64_t id);
void request_resend(struct engine *engine);	/* to a new hypervisor process */
void request_resend_own(struct engine *engine); /* which has told what it knows */
/* What an engine before us sent: once more, or, as the host was booted since, to its end. */
void request_resend_old(struct engine *engine);
void request_end_old(struct engine *engine, const char *why);
void request_started(struct engine *engine, const struct message *message);
void request_outcome(struct engine *engine, const struct message *message);
void request_forget(struct engine *engine, uint64_t id, uint64_t journal);

/* rows.c: facts into rows */
void rows_put_service(struct engine *engine, struct service *service);
void rows_put_plan(struct engine *engine, struct vm *vm);
void rows_touch_need(struct engine *engine, const struct need *need);
void rows_load(struct engine *engine); /* of what the configuration has: services, needs, plan */
void rows_put_vm(struct engine *engine, struct vm *vm, enum vm_state state);
void rows_put_host(struct engine *engine);
void rows_put_request(struct engine *engine, const struct request *request);
void rows_drop_vm(struct engine *engine, struct vm *vm);
void rows_pool(struct engine *engine, const struct message *message);
void rows_host(struct engine *engine, const struct message *message);
void rows_net(struct engine *engine, const struct message *message);
void rows_disk(struct engine *engine, const struct message *message);
void rows_put_devices(struct engine *engine, const struct vm *vm);
void rows_drop_devices(struct engine *engine, uint32_t vm_index);

#endif
