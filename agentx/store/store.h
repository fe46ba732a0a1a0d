/*
 * What must outlive the process: the index maps, desired states, requests, the journal; in SQLite
 * (WAL, synchronous FULL). One writer thread owns the database; calls here never block. Writes that
 * wait are put into one transaction together, and each write's done is called, from the engine's
 * loop, after the transaction is on disk.
 *
 * A database that cannot be written (disk full, or a disk that has not answered for 5 s) or read
 * (broken file) degrades to memory: events and indexes go on, done says durable false, SETs are
 * then refused by the engine. A broken file is put aside as store.db.broken-TIME, never deleted.
 * The writer tries again every few seconds, and writes then what memory holds.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "mib/objects.h"

struct store;
struct event_base;

#define RESTARTS_KEPT 32 /* a limit of restarts that is higher counts as this */

/* A VM as it is remembered; the key is uuid. */
struct store_vm {
	uint8_t uuid[UUID_SIZE];
	char name[VM_NAME_SIZE];
	uint32_t index;	  /* lxVmIndex */
	uint32_t desired; /* enum vm_desired */
	uint32_t state;	  /* enum vm_state when last known */
	uint32_t domid;	  /* of the domain that was last this VM; 0: none */
	uint32_t owner;	  /* enum vm_owner of that domain */
	uint32_t restarts, crashes;
	uint32_t configured;  /* 0: found on the host */
	int64_t gone_wall_ms; /* 0: is there; else since when an unconfigured VM is gone */
	int64_t start_wall_ms, change_wall_ms, discontinuity_wall_ms;
	char change_reason[TEXT_SIZE];
	uint32_t memory_target_mib; /* last accepted by lxVmMemoryTarget; 0: none */
	uint32_t last_verb;	    /* lxVmRequest reads this */

	/* Supervision. 0: not so, or not set. */
	uint32_t goal;	   /* enum plan_goal: what supervision is to make of it */
	uint32_t blocked;  /* enum dependency_policy: what was done to it for want of a service */
	uint32_t excused;  /* a person runs it without; left alone until all is up once */
	uint32_t replaced; /* enum store_replaced: its standby stands in for it */
	uint32_t unseen;   /* it went without a word: perhaps with the host */
	uint32_t spare;
	uint32_t needs_human; /* supervision has done what it may, as human_reason says */
	/* In the place of those of the configuration; MiB, percent. */
	uint32_t memory_min_mib, memory_max_mib, memory_high, memory_low;
	uint32_t maintenance_s; /* as it was asked for; UINT32_MAX: without end */
	char human_reason[TEXT_SIZE];
	int64_t restarts_wall_ms[RESTARTS_KEPT]; /* by supervision; the newest first */
	int64_t maintenance_wall_ms;		 /* until then; INT64_MAX: until it is ended */
	uint8_t boot_id[UUID_SIZE];  /* of the host's boot that its goal was last set for */
	int64_t memory_rest_wall_ms; /* until then its memory stays as a person set it */
};

enum store_replaced {
	REPLACED_NOT,
	REPLACED,      /* or its standby is about to, once it is off */
	REPLACED_ENDS, /* it is to run again, once its standby is off */
};

/* A request; the key is number. */
struct store_request {
	uint64_t number; /* the action's id: ascends, never used twice in a journal */
	struct mib_request row;
	uint8_t uuid[UUID_SIZE];
	uint32_t domid; /* that the action was started for */
	uint32_t token; /* of the hold, while the row's state is held */
};

/* The number of a service of a provider (a VM or an external host); the key is index. */
struct store_service {
	uint32_t index; /* lxServiceIndex */
	uint32_t spare;
	char provider[VM_NAME_SIZE];
	char service[SERVICE_NAME_SIZE];
	int64_t gone_wall_ms; /* 0: is configured; else since when it is not */
};

/* What was read at the start; all arrays are the caller's to free(). Events are read apart. */
struct store_content {
	uint64_t journal;	/* id of this store; a new one where the old was lost */
	bool fresh;		/* it was made now */
	bool rescued;		/* a broken one was put aside */
	bool taken;		/* another lauxend has it, and goes on to */
	uint32_t next_sequence; /* of the next event, from 1 */
	uint32_t handed;	/* the last event that snmpd acknowledged, in order */
	uint64_t next_request;	/* number of the next request */
	struct store_vm *vms;
	size_t vms_count;
	struct store_request *requests;
	size_t requests_count;
	struct store_service *services;
	size_t services_count;
	struct mib_event *events; /* ascending; at most journal_size */
	size_t events_count;
};

struct store_handlers {
	/* The store became degraded (ok false, error says why) or is well again. */
	void (*health)(void *arg, bool ok, const char *error);
};

/*
 * Opens dir/store.db, made where it is missing, and reads content; always succeeds (see above), and
 * says by handlers->health at once how it is. journal_size bounds the events kept. Where another
 * process has the store, its end is waited for, 5 s at most: it may be just ending.
 */
struct store *store_open(struct event_base *base, const char *dir, uint32_t journal_size,
			 const struct store_handlers *handlers, void *arg,
			 struct store_content *content);

/* The journal's id now: another than content's after a broken store was replaced while in use
 * (health went to false and back), or a store that was not there at the start was made. */
uint64_t store_journal(struct store *store);

/* Writes all that waits (at most deadline_ms of clock_mono_ms()), then closes. What was not told
 * yet is told from within, when the store takes nothing any more: who is told must not put anything
 * then. Not to be called from a handler. */
void store_close(struct store *store, int64_t deadline_ms);

/* Called in the loop when the write is settled; durable: it is on disk. */
typedef void store_done(void *arg, uint64_t tag, bool durable);

/*
 * What is put between the two belongs together: a state and the event that tells of it are written
 * in one transaction, or an engine that was killed between them would tell of the state again. The
 * writer waits meanwhile, so nothing that can block stands between them.
 */
void store_begin(struct store *store);
void store_end(struct store *store);

/* All copy what they are given; done may be NULL. */
void store_put_vm(struct store *store, const struct store_vm *vm);
void store_drop_vm(struct store *store, const uint8_t uuid[UUID_SIZE]);
void store_put_request(struct store *store, const struct store_request *request, store_done *done,
		       void *arg, uint64_t tag);
void store_drop_request(struct store *store, uint64_t number);
void store_put_service(struct store *store, const struct store_service *service);
void store_drop_service(struct store *store, uint32_t index);
/* Appends; the oldest beyond journal_size goes. */
void store_append_event(struct store *store, const struct mib_event *event, store_done *done,
			void *arg, uint64_t tag);
/* Puts nothing: done tells when all that was put before it, and what is put with it between
 * store_begin() and store_end(), is settled; its tag is 0. */
void store_mark(struct store *store, store_done *done, void *arg);
/* Events up to sequence were handed over. Lazily written: a repeat after a crash is allowed. */
void store_put_handed(struct store *store, uint32_t sequence);

#endif
