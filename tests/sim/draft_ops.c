/* What happens in a random run. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/draft.h"

#define BEGIN_MS 3000 /* before that nothing happens */

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

static void add_op(struct draft *draft, int64_t at_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void
add_op(struct draft *draft, int64_t at_ms, const char *format, ...)
{
	struct draft_op *op;
	va_list args;

	draft->ops = mem_resize(draft->ops, draft->ops_count + 1, sizeof(*draft->ops));
	op = &draft->ops[draft->ops_count++];
	*op = (struct draft_op){.at_ms = at_ms, .kept = true};
	va_start(args, format);
	vsnprintf(op->text, sizeof(op->text), format, args);
	va_end(args);
}

struct moment {
	struct draft *draft;
	struct dice *dice;
	int64_t at_ms;
	const struct draft_vm *vm; /* any */
};

static int64_t
later(const struct moment *moment, int least_s, int most_s)
{
	return moment->at_ms + dice_pick(moment->dice, least_s * 1000, most_s * 1000);
}

static void
make_guest_op(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "%s %s",
	       ONE_OF(moment->dice, "crash", "crash", "poweroff", "reboot", "hang"),
	       moment->vm->name);
}

static void
make_hang(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "hang %s %ds", moment->vm->name,
	       dice_pick(moment->dice, 1, 20));
}

static void
make_service_op(const struct moment *moment)
{
	const struct draft_vm *vm = moment->vm;
	const char *name;

	if (vm->services_count == 0)
		return;
	name = vm->services[dice_pick(moment->dice, 0, vm->services_count - 1)].name;
	add_op(moment->draft, moment->at_ms, "service %s %s %s%s", vm->name, name,
	       ONE_OF(moment->dice, "stop", "hang"),
	       dice_once_in(moment->dice, 4) ? " lasting" : "");
	if (dice_once_in(moment->dice, 2))
		add_op(moment->draft, later(moment, 1, 60), "service %s %s ok lasting", vm->name,
		       name);
}

static void
make_external_op(const struct moment *moment)
{
	int number = moment->draft->externals_count;

	if (number == 0)
		return;
	number = dice_pick(moment->dice, 0, number - 1);
	add_op(moment->draft, moment->at_ms, "service x%d %s %s", number,
	       moment->draft->externals[number].name, ONE_OF(moment->dice, "stop", "hang"));
	add_op(moment->draft, later(moment, 2, 60), "service x%d %s ok", number,
	       moment->draft->externals[number].name);
}

static void
make_xl(const struct moment *moment)
{
	const char *verb = ONE_OF(moment->dice, "create", "pause", "unpause", "shutdown", "reboot",
				  "destroy", "save", "restore", "leave", "arrive");

	add_op(moment->draft, moment->at_ms, "xl %s %s", verb, moment->vm->name);
	if (strcmp(verb, "pause") == 0 && dice_once_in(moment->dice, 2))
		add_op(moment->draft, later(moment, 1, 40), "xl unpause %s", moment->vm->name);
}

static void
make_request(const struct moment *moment)
{
	static const char *const verbs[] = {
	    "start",   "shutdown", "reboot", "pause",  "unpause", "start",	 "destroy", "save",
	    "restore", "memory",   "launch", "launch", "desire",  "maintenance", "unpause"};
	const char *verb = dice_one_of(moment->dice, verbs, sizeof(verbs) / sizeof(verbs[0]));
	char more[64] = "";
	struct dice *dice = moment->dice;

	if (strcmp(verb, "memory") == 0)
		ADD(more, " number=%d", dice_pick(dice, 64, 512));
	else if (strcmp(verb, "desire") == 0)
		ADD(more, " number=%d", dice_once_in(dice, 2) ? 2 : 5);
	else if (strcmp(verb, "maintenance") == 0)
		ADD(more, " number=%d", dice_once_in(dice, 3) ? 0 : dice_pick(dice, 5, 120));
	if (dice_once_in(dice, 3))
		ADD(more, " id=r%d", dice_pick(dice, 0, 30));
	if (dice_once_in(dice, 12))
		ADD(more, " undo");
	add_op(moment->draft, moment->at_ms, "request %s %s%s", verb, moment->vm->name, more);
	if (strcmp(verb, "maintenance") == 0 && dice_once_in(dice, 2))
		add_op(moment->draft, later(moment, 5, 60), "request maintenance %s number=0",
		       moment->vm->name);
}

static void
make_request_of_many(const struct moment *moment)
{
	bool shutdown = dice_once_in(moment->dice, 2);
	const char *whom = ONE_OF(moment->dice, "*", "group:odd", "group:even");

	add_op(moment->draft, moment->at_ms, "request %s %s id=m%d",
	       shutdown ? "shutdown" : "launch", whom, dice_pick(moment->dice, 0, 1000));
	if (shutdown)
		add_op(moment->draft, later(moment, 1, 90), "request launch %s id=m%d", whom,
		       dice_pick(moment->dice, 0, 1000));
}

static void
make_cancel(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "cancel %s%d", ONE_OF(moment->dice, "r", "m", "auto-"),
	       dice_pick(moment->dice, 0, 30));
}

static void
make_kill(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "%s kill",
	       ONE_OF(moment->dice, "engine", "engine", "hypervisor", "agentx", "agent"));
}

static void
make_when(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "when action %s %s do %s kill",
	       ONE_OF(moment->dice, "start", "pause", "unpause", "shutdown", "restart", "replace",
		      "reap", "destroy"),
	       moment->vm->name, ONE_OF(moment->dice, "engine", "agent", "hypervisor"));
}

static void
make_silence(const struct moment *moment)
{
	const char *what = ONE_OF(moment->dice, "states", "figures");

	add_op(moment->draft, moment->at_ms, "silence %s on", what);
	add_op(moment->draft, later(moment, 2, 30), "silence %s off", what);
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
	size_t i = dice_roll(moment->dice) % (sizeof(pairs) / sizeof(pairs[0]));

	add_op(moment->draft, moment->at_ms, "%s", pairs[i][0]);
	add_op(moment->draft, later(moment, 2, 40), "%s", pairs[i][1]);
}

static void
make_inject(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "inject %s %s %s after=%ds",
	       ONE_OF(moment->dice, "fail", "fail", "slow", "never"),
	       ONE_OF(moment->dice, "start", "shutdown", "pause", "unpause", "restart", "replace",
		      "all"),
	       moment->vm->name, dice_pick(moment->dice, 1, 15));
}

static void
make_helper(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "helper kill %s", moment->vm->name);
}

static void
make_reload(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "reload %s", ONE_OF(moment->dice, "c0", "c1", "c2"));
}

static void
make_rebuild(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "file %s",
	       ONE_OF(moment->dice, "c0", "c1", "c2", "broken"));
	add_op(moment->draft, later(moment, 1, 5), "request rebuild * id=b%d",
	       dice_pick(moment->dice, 0, 1000));
}

static void
make_wall(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "wall %s%ds",
	       dice_once_in(moment->dice, 2) ? "+" : "-", dice_pick(moment->dice, 1, 4000));
}

static void
make_host(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "host reboot %ds", dice_pick(moment->dice, 5, 20));
}

static void
make_used(const struct moment *moment)
{
	add_op(moment->draft, moment->at_ms, "used %s %d", moment->vm->name,
	       dice_pick(moment->dice, 20, 400));
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
	at = dice_pick(moment->dice, 0, sum - 1);
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
	const struct draft_op *x = a, *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* Things come in bursts, with rest between, and near to each other in a burst. */
void
draft_make_ops(struct draft *draft, struct dice *dice)
{
	int bursts = dice_pick(dice, 1, 8);
	int64_t at_ms = BEGIN_MS;

	for (int i = 0; i < bursts; i++) {
		int count = dice_pick(dice, 1, 7);

		at_ms += dice_pick(dice, 0, 60000);
		for (int j = 0; j < count; j++) {
			struct moment moment = {.draft = draft, .dice = dice, .at_ms = at_ms};

			moment.vm = &draft->vms[dice_pick(dice, 0, draft->vms_count - 1)];
			make_something(&moment);
			at_ms += dice_once_in(dice, 3) ? dice_pick(dice, 0, 10)
						       : dice_pick(dice, 0, 6000);
		}
	}
	qsort(draft->ops, draft->ops_count, sizeof(*draft->ops), compare_ops);
	at_ms = draft->ops_count > 0 ? draft->ops[draft->ops_count - 1].at_ms : at_ms;
	add_op(draft, at_ms + 1000, "heal");
	add_op(draft, at_ms + 1000, "rest");
	draft->ops[draft->ops_count - 1].pinned = draft->ops[draft->ops_count - 2].pinned = true;
}
