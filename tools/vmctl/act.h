/*
 * Acts: something to be done to each of some VMs, on their hosts, perhaps one after the other. An
 * act goes out when all acts that it waits for have succeeded; one that failed blocks those behind
 * it, and they say so.
 */
#ifndef VMCTL_ACT_H
#define VMCTL_ACT_H

#include "tools/vmctl/vmctl.h"

enum act_state {
	ACT_WAITS,
	ACT_OPEN,     /* asked for; not over */
	ACT_ACCEPTED, /* and not waited for */
	ACT_DONE,
	ACT_ALREADY, /* there was nothing to do */
	ACT_FAILED,
	ACT_UNKNOWN, /* how it ended is not known */
	ACT_BLOCKED, /* what it waited for failed */
};

struct act {
	char name[VM_NAME_SIZE];
	struct vmctl_host *host;
	struct vmctl_request request;
	enum act_state state;
	enum request_state request_state;
	char text[VMCTL_ERROR_SIZE]; /* why, or what of it */
	size_t waits;		     /* acts that it waits for */
	size_t wave;		     /* its place in the order, from 1; of acts_waves() */
	size_t *then;		     /* acts that wait for it */
	size_t then_count;
	bool needed;   /* no target: a target needs it */
	bool released; /* those that wait for it were told how it ended */
};

struct acts {
	struct context *context;
	struct act *list;
	size_t count, over;
	const char *done; /* the word for what is done: "paused" */
	bool running;	  /* until then nothing goes out, whatever has ended */
	bool left;	  /* Ctrl-C, or the time is over */
	bool interrupted; /* Ctrl-C */
	bool missing;	  /* a host did not answer, and may have more that is meant */
	bool one;	  /* by the command line alone: --id is the id, and nothing is put behind */
	struct vm_list vms;
};

struct act *acts_add(struct acts *acts, struct vmctl_host *host, const char *name, enum verb verb,
		     uint32_t number);
/* Act number `behind` waits for act number `first`. */
void acts_order(struct acts *acts, size_t first, size_t behind);
/* Finds the place of each in the order. False: some wait for each other, in a circle. */
bool acts_waves(struct acts *acts);
enum order { ORDER_NONE, ORDER_PROVIDERS_FIRST, ORDER_DEPENDENTS_FIRST };

/*
 * order.c: puts the acts, one for each of acts->vms, in that order, by the graph of all hosts. With
 * the providers first (of a launch), those that the VMs need and that do not run are added; one
 * that is up on another host has failed, and is started on none. Says VMs on two hosts, who needs
 * what is to be shut down, and circles. False: there is one among them.
 */
bool acts_sort(struct acts *acts, enum order order);
/* The ids of all; under --id the same command has the same ones, whatever hosts answer. */
void acts_name(struct acts *acts);
/* Ends an act that needs not, or cannot, be asked for. Those that wait for it begin, if at all, in
 * acts_run(). */
void act_end(struct acts *acts, struct act *act, enum act_state state, const char *text);
/* The same of one that is not guessed, as another host has a VM of its name. */
void act_end_twice(struct acts *acts, struct act *act, const struct vmctl_host *other);
/* Does all; prints each as it ends. The exit status. */
int acts_run(struct acts *acts);
/* Prints what would be done. */
int acts_show(struct acts *acts);
void acts_free(struct acts *acts);
/* True: go on. On a terminal, unless --yes, a person is asked. */
bool acts_confirm(const struct acts *acts, const char *what);

#endif
