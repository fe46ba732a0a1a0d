/*
 * A hypervisor's driver: hv_xen.c or hv_sim.c, each one const struct. Every call may block, so none
 * is ever made in a process that has a loop: the hypervisor process forks workers (one for states,
 * one for figures, one for the watch), kills the one that is late, and execs a helper for each
 * action. A handle lives in one process only.
 */
#ifndef HYPERVISOR_HV_H
#define HYPERVISOR_HV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/messages.h"
#include "config/config.h"

struct hv; /* the driver's own handle */

/* Where a pass delivers what it found; each row is copied. */
struct hv_sink {
	void (*put)(void *arg, enum message_type type, const void *fact, size_t size);
	void *arg;
};

struct hv_driver {
	const char *name;

	/* Connects. NULL and error (TEXT_SIZE octets) where the hypervisor cannot be reached. config
	 * outlives the handle. */
	struct hv *(*open)(const struct config *config, char *error);
	void (*close)(struct hv *hv);

	/*
	 * Delivers a struct fact_domain (MSG_DOMAIN) for every domain, Domain-0 included. Only calls
	 * that work while the toolstack's daemons hang. 0, or -1 with error.
	 */
	int (*states)(struct hv *hv, const struct hv_sink *sink, char *error);

	/*
	 * Delivers the host (MSG_HOST), and for every domain but Domain-0 its figures (MSG_FIGURES) and
	 * devices (MSG_NET, MSG_DISK). 0, or -1 with error.
	 */
	int (*figures)(struct hv *hv, const struct hv_sink *sink, char *error);

	/* Waits until a domain may have come, gone or changed its state; 0, or -1 with error. May
	 * return for nothing. */
	int (*watch)(struct hv *hv, char *error);

	/*
	 * Carries out one action (enum verb, enum action_extra) in the helper process: returns when it
	 * is done and true by the hypervisor's own word. vm is its entry of the configuration, or NULL
	 * for a VM that has none. Fills outcome's state (succeeded, failed or, where it cannot be known,
	 * unknown), domid and error. What fails halfway is put right before it returns.
	 */
	void (*act)(struct hv *hv, const struct action *action, const struct config_vm *vm,
	    struct outcome *outcome);

	/*
	 * The helper of action died or was killed with its outcome unknown: puts right what it may have
	 * left half done (a half-built domain, a partial save file). Also in a helper process. May be
	 * NULL.
	 */
	void (*mend)(struct hv *hv, const struct action *action, const struct config_vm *vm,
	    struct outcome *outcome);
};

extern const struct hv_driver hv_xen, hv_sim;

/* The driver that the configuration names. */
const struct hv_driver *hv_driver(const struct config *config);

/*
 * `lauxend --action VERB VM [NUMBER]`: the helper, also for a person by hand. Run by the hypervisor
 * process it gets the action's record by --record FILE. Returns the exit status.
 */
int action_main(int argc, char **argv, const char *config_file);

#endif
