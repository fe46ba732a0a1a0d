#include "tests/sim/draft.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tools/simxen/model.h"

/* Adds to a text of size octets. */
static void add(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void
add(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}
#define ADD(array, ...) add(array, sizeof(array), __VA_ARGS__)

static void
make_head(struct draft *draft, struct dice *dice)
{
	static const int intervals[] = {1000, 2000, 5000, 10000};
	int watch = dice_pick(dice, 1, 8);

	ADD(draft->head, "agent { journal-size = %d }\n", dice_once_in(dice, 4) ? 20 : 1000);
	ADD(draft->head,
	    "hypervisor { interval = \"%dms\" silence = \"3s\" action-timeout = \"%ds\""
	    " shutdown-timeout = \"%ds\" shutdown-escalation = %s }\n",
	    intervals[dice_pick(dice, 0, 3)], dice_pick(dice, 20, 60), dice_pick(dice, 5, 20),
	    ONE_OF(dice, "fail", "destroy"));
	ADD(draft->head,
	    "supervision { interval = \"%ds\" timeout = \"%ds\" rise = %d fall = %d grace = "
	    "\"%ds\"",
	    watch, dice_pick(dice, 1, watch < 3 ? watch : 3), dice_pick(dice, 1, 2),
	    dice_pick(dice, 1, 3), dice_pick(dice, 1, 20));
	ADD(draft->head, " boot-allowance = \"%ds\" restart-limit = %d restart-window = \"%dmin\"",
	    dice_pick(dice, 30, 90), dice_pick(dice, 0, 3), dice_pick(dice, 3, 20));
	ADD(draft->head, " restart-backoff = \"%ds\" }\n", dice_pick(dice, 1, 10));
}

static void
make_services(struct draft_vm *vm, struct dice *dice, int number)
{
	static const struct {
		const char *kind;
		int port;
	} kinds[] = {{"tcp", 80}, {"tcp", 22}, {"udp", 53}, {"icmp", 0}, {"plugin", 0}};

	vm->services_count = dice_once_in(dice, 5) ? 0 : dice_pick(dice, 1, DRAFT_SERVICES);
	for (int i = 0; i < vm->services_count; i++) {
		struct draft_service *service = &vm->services[i];
		int kind = (dice_pick(dice, 0, 4) + i) % 5;

		for (int j = 0; j < i; j++)
			if (strcmp(vm->services[j].kind, kinds[kind].kind) == 0 &&
			    vm->services[j].port == kinds[kind].port)
				kind = (kind + 1) % 5, j = -1;
		snprintf(service->kind, sizeof(service->kind), "%s", kinds[kind].kind);
		service->port = kinds[kind].port;
		if (service->port)
			snprintf(service->name, sizeof(service->name), "%d/%s", service->port,
				 service->kind);
		else
			snprintf(service->name, sizeof(service->name), "%s%s", service->kind,
				 strcmp(service->kind, "plugin") == 0 ? "-a" : "");
		(void)number;
	}
}

/* Needs of those before it: chains, diamonds, layers come by themselves. */
static void
make_needs(struct draft *draft, struct dice *dice, int number)
{
	struct draft_vm *vm = &draft->vms[number];
	int density = dice_pick(dice, 2, 4);

	for (int i = 0; i < number; i++) {
		const struct draft_vm *provider = &draft->vms[i];

		if (provider->services_count == 0 || provider->standby >= 0 ||
		    vm->needs_count >= 4 || !dice_once_in(dice, density))
			continue;
		vm->needs[vm->needs_count].provider = i;
		vm->needs[vm->needs_count++].service =
		    dice_once_in(dice, 3) ? -1 : dice_pick(dice, 0, provider->services_count - 1);
	}
	if (draft->externals_count > 0 && dice_once_in(dice, 4)) {
		vm->needs[vm->needs_count].provider =
		    DRAFT_VMS + dice_pick(dice, 0, draft->externals_count - 1);
		vm->needs[vm->needs_count++].service = 0;
	}
}

static void
make_policy(struct draft_vm *vm, struct dice *dice, int variant)
{
	char *policy = vm->policy[variant];
	size_t size = sizeof(vm->policy[variant]);

	*policy = '\0';
	if (dice_once_in(dice, 6))
		add(policy, size, " autostart = no");
	if (dice_once_in(dice, 4))
		add(policy, size, " start-delay = \"%ds\"", dice_pick(dice, 1, 5));
	if (dice_once_in(dice, 4))
		add(policy, size, " start-timeout = \"%ds\" on-start-timeout = %s",
		    dice_pick(dice, 10, 60), ONE_OF(dice, "wait", "start", "give-up"));
	if (dice_once_in(dice, 4))
		add(policy, size, " on-dependency-failure = %s",
		    ONE_OF(dice, "pause", "alert", "shutdown"));
	if (dice_once_in(dice, 5))
		add(policy, size, " restart-limit = %d", dice_pick(dice, 0, 4));
	if (dice_once_in(dice, 5))
		add(policy, size, " shutdown-escalation = %s", ONE_OF(dice, "fail", "destroy"));
	if (dice_once_in(dice, 4))
		add(policy, size, " memory-min = %d memory-max = %d", dice_pick(dice, 64, 128),
		    512);
}

static void
make_guest(struct draft_vm *vm, struct dice *dice)
{
	snprintf(vm->guest, sizeof(vm->guest), "boot=%dms shutdown=%dms maxmem=512",
		 dice_pick(dice, 500, 9000), dice_pick(dice, 200, 4000));
	if (dice_once_in(dice, 2))
		ADD(vm->guest, " on_crash=%s",
		    ONE_OF(dice, "destroy", "restart", "restart", "rename-restart", "preserve",
			   "coredump-restart"));
	if (dice_once_in(dice, 8))
		ADD(vm->guest, " on_poweroff=%s", ONE_OF(dice, "preserve", "restart"));
	if (dice_once_in(dice, 8))
		ADD(vm->guest, " on_reboot=%s", ONE_OF(dice, "destroy", "rename-restart"));
	if (dice_once_in(dice, 20))
		ADD(vm->guest, " crash=%ds", dice_pick(dice, 3, 60));
	if (dice_once_in(dice, 3))
		ADD(vm->guest, " tools=1 used=%d", dice_pick(dice, 40, 240));
	if (dice_once_in(dice, 6))
		ADD(vm->guest, " vifs=1");
}

static void
make_vm(struct draft *draft, struct dice *dice, int number)
{
	struct draft_vm *vm = &draft->vms[number];

	snprintf(vm->name, sizeof(vm->name), "%c", 'a' + number);
	vm->standby = -1;
	draft->vm_kept[number] = true;
	make_services(vm, dice, number);
	make_needs(draft, dice, number);
	make_guest(vm, dice);
	for (int i = 0; i < DRAFT_CONFIGS; i++) {
		vm->there[i] = i == 0 ? !dice_once_in(dice, 10) : !dice_once_in(dice, 6);
		if (i == 0 || dice_once_in(dice, 3))
			make_policy(vm, dice, i);
		else
			memcpy(vm->policy[i], vm->policy[i - 1], sizeof(vm->policy[i]));
	}
}

/* The last VM may stand in for one before it: nobody needs it. */
static void
make_standby(struct draft *draft, struct dice *dice)
{
	struct draft_vm *standby = &draft->vms[draft->vms_count - 1];
	int primary;

	if (draft->vms_count < 3 || !dice_once_in(dice, 3))
		return;
	primary = dice_pick(dice, 0, draft->vms_count - 2);
	if (draft->vms[primary].services_count == 0)
		return;
	standby->needs_count = 0;
	memcpy(standby->services, draft->vms[primary].services, sizeof(standby->services));
	standby->services_count = draft->vms[primary].services_count;
	draft->vms[primary].standby = draft->vms_count - 1;
}

void
draft_make(struct draft *draft, uint64_t seed)
{
	struct dice dice = {model_hash(seed, 99)};

	*draft = (struct draft){.seed = seed};
	make_head(draft, &dice);
	draft->externals_count = dice_pick(&dice, 0, DRAFT_EXTERNALS);
	for (int i = 0; i < draft->externals_count; i++)
		snprintf(draft->externals[i].name, sizeof(draft->externals[i].name), "%s",
			 i ? "123/udp" : "5432/tcp");
	draft->vms_count =
	    dice_once_in(&dice, 6) ? dice_pick(&dice, 8, DRAFT_VMS) : dice_pick(&dice, 1, 6);
	for (int i = 0; i < draft->vms_count; i++)
		make_vm(draft, &dice, i);
	make_standby(draft, &dice);
	draft_make_ops(draft, &dice);
}

void
draft_dispose(struct draft *draft)
{
	free(draft->ops);
	*draft = (struct draft){0};
}

/* ---- as a scenario ---- */

static bool
is_there(const struct draft *draft, int number, int config)
{
	return draft->vm_kept[number] && draft->vms[number].there[config];
}

static void
print_needs(const struct draft *draft, const struct draft_vm *vm, int config, FILE *to)
{
	const char *before = " needs = {";

	for (int i = 0; i < vm->needs_count; i++) {
		int provider = vm->needs[i].provider, service = vm->needs[i].service;

		if (provider < DRAFT_VMS && !is_there(draft, provider, config))
			continue;
		if (provider >= DRAFT_VMS)
			fprintf(to, "%s\"x%d:%s\"", before, provider - DRAFT_VMS,
				draft->externals[provider - DRAFT_VMS].name);
		else if (service < 0)
			fprintf(to, "%s\"%s\"", before, draft->vms[provider].name);
		else
			fprintf(to, "%s\"%s:%s\"", before, draft->vms[provider].name,
				draft->vms[provider].services[service].name);
		before = ", ";
	}
	if (*before == ',')
		fputs("}", to);
}

static void
print_services(const struct draft_vm *vm, FILE *to)
{
	for (int i = 0; i < vm->services_count; i++) {
		const struct draft_service *service = &vm->services[i];

		if (strcmp(service->kind, "plugin") == 0)
			fprintf(
			    to,
			    "\tservice \"%s\" { protocol = plugin command = \"/x/check %s\" }\n",
			    service->name, vm->name);
		else if (service->port)
			fprintf(to, "\tservice \"%s\" { port = %d protocol = %s }\n", service->name,
				service->port, service->kind);
		else
			fprintf(to, "\tservice \"%s\" { protocol = %s }\n", service->name,
				service->kind);
	}
}

/* Of the primary, where that has one: the standby answers there. */
static int
address_of(const struct draft *draft, int number)
{
	for (int i = 0; i < draft->vms_count; i++)
		if (draft->vms[i].standby == number && draft->seed % 2)
			return i;
	return number;
}

static void
print_vm(const struct draft *draft, int number, int config, FILE *to)
{
	const struct draft_vm *vm = &draft->vms[number];

	fprintf(to, "vm \"%s\" {\n\tfile = \"/x/%s.cfg\" address = \"10.0.0.%d\" group = \"%s\"",
		vm->name, vm->name, address_of(draft, number) + 1, number % 2 ? "odd" : "even");
	if ((draft->seed + (uint64_t)number) % 4)
		fprintf(to, " uuid = \"00000000-0000-4000-8000-0000000000%02x\"", number + 1);
	fprintf(to, "\n\t%s", vm->policy[config]);
	print_needs(draft, vm, config, to);
	if (vm->standby >= 0 && is_there(draft, vm->standby, config))
		fprintf(to, " standby = \"%s\"", draft->vms[vm->standby].name);
	fputs("\n", to);
	print_services(vm, to);
	fputs("}\n", to);
}

static char *
print_config(const struct draft *draft, int config)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	fputs(draft->head, to);
	for (int i = 0; i < draft->externals_count; i++)
		fprintf(to, "external \"x%d\" { address = \"10.0.1.%d\" services = {\"%s\"} }\n", i,
			i + 1, draft->externals[i].name);
	for (int i = 0; i < draft->vms_count; i++)
		if (is_there(draft, i, config))
			print_vm(draft, i, config, to);
	fclose(to);
	return text;
}

/* Whether it speaks of a VM that is left out. */
static bool
speaks_of_others(const struct draft *draft, const char *text)
{
	char copy[160], *rest = copy, *word;

	TEXT_SET(copy, text);
	while ((word = strsep(&rest, " ")))
		for (int i = 0; i < draft->vms_count; i++)
			if (!draft->vm_kept[i] && strcmp(draft->vms[i].name, word) == 0)
				return true;
	return false;
}

void
draft_scenario(const struct draft *draft, struct scenario *scenario)
{
	*scenario = (struct scenario){.seed = draft->seed};
	snprintf(scenario->name, sizeof(scenario->name), "seed-%" PRIu64, draft->seed);
	for (int i = 0; i < DRAFT_CONFIGS; i++) {
		char *text = print_config(draft, i);
		char name[8];

		snprintf(name, sizeof(name), "c%d", i);
		scenario_add_config(scenario, name, text);
		free(text);
	}
	for (int i = 0; i < draft->vms_count; i++) {
		char text[300];

		snprintf(text, sizeof(text), "%s %s", draft->vms[i].name, draft->vms[i].guest);
		if (draft->vm_kept[i])
			scenario_add_guest(scenario, text);
	}
	for (size_t i = 0; i < draft->ops_count; i++)
		if (draft->ops[i].kept && !speaks_of_others(draft, draft->ops[i].text))
			scenario_add_op(scenario, draft->ops[i].at_ms, "%s", draft->ops[i].text);
	if (draft->end_ms > 0)
		scenario_add_op(scenario, draft->end_ms, "end");
}
