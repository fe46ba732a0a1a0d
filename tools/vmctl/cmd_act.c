/* What is done to VMs: start, shutdown, reboot, pause, unpause, destroy, save, restore, memory,
 * maintenance, launch, rebuild, cancel. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/vmctl/act.h"
#include "tools/vmctl/graph.h"

enum confirm { CONFIRM_NEVER, CONFIRM_MANY, CONFIRM_ALWAYS };

static const struct deed {
	const char *command;
	enum verb verb;
	uint32_t already; /* states in which there is nothing to do */
	const char *done, *asked;
	enum confirm confirm;
	enum order order;
	bool starts; /* a VM that may be on two hosts */
} deeds[] = {
    {"start", VERB_START, IN(VM_RUNNING) | IN(VM_PREPARING), "started", "Start", CONFIRM_NEVER,
     ORDER_NONE, true},
    {"shutdown", VERB_SHUTDOWN, IN(VM_SHUTDOWN) | IN(VM_CRASHED) | IN(VM_SUSPENDED), "shut down",
     "Shut down", CONFIRM_MANY, ORDER_DEPENDENTS_FIRST, false},
    {"reboot", VERB_REBOOT, 0, "rebooted", "Reboot", CONFIRM_MANY, ORDER_NONE, false},
    {"pause", VERB_PAUSE, IN(VM_PAUSED), "paused", "Pause", CONFIRM_MANY, ORDER_NONE, false},
    {"unpause", VERB_UNPAUSE, IN(VM_RUNNING), "unpaused", "Unpause", CONFIRM_NEVER, ORDER_NONE,
     false},
    {"destroy", VERB_DESTROY, IN(VM_SHUTDOWN) | IN(VM_SUSPENDED), "destroyed (its disks stay)",
     "Destroy", CONFIRM_ALWAYS, ORDER_NONE, false},
    {"save", VERB_SAVE, IN(VM_SUSPENDED), "saved", "Save (and stop)", CONFIRM_MANY, ORDER_NONE,
     false},
    {"restore", VERB_RESTORE, IN(VM_RUNNING) | IN(VM_PAUSED), "restored", "Restore", CONFIRM_NEVER,
     ORDER_NONE, true},
    {"launch", VERB_LAUNCH, 0, "launched", "Launch", CONFIRM_NEVER, ORDER_PROVIDERS_FIRST, true},
    {"memory", VERB_MEMORY, 0, "has it", "Change the memory of", CONFIRM_NEVER, ORDER_NONE, false},
    {"maintenance", VERB_MAINTENANCE, 0, "done", "Maintenance of", CONFIRM_NEVER, ORDER_NONE,
     false},
};

static const struct deed *
deed_of(const char *command)
{
	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
		if (strcmp(deeds[i].command, command) == 0)
			return &deeds[i];
	abort();
}

/* ---- the VMs ---- */

/* A VM that was paused, and is to be shut down, is asked for by what the policy has for it. */
static void
act_choose(struct act *act, const struct mib_vm *vm)
{
	if (act->request.verb != VERB_SHUTDOWN || vm->state != VM_PAUSED || !vm->configured)
		return;
	act->request.verb = VERB_DESIRE;
	act->request.number = DESIRED_SHUTDOWN;
}

/* What has ended and still has its domain (on_poweroff "preserve") can be rid of that. */
static bool
is_left_over(const struct deed *deed, const struct mib_vm *vm)
{
	return deed->verb == VERB_DESTROY && !(vm->absent >> mib_vm_BIT_domid & 1) && vm->domid > 0;
}

/* Another host of the targets' that has a VM of the same name; NULL: none. */
static const struct vmctl_host *
other_host(const struct acts *acts, size_t number)
{
	const struct vm_list *vms = &acts->vms;
	const char *name = vms_name(vms, number);

	if (number > 0 && strcmp(vms_name(vms, number - 1), name) == 0)
		return vms->list[number - 1].host;
	if (number + 1 < vms->count && strcmp(vms_name(vms, number + 1), name) == 0)
		return vms->list[number + 1].host;
	return NULL;
}

static void
act_look(struct acts *acts, const struct deed *deed, size_t number, const struct mib_vm *vm)
{
	struct act *act = &acts->list[number];
	const struct vmctl_host *other = deed->starts ? other_host(acts, number) : NULL;
	char text[VMCTL_ERROR_SIZE];

	if (other) {
		act_end_twice(acts, act, other);
	} else if (!host_answers(act->host)) {
		TEXT_FORMAT(text, "its host does not answer (%s)", vmctl_host_error(act->host));
		act_end(acts, act, ACT_FAILED, text);
	} else if (vm_state_in(vm, deed->already) && !is_left_over(deed, vm)) {
		TEXT_FORMAT(text, "it is %s", name_of(vm_state_names, vm->state));
		act_end(acts, act, ACT_ALREADY, text);
	} else {
		act_choose(act, vm);
	}
}

static void
acts_look(struct acts *acts, const struct deed *deed)
{
	for (size_t i = 0; i < acts->vms.count; i++) {
		struct mib_vm vm;

		vmctl_row(acts->vms.list[i].host, KIND_VM, acts->vms.list[i].position, &vm);
		act_look(acts, deed, i, &vm);
	}
}

/* ---- all of them ---- */

/* Whether hosts that did not answer may have more of the targets. */
static void
acts_miss(struct acts *acts, const struct targets *targets)
{
	const struct context *context = acts->context;

	for (size_t i = 0; i < context->hosts_count; i++)
		acts->missing |= !host_answers(context->hosts[i]) &&
				 targets_may_miss(targets, context->hosts[i]);
}

/* Fetches, finds the VMs, makes an act of each. EXIT_ALL: go on. */
static int
acts_find(struct acts *acts, const struct deed *deed, struct targets *targets, uint32_t number)
{
	static const struct vmctl_want plain = {
	    KIND_VM, VM_BASIC | VMCTL_FIELD(mib_vm, configured) | VMCTL_FIELD(mib_vm, domid), NULL};
	struct context *context = acts->context;
	bool ordered = deed->order != ORDER_NONE;
	size_t missing = 0;

	if (!fleet_choose(context))
		return EXIT_USAGE;
	if (!ordered)
		fleet_narrow(context, targets);
	fleet_fetch(context, ordered ? graph_wants : &plain, ordered ? graph_wants_count : 1);
	vms_collect(context, targets, &acts->vms);
	for (size_t i = 0; i < context->hosts_count; i++)
		missing += !host_answers(context->hosts[i]);
	if (missing > 0)
		fleet_report(context);
	if (targets_complain(targets, missing > 0, true) > 0) {
		fprintf(stderr, "vmctl %s: nothing was done\n", context->command);
		return EXIT_NONE;
	}
	acts_miss(acts, targets);
	acts->one = !ordered && targets_name_one(targets);
	for (size_t i = 0; i < acts->vms.count; i++)
		acts_add(acts, acts->vms.list[i].host, vms_name(&acts->vms, i), deed->verb, number);
	return EXIT_ALL;
}

static bool
needs_confirmation(const struct acts *acts, const struct deed *deed)
{
	return deed->confirm == CONFIRM_ALWAYS ||
	       (deed->confirm == CONFIRM_MANY && acts->count > 1);
}

static int
acts_do(struct acts *acts, const struct deed *deed)
{
	acts_name(acts);
	if (acts->count == 0 && acts->missing)
		fprintf(stderr, "vmctl %s: nothing was done\n", acts->context->command);
	if (acts->context->options.dry_run)
		return acts_show(acts);
	if (needs_confirmation(acts, deed) && !acts_confirm(acts, deed->asked)) {
		fprintf(stderr, "vmctl %s: nothing was done\n", acts->context->command);
		return EXIT_NONE;
	}
	return acts_run(acts);
}

static bool
id_check(const struct context *context)
{
	size_t most = REQUEST_ID_SIZE - 1 - 9; /* of many VMs: -%08x is put behind */

	if (!context->options.id || strlen(context->options.id) <= most)
		return true;
	usage_error(context, "--id has %zu characters at most", most);
	return false;
}

static int
acts_of_targets(struct context *context, const struct deed *deed, uint32_t number)
{
	struct acts acts = {.context = context, .done = deed->done};
	struct targets *targets;
	int status = EXIT_USAGE;

	if (context->words_count == 0 && !context->options.all)
		return usage_error(context,
				   "which VMs? Give TARGET ... or --all; see vmctl %s --help",
				   context->command);
	targets = id_check(context) ? targets_new(context, context->words, context->words_count,
						  context->options.all)
				    : NULL;
	if (targets)
		status = acts_find(&acts, deed, targets, number);
	if (status == EXIT_ALL && deed->order != ORDER_NONE && !acts_sort(&acts, deed->order))
		status = EXIT_NONE;
	if (status == EXIT_ALL) {
		acts_look(&acts, deed);
		status = acts_do(&acts, deed);
	}
	acts_free(&acts);
	targets_free(targets);
	return status;
}

int
cmd_action(struct context *context)
{
	return acts_of_targets(context, deed_of(context->command), 0);
}

int
cmd_launch(struct context *context)
{
	return acts_of_targets(context, deed_of("launch"), 0);
}

/* ---- maintenance ---- */

/* "90s", "30m", "2h", "1d"; a number alone is minutes. 0: it is none. */
static uint32_t
duration_s(const char *text)
{
	static const struct {
		const char *unit;
		uint32_t s;
	} units[] = {{"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"", 60}};
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && end != text && *text != '-'; i++)
		if (strcmp(end, units[i].unit) == 0 && number < UINT32_MAX / units[i].s)
			return (uint32_t)number * units[i].s;
	return 0;
}

int
cmd_maintenance(struct context *context)
{
	uint32_t seconds = UINT32_MAX;
	const char *word = context->words_count > 0 ? context->words[0] : "";

	if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
		return usage_error(context, "on or off? see vmctl maintenance --help");
	if (strcmp(word, "off") == 0)
		seconds = 0;
	else if (context->options.duration)
		seconds = duration_s(context->options.duration);
	if (context->options.duration && seconds == 0)
		return usage_error(context,
				   "--for %s: it takes 90s, 30m, 2h or 1d, and only with on",
				   context->options.duration);
	context->words++;
	context->words_count--;
	return acts_of_targets(context, deed_of("maintenance"), seconds);
}

/* ---- memory: TARGET=SIZE ---- */

/* "512", "512M", "2G": MiB; 0: it is none. */
static uint32_t
size_mib(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	unsigned long factor = strcmp(end, "G") == 0		    ? 1024
			       : *end == 0 || strcmp(end, "M") == 0 ? 1
								    : 0;

	if (end == text || *text == '-' || number > UINT32_MAX / 1024)
		return 0;
	return (uint32_t)(number * factor);
}

/* Each word is of its own amount, so its VMs are found one word after the other. EXIT_ALL: go on.
 */
static int
memory_word(struct acts *acts, char *word, bool hosts_missing)
{
	char *equals = strrchr(word, '=');
	uint32_t mib = equals ? size_mib(equals + 1) : 0;
	struct targets *targets;
	struct vm_list vms;
	size_t wrong;

	if (mib == 0)
		return usage_error(acts->context,
				   "\"%s\": write TARGET=SIZE, as www=512M or group:db=2G", word);
	*equals = 0;
	targets = targets_new(acts->context, &word, 1, false);
	if (!targets)
		return EXIT_USAGE;
	vms_collect(acts->context, targets, &vms);
	wrong = targets_complain(targets, hosts_missing, true);
	acts_miss(acts, targets);
	acts->one = acts->context->words_count == 1 && targets_name_one(targets);
	for (size_t i = 0; i < vms.count; i++) {
		struct act *act =
		    acts_add(acts, vms.list[i].host, vms_name(&vms, i), VERB_MEMORY, mib);
		struct mib_vm vm;

		vmctl_row(act->host, KIND_VM, vms.list[i].position, &vm);
		act->state =
		    vm.state == VM_RUNNING || vm.state == VM_PAUSED || vm.state == VM_UNKNOWN
			? ACT_WAITS
			: ACT_BLOCKED;
	}
	vms_free(&vms);
	targets_free(targets);
	return wrong == 0 ? EXIT_ALL : EXIT_NONE;
}

/* VMs that are not up have no memory to change. */
static void
memory_look(struct acts *acts)
{
	for (size_t i = 0; i < acts->count; i++) {
		struct act *act = &acts->list[i];

		if (act->state == ACT_BLOCKED)
			act_end(acts, act, ACT_FAILED, "it is not up");
		else if (!host_answers(act->host))
			act_end(acts, act, ACT_FAILED, "its host does not answer");
	}
}

int
cmd_memory(struct context *context)
{
	static const struct vmctl_want want = {KIND_VM, VM_BASIC, NULL};
	const struct deed *deed = deed_of("memory");
	struct acts acts = {.context = context, .done = deed->done};
	int status = EXIT_ALL;
	bool missing;

	if (context->words_count == 0)
		return usage_error(context, "of which VM? write TARGET=SIZE, as www=512M");
	if (!id_check(context) || !fleet_choose(context))
		return EXIT_USAGE;
	fleet_fetch(context, &want, 1);
	missing = fleet_report(context) != EXIT_ALL;
	for (int i = 0; i < context->words_count && status == EXIT_ALL; i++)
		status = memory_word(&acts, context->words[i], missing);
	if (status == EXIT_ALL) {
		memory_look(&acts);
		status = acts_do(&acts, deed);
	} else if (status == EXIT_NONE) {
		fprintf(stderr, "vmctl memory: nothing was done\n");
	}
	acts_free(&acts);
	return status;
}

/* ---- rebuild: of hosts ---- */

int
cmd_rebuild(struct context *context)
{
	static const struct vmctl_want want = {KIND_HOST, VMCTL_FIELD(mib_host, name), NULL};
	static const struct deed rebuild = {
	    "rebuild", VERB_REBUILD,  0,	  "its configuration was read anew",
	    "",	       CONFIRM_NEVER, ORDER_NONE, false};
	/* The name of a host or of a group of hosts, each of which has one request. */
	struct acts acts = {
	    .context = context, .done = rebuild.done, .one = context->words_count == 1};
	int status;

	if (context->words_count == 0 && !context->options.all)
		return usage_error(context, "which hosts? Give HOST ... or --all");
	hosts_from_words(context);
	if (!id_check(context) || !fleet_choose(context))
		return EXIT_USAGE;
	fleet_fetch(context, &want, 1);
	for (size_t i = 0; i < context->hosts_count; i++) {
		struct act *act = acts_add(&acts, context->hosts[i],
					   vmctl_host_name(context->hosts[i]), VERB_REBUILD, 0);

		TEXT_SET(act->request.vm, "*");
	}
	status = acts_do(&acts, &rebuild);
	acts_free(&acts);
	return status;
}

/* ---- cancel ---- */

static void
cancelled(void *arg, struct vmctl_host *host, const struct vmctl_request *request,
	  const struct vmctl_outcome *outcome)
{
	struct acts *acts = arg;
	bool done = outcome->state == REQUEST_CANCELLED;

	for (size_t i = 0; i < acts->count; i++) {
		struct act *act = &acts->list[i];

		if (act->state == ACT_OPEN && act->host == host &&
		    strcmp(act->request.id, request->id) == 0)
			act_end(acts, act,
				done		   ? ACT_DONE
				: outcome->unknown ? ACT_UNKNOWN
						   : ACT_FAILED,
				done ? request->id : outcome->error);
	}
}

/* The requests of that id, on whatever host; their number. */
static size_t
cancel_word(struct acts *acts, const char *id)
{
	const struct context *context = acts->context;
	struct mib_request request;
	size_t found = 0;

	for (size_t i = 0; i < context->hosts_count; i++)
		for (size_t j = 0; vmctl_row(context->hosts[i], KIND_REQUEST, j, &request); j++) {
			char text[VMCTL_ERROR_SIZE];
			struct act *act;

			if (strcmp(request.id, id) != 0)
				continue;
			act = acts_add(acts, context->hosts[i], request.vm, request.verb,
				       request.number);
			TEXT_SET(act->request.id, id);
			found++;
			/* One that is over would go out of the table, and with it what became of
			 * it. */
			TEXT_FORMAT(text, "it is %s already",
				    name_of(request_state_names, request.state));
			if (request.state == REQUEST_QUEUED)
				act->state = ACT_OPEN;
			else
				act_end(acts, act, ACT_FAILED, text);
		}
	if (found == 0)
		fprintf(stderr, "vmctl cancel: there is no request %s\n", id);
	return found;
}

int
cmd_cancel(struct context *context)
{
	static const struct vmctl_want want = {KIND_REQUEST, 0, NULL};
	struct acts acts = {.context = context, .done = "taken back"};
	size_t missing = 0, done = 0;

	if (context->words_count == 0)
		return usage_error(context, "which requests? Give their ids; see vmctl requests");
	if (!fleet_choose(context))
		return EXIT_USAGE;
	fleet_fetch(context, &want, 1);
	for (int i = 0; i < context->words_count; i++)
		missing += cancel_word(&acts, context->words[i]) == 0;
	for (size_t i = 0; i < acts.count; i++)
		if (acts.list[i].state == ACT_OPEN)
			vmctl_cancel(acts.list[i].host, acts.list[i].request.id, cancelled, &acts);
	vmctl_run(context->vmctl, 0);
	acts_show(&acts);
	fleet_report(context);
	for (size_t i = 0; i < acts.count; i++)
		done += acts.list[i].state == ACT_DONE;
	missing += acts.count - done;
	acts_free(&acts);
	return missing == 0 ? EXIT_ALL : done > 0 ? EXIT_SOME : EXIT_NONE;
}
