/*
 * The world that the engine is proven in, on a virtual clock: the host and its guests (simxen's
 * model), the hypervisor process with its actions, the store, agentx with its managers, the prober,
 * and people who use xl by hand. No thread, no socket, no file: a run is a function of the scenario
 * and of nothing else.
 *
 * All that happens is a timer of the model's heap: ordered by time, ties by the order in which they
 * were set. Latencies come from the scenario's seed, by what they are of and when (world_lag()), so
 * that leaving out one thing of a scenario changes nothing else.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/messages.h"
#include "config/config.h"
#include "engine/engine.h"
#include "engine/journal.h"
#include "hypervisor/facts.h"
#include "tests/sim/scenario.h"
#include "tools/simxen/inject.h"
#include "tools/simxen/model.h"

#define WALL_BEGIN_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z at the scenario's 0 */
#define BOOTED_MS 100000		     /* the host had begun so long before that */

/* What takes time. */
enum lag {
	LAG_STATES,  /* a pass of the states */
	LAG_FIGURES, /* a pass of the figures */
	LAG_WATCH,   /* from a change to the look at it */
	LAG_LINK,    /* a message between two processes */
	LAG_COMMIT,  /* a transaction of the store */
	LAG_STEP,    /* a step of an action */
	LAG_PROBE,   /* an answer of a service */
	LAG_SNMPD,   /* an answer of snmpd, of a manager */
	LAG_PARENT,  /* until a process that died is started again */
	LAG_COUNT
};

/* A service as the world knows it, whatever probes it. */
struct truth {
	uint32_t kind; /* enum service_kind */
	uint16_t port;
	char address[ADDRESS_SIZE];
	char command[64];
	char provider[VM_NAME_SIZE], name[SERVICE_NAME_SIZE];
	struct vm_truth *vm;	    /* NULL: external */
	unsigned place;		    /* in the VM's vmdef */
	enum service_fault lasting; /* each new domain has it from the start */
	enum port_state external;
	bool serves;	  /* it answers, as far as the guest goes */
	int64_t since_ms; /* since then */
};

/* A VM that can be, whether or not it runs or is configured. */
struct vm_truth {
	struct vmdef def;
	struct domain *domain; /* the one that bears its name and is not set aside; NULL: none */
	bool saved;	       /* its state lies in a file */
	int64_t changed_ms;    /* its domain came, went, or changed its state */
	struct timer person;   /* xl of a person at work on it */
	enum verb person_verb;
};

/* ---- the hypervisor process ---- */

enum entry_phase { ENTRY_QUEUED, ENTRY_RUNNING, ENTRY_OVER };

/* An action from MSG_ACTION to MSG_FORGET: the record, and the helper while it runs. */
struct entry {
	TAILQ_ENTRY(entry) next;
	struct world *world;
	struct action action;
	struct outcome outcome;
	enum entry_phase phase;
	struct vm_truth *vm; /* NULL: not one that the world knows */
	uint32_t domid;	     /* that is worked on */
	int stage;
	int64_t until_ms;	   /* what the stage waits for is awaited until then */
	bool monitored, destroyed; /* as found; the guest did not end by itself */
	bool mends, forgotten;	   /* put right after an outcome that is not known */
	struct inject_fate fate;
	struct timer step, deadline;
};

struct hypervisor {
	bool lives;
	struct config *config;
	struct facts facts;
	TAILQ_HEAD(, entry) entries;
	STAILQ_HEAD(, letter) letters; /* to the engine, before the facts */
	struct timer tick, states, figures, look, pump, birth;
	bool states_run, figures_run, urgent, wants_urgent, wants_states, wants_figures;
	int64_t states_begun_ms, figures_begun_ms;
	bool states_silent, figures_silent; /* injected: no answer */
	bool states_failed, figures_failed; /* the pass that runs */
	bool watch_dead;		    /* injected: no urgent look */
	uint64_t repeats;		    /* injected: every so many letters is told twice */
	uint64_t told;
};

struct letter {
	STAILQ_ENTRY(letter) next;
	struct message message;
};

/* ---- the store ---- */

struct store; /* store.c */

/* ---- the engine's process ---- */

struct daemon {
	bool lives;
	struct config *config;
	struct engine *engine;
	struct journal *journal;
	struct record *record;
	int64_t ticked_ms; /* on the host's clock */
	struct timer wake, birth, reload;
	bool rows_whole;
	uint64_t lives_count;
};

/* ---- agentx, snmpd and managers ---- */

struct channel {
	struct world *world;
	bool attached;
};

struct hold_wait; /* agentx.c */
struct agentx {
	bool lives, snmpd_deaf; /* injected: acknowledges nothing */
	struct channel channel; /* the engine's end */
	struct mib_rows rows;	/* what the engine told */
	uint32_t token;
	TAILQ_HEAD(, hold_wait) holds;
	struct {
		uint32_t token;
		enum message_type word;
	} told[64];
	size_t told_next;
	STAILQ_HEAD(, letter) letters; /* to the engine */
	struct timer pump, snmpd, birth;
	struct mib_event notices[64]; /* that snmpd has not acknowledged */
	size_t notices_count;
	uint32_t last_notice; /* the last sequence number that snmpd acknowledged */
};

/* ---- the prober ---- */

enum probe_fault { PROBING_WELL, PROBING_LOSES, PROBING_FAILS, PROBING_SLOW };
struct probing; /* prober.c */
struct prober {
	TAILQ_HEAD(, probing) list;
	enum probe_fault fault;
	int64_t fault_until_ms;
	uint64_t count;
};

struct check;
struct world {
	const struct scenario *scenario;
	struct model *model;
	uint64_t seed;
	int64_t booted_ms; /* model time of the host's begin */
	int64_t wall_skew_ms;
	const char *text; /* the configuration that the parent has checked */
	const char *file; /* and what stands in the file now */
	bool file_broken;
	struct vm_truth *vms;
	size_t vms_count;
	struct truth *truths;
	size_t truths_count;
	struct inject inject; /* faults of actions */
	struct hypervisor hypervisor;
	struct daemon daemon;
	struct store *store;
	struct agentx agentx;
	struct prober prober;
	struct check *check;
	struct armed *ops; /* of the scenario */
	struct trigger *triggers;
	struct timer rest;
	int64_t rested_ms, rest_until_ms;
	uint64_t steps; /* calls into the engine */
	bool ended;
	/* The log. */
	FILE *log, *detail;    /* NULL: none */
	uint64_t hash;	       /* of all that the engine was told and did */
	const char *recording; /* file of the engines' recordings; NULL: none is made */
	int mutation;	       /* enum mutation: how the world lies; 0: not at all */
};

struct world *world_new(const struct scenario *scenario, FILE *log, FILE *detail);
void world_free(struct world *world);

/* Until the scenario's end, or what check found. */
void world_run(struct world *world);

static inline int64_t
world_now(const struct world *world)
{
	return world->model->now_ms;
}

/* What the processes' clocks show. */
struct instant world_instant(const struct world *world);

void world_after(struct world *world, struct timer *timer, int64_t ms, void (*fire)(void *arg),
		 void *arg);
void world_cancel(struct world *world, struct timer *timer);

/* How long it takes; of: whose, or which. */
int64_t world_lag(const struct world *world, enum lag lag, uint64_t of);
/* A random number of the scenario's seed, by what it is for and now. */
uint64_t world_dice(const struct world *world, uint64_t what, uint64_t of);

struct vm_truth *world_vm(const struct world *world, const char *name);
struct vm_truth *world_vm_of_domain(const struct world *world, uint32_t domid);
/* A service by its names in the configuration. */
struct truth *world_truth(const struct world *world, const char *provider, const char *service);
enum port_state world_serves(const struct truth *truth);
void world_fault(struct world *world, struct truth *truth, enum service_fault fault, bool lasting);
/* Whether it answered at some moment within the last ms; all of them long. */
bool world_served_lately(const struct world *world, const struct config_service *service,
			 int64_t ms);
bool world_served_long(const struct world *world, const struct config_service *service, int64_t ms);
/* By what a probe says of itself. */
enum probe_outcome world_probe(const struct world *world, const struct config_service *service);
/* The host goes down and comes up again. */
void world_reboot(struct world *world);

/* A line of the log: for people, and for the golden file; and one that only -v shows. */
void world_say(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_detail(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_hash(struct world *world, const void *data, size_t size);

/* hypervisor.c */
void hypervisor_start(struct world *world);
void hypervisor_kill(struct world *world);
void hypervisor_receive(struct world *world, enum message_type type, const void *body);
void hypervisor_attach(struct world *world);  /* a new engine */
void hypervisor_changed(struct world *world); /* the watch saw something */
void hypervisor_configure(struct world *world);
void hypervisor_tell(struct world *world, enum message_type type, const struct outcome *outcome);
void hypervisor_silence(struct world *world, bool figures, bool on);
void hypervisor_dispose(struct world *world);

/* action.c */
void action_take(struct world *world, const struct action *action);
void action_cancel(struct world *world, const struct action *action);
void action_forget(struct world *world, const struct outcome *outcome);
void action_resend(struct world *world);
void action_serve(struct world *world);
void action_die(struct world *world, struct vm_truth *vm); /* its helper */
void action_orphan(struct world *world); /* the process died: what had not begun is forgotten */
void action_host_down(struct world *world);

/* store.c */
struct store *sim_store_new(struct world *world);
void sim_store_free(struct store *store);
void sim_store_begin(struct store *store);
void sim_store_end(struct store *store);
void sim_store_put(struct store *store, int table, const void *row, store_done *done, void *arg,
		   uint64_t tag);
void sim_store_drop(struct store *store, int table, const void *key);
/* As store_mark(); done's arg is a copy of data. */
void sim_store_mark(struct store *store, store_done *done, const void *data, size_t size);
/* The engine is gone: what is not on disk is lost. Before a clean end that is written. */
void sim_store_crash(struct store *store);
void sim_store_flush(struct store *store);
void sim_store_read(struct store *store, struct store_content *content);
bool sim_store_in_memory(const struct store *store);
void sim_store_lose(struct store *store, bool loses);
void sim_store_fail(struct store *store, bool fails, int64_t slow_ms);

/* daemon.c */
void daemon_start(struct world *world);
void daemon_kill(struct world *world);
void daemon_message(struct world *world, const struct message *message);
void daemon_peer(struct world *world, enum role role, bool there);
void daemon_carry_out(struct world *world);
void daemon_note_store(struct world *world, bool ok, const char *error);
void daemon_reload(struct world *world, const char *text);
void daemon_reload_refused(struct world *world, const char *error);
struct config *sim_config(const char *text, char *error, size_t size);

/* agentx.c */
void agentx_start(struct world *world);
void agentx_kill(struct world *world);
void agentx_attach(struct world *world); /* a new engine */
void agentx_offer(struct world *world);	 /* rows changed */
void agentx_receive(struct world *world, int type, uint32_t detail, const void *body, size_t size);
void agentx_deaf(struct world *world, bool deaf);
struct hold;
/* A SET that agentx has checked, of whom; undo: another part of it is refused after this one was
 * held. */
void agentx_set(struct world *world, const struct hold *hold, const char *whom, bool undo);
void agentx_dispose(struct world *world);

/* prober.c */
void prober_try(struct world *world, uint64_t attempt, const struct config_service *service);
void prober_stop(struct world *world);

/* person.c: xl by hand */
bool person_xl(struct world *world, const char *verb, const char *name);

#endif
