/*
 * The actions of the hypervisor process: what the engine asked for, in order, from MSG_ACTION until
 * MSG_FORGET. Each is carried out by a helper (helper.h), one a VM and ACTIONS_RUNNING at a time,
 * with a deadline. The record file (records.h) is what a restarted process finds; an action whose
 * helper ever began is never begun again.
 */
#ifndef HYPERVISOR_ACTION_H
#define HYPERVISOR_ACTION_H

#include "base/messages.h"
#include "base/process.h"
#include "config/config.h"

#define ACTIONS_RUNNING 16 /* helpers at a time */
#define ACTIONS_MAX 4096   /* known at a time; more are refused */

struct event_base;
struct actions;

struct actions_handlers {
	/* MSG_STARTED or MSG_OUTCOME for the engine. */
	void (*tell)(void *arg, enum message_type type, const struct outcome *outcome);
	void *arg;
};

/* Reads the records that an earlier process left: helpers that live are watched, those that died
 * are put right after. config as in workers_new(). */
struct actions *actions_new(struct event_base *base, const struct options *options,
			    const struct config *config, const struct actions_handlers *handlers);

/* Leaves the helpers alone: they end by themselves, and their records tell the next process. */
void actions_free(struct actions *actions);

void actions_configure(struct actions *actions, const struct config *config);

/* MSG_ACTION, MSG_CANCEL, MSG_FORGET; all checked here. */
void actions_take(struct actions *actions, const struct action *action);
void actions_cancel(struct actions *actions, const struct action *action);
void actions_forget(struct actions *actions, const struct outcome *outcome);

/* A new engine: everything that started and every outcome again. */
void actions_resend(struct actions *actions);

/* A child may have died (SIGCHLD). */
void actions_reap(struct actions *actions);

#endif
