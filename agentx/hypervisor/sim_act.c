#include "hypervisor/sim_driver.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"

/* Has simxen do it, and waits. */
static void
run(struct hv *hv, const struct sx_act *act, struct outcome *outcome)
{
	const struct sx_done *done = (const struct sx_done *)hv->client->body;

	outcome->state = REQUEST_UNDECIDED;
	if (!sim_client_send(hv->client, SX_ACT, act, sizeof(*act), outcome->error) ||
	    !sim_client_next(hv->client, outcome->error))
		return;
	if (hv->client->header.type != SX_DONE || hv->client->header.length != sizeof(*done)) {
		TEXT_SET(outcome->error, "simxen gave no answer that makes sense");
		return;
	}
	outcome->state = done->failed ? REQUEST_FAILED : REQUEST_SUCCEEDED;
	if (act->domid == 0)
		outcome->domid = done->domid;
	SIM_TEXT(outcome->error, done->text);
}

/* SAVE_DIR/UUID with suffix; false where that is too long. */
static bool
state_path(const struct hv *hv, const struct action *action, const char *suffix, char *path,
	   size_t size)
{
	char uuid[UUID_TEXT_SIZE];

	uuid_text(action->uuid, uuid);
	return snprintf(path, size, "%s/%s%s", hv->config->save_dir, uuid, suffix) < (int)size;
}

static void
act_on(struct hv *hv, const struct action *action, const struct config_vm *vm,
       struct outcome *outcome)
{
	struct sx_act act = {.verb = action->verb, .domid = action->domid, .mib = action->number};

	(void)vm;
	run(hv, &act, outcome);
}

static void
refuse(struct outcome *outcome, const char *text)
{
	outcome->state = REQUEST_FAILED;
	TEXT_SET(outcome->error, text);
}

/* Whatever was saved before does not fit a guest that started afresh: it is put aside. */
static void
act_start(struct hv *hv, const struct action *action, const struct config_vm *vm,
	  struct outcome *outcome)
{
	struct sx_act act = {.verb = VERB_START};
	char uuid[UUID_TEXT_SIZE], state[PATH_MAX], old[PATH_MAX];

	if (strlen(vm->file) >= sizeof(act.path)) {
		refuse(outcome, "the path of its file is too long for simxen");
		return;
	}
	TEXT_SET(act.path, vm->file);
	TEXT_FORMAT(act.overrides, "name=\"%s\";", vm->provider.name);
	if (!uuid_is_zero(action->uuid)) {
		uuid_text(action->uuid, uuid);
		TEXT_FORMAT(act.overrides, "name=\"%s\";uuid=\"%s\"", vm->provider.name, uuid);
	}
	run(hv, &act, outcome);
	if (outcome->state == REQUEST_SUCCEEDED &&
	    state_path(hv, action, ".save", state, sizeof(state)) &&
	    state_path(hv, action, ".save.old", old, sizeof(old)))
		rename(state, old);
}

/* Whether the save that wrote path came to its end. */
static bool
is_whole(const char *path)
{
	char line[64] = "";
	FILE *from = fopen(path, "re");

	if (!from)
		return false;
	while (fgets(line, sizeof(line), from))
		continue;
	fclose(from);
	return strcmp(line, "# complete\n") == 0;
}

/* The save is over, by its own end or the helper's: what is left decides. */
static void
settle_save(struct hv *hv, const struct action *action, const char *part, const char *path,
	    struct outcome *outcome)
{
	struct sx_act resume = {.verb = SX_VERB_RESUME, .domid = action->domid};
	struct outcome ignored = {0};
	struct sx_domain row;

	if (sim_look(hv, action->domid, &row) && !(row.flags & SX_DYING)) {
		if (row.flags & SX_SHUTDOWN && row.reason == REASON_SUSPEND)
			run(hv, &resume, &ignored);
		unlink(part);
		outcome->state = REQUEST_FAILED;
		if (!*outcome->error)
			TEXT_SET(outcome->error, "it was not saved, and runs on");
	} else if (is_whole(part) && rename(part, path) == 0) {
		outcome->state = REQUEST_SUCCEEDED;
		memset(outcome->error, 0, sizeof(outcome->error));
	} else if (access(part, F_OK) == 0 || !is_whole(path)) {
		unlink(part);
		refuse(outcome, "it went while it was saved: no state is left");
	}
}

static void
act_save(struct hv *hv, const struct action *action, const struct config_vm *vm,
	 struct outcome *outcome)
{
	struct sx_act act = {.verb = VERB_SAVE, .domid = action->domid};
	char path[PATH_MAX];

	(void)vm;
	if (!state_path(hv, action, ".save.part", act.path, sizeof(act.path)) ||
	    !state_path(hv, action, ".save", path, sizeof(path))) {
		refuse(outcome, "the path of save_dir is too long for simxen");
		return;
	}
	run(hv, &act, outcome);
	if (outcome->state != REQUEST_UNDECIDED)
		settle_save(hv, action, act.path, path, outcome);
}

static void
act_restore(struct hv *hv, const struct action *action, const struct config_vm *vm,
	    struct outcome *outcome)
{
	struct sx_act act = {.verb = VERB_RESTORE};

	(void)vm;
	if (!state_path(hv, action, ".save", act.path, sizeof(act.path))) {
		refuse(outcome, "the path of save_dir is too long for simxen");
		return;
	}
	if (access(act.path, F_OK) < 0) {
		outcome->state = REQUEST_FAILED;
		TEXT_FORMAT(outcome->error, "%s has no saved state: %s", action->name,
			    strerror(errno));
		return;
	}
	run(hv, &act, outcome);
	if (outcome->state == REQUEST_SUCCEEDED && unlink(act.path) < 0)
		log_error("%s: restored, but its state cannot be removed: %s: %s", action->name,
			  act.path, strerror(errno));
}

/* Stands in for the guest's memory. */
static void
act_dump(struct hv *hv, const struct action *action, const struct config_vm *vm,
	 struct outcome *outcome)
{
	char path[PATH_MAX];
	FILE *to = NULL;
	bool ok;

	(void)vm;
	outcome->state = REQUEST_SUCCEEDED;
	if (state_path(hv, action, ".core", path, sizeof(path)))
		to = fopen(path, "we");
	ok = to && fprintf(to, "# simxen core of domain %" PRIu32 "\n", action->domid) > 0;
	if (to)
		ok = fclose(to) == 0 && ok;
	if (!ok)
		refuse(outcome, "its core cannot be written to save_dir");
}

static void
act_set_aside(struct hv *hv, const struct action *action, const struct config_vm *vm,
	      struct outcome *outcome)
{
	struct sx_act act = {.verb = SX_VERB_SET_ASIDE, .domid = action->domid};

	(void)vm;
	run(hv, &act, outcome);
}

static const struct {
	uint32_t verb;
	void (*act)(struct hv *hv, const struct action *action, const struct config_vm *vm,
		    struct outcome *outcome);
} steps[] = {
    {VERB_START, act_start}, {VERB_SHUTDOWN, act_on},	      {VERB_REBOOT, act_on},
    {VERB_PAUSE, act_on},    {VERB_UNPAUSE, act_on},	      {VERB_DESTROY, act_on},
    {VERB_SAVE, act_save},   {VERB_MEMORY, act_on},	      {VERB_RESTORE, act_restore},
    {STEP_DUMP, act_dump},   {STEP_SET_ASIDE, act_set_aside},
};

void
sim_act(struct hv *hv, const struct action *action, const struct config_vm *vm,
	struct outcome *outcome)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (steps[i].verb == action->verb) {
			steps[i].act(hv, action, vm, outcome);
			return;
		}
	refuse(outcome, "no verb has this number");
}

static bool
is_of(const struct sx_domain *row, const uint8_t uuid[UUID_SIZE])
{
	char text[sizeof(row->uuid)];
	uint8_t own[UUID_SIZE];

	SIM_TEXT(text, row->uuid);
	return uuid_parse(text, own) && uuid_equal(own, uuid);
}

/* A domain that was never unpaused is half built: it goes. One that runs is what was asked for. */
static void
mend_new(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	struct sx_act destroy = {.verb = VERB_DESTROY};
	struct sx_domain row;
	int found = sim_find(hv, action->name, &destroy.domid, outcome->error);

	if (found == 1 && (!sim_look(hv, destroy.domid, &row) ||
			   (!uuid_is_zero(action->uuid) && !is_of(&row, action->uuid))))
		found = 0;
	if (found != 1) {
		outcome->state = found ? REQUEST_FAILED : REQUEST_SUCCEEDED;
		return;
	}
	outcome->domid = row.domid;
	if (!(row.flags & SX_PAUSED) || row.cpu_ns > 0)
		return;
	log_warn("%s: domain %" PRIu32 " is half built, and is destroyed", action->name, row.domid);
	run(hv, &destroy, outcome);
	if (outcome->state == REQUEST_SUCCEEDED)
		TEXT_SET(outcome->error, "it was half built, and was destroyed");
}

static void
mend_save(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	char part[PATH_MAX], path[PATH_MAX];

	if (action->domid != 0 && state_path(hv, action, ".save.part", part, sizeof(part)) &&
	    state_path(hv, action, ".save", path, sizeof(path)))
		settle_save(hv, action, part, path, outcome);
	outcome->state = REQUEST_SUCCEEDED; /* to put it right, whatever became of the save */
}

/* A destroy in simxen is one step, done or not, and so are the calls that are not named here. */
void
sim_mend(struct hv *hv, const struct action *action, const struct config_vm *vm,
	 struct outcome *outcome)
{
	(void)vm;
	outcome->state = REQUEST_SUCCEEDED;
	if (action->verb == VERB_START || action->verb == VERB_RESTORE ||
	    action->verb == VERB_REBOOT || action->verb == ACTION_REPLACE ||
	    action->verb == ACTION_RESTART)
		mend_new(hv, action, outcome);
	else if (action->verb == VERB_SAVE)
		mend_save(hv, action, outcome);
}
