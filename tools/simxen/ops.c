#include "tools/simxen/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tools/simxen/protocol.h"
#include "tools/simxen/xlfile.h"

#define REFUSE_MS 10	 /* until a refusal is known */
#define QUICK_MS 5	 /* a hypercall by way of xl */
#define BUILD_MS 150	 /* creating a domain */
#define GONE_MS 70	 /* until a destroyed domain is gone */
#define TRANSFER_MS 100	 /* saving and restoring, and so much for each */
#define TRANSFER_MIB 8	 /* of these on top */
#define CONTROL_MS 60000 /* libxl waits so long for a guest to take a request */

/* What a step returns, where it is no number of ms until the next one. */
#define STEP_END (-1)
#define STEP_WAIT (-2) /* until the domain changes, CONTROL_MS at most */

struct op {
	struct ops *ops;
	struct op *next, **link;
	const struct op_verb *steps;
	struct op_request request;
	char *path;
	struct vmdef def;   /* VERB_START, VERB_RESTORE */
	unsigned stage;	    /* of the steps */
	int64_t control_ms; /* when waiting for the guest ends */
	bool waiting;
	struct inject_fate fate;
	struct timer timer;
	struct op_result result;
	void (*done)(void *arg, const struct op_result *result);
	void *arg;
};

struct op_verb {
	enum verb verb;
	int64_t (*step)(struct op *op);
	bool makes; /* a domain; else it acts on one that is there */
};

/* Ends op with the model's error where ok is false. */
static int64_t
end(struct op *op, bool ok)
{
	if (!ok) {
		op->result.failed = 3;
		TEXT_SET(op->result.text, op->ops->model->error);
	}
	return STEP_END;
}

static int64_t
end_with(struct op *op, unsigned failed, const char *text)
{
	op->result.failed = failed;
	TEXT_SET(op->result.text, text);
	return STEP_END;
}

/* The domain that op acts on; a domid is never used again, so it is that or none. */
static struct domain *
op_domain(const struct op *op)
{
	return model_by_domid(op->ops->model, op->result.domid);
}

static int64_t
transfer_ms(const struct domain *d)
{
	return TRANSFER_MS + (int64_t)(domain_memory_kib(d) / 1024 / TRANSFER_MIB);
}

static int64_t
step_start(struct op *op)
{
	struct domain *d;

	if (op->stage == 0) {
		d = model_build(op->ops->model, &op->def, op->request.monitor, op->def.saved);
		if (!d)
			return end(op, false);
		op->result.domid = d->domid;
		return op->def.saved ? transfer_ms(d) : BUILD_MS;
	}
	d = op_domain(op);
	if (!d || d->phase != PHASE_BUILDING)
		return end_with(op, 3, "the domain was destroyed while it was being built");
	if (!op->request.paused)
		model_start(d);
	return STEP_END;
}

/* Shutdown and reboot: asks the guest, and waits until its kernel has taken that. */
static int64_t
step_request(struct op *op)
{
	struct domain *d = op_domain(op);
	bool reboot = op->request.verb == VERB_REBOOT;

	if (op->stage == 0)
		return QUICK_MS;
	if (!d)
		return end_with(op, 1, "the domain is gone");
	if (op->stage == 1) {
		if (!model_request(d, reboot ? REASON_REBOOT : REASON_POWEROFF))
			return end(op, false);
		op->stage = 2;
	}
	if (d->control_seen || d->phase != PHASE_LIVE)
		return STEP_END;
	if (op->ops->model->now_ms < op->control_ms)
		return STEP_WAIT;
	model_cancel_request(d);
	return end_with(op, 3, "the guest does not take the request: it is paused or hangs");
}

static int64_t
step_pause(struct op *op)
{
	struct domain *d = op_domain(op);

	if (op->stage == 0)
		return QUICK_MS;
	if (!d)
		return end_with(op, 1, "the domain is gone");
	return end(op, op->request.verb == VERB_PAUSE ? model_pause(d) : model_unpause(d));
}

static int64_t
step_resume(struct op *op)
{
	struct domain *d = op_domain(op);

	if (op->stage == 0)
		return QUICK_MS;
	if (!d || d->phase != PHASE_SHUTDOWN || d->reason != REASON_SUSPEND)
		return end_with(op, 3, "the domain is not suspended");
	model_resume(d);
	return STEP_END;
}

static int64_t
step_set_aside(struct op *op)
{
	struct domain *d = op_domain(op);

	if (op->stage == 0)
		return QUICK_MS;
	if (!d)
		return end_with(op, 1, "the domain is gone");
	return end(op, model_set_aside(d));
}

static int64_t
step_memory(struct op *op)
{
	struct domain *d = op_domain(op);

	if (op->stage == 0)
		return QUICK_MS;
	if (!d)
		return end_with(op, 1, "the domain is gone");
	return end(op, model_set_memory(d, op->request.mib));
}

static int64_t
step_destroy(struct op *op)
{
	struct domain *d = op_domain(op);

	if (op->stage == 0)
		return QUICK_MS;
	if (op->stage == 2)
		return STEP_END;
	if (!d)
		return end_with(op, 1, "the domain is gone");
	return model_destroy(d) ? GONE_MS : end(op, false);
}

/* Writes the save file; without a domain only what a save that was cut short leaves. */
static bool
write_save(struct op *op, const struct domain *d)
{
	FILE *to = op->ops->disk_full ? NULL : fopen(op->path, "we");
	bool ok = to != NULL;

	if (op->ops->disk_full)
		errno = ENOSPC;
	if (to) {
		fprintf(to, "# simxen save file\n");
		if (d) {
			struct vmdef def = d->def;

			def.saved = true;
			def.memory_mib = (uint32_t)(d->to_kib / 1024);
			vmdef_write(&def, to);
			fprintf(to, "# complete\n");
		}
		ok = !ferror(to);
		ok = fclose(to) == 0 && ok;
	}
	return ok || model_fail(op->ops->model, "%s: cannot write: %s", op->path, strerror(errno));
}

static int64_t
step_save(struct op *op)
{
	struct domain *d = op_domain(op);

	if (op->stage == 2)
		return STEP_END;
	if (!d || d->phase == PHASE_DYING)
		return end_with(op, 1, "the domain is gone");
	if (op->stage == 1) { /* a save that fails leaves the guest running */
		if (write_save(op, d))
			return model_destroy(d) ? GONE_MS : end(op, false);
		unlink(op->path);
		model_resume(d);
		return end(op, false);
	}
	if (d->phase != PHASE_LIVE || d->domid == 0)
		return end_with(op, 3, "the domain does not run, or is Domain-0");
	if (!model_can_suspend(d))
		return op->ops->model->now_ms < op->control_ms
			   ? STEP_WAIT
			   : end_with(op, 3, "the guest does not suspend: it is paused or hangs");
	if (!write_save(op, NULL))
		return end(op, false);
	model_suspend(d);
	return transfer_ms(d);
}

/* What fails before anything was done: unknown VMs, bad files, injected failures. */
static int64_t
step_refuse(struct op *op)
{
	return op->stage == 0 ? REFUSE_MS : STEP_END;
}

static const struct op_verb verbs[] = {
    {VERB_START, step_start, true},
    {VERB_RESTORE, step_start, true},
    {VERB_SHUTDOWN, step_request, false},
    {VERB_REBOOT, step_request, false},
    {VERB_PAUSE, step_pause, false},
    {VERB_UNPAUSE, step_pause, false},
    {VERB_DESTROY, step_destroy, false},
    {VERB_MEMORY, step_memory, false},
    {VERB_SAVE, step_save, false},
    {(enum verb)SX_VERB_RESUME, step_resume, false},
    {(enum verb)SX_VERB_SET_ASIDE, step_set_aside, false},
};

static const struct op_verb refuse = {VERB_NONE, step_refuse, false};

static void op_fire(void *arg);

static void
op_free(struct op *op)
{
	timers_cancel(&op->ops->model->timers, &op->timer);
	*op->link = op->next;
	if (op->next)
		op->next->link = op->link;
	free(op->path);
	free(op);
}

/* Takes the step that is due and arranges for the next one. */
static void
op_step(struct op *op)
{
	struct model *m = op->ops->model;
	int64_t next_ms;

	op->waiting = false;
	next_ms = op->steps->step(op);
	if (next_ms == STEP_END && op->stage > 0) {
		op->done(op->arg, &op->result);
		op_free(op);
		return;
	}
	op->waiting = next_ms == STEP_WAIT;
	if (op->waiting)
		next_ms = op->control_ms - m->now_ms;
	else if (op->stage == 0) { /* the faults strike between the first step and the second */
		if (next_ms == STEP_END) {
			op->steps = &refuse;
			next_ms = REFUSE_MS;
		}
		next_ms += op->fate.delay_ms;
		op->stage = 1;
	} else {
		op->stage++;
	}
	if (!op->fate.never || op->steps == &refuse)
		timers_set(&m->timers, &op->timer, m->now_ms + next_ms, op_fire, op);
}

static void
op_fire(void *arg)
{
	op_step(arg);
}

/* Reads the file that the new domain is to be made from. */
static bool
read_definition(struct op *op)
{
	char error[XLFILE_ERROR];
	bool saved = op->request.verb == VERB_RESTORE, ok;

	ok = xlfile_read(&op->def, op->path, op->request.overrides, error);
	if (ok && op->def.saved != saved) {
		text_format(error, sizeof(error), "%s: is %s file", op->path,
			    saved ? "no complete save" : "a save");
		ok = false;
	}
	if (!ok)
		end_with(op, 1, error);
	return ok;
}

/* Finds what op is about; false, with the result set, where there is no such thing. */
static bool
prepare(struct op *op)
{
	struct domain *d;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs) && op->steps == &refuse; i++)
		if (verbs[i].verb == op->request.verb)
			op->steps = &verbs[i];
	if (op->steps == &refuse) {
		end_with(op, 1, "no such action");
		return false;
	}
	if (op->steps->makes)
		return read_definition(op);
	d = op_domain(op);
	if (!d) {
		text_format(op->result.text, sizeof(op->result.text), "there is no domain %u",
			    op->request.domid);
		op->result.failed = 1;
		return false;
	}
	op->def = d->def;
	return true;
}

struct op *
ops_start(struct ops *ops, const struct op_request *request,
	  void (*done)(void *arg, const struct op_result *result), void *arg)
{
	struct op *op = mem_alloc(sizeof(*op));
	bool prepared;

	*op = (struct op){
	    .ops = ops,
	    .request = *request,
	    .path = mem_string(request->path ? request->path : ""),
	    .steps = &refuse,
	    .result = {.domid = request->domid},
	    .control_ms = ops->model->now_ms + CONTROL_MS,
	    .done = done,
	    .arg = arg,
	    .next = ops->first,
	    .link = &ops->first,
	};
	if (op->next)
		op->next->link = &op->next;
	ops->first = op;
	prepared = prepare(op);
	op->request.path = op->request.overrides = NULL; /* the caller's */
	if (!prepared)
		op->steps = &refuse;
	else if (!request->direct)
		op->fate = inject_decide(&ops->inject, request->verb, op->def.name);
	if (op->fate.fails) {
		op->steps = &refuse;
		end_with(op, 3, op->fate.text);
	}
	op_step(op);
	return op;
}

void
ops_abandon(struct op *op)
{
	op_free(op);
}

void
ops_domain_changed(struct ops *ops, const struct domain *d, enum model_change change)
{
	(void)change;
	for (struct op *op = ops->first; op; op = op->next)
		if (op->waiting && op->result.domid == d->domid)
			timers_set(&ops->model->timers, &op->timer, ops->model->now_ms, op_fire,
				   op);
}

void
ops_dispose(struct ops *ops)
{
	struct op *next;

	for (struct op *op = ops->first; op; op = next) {
		next = op->next;
		end_with(op, 3, "simxen ends");
		op->done(op->arg, &op->result);
		op_free(op);
	}
	inject_clear(&ops->inject);
}
