/*
 * The simulated Xen host: its domains, and what becomes of them. Pure: no clock, no sockets, no
 * files. The caller moves the time by model_advance(); the history is a function of the seed, of
 * the commands and of the times at which they were given.
 *
 * It behaves as Xen does towards a toolstack: domids only rise; a domain that has ended stays, with
 * its reason, until somebody destroys it; one that was created with a monitor is seen to by that
 * monitor, as on_poweroff, on_reboot and on_crash say; pauses nest. A guest is one timer on its
 * own clock, which stands while the domain is paused.
 */
#ifndef SIMXEN_MODEL_H
#define SIMXEN_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timers.h"
#include "tools/simxen/vmdef.h"

#define MODEL_ERROR 320

struct model_config {
	uint64_t seed;
	uint32_t cpus;
	uint64_t memory_mib; /* of the host */
	uint64_t dom0_mib;
	int64_t boot_ms;     /* from birth until the services listen, before jitter */
	int64_t shutdown_ms; /* from a guest's decision to end until it has ended */
};

extern const struct model_config model_defaults;

enum domain_phase {
	PHASE_BUILDING, /* the toolstack is still creating it */
	PHASE_LIVE,
	PHASE_SHUTDOWN, /* ended, with a reason */
	PHASE_DYING,
};

enum guest_phase {
	GUEST_BOOTING,
	GUEST_UP,
	GUEST_STOPPING, /* its services have ended, it has not */
	GUEST_HUNG,	/* its kernel does nothing any more; the hypervisor sees it running */
};

enum service_fault { FAULT_NONE, FAULT_HANG, FAULT_STOP };

enum port_state {
	PORT_CLOSED, /* nobody listens: refused */
	PORT_SILENT, /* no answer at all */
	PORT_SERVING,
};

enum model_change {
	CHANGE_BORN,
	CHANGE_STATE,	 /* paused, unpaused, built */
	CHANGE_SHUTDOWN, /* ended; also: a name changed */
	CHANGE_DYING,
	CHANGE_GONE,  /* the last time that the domain is seen */
	CHANGE_GUEST, /* inside only: up, a service fault; the hypervisor does not notice */
};

struct domain {
	uint32_t domid;
	struct vmdef def; /* its UUID is never empty */
	struct model *model;
	enum domain_phase phase;
	enum guest_phase guest;
	enum shutdown_reason reason; /* where phase is PHASE_SHUTDOWN, else unknown */
	unsigned pauses;	     /* nested */
	bool monitor;		     /* somebody's xl waits to act on its end */
	bool reborn;		     /* once it is gone, the same VM is created again */
	bool restored;
	int64_t born_ms;
	uint64_t key; /* all its random figures come from this */

	/* The guest's own clock: active_ms at since_ms, running on while it is not paused. */
	int64_t active_ms, since_ms;
	struct timer guest_timer;
	int64_t guest_left_ms; /* while the clock stands; -1: no timer */
	void (*guest_fire)(void *domain);
	enum shutdown_reason guest_reason; /* with which it is about to end */
	enum shutdown_reason control;	   /* asked for by the toolstack; unknown: nothing */
	bool control_seen;		   /* the guest's kernel has taken it */
	int64_t up_ms;			   /* active time at which it came up; -1: it has not */
	enum service_fault faults[VMDEF_SERVICES];

	/* Memory moves from one amount to another, on the guest's clock. */
	uint64_t from_kib, to_kib, target_kib;
	int64_t moved_ms; /* active time of the start */

	/* CPU time until load changed last, and when that was on the guest's clock. */
	int32_t load_percent; /* -1: the domain's own */
	int64_t load_ms;
	uint64_t cpu_ns[VMDEF_VCPUS];
	char meminfo[2][32]; /* total and free as the guest wrote them; empty: true figures */
	struct timer tool_timer;

	struct endpoint *endpoints; /* of services.c; nothing to the model */
};

/* A service fault that each new domain of that name has from the start. */
struct model_fault {
	char name[VMDEF_TEXT];
	struct vmdef_service service;
	enum service_fault fault;
};

struct model {
	struct model_config config;
	int64_t now_ms;
	struct timers timers;
	struct domain **domains; /* by domid; the first is Domain-0 */
	size_t domain_count, domain_room;
	uint32_t next_domid;
	uint64_t random;
	uint8_t boot_id[UUID_SIZE]; /* random; nothing in the model follows from it */
	bool memory_full;	    /* injected: nothing is free */
	struct model_fault *lasting;
	size_t lasting_count;
	char error[MODEL_ERROR]; /* text of the last error */
	/* Told of each change at once, during the call or the advance that makes it. */
	void (*changed)(void *arg, struct domain *d, enum model_change change);
	void *arg;
};

struct model *model_new(const struct model_config *config,
			void (*changed)(void *arg, struct domain *d, enum model_change change),
			void *arg);
void model_free(struct model *m);

/* Moves the time to now_ms (never back), carrying out in order what falls due. */
void model_advance(struct model *m, int64_t now_ms);

/* When something happens next by itself, or TIMERS_NEVER. */
int64_t model_deadline(const struct model *m);

struct domain *model_by_domid(const struct model *m, uint32_t domid);

/* By name (a live domain before an ended one of the same name), UUID or domid; or NULL. */
struct domain *model_find(const struct model *m, const char *text);

/*
 * The toolstack's part. The functions that return bool fail with a text in m->error, having
 * changed nothing. A domain that model_build() made is paused, holds its name and memory, and lives
 * from model_start() on; a restored one is up at once.
 */
struct domain *model_build(struct model *m, const struct vmdef *def, bool monitor, bool restored);
void model_start(struct domain *d);
bool model_pause(struct domain *d);
bool model_unpause(struct domain *d);
bool model_destroy(struct domain *d);
bool model_set_memory(struct domain *d, uint64_t mib);

/* Asks the guest to power off or reboot; control_seen tells when its kernel has taken it. */
bool model_request(struct domain *d, enum shutdown_reason reason);

/* Takes back a request that the guest has not seen. */
void model_cancel_request(struct domain *d);

/* One that has ended gets another name and UUID, and stays. */
bool model_set_aside(struct domain *d);

/* True where model_suspend() would work now: a guest, live, not paused, not hung. */
bool model_can_suspend(const struct domain *d);
void model_suspend(struct domain *d);

/* The guest of a suspended domain goes on, as after a save that failed. */
void model_resume(struct domain *d);

/* The guest's part. They return false, with an error, where the guest does not run. */
bool model_guest_end(struct domain *d, enum shutdown_reason reason);
bool model_crash(struct domain *d);		      /* at once */
bool model_panic(struct domain *d, int64_t after_ms); /* hangs, crashes later; -1: never */

/*
 * A fault of one service; false where the VM has none such. lasting: also for domains of this name
 * that come later, until it is set to FAULT_NONE.
 */
bool model_set_fault(struct domain *d, const struct vmdef_service *service,
		     enum service_fault fault, bool lasting);

/* What a client of d's service number i meets now. */
enum port_state model_service(const struct domain *d, unsigned i);

/* Whether the guest's clock runs: live and not paused. */
bool domain_active(const struct domain *d);

/* The guest's clock now. */
int64_t domain_active_ms(const struct domain *d);

/* Memory held now, and what the host has left. */
uint64_t domain_memory_kib(const struct domain *d);
uint64_t model_free_kib(const struct model *m);

/* Deterministic hash of two numbers. */
uint64_t model_hash(uint64_t a, uint64_t b);

/* Writes the text to m->error and returns false. */
bool model_fail(struct model *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
