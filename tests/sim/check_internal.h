/* What the files of the rules share. */
#ifndef SIM_CHECK_INTERNAL_H
#define SIM_CHECK_INTERNAL_H

#include "tests/sim/check.h"

/* A request that a manager was told to be accepted, or that ended. */
struct asked {
	char id[REQUEST_ID_SIZE];
	uint32_t verb;
	char vm[VM_NAME_SIZE];
	int64_t accepted_ms;
	bool accepted;
	unsigned ends; /* requestFinished events on disk */
	int state;     /* of the row on disk, the last */
	uint64_t number;
	uint32_t number_asked; /* MiB, seconds, ... */
	bool removed;	       /* by a manager */
};

/* What a person wants of a VM, by hand or by a manager. */
enum person {
	PERSON_NONE,
	PERSON_RUN,
	PERSON_PAUSED,
	PERSON_OFF,
	PERSON_UNCLEAR, /* nobody can tell who did what */
};

#define RESTARTS_MAX 16

/* Of one VM of the world. */
struct watched {
	struct vm_truth *vm;
	enum person person;
	int64_t person_ms;	/* since when */
	int64_t stop_ms;	/* an action that asks its guest to end was sent */
	int64_t came_ms;	/* into the configuration */
	int64_t born_ms;	/* its last domain was */
	int64_t off_ms;		/* when it was seen without a living domain last */
	int64_t paused_ms;	/* when it was last seen paused */
	int64_t resumed_ms;	/* when it last ran on */
	int64_t maintenance_ms; /* since when a request of maintenance has succeeded; 0: none */
	uint32_t maintenance_s; /* for so long; UINT32_MAX: without end */
	int64_t
	    restarts_ms[RESTARTS_MAX]; /* by supervision, since a person last wanted something */
	size_t restarts_count;
	uint64_t restart_id;		       /* of the last action */
	bool configured, autostart, came_late; /* by a reload */
	int64_t outcome_ms; /* when the engine heard of one, or of one of who knows whom */
	unsigned blocked;   /* 1: it is told so; more: it was to be paused since, so many times */
	bool acted_on;	    /* an action is on its way that takes its services away */
};

/* A request on many VMs that is not over. */
struct many {
	char id[REQUEST_ID_SIZE];
	uint32_t verb;
	char whom[VM_NAME_SIZE];
	int64_t accepted_ms;
};

struct counted {
	uint32_t verb;
	char vm[VM_NAME_SIZE];
	unsigned count;
};

struct check {
	bool failed;
	char rule[24], text[256];

	/* requests */
	struct asked *asked;
	size_t asked_count;
	struct {
		uint32_t token;
		char id[REQUEST_ID_SIZE];
	} held[16];
	size_t held_next;
	uint64_t *begun; /* ids of actions whose helper began */
	size_t begun_count;

	/* events */
	uint32_t next_sequence; /* of the effects */
	uint32_t on_disk;	/* the last sequence number that is on disk */
	bool may_jump;		/* numbers were reserved */
	uint8_t *notified;	/* by sequence number: 1 an event, 2 one that is notified */
	size_t notified_size;
	uint32_t handed; /* the last that snmpd acknowledged */
	bool may_repeat; /* agentx or the engine began anew */

	/* rows */
	struct watched *watched;
	size_t watched_count;
	int64_t states_ms, figures_ms; /* when the passes began that the engine heard of last */
	int64_t heard_ms;	       /* when a pass of states came after a silence last */
	bool states_told, figures_ok;

	struct counted *counted;
	size_t counted_count;
	struct {
		enum event_type type;
		char vm[VM_NAME_SIZE];
	} * events;
	size_t events_count;

	/* supervision */
	struct many *many;
	size_t many_count;
	struct pair *pairs;
	size_t pairs_count;
	bool healed;
	bool boots;	    /* the host, and no engine was there since */
	bool boot_on_disk;  /* the store knows of this boot */
	int64_t died_ms;    /* the last engine did */
	bool lost_memory;   /* an engine was killed whose store had no disk */
	unsigned loads;	    /* of other configurations */
	const char *config; /* the text that the engine loaded last */
};

void requests_effect(struct world *world, const struct effect *effect);
void check_forget_own(struct check *check); /* actions: the host was booted */
void requests_durable(struct world *world, int table, const void *row);

void events_effect(struct world *world, const struct effect *effect);
void events_durable(struct world *world, const struct mib_event *event);
void events_born(struct world *world, const struct store_content *content);

bool check_has_action(const struct world *world, const char *name); /* that is not forgotten */
void rows_sampled(struct world *world);
void rows_told(struct world *world, const struct message *message);

/* ---- supervision: its rules, and what is known of VMs ---- */

#define SLACK_MS 4000 /* for messages, passes, and the store */

void supervision_action(struct world *world, const struct action *action);
void supervision_accepted(struct world *world, const struct asked *asked, uint32_t number);
void supervision_event(struct world *world, const struct mib_event *event);
void supervision_died(struct world *world);
void supervision_loaded(struct world *world);
void supervision_ended(struct world *world, const struct mib_event *event);

/* Whether it is one of those that a request on many is about. */
bool many_has(const struct world *world, const struct many *many, const char *vm);
const struct config_vm *check_vm(const struct world *world, const char *vm); /* or NULL */
bool check_lives(const struct vm_truth *vm); /* it is being made, or is not over */

void pairs_durable(struct world *world, const struct mib_event *event);
void pairs_forget(struct world *world);

/* Who offers the service that is needed is there: itself, or the standby in its place. Another that
 * answers at its address does not count. */
bool check_offers(const struct world *world, const struct config_need *need);

struct watched *watched_of(const struct world *world, const char *name);

#endif
