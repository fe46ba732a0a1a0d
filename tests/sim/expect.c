#include "tests/sim/expect.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/check.h"
#include "tests/sim/ops.h"

/* Writes what is, for comparison with what is expected; false: the words make no sense. */
typedef bool tell(struct world *world, char *const *words, int count, char *is, size_t size);

static const void *
row_by_name(const struct world *world, int kind, size_t name_offset, const char *name)
{
	const struct rowset *set = &world->agentx.rows.sets[kind];

	for (size_t i = 0; world->agentx.lives && i < set->count; i++) {
		const char *row = rowset_at(set, i);

		if (strcmp(row + name_offset, name) == 0)
			return row;
	}
	return NULL;
}

/* vm NAME state|desired|health|monitor WORD */
static bool
tell_vm(struct world *world, char *const *words, int count, char *is, size_t size)
{
	static const struct {
		const char *word;
		size_t offset;
		const struct name *names;
	} columns[] = {
	    {"state", offsetof(struct mib_vm, state), vm_state_names},
	    {"desired", offsetof(struct mib_vm, desired), vm_desired_names},
	    {"health", offsetof(struct mib_vm, health), vm_health_names},
	    {"monitor", offsetof(struct mib_vm, monitor), monitor_state_names},
	};
	const char *row = row_by_name(world, KIND_VM, offsetof(struct mib_vm, name), words[0]);
	int32_t value;

	for (size_t i = 0; count == 3 && i < sizeof(columns) / sizeof(columns[0]); i++) {
		if (strcmp(columns[i].word, words[1]) != 0)
			continue;
		if (row) {
			memcpy(&value, row + columns[i].offset, sizeof(value));
			snprintf(is, size, "%s", name_of(columns[i].names, value));
		}
		return true;
	}
	return false;
}

/* service PROVIDER NAME STATE */
static bool
tell_service(struct world *world, char *const *words, int count, char *is, size_t size)
{
	const struct rowset *set = &world->agentx.rows.sets[KIND_SERVICE];

	for (size_t i = 0; count == 3 && world->agentx.lives && i < set->count; i++) {
		const struct mib_service *row = rowset_at(set, i);

		if (strcmp(row->provider, words[0]) == 0 && strcmp(row->name, words[1]) == 0)
			snprintf(is, size, "%s", name_of(service_state_names, row->state));
	}
	return count == 3;
}

/* events TYPE VM|- NUMBER: so many of them were made */
static bool
tell_events(struct world *world, char *const *words, int count, char *is, size_t size)
{
	int type = name_value(event_type_names, words[0]);

	if (count != 3 || type < 0)
		return false;
	snprintf(is, size, "%u",
		 check_events(world, (enum event_type)type, strcmp(words[1], "-") ? words[1] : ""));
	return true;
}

/* request ID STATE */
static bool
tell_request(struct world *world, char *const *words, int count, char *is, size_t size)
{
	const struct mib_request *row =
	    row_by_name(world, KIND_REQUEST, offsetof(struct mib_request, id), words[0]);

	if (row)
		snprintf(is, size, "%s", name_of(request_state_names, row->state));
	return count == 2;
}

/* domain VM off|building|running|paused|ended|up: of the world, whatever the agent knows */
static bool
tell_domain(struct world *world, char *const *words, int count, char *is, size_t size)
{
	const struct vm_truth *vm = world_vm(world, words[0]);
	const struct domain *d = vm ? vm->domain : NULL;

	snprintf(is, size, "%s",
		 !d			      ? "off"
		 : d->phase == PHASE_BUILDING ? "building"
		 : d->phase != PHASE_LIVE     ? "ended"
		 : d->pauses > 0	      ? "paused"
		 : d->guest == GUEST_UP	      ? "up"
					      : "running");
	return vm && count == 2;
}

/* actions VERB VM NUMBER: so many of them went out */
static bool
tell_actions(struct world *world, char *const *words, int count, char *is, size_t size)
{
	int verb = ops_verb(words[0]);

	if (count != 3 || verb < 0)
		return false;
	snprintf(is, size, "%u", check_actions(world, (uint32_t)verb, words[1]));
	return true;
}

/* records NUMBER: of actions that the hypervisor process has not forgotten */
static bool
tell_records(struct world *world, char *const *words, int count, char *is, size_t size)
{
	const struct entry *entry;
	unsigned records = 0;

	(void)words;
	TAILQ_FOREACH (entry, &world->hypervisor.entries, next)
		records++;
	snprintf(is, size, "%u", records);
	return count == 1;
}

static const struct {
	const char *word;
	int least;
	tell *tell;
} forms[] = {
    {"vm", 3, tell_vm},		  {"request", 2, tell_request}, {"domain", 2, tell_domain},
    {"actions", 3, tell_actions}, {"service", 3, tell_service}, {"events", 3, tell_events},
    {"records", 1, tell_records},
};

bool
expect(struct world *world, int line, char *const *words, int count)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char is[160] = "none";

		if (strcmp(forms[i].word, words[0]) != 0 || count - 1 < forms[i].least)
			continue;
		if (!forms[i].tell(world, words + 1, count - 1, is, sizeof(is)))
			return false;
		if (strcmp(is, words[count - 1]) != 0)
			check_fail(world, "expect", "line %d: %s %s is %s, not %s", line, words[0],
				   count > 2 ? words[1] : "", is, words[count - 1]);
		return true;
	}
	return false;
}
