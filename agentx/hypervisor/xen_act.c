#include "hypervisor/xen_driver.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"

#define DESTROY_WAIT_MS 30000 /* for a domain that is dying while something holds its memory */
#define LOOK_MS 50

typedef void step(struct hv *hv, const struct action *action, const struct config_vm *vm,
		  struct outcome *outcome);

void
xen_sleep_ms(int ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&pause, NULL);
}

/* The domain's state for a step; false, and outcome filled: there is none to act upon. */
static bool
look(struct hv *hv, const struct action *action, libxl_dominfo *info, struct outcome *outcome)
{
	int found = xen_info(hv, action->domid, info);

	if (found == 1 && !uuid_is_zero(action->uuid) && !uuid_equal(info->uuid.uuid, action->uuid))
		found = 0;
	if (found < 0)
		xen_fail(hv, outcome, "the hypervisor does not tell the state of %s", action->name);
	else if (found == 0)
		xen_fail(hv, outcome, "%s has no domain %" PRIu32 " (any more)", action->name,
			 action->domid);
	return found == 1;
}

/* Pauses nest in Xen: one that is paused is not paused again. */
static void
act_pause(struct hv *hv, const struct action *action, const struct config_vm *vm,
	  struct outcome *outcome)
{
	libxl_dominfo info;

	(void)vm;
	if (look(hv, action, &info, outcome) && !info.paused &&
	    libxl_domain_pause(hv->ctx, action->domid, NULL))
		xen_fail(hv, outcome, "%s cannot be paused", action->name);
	libxl_dominfo_dispose(&info);
}

/* An error for one that is not paused, so that is looked at first. */
static void
act_unpause(struct hv *hv, const struct action *action, const struct config_vm *vm,
	    struct outcome *outcome)
{
	libxl_dominfo info;

	(void)vm;
	if (look(hv, action, &info, outcome) && info.paused &&
	    libxl_domain_unpause(hv->ctx, action->domid, NULL))
		xen_fail(hv, outcome, "%s cannot be unpaused", action->name);
	libxl_dominfo_dispose(&info);
}

/* A paused guest cannot answer, and libxl would wait a minute for it. */
static bool
can_ask(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	libxl_dominfo info;
	bool can = look(hv, action, &info, outcome);

	if (can && (info.paused || info.shutdown || info.dying)) {
		can = false;
		xen_fail(hv, outcome, "%s is %s: its guest cannot be asked", action->name,
			 info.dying	 ? "dying"
			 : info.shutdown ? "shut down"
					 : "paused");
	}
	libxl_dominfo_dispose(&info);
	return can;
}

static void
asked(struct hv *hv, const struct action *action, int rc, struct outcome *outcome)
{
	if (rc == ERROR_NOPARAVIRT)
		xen_fail(hv, outcome, "%s has no Xen drivers: its guest cannot be asked",
			 action->name);
	else if (rc)
		xen_fail(hv, outcome, "the guest of %s does not take the request", action->name);
}

static void
act_shutdown(struct hv *hv, const struct action *action, const struct config_vm *vm,
	     struct outcome *outcome)
{
	(void)vm;
	if (can_ask(hv, action, outcome))
		asked(hv, action, libxl_domain_shutdown(hv->ctx, action->domid, NULL), outcome);
}

static void
act_reboot(struct hv *hv, const struct action *action, const struct config_vm *vm,
	   struct outcome *outcome)
{
	(void)vm;
	if (can_ask(hv, action, outcome))
		asked(hv, action, libxl_domain_reboot(hv->ctx, action->domid, NULL), outcome);
}

bool
xen_destroy(struct hv *hv, uint32_t domid, struct outcome *outcome)
{
	int64_t until_ms = clock_mono_ms() + DESTROY_WAIT_MS;
	int rc, lives = 1;

	xen_complaint_clear(hv);
	rc = libxl_domain_destroy(hv->ctx, domid, NULL);
	while (lives && clock_mono_ms() < until_ms) {
		libxl_dominfo info;
		bool dying;

		lives = xen_info(hv, domid, &info);
		dying = lives == 1 && info.dying;
		libxl_dominfo_dispose(&info);
		if (lives && rc && !dying)
			break;
		if (lives)
			xen_sleep_ms(LOOK_MS);
	}
	if (lives == 1 && !rc)
		xen_fail(hv, outcome, "domain %" PRIu32 " is dying, and something holds its memory",
			 domid);
	else if (lives == 1)
		xen_fail(hv, outcome, "domain %" PRIu32 " cannot be destroyed", domid);
	else if (lives < 0) {
		outcome->state = REQUEST_UNDECIDED;
		TEXT_FORMAT(outcome->error, "whether domain %" PRIu32 " is gone is not known",
			    domid);
	}
	return lives == 0;
}

static void
act_destroy(struct hv *hv, const struct action *action, const struct config_vm *vm,
	    struct outcome *outcome)
{
	libxl_dominfo info;
	bool there = look(hv, action, &info, outcome);

	(void)vm;
	libxl_dominfo_dispose(&info);
	if (there)
		xen_destroy(hv, action->domid, outcome);
}

/*
 * Enforced: without it the guest could not grow again later. The hypervisor refuses what is over
 * the static maximum, without saying so.
 */
static void
act_memory(struct hv *hv, const struct action *action, const struct config_vm *vm,
	   struct outcome *outcome)
{
	uint64_t kib = (uint64_t)action->number * 1024, max_kib = 0;
	libxl_dominfo info;
	bool there = look(hv, action, &info, outcome);

	(void)vm;
	libxl_dominfo_dispose(&info);
	if (!there)
		return;
	if (action->number < HV_MEMORY_FLOOR_MIB || action->number > HV_MEMORY_CEILING_MIB) {
		xen_fail(hv, outcome, "%" PRIu32 " MiB: only %d to %d MiB can be asked for",
			 action->number, HV_MEMORY_FLOOR_MIB, HV_MEMORY_CEILING_MIB);
		return;
	}
	if (xen_store_open(hv))
		max_kib = xen_store_number(hv, "/local/domain/%u/memory/static-max", action->domid);
	if (max_kib && kib > max_kib)
		xen_fail(hv, outcome, "%s was started with at most %" PRIu64 " MiB", action->name,
			 max_kib / 1024);
	else if (libxl_set_memory_target(hv->ctx, action->domid, (int64_t)kib, 0, 1))
		xen_fail(hv, outcome, "%s cannot be given a target of %" PRIu32 " MiB",
			 action->name, action->number);
}

static const struct {
	uint32_t verb;
	step *run;
} steps[] = {
    {VERB_START, xen_start}, {VERB_SHUTDOWN, act_shutdown},   {VERB_REBOOT, act_reboot},
    {VERB_PAUSE, act_pause}, {VERB_UNPAUSE, act_unpause},     {VERB_DESTROY, act_destroy},
    {VERB_SAVE, xen_save},   {VERB_RESTORE, xen_restore},     {VERB_MEMORY, act_memory},
    {STEP_DUMP, xen_dump},   {STEP_SET_ASIDE, xen_set_aside},
};

void
xen_act(struct hv *hv, const struct action *action, const struct config_vm *vm,
	struct outcome *outcome)
{
	outcome->state = REQUEST_SUCCEEDED;
	xen_complaint_clear(hv);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (steps[i].verb == action->verb) {
			steps[i].run(hv, action, vm, outcome);
			return;
		}
	xen_fail(hv, outcome, "no verb has the number %" PRIu32, action->verb);
}

/*
 * A destroy that was killed has paused the domain and cut it off from its devices: it is brought to
 * its end. One that had not begun is not begun now.
 */
static bool
mend_destroy(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	libxl_dominfo info;
	bool lives, begun;

	if (!action->domid || uuid_is_zero(action->uuid))
		return true;
	lives = xen_info(hv, action->domid, &info) == 1 && uuid_equal(info.uuid.uuid, action->uuid);
	begun = lives && (info.paused || info.shutdown || info.dying);
	libxl_dominfo_dispose(&info);
	if (begun)
		return xen_destroy(hv, action->domid, outcome);
	if (lives)
		TEXT_FORMAT(outcome->error, "%s was not destroyed, and runs on", action->name);
	return true;
}

/* One that is to be dumped or set aside stays: the engine comes for it again. */
static bool
mend_burial(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	xen_mend_dump(hv, action);
	if (action->number == ON_COREDUMP_DESTROY || action->number == ON_COREDUMP_RESTART ||
	    action->number == ON_RENAME_RESTART)
		return true;
	return mend_destroy(hv, action, outcome);
}

static bool
mend_replacement(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	return mend_burial(hv, action, outcome) && xen_mend_new(hv, action, outcome);
}

static bool
mend_restart(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	return mend_destroy(hv, action, outcome) && xen_mend_new(hv, action, outcome);
}

static bool
mend_save(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	xen_mend_save(hv, action, outcome);
	return outcome->state != REQUEST_UNDECIDED;
}

/* What is not here is one call, done or not. */
static const struct {
	uint32_t verb;
	bool (*run)(struct hv *hv, const struct action *action, struct outcome *outcome);
} mends[] = {
    {VERB_START, xen_mend_new},		{VERB_RESTORE, xen_mend_new},
    {VERB_REBOOT, xen_mend_new},	{VERB_SAVE, mend_save},
    {VERB_DESTROY, mend_destroy},	{ACTION_REAP, mend_burial},
    {ACTION_REPLACE, mend_replacement}, {ACTION_RESTART, mend_restart},
};

/* The steps above fill outcome with what became of the verb; here it tells of the mending. */
void
xen_mend(struct hv *hv, const struct action *action, const struct config_vm *vm,
	 struct outcome *outcome)
{
	bool right = true;

	(void)vm;
	outcome->state = REQUEST_SUCCEEDED;
	xen_complaint_clear(hv);
	for (size_t i = 0; i < sizeof(mends) / sizeof(*mends); i++)
		if (mends[i].verb == action->verb)
			right = mends[i].run(hv, action, outcome);
	outcome->state = right ? REQUEST_SUCCEEDED : REQUEST_FAILED;
}
