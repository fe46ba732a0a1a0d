/*
 * What lauxend's processes say to each other: the messages of a channel (base/channel.h), and the
 * facts about the hypervisor in them. Fixed sizes, no pointers. Both ends are the same program, so
 * there is no byte order; MESSAGES_VERSION must still agree, as a program may be replaced while it
 * runs.
 *
 *   parent -> all        control: peers, reload, restarts
 *   hypervisor -> engine facts as rows (a newer one replaces one that waits), outcomes of actions
 *   engine -> hypervisor actions
 *   engine -> agentx     rows of the MIB, events to notify, answers to holds
 *   agentx -> engine     requests (hold, release, drop), events that were handed over
 */
#ifndef BASE_MESSAGES_H
#define BASE_MESSAGES_H

#include <stdint.h>

#include "base/names.h"

#define VM_NAME_SIZE 64 /* octets with the NUL; xl's names are shorter */
#define UUID_SIZE 16
#define TEXT_SIZE 128	     /* a reason, an error, an event's text */
#define REQUEST_ID_SIZE 33   /* SnmpAdminString (SIZE (1..32)) and a NUL */
#define SERVICE_NAME_SIZE 32 /* octets with the NUL; no ':' in it */
#define ADDRESS_SIZE 48	     /* IPv4 or IPv6 as text */

enum message_type {
	MSG_HELLO = 1, /* detail: MESSAGES_VERSION. Sent and checked by the channel itself */

	/* parent -> child */
	MSG_PEER = 10,	    /* detail: enum role of the peer; with its descriptor */
	MSG_RELOAD,	    /* a new configuration: with the descriptor of the checked text */
	MSG_RELOAD_REFUSED, /* body: the first error, text */
	MSG_RESTARTS,	    /* body: struct restarts */

	/* engine -> parent */
	MSG_RELOAD_WANTED = 15, /* as by SIGHUP; answered as that is */

	/* hypervisor -> engine. A fact that went: detail FACT_GONE, body as before */
	MSG_HOST = 20, /* struct fact_host */
	MSG_POOL,      /* struct fact_pool */
	MSG_DOMAIN,    /* struct fact_domain */
	MSG_FIGURES,   /* struct fact_figures */
	MSG_NET,       /* struct fact_net */
	MSG_DISK,      /* struct fact_disk */
	MSG_SAMPLE,    /* struct fact_sample: a pass is complete; sent after its rows */
	MSG_STARTED,   /* struct outcome: the action's helper runs (state running); or, to an
			* engine that comes later, that it waits for one (state queued) */
	MSG_OUTCOME,   /* struct outcome: what became of an action; repeated until MSG_FORGET */

	/* engine -> hypervisor */
	MSG_ACTION = 40, /* struct action. The same id again is no second action */
	MSG_CANCEL,	 /* detail: none. body: struct action; only where it has not started */
	MSG_FORGET,	 /* struct outcome (id): the outcome is stored; drop its record */

	/* engine -> agentx */
	MSG_ROW = 50,	/* detail: enum mib_kind. body: the row */
	MSG_ROW_GONE,	/* the same: this row is no more */
	MSG_ROWS_CLEAR, /* a new engine: all rows follow */
	MSG_ROWS_READY, /* they came: rows that did not come since MSG_ROWS_CLEAR are no more */
	MSG_NOTIFY,	/* body: struct mib_event: hand this to snmpd */
	MSG_HELD,	/* detail: the hold's token. body: struct hold_answer */

	/* agentx -> engine */
	/*
	 * Tokens ascend from a random start in each agentx process, so that an engine that was
	 * restarted takes none for another's. To a new engine agentx repeats the MSG_RELEASE and
	 * MSG_DROP of its last 64 holds.
	 */
	MSG_HOLD = 60, /* detail: token. body: struct hold */
	MSG_RELEASE,   /* detail: token. COMMIT: carry it out */
	MSG_DROP,      /* detail: token. UNDO: it never was */
	MSG_HANDED,    /* detail: sequence number of an event that snmpd acknowledged */
};

#define FACT_GONE 1u

enum role { ROLE_PARENT, ROLE_HYPERVISOR, ROLE_ENGINE, ROLE_AGENTX, ROLE_COUNT };
extern const struct name role_names[];

struct restarts {
	uint32_t count[ROLE_COUNT]; /* of each child since the parent began */
	uint32_t last;		    /* role that was restarted last, or 0 */
	char reason[TEXT_SIZE];	    /* "killed by signal 9" */
};

/* The host, from its figures worker. */
struct fact_host {
	char software[32]; /* "Xen", "simxen" */
	char version[64];
	int64_t boot_mono_ms;	    /* clock_mono_ms() when the hypervisor began */
	uint8_t boot_id[UUID_SIZE]; /* of its boot, as no other has it; zero: not known */
	uint32_t cpus;		    /* physical, online */
	uint32_t cpu_mhz;
	uint64_t memory_kib, memory_free_kib;
};

/* A storage path of the configuration. */
struct fact_pool {
	uint32_t index; /* of the path in the configuration, from 1 */
	uint32_t known; /* 0: the path could not be read, sizes mean nothing */
	char path[128];
	uint64_t size_mib, free_mib; /* free: to an unprivileged user */
};

enum domain_flag {
	DOMAIN_RUNNING = 1 << 0, /* on a CPU at this moment */
	DOMAIN_BLOCKED = 1 << 1,
	DOMAIN_PAUSED = 1 << 2,
	DOMAIN_SHUTDOWN = 1 << 3, /* reason is valid */
	DOMAIN_DYING = 1 << 4,
};
/* running and blocked flip with every look; these are what a state is made of. */
#define DOMAIN_STATE_FLAGS (DOMAIN_PAUSED | DOMAIN_SHUTDOWN | DOMAIN_DYING)

/* A domain as the hypervisor itself lists it; from the states worker, which asks nobody else. */
struct fact_domain {
	uint32_t domid; /* key; 0 is Domain-0 */
	uint8_t uuid[UUID_SIZE];
	uint32_t flags;	 /* enum domain_flag */
	uint32_t reason; /* enum shutdown_reason */
	/* From here on: moves all the time, and makes no urgent news. */
	int64_t read_mono_us; /* when this was read, microseconds */
	uint64_t cpu_ns;
	uint64_t memory_kib;
	uint32_t vcpus; /* online */
	uint32_t vcpus_max;
};

/* What is known of a domain by xenstore and its configuration; from the figures worker, late or
 * absent when xenstore hangs. */
struct fact_figures {
	uint32_t domid;	      /* key */
	uint32_t stubdom_for; /* domid this is the device model of, or 0 */
	uint8_t uuid[UUID_SIZE];
	char name[VM_NAME_SIZE];
	uint32_t monitored; /* an xl monitor of its own waits for its death */
	uint32_t on_poweroff, on_reboot, on_crash; /* enum on_action */
	uint64_t memory_max_kib;		   /* static-max */
	uint64_t memory_target_kib;		   /* balloon target */
	uint64_t inside_total_kib;		   /* as the guest says; 0: it says nothing */
	uint64_t inside_free_kib;
	int64_t inside_mono_ms; /* when the guest's values last changed or were first seen */
	int64_t start_wall_ms;	/* 0: unknown */
};

/* Octets and packets are the guest's view: in is what it received. */
struct fact_net {
	uint32_t domid, device; /* key; device: 0, 1, ... */
	char name[24];		/* in Dom0: vif3.0 */
	char bridge[24];
	uint8_t mac[6];
	uint16_t spare;
	uint32_t if_index; /* in Dom0; 0: none */
	uint64_t in_octets, in_packets, in_errors, in_drops;
	uint64_t out_octets, out_packets, out_errors, out_drops;
};

struct fact_disk {
	uint32_t domid, device; /* key; device: Xen's number of the vbd */
	char name[16];		/* in the guest: xvda */
	char target[112];	/* what is behind it */
	uint32_t read_only;
	uint32_t counted;	 /* 0: the counters are not known */
	uint32_t errors_counted; /* 0: errors is not known */
	uint32_t spare;
	uint64_t reads, writes, read_octets, written_octets, errors;
};

enum sample_kind { SAMPLE_STATES = 1, SAMPLE_FIGURES = 2 };

/* A pass ended. ok 0: it failed or was late; what was known before is now old. */
struct fact_sample {
	uint32_t kind; /* enum sample_kind */
	uint32_t ok;
	uint32_t urgent; /* states only: a pass after a change, of the changed rows alone */
	uint32_t duration_us;
	int64_t mono_ms; /* when it ended */
	char error[TEXT_SIZE];
};

/* Actions that no manager asks for; beside enum verb. number of reap and replace: enum on_action,
 * what the VM's file says to its death. */
enum action_extra {
	ACTION_REAP = 100,    /* destroy a domain that is shut down, and only such a one */
	ACTION_REPLACE = 101, /* reap or set aside, then start again */
	STEP_DUMP = 102,      /* their steps; no actions of their own */
	STEP_SET_ASIDE = 103,
	ACTION_RESTART = 104, /* of a VM that does not do its work: shutdown, destroy, start */
};

struct action {
	uint64_t id;	  /* unique within the journal */
	uint64_t journal; /* id of the store this came from */
	uint32_t verb;	  /* enum verb or enum action_extra */
	uint32_t domid;	  /* the domain that is meant; 0: none must live under this name */
	uint8_t uuid[UUID_SIZE];
	char name[VM_NAME_SIZE];
	uint32_t number;      /* MiB for memory; enum on_action for reap, replace */
	uint32_t deadline_ms; /* the helper is killed then */
};

/*
 * verb, action_domid and uuid are the action's: by them an engine that was restarted knows which of
 * its VMs an action that no manager asked for is at work on.
 */
struct outcome {
	uint64_t id, journal; /* of the action */
	uint32_t state;	      /* enum request_state: queued, running, or what became of it */
	uint32_t domid;	      /* of the new domain, where the verb made one; else 0 */
	uint32_t verb;
	uint32_t action_domid;
	uint8_t uuid[UUID_SIZE];
	char error[TEXT_SIZE];
};

/* A request as agentx hands it over. Checked there against the rows, here once more. */
struct hold {
	char id[REQUEST_ID_SIZE];   /* the manager's own; "" by hand: the engine makes one */
	char vm_text[VM_NAME_SIZE]; /* the VM as the manager wrote it; "" by hand */
	char spare[3];
	uint32_t verb;	 /* enum verb; VERB_NONE: cancel or remove the row id */
	uint32_t vm;	 /* lxVmIndex */
	uint32_t number; /* MiB for memory */
};

struct hold_answer {
	uint32_t ok; /* 0: not stored, nothing will be done */
	uint32_t spare;
	char error[TEXT_SIZE];
};

#define MESSAGES_VERSION                                                                           \
	((uint32_t)(1u << 24 ^ sizeof(struct action) << 12 ^ sizeof(struct outcome) << 6 ^         \
		    sizeof(struct fact_figures)))

#endif
