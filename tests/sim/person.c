/* A person with xl in Dom0: at once, and nobody is told but by what the hypervisor lists. Domains
 * that xl made have its monitor. */
#include <string.h>

#include "base/uuid.h"
#include "base/mem.h"
#include "tests/sim/check.h"
#include "tests/sim/world.h"

#define TRANSFER_MS 700
#define BUILD_MS 300

static void
transferred(void *arg)
{
	struct vm_truth *vm = arg;

	if (vm->domain && vm->domain->phase == PHASE_SHUTDOWN &&
	    vm->domain->reason == REASON_SUSPEND) {
		vm->saved = vm->person_verb == VERB_SAVE;
		model_destroy(vm->domain);
	}
}

static void
built(void *arg)
{
	struct vm_truth *vm = arg;

	if (!vm->domain || vm->domain->phase != PHASE_BUILDING)
		return;
	model_start(vm->domain);
	if (vm->person_verb == VERB_RESTORE)
		vm->saved = false;
}

static bool
make(struct world *world, struct vm_truth *vm, bool restored)
{
	if (!model_build(world->model, &vm->def, true, restored))
		return false;
	world_after(world, &vm->person, BUILD_MS, built, vm);
	return true;
}

static bool
xl_create(struct world *world, struct vm_truth *vm)
{
	return make(world, vm, false);
}

static bool
xl_restore(struct world *world, struct vm_truth *vm)
{
	return vm->saved ? make(world, vm, true)
			 : model_fail(world->model, "there is no saved state");
}

/* From another host: it is up as it comes. */
static bool
xl_arrive(struct world *world, struct vm_truth *vm)
{
	return make(world, vm, true);
}

static bool
transfer(struct world *world, struct vm_truth *vm)
{
	if (!model_can_suspend(vm->domain))
		return model_fail(world->model, "the guest does not suspend");
	model_suspend(vm->domain);
	world_after(world, &vm->person, TRANSFER_MS, transferred, vm);
	return true;
}

static bool
xl_pause(struct world *world, struct vm_truth *vm)
{
	(void)world;
	return model_pause(vm->domain);
}

static bool
xl_unpause(struct world *world, struct vm_truth *vm)
{
	(void)world;
	return model_unpause(vm->domain);
}

static bool
xl_shutdown(struct world *world, struct vm_truth *vm)
{
	(void)world;
	return model_request(vm->domain, REASON_POWEROFF);
}

static bool
xl_reboot(struct world *world, struct vm_truth *vm)
{
	(void)world;
	return model_request(vm->domain, REASON_REBOOT);
}

static bool
xl_destroy(struct world *world, struct vm_truth *vm)
{
	(void)world;
	if (vm->domain->phase == PHASE_SHUTDOWN)
		vm->person_verb = VERB_NONE; /* it is off already */
	vm->domain->monitor = false;
	return model_destroy(vm->domain);
}

static const struct {
	const char *word;
	enum verb verb; /* what it is as a wish of a person */
	bool makes;
	bool (*run)(struct world *world, struct vm_truth *vm);
} verbs[] = {
    {"create", VERB_START, true, xl_create},	  {"restore", VERB_RESTORE, true, xl_restore},
    {"arrive", VERB_START, true, xl_arrive},	  {"pause", VERB_PAUSE, false, xl_pause},
    {"unpause", VERB_UNPAUSE, false, xl_unpause}, {"shutdown", VERB_SHUTDOWN, false, xl_shutdown},
    {"reboot", VERB_REBOOT, false, xl_reboot},	  {"destroy", VERB_DESTROY, false, xl_destroy},
    {"save", VERB_SAVE, false, transfer},	  {"leave", VERB_SHUTDOWN, false, transfer},
};

bool
person_xl(struct world *world, const char *verb, const char *name)
{
	struct vm_truth *vm = world_vm(world, name);

	for (size_t i = 0; vm && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].word, verb) != 0)
			continue;
		if (verbs[i].makes || vm->domain) {
			/* What it is about to do, as the list may show it at once. */
			vm->person_verb = verbs[i].verb;
			if (verbs[i].run(world, vm))
				check_person(world, vm, vm->person_verb);
			else
				world_say(world, "        not so: %s", world->model->error);
		} else {
			world_say(world, "        not so: there is no such domain");
		}
		return true;
	}
	return false;
}
