#include "tests/sim/plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tools/simxen/model.h"

#define BEGIN_MS 3000 /* before that nothing happens */

/* ---- chance ---- */

struct dice {
	uint64_t state;
};

static uint64_t
roll(struct dice *dice)
{
	return dice->state = model_hash(dice->state, 1);
}

/* From least to most. */
static int
pick(struct dice *dice, int least, int most)
{
	return least + (int)(roll(dice) % (uint64_t)(most - least + 1));
}

static bool
once_in(struct dice *dice, int times)
{
	return roll(dice) % (uint64_t)times == 0;
}

static const char *
one_of(struct dice *dice, const char *const *words, int count)
{
	return words[roll(dice) % (uint64_t)count];
}
#define ONE_OF(dice, ...)                                                                          \
	one_of(dice, (const char *const[]){__VA_ARGS__},                                           \
	       sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

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

/* ---- VMs ---- */

static void
make_head(struct plan *plan, struct dice *dice)
{
	static const int intervals[] = {1000, 2000, 5000, 10000};
	int watch = pick(dice, 1, 8);

	ADD(plan->head, "agent { journal-size = %d }\n", once_in(dice, 4) ? 20 : 1000);
	ADD(plan->head,
	    "hypervisor { interval = \"%dms\" silence = \"3s\" action-timeout = \"%ds\""
	    " shutdown-timeout = \"%ds\" shutdown-escalation = %s }\n",
	    intervals[pick(dice, 0, 3)], pick(dice, 20, 60), pick(dice, 5, 20),
	    ONE_OF(dice, "fail", "destroy"));
	ADD(plan->head,
	    "supervision { interval = \"%ds\" timeout = \"%ds\" rise = %d fall = %d grace = "
	    "\"%ds\"",
	    watch, pick(dice, 1, watch < 3 ? watch : 3), pick(dice, 1, 2), pick(dice, 1, 3),
	    pick(dice, 1, 20));
	ADD(plan->head, " boot-allowance = \"%ds\" restart-limit = %d restart-window = \"%dmin\"",
	    pick(dice, 30, 90), pick(dice, 0, 3), pick(dice, 3, 20));
	ADD(plan->head, " restart-backoff = \"%ds\" }\n", pick(dice, 1, 10));
}

static void
make_services(struct plan_vm *vm, struct dice *dice, int number)
{
	static const struct {
		const char *kind;
		int port;
	} kinds[] = {{"tcp", 80}, {"tcp", 22}, {"udp", 53}, {"icmp", 0}, {"plugin", 0}};

	vm->services_count = once_in(dice, 5) ? 0 : pick(dice, 1, PLAN_SERVICES);
	for (int i = 0; i < vm->services_count; i++) {
		struct plan_service *service = &vm->services[i];
		int kind = (pick(dice, 0, 4) + i) % 5;

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
make_needs(struct plan *plan, struct dice *dice, int number)
{
	struct plan_vm *vm = &plan->vms[number];
	int density = pick(dice, 2, 4);

	for (int i = 0; i < number; i++) {
		const struct plan_vm *provider = &plan->vms[i];

		if (provider->services_count == 0 || provider->standby >= 0 ||
		    vm->needs_count >= 4 || !once_in(dice, density))
			continue;
		vm->needs[vm->needs_count].provider = i;
		vm->needs[vm->needs_count++].service =
		    once_in(dice, 3) ? -1 : pick(dice, 0, provider->services_count - 1);
	}
	if (plan->externals_count > 0 && once_in(dice, 4)) {
		vm->needs[vm->needs_count].provider =
		    PLAN_VMS + pick(dice, 0, plan->externals_count - 1);
		vm->needs[vm->needs_count++].service = 0;
	}
}

static void
make_policy(struct plan_vm *vm, struct dice *dice, int variant)
{
	char *policy = vm->policy[variant];
	size_t size = sizeof(vm->policy[variant]);

	*policy = '\0';
	if (once_in(dice, 6))
		add(policy, size, " autostart = no");
	if (once_in(dice, 4))
		add(policy, size, " start-delay = \"%ds\"", pick(dice, 1, 5));
	if (once_in(dice, 4))
		add(policy, size, " start-timeout = \"%ds\" on-start-timeout = %s",
		    pick(dice, 10, 60), ONE_OF(dice, "wait", "start", "give-up"));
	if (once_in(dice, 4))
		add(policy, size, " on-dependency-failure = %s",
		    ONE_OF(dice, "pause", "alert", "shutdown"));
	if (once_in(dice, 5))
		add(policy, size, " restart-limit = %d", pick(dice, 0, 4));
	if (once_in(dice, 5))
		add(policy, size, " shutdown-escalation = %s", ONE_OF(dice, "fail", "destroy"));
	if (once_in(dice, 4))
		add(policy, size, " memory-min = %d memory-max = %d", pick(dice, 64, 128), 512);
}

static void
make_guest(struct plan_vm *vm, struct dice *dice)
{
	snprintf(vm->guest, sizeof(vm->guest), "boot=%dms shutdown=%dms maxmem=512",
		 pick(dice, 500, 9000), pick(dice, 200, 4000));
	if (once_in(dice, 2))
		ADD(vm->guest, " on_crash=%s",
		    ONE_OF(dice, "destroy", "restart", "restart", "rename-restart", "preserve",
			   "coredump-restart"));
	if (once_in(dice, 8))
		ADD(vm->guest, " on_poweroff=%s", ONE_OF(dice, "preserve", "restart"));
	if (once_in(dice, 8))
		ADD(vm->guest, " on_reboot=%s", ONE_OF(dice, "destroy", "rename-restart"));
	if (once_in(dice, 20))
		ADD(vm->guest, " crash=%ds", pick(dice, 3, 60));
	if (once_in(dice, 3))
		ADD(vm->guest, " tools=1 used=%d", pick(dice, 40, 240));
	if (once_in(dice, 6))
		ADD(vm->guest, " vifs=1");
}

static void
make_vm(struct plan *plan, struct dice *dice, int number)
{
	struct plan_vm *vm = &plan->vms[number];

	snprintf(vm->name, sizeof(vm->name), "%c", 'a' + number);
	vm->standby = -1;
	plan->vm_kept[number] = true;
	make_services(vm, dice, number);
	make_needs(plan, dice, number);
	make_guest(vm, dice);
	for (int i = 0; i < PLAN_CONFIGS; i++) {
		vm->there[i] = i == 0 ? !once_in(dice, 10) : !once_in(dice, 6);
		if (i == 0 || once_in(dice, 3))
			make_policy(vm, dice, i);
		else
			memcpy(vm->policy[i], vm->policy[i - 1], sizeof(vm->policy[i]));
	}
}

/* The last VM may stand in for one before it: nobody needs it. */
static void
make_standby(struct plan *plan, struct dice *dice)
{
	struct plan_vm *standby = &plan->vms[plan->vms_count - 1];
	int primary = pick(dice, 0, plan->vms_count - 2);

	if (plan->vms_count < 3 || !once_in(dice, 3) || plan->vms[primary].services_count == 0)
		return;
	standby->needs_count = 0;
	memcpy(standby->services, plan->vms[primary].services, sizeof(standby->services));
	standby->services_count = plan->vms[primary].services_count;
	plan->vms[primary].standby = plan->vms_count - 1;
}

/* ---- what happens ---- */

static void add_op(struct plan *plan, int64_t at_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void
add_op(struct plan *plan, int64_t at_ms, const char *format, ...)
{
	struct plan_op *op;
	va_list args;

	plan->ops = mem_resize(plan->ops, plan->ops_count + 1, sizeof(*plan->ops));
	op = &plan->ops[plan->ops_count++];
	*op = (struct plan_op){.at_ms = at_ms, .kept = true};
	va_start(args, format);
	vsnprintf(op->text, sizeof(op->text), format, args);
	va_end(args);
}

struct moment {
	struct plan *plan;
	struct dice *dice;
	int64_t at_ms;
	const struct plan_vm *vm; /* any */
};

static int64_t
later(const struct moment *moment, int least_s, int most_s)
{
	return moment->at_ms + pick(moment->dice, least_s * 1000, most_s * 1000);
}

static void
make_guest_op(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "%s %s",
	       ONE_OF(moment->dice, "crash", "crash", "poweroff", "reboot", "hang"),
	       moment->vm->name);
}

static void
make_hang(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "hang %s %ds", moment->vm->name,
	       pick(moment->dice, 1, 20));
}

static void
make_service_op(const struct moment *moment)
{
	const struct plan_vm *vm = moment->vm;
	const char *name;

	if (vm->services_count == 0)
		return;
	name = vm->services[pick(moment->dice, 0, vm->services_count - 1)].name;
	add_op(moment->plan, moment->at_ms, "service %s %s %s%s", vm->name, name,
	       ONE_OF(moment->dice, "stop", "hang"), once_in(moment->dice, 4) ? " lasting" : "");
	if (once_in(moment->dice, 2))
		add_op(moment->plan, later(moment, 1, 60), "service %s %s ok lasting", vm->name,
		       name);
}

static void
make_external_op(const struct moment *moment)
{
	int number = moment->plan->externals_count;

	if (number == 0)
		return;
	number = pick(moment->dice, 0, number - 1);
	add_op(moment->plan, moment->at_ms, "service x%d %s %s", number,
	       moment->plan->externals[number].name, ONE_OF(moment->dice, "stop", "hang"));
	add_op(moment->plan, later(moment, 2, 60), "service x%d %s ok", number,
	       moment->plan->externals[number].name);
}

static void
make_xl(const struct moment *moment)
{
	const char *verb = ONE_OF(moment->dice, "create", "pause", "unpause", "shutdown", "reboot",
				  "destroy", "save", "restore", "leave", "arrive");

	add_op(moment->plan, moment->at_ms, "xl %s %s", verb, moment->vm->name);
	if (strcmp(verb, "pause") == 0 && once_in(moment->dice, 2))
		add_op(moment->plan, later(moment, 1, 40), "xl unpause %s", moment->vm->name);
}

static void
make_request(const struct moment *moment)
{
	static const char *const verbs[] = {
	    "start",   "shutdown", "reboot", "pause",  "unpause", "start",	 "destroy", "save",
	    "restore", "memory",   "launch", "launch", "desire",  "maintenance", "unpause"};
	const char *verb = one_of(moment->dice, verbs, sizeof(verbs) / sizeof(verbs[0]));
	char more[64] = "";
	struct dice *dice = moment->dice;

	if (strcmp(verb, "memory") == 0)
		ADD(more, " number=%d", pick(dice, 64, 512));
	else if (strcmp(verb, "desire") == 0)
		ADD(more, " number=%d", once_in(dice, 2) ? 2 : 5);
	else if (strcmp(verb, "maintenance") == 0)
		ADD(more, " number=%d", once_in(dice, 3) ? 0 : pick(dice, 5, 120));
	if (once_in(dice, 3))
		ADD(more, " id=r%d", pick(dice, 0, 30));
	if (once_in(dice, 12))
		ADD(more, " undo");
	add_op(moment->plan, moment->at_ms, "request %s %s%s", verb, moment->vm->name, more);
	if (strcmp(verb, "maintenance") == 0 && once_in(dice, 2))
		add_op(moment->plan, later(moment, 5, 60), "request maintenance %s number=0",
		       moment->vm->name);
}

static void
make_request_of_many(const struct moment *moment)
{
	bool shutdown = once_in(moment->dice, 2);
	const char *whom = ONE_OF(moment->dice, "*", "group:odd", "group:even");

	add_op(moment->plan, moment->at_ms, "request %s %s id=m%d",
	       shutdown ? "shutdown" : "launch", whom, pick(moment->dice, 0, 1000));
	if (shutdown)
		add_op(moment->plan, later(moment, 1, 90), "request launch %s id=m%d", whom,
		       pick(moment->dice, 0, 1000));
}

static void
make_cancel(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "cancel %s%d", ONE_OF(moment->dice, "r", "m", "auto-"),
	       pick(moment->dice, 0, 30));
}

static void
make_kill(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "%s kill",
	       ONE_OF(moment->dice, "engine", "engine", "hypervisor", "agentx", "agent"));
}

static void
make_when(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "when action %s %s do %s kill",
	       ONE_OF(moment->dice, "start", "pause", "unpause", "shutdown", "restart", "replace",
		      "reap", "destroy"),
	       moment->vm->name, ONE_OF(moment->dice, "engine", "agent", "hypervisor"));
}

static void
make_silence(const struct moment *moment)
{
	const char *what = ONE_OF(moment->dice, "states", "figures");

	add_op(moment->plan, moment->at_ms, "silence %s on", what);
	add_op(moment->plan, later(moment, 2, 30), "silence %s off", what);
}

static void
make_fault(const struct moment *moment)
{
	static const char *const pairs[][2] = {
	    {"watch off", "watch on"},		{"repeat 3", "repeat 0"},
	    {"snmpd deaf", "snmpd hears"},	{"store fails", "store well"},
	    {"store slow 400ms", "store well"}, {"memory full", "memory free"},
	    {"probing lost", "probing well"},	{"probing error", "probing well"},
	    {"probing slow", "probing well"}};
	size_t i = roll(moment->dice) % (sizeof(pairs) / sizeof(pairs[0]));

	add_op(moment->plan, moment->at_ms, "%s", pairs[i][0]);
	add_op(moment->plan, later(moment, 2, 40), "%s", pairs[i][1]);
}

static void
make_inject(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "inject %s %s %s after=%ds",
	       ONE_OF(moment->dice, "fail", "fail", "slow", "never"),
	       ONE_OF(moment->dice, "start", "shutdown", "pause", "unpause", "restart", "replace",
		      "all"),
	       moment->vm->name, pick(moment->dice, 1, 15));
}

static void
make_helper(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "helper kill %s", moment->vm->name);
}

static void
make_reload(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "reload %s", ONE_OF(moment->dice, "c0", "c1", "c2"));
}

static void
make_rebuild(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "file %s",
	       ONE_OF(moment->dice, "c0", "c1", "c2", "broken"));
	add_op(moment->plan, later(moment, 1, 5), "request rebuild * id=b%d",
	       pick(moment->dice, 0, 1000));
}

static void
make_wall(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "wall %s%ds", once_in(moment->dice, 2) ? "+" : "-",
	       pick(moment->dice, 1, 4000));
}

static void
make_host(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "host reboot %ds", pick(moment->dice, 5, 20));
}

static void
make_used(const struct moment *moment)
{
	add_op(moment->plan, moment->at_ms, "used %s %d", moment->vm->name,
	       pick(moment->dice, 20, 400));
}

static const struct {
	int weight;
	void (*make)(const struct moment *moment);
} makers[] = {
    {10, make_guest_op},
    {3, make_hang},
    {14, make_service_op},
    {5, make_external_op},
    {12, make_xl},
    {20, make_request},
    {5, make_request_of_many},
    {3, make_cancel},
    {9, make_kill},
    {6, make_when},
    {4, make_silence},
    {8, make_fault},
    {8, make_inject},
    {3, make_helper},
    {3, make_reload},
    {2, make_rebuild},
    {1, make_wall},
    {1, make_host},
    {3, make_used},
};

static void
make_something(const struct moment *moment)
{
	int sum = 0, at;

	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		sum += makers[i].weight;
	at = pick(moment->dice, 0, sum - 1);
	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		at -= makers[i].weight;
		if (at < 0) {
			makers[i].make(moment);
			return;
		}
	}
}

static int
compare_ops(const void *a, const void *b)
{
	const struct plan_op *x = a, *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* Things come in bursts, with rest between, and near to each other in a burst. */
static void
make_ops(struct plan *plan, struct dice *dice)
{
	int bursts = pick(dice, 1, 8);
	int64_t at_ms = BEGIN_MS;

	for (int i = 0; i < bursts; i++) {
		int count = pick(dice, 1, 7);

		at_ms += pick(dice, 0, 60000);
		for (int j = 0; j < count; j++) {
			struct moment moment = {.plan = plan, .dice = dice, .at_ms = at_ms};

			moment.vm = &plan->vms[pick(dice, 0, plan->vms_count - 1)];
			make_something(&moment);
			at_ms += once_in(dice, 3) ? pick(dice, 0, 10) : pick(dice, 0, 6000);
		}
	}
	qsort(plan->ops, plan->ops_count, sizeof(*plan->ops), compare_ops);
	at_ms = plan->ops_count > 0 ? plan->ops[plan->ops_count - 1].at_ms : at_ms;
	add_op(plan, at_ms + 1000, "heal");
	add_op(plan, at_ms + 1000, "rest");
	plan->ops[plan->ops_count - 1].pinned = plan->ops[plan->ops_count - 2].pinned = true;
}

void
plan_make(struct plan *plan, uint64_t seed)
{
	struct dice dice = {model_hash(seed, 99)};

	*plan = (struct plan){.seed = seed};
	make_head(plan, &dice);
	plan->externals_count = pick(&dice, 0, PLAN_EXTERNALS);
	for (int i = 0; i < plan->externals_count; i++)
		snprintf(plan->externals[i].name, sizeof(plan->externals[i].name), "%s",
			 i ? "123/udp" : "5432/tcp");
	plan->vms_count = once_in(&dice, 6) ? pick(&dice, 8, PLAN_VMS) : pick(&dice, 1, 6);
	for (int i = 0; i < plan->vms_count; i++)
		make_vm(plan, &dice, i);
	make_standby(plan, &dice);
	make_ops(plan, &dice);
}

void
plan_dispose(struct plan *plan)
{
	free(plan->ops);
	*plan = (struct plan){0};
}

/* ---- as a scenario ---- */

static bool
is_there(const struct plan *plan, int number, int config)
{
	return plan->vm_kept[number] && plan->vms[number].there[config];
}

static void
print_needs(const struct plan *plan, const struct plan_vm *vm, int config, FILE *to)
{
	const char *before = " needs = {";

	for (int i = 0; i < vm->needs_count; i++) {
		int provider = vm->needs[i].provider, service = vm->needs[i].service;

		if (provider < PLAN_VMS && !is_there(plan, provider, config))
			continue;
		if (provider >= PLAN_VMS)
			fprintf(to, "%s\"x%d:%s\"", before, provider - PLAN_VMS,
				plan->externals[provider - PLAN_VMS].name);
		else if (service < 0)
			fprintf(to, "%s\"%s\"", before, plan->vms[provider].name);
		else
			fprintf(to, "%s\"%s:%s\"", before, plan->vms[provider].name,
				plan->vms[provider].services[service].name);
		before = ", ";
	}
	if (*before == ',')
		fputs("}", to);
}

static void
print_services(const struct plan_vm *vm, FILE *to)
{
	for (int i = 0; i < vm->services_count; i++) {
		const struct plan_service *service = &vm->services[i];

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
address_of(const struct plan *plan, int number)
{
	for (int i = 0; i < plan->vms_count; i++)
		if (plan->vms[i].standby == number && plan->seed % 2)
			return i;
	return number;
}

static void
print_vm(const struct plan *plan, int number, int config, FILE *to)
{
	const struct plan_vm *vm = &plan->vms[number];

	fprintf(to, "vm \"%s\" {\n\tfile = \"/x/%s.cfg\" address = \"10.0.0.%d\" group = \"%s\"",
		vm->name, vm->name, address_of(plan, number) + 1, number % 2 ? "odd" : "even");
	if ((plan->seed + (uint64_t)number) % 4)
		fprintf(to, " uuid = \"00000000-0000-4000-8000-0000000000%02x\"", number + 1);
	fprintf(to, "\n\t%s", vm->policy[config]);
	print_needs(plan, vm, config, to);
	if (vm->standby >= 0 && is_there(plan, vm->standby, config))
		fprintf(to, " standby = \"%s\"", plan->vms[vm->standby].name);
	fputs("\n", to);
	print_services(vm, to);
	fputs("}\n", to);
}

static char *
print_config(const struct plan *plan, int config)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	fputs(plan->head, to);
	for (int i = 0; i < plan->externals_count; i++)
		fprintf(to, "external \"x%d\" { address = \"10.0.1.%d\" services = {\"%s\"} }\n", i,
			i + 1, plan->externals[i].name);
	for (int i = 0; i < plan->vms_count; i++)
		if (is_there(plan, i, config))
			print_vm(plan, i, config, to);
	fclose(to);
	return text;
}

/* Whether it speaks of a VM that is left out. */
static bool
speaks_of_others(const struct plan *plan, const char *text)
{
	char copy[160], *rest = copy, *word;

	TEXT_SET(copy, text);
	while ((word = strsep(&rest, " ")))
		for (int i = 0; i < plan->vms_count; i++)
			if (!plan->vm_kept[i] && strcmp(plan->vms[i].name, word) == 0)
				return true;
	return false;
}

void
plan_scenario(const struct plan *plan, struct scenario *scenario)
{
	*scenario = (struct scenario){.seed = plan->seed};
	snprintf(scenario->name, sizeof(scenario->name), "seed-%" PRIu64, plan->seed);
	for (int i = 0; i < PLAN_CONFIGS; i++) {
		char *text = print_config(plan, i);
		char name[8];

		snprintf(name, sizeof(name), "c%d", i);
		scenario_add_config(scenario, name, text);
		free(text);
	}
	for (int i = 0; i < plan->vms_count; i++) {
		char text[300];

		snprintf(text, sizeof(text), "%s %s", plan->vms[i].name, plan->vms[i].guest);
		if (plan->vm_kept[i])
			scenario_add_guest(scenario, text);
	}
	for (size_t i = 0; i < plan->ops_count; i++)
		if (plan->ops[i].kept && !speaks_of_others(plan, plan->ops[i].text))
			scenario_add_op(scenario, plan->ops[i].at_ms, "%s", plan->ops[i].text);
	if (plan->end_ms > 0)
		scenario_add_op(scenario, plan->end_ms, "end");
}
