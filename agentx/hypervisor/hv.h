/*
 * A hypervisor's driver: hv_xen.c or hv_sim.c, each one const struct. Every call may block, so none
 * is ever made in a process that has a loop: the hypervisor process forks workers (one for states,
 * one for figures, one for the watch), kills the one that is late, and forks a helper for each
 * action. A handle lives in one process only, and is used by one thread.
 *
 * A driver does single steps; what a verb is made of (checks before, waiting, what follows) is in
 * sequence.c and the same for both drivers. A driver writes nothing to stdout or stderr (log.h is
 * there), and all its descriptors are close-on-exec.
 */
#ifndef HYPERVISOR_HV_H
#define HYPERVISOR_HV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/messages.h"
#include "config/config.h"

#define HV_MEMORY_FLOOR_MIB 16	       /* no guest lives with less */
#define HV_MEMORY_CEILING_MIB 16777216 /* 16 TiB; what Xen itself can do */

struct hv; /* the driver's own handle */

/* Where a pass delivers what it found; each row is copied. */
struct hv_sink {
	void (*put)(void *arg, enum message_type type, const void *fact, size_t size);
	void *arg;
};

struct hv_driver {
	const char *name;

	/* Connects. NULL and error (TEXT_SIZE octets) where the hypervisor cannot be reached.
	 * config outlives the handle. */
	struct hv *(*open)(const struct config *config, char *error);
	void (*close)(struct hv *hv);

	/*
	 * Delivers a struct fact_domain (MSG_DOMAIN) for every domain, Domain-0 included. Only
	 * calls that work while the toolstack's daemons hang. 0, or -1 with error; a list without
	 * Domain-0 counts as a failure. After a failure of this or of figures() the handle is
	 * closed and a new one opened.
	 */
	int (*states)(struct hv *hv, const struct hv_sink *sink, char *error);

	/*
	 * Delivers the host (MSG_HOST), and for every domain but Domain-0 its figures (MSG_FIGURES)
	 * and devices (MSG_NET, MSG_DISK). 0, or -1 with error. Storage paths are not the driver's:
	 * the worker reads them itself.
	 */
	int (*figures)(struct hv *hv, const struct hv_sink *sink, char *error);

	/*
	 * Waits until a domain may have come, gone or changed its state; 0, or -1 with error. May
	 * return for nothing. The first call on a handle returns at once, as soon as the watch is
	 * in place (the caller then takes a look); from then on what happens between two calls
	 * makes the second return at once. No deadline; a watch that ends in an error is opened
	 * anew.
	 */
	int (*watch)(struct hv *hv, char *error);

	/*
	 * The domain that bears this name, dead ones that still stand included: 1 with its domid, 0
	 * where no domain bears it, -1 with error. In the helper process.
	 */
	int (*find)(struct hv *hv, const char *name, uint32_t *domid, char *error);

	/*
	 * Whether a process of its own (the `xl` monitor of a person who started the domain) acts
	 * on the domain's death: 1, 0, or -1 where that cannot be known. In the helper process.
	 */
	int (*monitored)(struct hv *hv, uint32_t domid);

	/*
	 * Does one step of an action, in the helper process. action->verb is one of enum verb,
	 * or a step of enum action_extra:
	 *
	 * - start creates vm from vm->file under vm->name, with action->uuid unless that is zero
	 *   (without a monitor of its own), and unpauses it. outcome->domid: the new domain
	 * - restore does the same from the state that save left, which is removed once the domain
	 *   lives
	 * - save goes to save_dir/UUID.save (through a temporary name beside it); the domain is
	 *   gone then, or, where it failed, runs on and no file is left
	 * - shutdown and reboot ask the guest, and return once it was asked
	 * - pause and unpause are one call; of an unpause more may be needed
	 * - destroy lasts until the domain is gone
	 * - memory sets the balloon target to action->number MiB (checked against floor and
	 *   ceiling; not against the VM's own limits) and returns once the hypervisor took it
	 *
	 * STEP_DUMP writes the memory of a dead domain to save_dir/UUID.core, over one that is
	 * there, within action->deadline_ms; where it fails no file of it is left. STEP_SET_ASIDE
	 * gives a dead domain another name (NAME-TIME) and another UUID; it stays.
	 *
	 * action->domid is the domain that is meant, looked up and held against its UUID just
	 * before; 0 for start and restore. vm is the VM's entry of the configuration, or NULL for a
	 * VM that has none (never for start and restore). Fills outcome's state (succeeded, failed
	 * or, where that cannot be known, unknown), domid (start, restore) and error: a sentence
	 * for the manager. What fails halfway is put right before it returns. The sequence reads
	 * the states again afterwards and believes those.
	 *
	 * The helper leads a process group of its own, which is killed at the action's deadline:
	 * what must live on (QEMU, a monitor) leaves it by setsid(2), as xl's daemons do; what must
	 * not stays in it. A child that the driver waits for also asks for SIGKILL at the
	 * helper's death (PR_SET_PDEATHSIG), so that mend() never meets it at work.
	 */
	void (*act)(struct hv *hv, const struct action *action, const struct config_vm *vm,
		    struct outcome *outcome);

	/*
	 * The helper of action (with the verb as it was asked for, enum action_extra too) died or
	 * was killed with its outcome unknown: puts right what it may have left half done (a
	 * half-built domain, a partial save file). May come twice. Also in a helper process, with a
	 * deadline. outcome: whether all is right now, not what became of the action, which is a
	 * matter of the log: failed where something half done is left. May be NULL.
	 */
	void (*mend)(struct hv *hv, const struct action *action, const struct config_vm *vm,
		     struct outcome *outcome);
};

extern const struct hv_driver hv_xen, hv_sim;

/* The driver that the configuration names. */
const struct hv_driver *hv_driver(const struct config *config);

/*
 * What a person types: `lauxend --action VERB VM [NUMBER] [-f FILE]`. argv[0] is the "--action",
 * which must be the program's first argument; all that follows it is parsed here, -f and -v too.
 * config_file is what holds without an -f. Returns the exit status: 0 done, 1 not done, 2 bad
 * usage.
 */
int action_main(int argc, char **argv, const char *config_file);

#endif
