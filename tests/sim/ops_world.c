/* What happens to guests, what people do to them, and what fails. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "tests/sim/check.h"
#include "tests/sim/ops_internal.h"

bool
op_crash(struct op_call *call)
{
	struct vm_truth *vm = op_vm(call, 1);

	if (vm && vm->domain && (!domain_active(vm->domain) || !model_crash(vm->domain)))
		world_say(call->world, "        not so: it does not run");
	return vm != NULL;
}

bool
op_hang(struct op_call *call)
{
	struct vm_truth *vm = op_vm(call, 1);
	int64_t after_ms = call->count > 2 ? scenario_time(call->words[2]) : -1;

	if (vm && vm->domain && !model_panic(vm->domain, after_ms))
		world_say(call->world, "        not so: %s", call->world->model->error);
	return vm != NULL;
}

static bool
guest_ends(struct op_call *call, enum shutdown_reason reason)
{
	struct vm_truth *vm = op_vm(call, 1);

	if (!vm)
		return false;
	if (vm->domain && model_guest_end(vm->domain, reason) &&
	    (vm->domain->guest == GUEST_BOOTING || vm->domain->guest_reason == reason))
		check_person(call->world, vm,
			     reason == REASON_POWEROFF ? VERB_SHUTDOWN : VERB_REBOOT);
	return true;
}

bool
op_poweroff(struct op_call *call)
{
	return guest_ends(call, REASON_POWEROFF);
}

bool
op_reboot(struct op_call *call)
{
	return guest_ends(call, REASON_REBOOT);
}

bool
op_service(struct op_call *call)
{
	static const struct name faults[] = {
	    {FAULT_NONE, "ok"}, {FAULT_STOP, "stop"}, {FAULT_HANG, "hang"}, {0, NULL}};
	struct truth *truth = world_truth(call->world, call->words[1], call->words[2]);
	int fault = name_value(faults, call->words[3]);
	bool lasting = call->count > 4 && strcmp(call->words[4], "lasting") == 0;

	if (!truth && op_vm(call, 1))
		return true; /* no configuration says what it offers */
	if (!truth || fault < 0)
		return false;
	world_fault(call->world, truth, (enum service_fault)fault, lasting);
	return true;
}

bool
op_used(struct op_call *call)
{
	struct vm_truth *vm = op_vm(call, 1);

	if (!vm)
		return false;
	vm->def.used_mib = atoi(call->words[2]);
	if (vm->domain)
		vm->domain->def.used_mib = vm->def.used_mib;
	return true;
}

bool
op_xl(struct op_call *call)
{
	return person_xl(call->world, call->words[1], call->count > 2 ? call->words[2] : "");
}

/* ---- faults ---- */

static bool
is_on(const struct op_call *call, int word)
{
	return word < call->count && strcmp(call->words[word], "on") == 0;
}

bool
op_silence(struct op_call *call)
{
	bool figures = strcmp(call->words[1], "figures") == 0;

	hypervisor_silence(call->world, figures, is_on(call, 2));
	return figures || strcmp(call->words[1], "states") == 0;
}

bool
op_watch(struct op_call *call)
{
	call->world->hypervisor.watch_dead = !is_on(call, 1);
	return true;
}

bool
op_repeat(struct op_call *call)
{
	call->world->hypervisor.repeats = strtoull(call->words[1], NULL, 10);
	return true;
}

bool
op_snmpd(struct op_call *call)
{
	agentx_deaf(call->world, strcmp(call->words[1], "deaf") == 0);
	return true;
}

bool
op_probing(struct op_call *call)
{
	static const struct name faults[] = {{PROBING_WELL, "well"},
					     {PROBING_LOSES, "lost"},
					     {PROBING_FAILS, "error"},
					     {PROBING_SLOW, "slow"},
					     {0, NULL}};
	struct prober *prober = &call->world->prober;
	int fault = name_value(faults, call->words[1]);

	if (fault < 0)
		return false;
	prober->fault = (enum probe_fault)fault;
	prober->fault_until_ms =
	    call->count > 2 ? world_now(call->world) + scenario_time(call->words[2]) : INT64_MAX;
	return true;
}

bool
op_store(struct op_call *call)
{
	bool fails = strcmp(call->words[1], "fails") == 0;
	bool slow = strcmp(call->words[1], "slow") == 0;

	if (strcmp(call->words[1], "loses") == 0) {
		sim_store_lose(call->world->store, true);
		return true;
	}
	sim_store_fail(call->world->store, fails,
		       slow && call->count > 2 ? scenario_time(call->words[2]) : 0);
	return fails || slow || strcmp(call->words[1], "well") == 0;
}

/* inject fail|slow|never VERB VM [times=N] [after=TIME] [TEXT...] */
bool
op_inject(struct op_call *call)
{
	static const struct name kinds[] = {
	    {INJECT_FAIL, "fail"}, {INJECT_SLOW, "slow"}, {INJECT_NEVER, "never"}, {0, NULL}};
	struct injection injection = {.kind = (enum inject_kind)name_value(kinds, call->words[1]),
				      .verb = (enum verb)ops_verb(call->words[2]),
				      .left = 1};

	if ((int)injection.kind < 0 || (int)injection.verb < 0)
		return false;
	TEXT_SET(injection.vm, strcmp(call->words[3], "all") == 0 ? "" : call->words[3]);
	TEXT_SET(injection.text, "it is not to be");
	for (int i = 4; i < call->count; i++) {
		if (strncmp(call->words[i], "times=", 6) == 0)
			injection.left = (unsigned)atoi(call->words[i] + 6);
		else if (strncmp(call->words[i], "after=", 6) == 0)
			injection.delay_ms = scenario_time(call->words[i] + 6);
		else
			return false;
	}
	inject_add(&call->world->inject, &injection);
	return true;
}

bool
op_helper(struct op_call *call)
{
	struct vm_truth *vm = op_vm(call, 2);

	if (vm)
		action_die(call->world, vm);
	return vm && strcmp(call->words[1], "kill") == 0;
}

bool
op_heal(struct op_call *call)
{
	struct world *world = call->world;

	inject_clear(&world->inject);
	sim_store_fail(world->store, false, 0);
	hypervisor_silence(world, false, false);
	hypervisor_silence(world, true, false);
	world->hypervisor.watch_dead = false;
	world->prober.fault_until_ms = 0;
	agentx_deaf(world, false);
	world->model->memory_full = false;
	for (size_t i = 0; i < world->truths_count; i++)
		world_fault(world, &world->truths[i], FAULT_NONE, true);
	check_healed(world);
	return true;
}

bool
op_wall(struct op_call *call)
{
	bool back = call->words[1][0] == '-';
	int64_t ms = scenario_time(call->words[1] + 1);

	call->world->wall_skew_ms += back ? -ms : ms;
	return ms > 0;
}

bool
op_memory(struct op_call *call)
{
	call->world->model->memory_full = strcmp(call->words[1], "full") == 0;
	return true;
}

/* ---- guests' own keys ---- */

bool
ops_guest_key(struct vm_truth *vm, const char *text)
{
	struct vmdef *def = &vm->def;
	const struct {
		const char *key;
		int64_t *time;
		uint32_t *number;
		enum on_action *action;
	} keys[] = {
	    {"boot=", &def->boot_ms, NULL, NULL},
	    {"shutdown=", &def->shutdown_ms, NULL, NULL},
	    {"crash=", &def->crash_ms, NULL, NULL},
	    {"memory=", NULL, &def->memory_mib, NULL},
	    {"maxmem=", NULL, &def->maxmem_mib, NULL},
	    {"vifs=", NULL, &def->vif_count, NULL},
	    {"on_poweroff=", NULL, NULL, &def->on_poweroff},
	    {"on_reboot=", NULL, NULL, &def->on_reboot},
	    {"on_crash=", NULL, NULL, &def->on_crash},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value = text + strlen(keys[i].key);

		if (strncmp(text, keys[i].key, strlen(keys[i].key)) != 0)
			continue;
		if (keys[i].time)
			*keys[i].time = scenario_time(value);
		else if (keys[i].number)
			*keys[i].number = (uint32_t)atoi(value);
		else
			*keys[i].action = (enum on_action)name_value(on_action_names, value);
		return true;
	}
	if (strncmp(text, "used=", 5) == 0)
		def->used_mib = atoi(text + 5);
	else if (strncmp(text, "uuid=", 5) == 0)
		TEXT_SET(def->uuid, text + 5);
	else if (strcmp(text, "tools=1") == 0)
		def->tools = true;
	else if (strcmp(text, "saved=1") == 0)
		vm->saved = true;
	else
		return false;
	return true;
}
