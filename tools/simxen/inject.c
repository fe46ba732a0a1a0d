#include "tools/simxen/inject.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Names that people know from xl, beside those of base/names.h. */
static const struct name more_verbs[] = {
    {VERB_NONE, "all"}, {VERB_START, "create"}, {VERB_MEMORY, "mem"}, {VERB_MEMORY, "mem-set"},
    {0, NULL},
};

static const struct name kind_names[] = {
    {INJECT_SLOW, "slow"}, {INJECT_FAIL, "fail"}, {INJECT_NEVER, "never"}, {0, NULL}};

int
inject_verb(const char *name)
{
	int verb = name_value(more_verbs, name);

	if (verb < 0)
		verb = name_value(verb_names, name);
	return verb == VERB_NONE && strcmp(name, "all") != 0 ? -1 : verb;
}

static void
remove_at(struct inject *inject, size_t i)
{
	inject->count--;
	memmove(&inject->list[i], &inject->list[i + 1],
		(inject->count - i) * sizeof(*inject->list));
}

void
inject_add(struct inject *inject, const struct injection *injection)
{
	for (size_t i = 0; i < inject->count; i++) {
		struct injection *old = &inject->list[i];

		if (old->kind == injection->kind && old->verb == injection->verb &&
		    strcmp(old->vm, injection->vm) == 0) {
			*old = *injection;
			return;
		}
	}
	inject->list = mem_resize(inject->list, inject->count + 1, sizeof(*inject->list));
	inject->list[inject->count++] = *injection;
}

void
inject_remove(struct inject *inject, enum inject_kind kind, enum verb verb, const char *vm)
{
	for (size_t i = inject->count; i-- > 0;) {
		struct injection *one = &inject->list[i];

		if (one->kind == kind && (verb == VERB_NONE || verb == one->verb) &&
		    (!*vm || strcmp(vm, one->vm) == 0))
			remove_at(inject, i);
	}
}

void
inject_clear(struct inject *inject)
{
	free(inject->list);
	*inject = (struct inject){0};
}

static void
apply(struct inject_fate *fate, const struct injection *one)
{
	fate->delay_ms += one->delay_ms;
	fate->never |= one->kind == INJECT_NEVER;
	fate->fails |= one->kind == INJECT_FAIL;
	if (one->kind == INJECT_FAIL)
		TEXT_SET(fate->text, one->text);
}

struct inject_fate
inject_decide(struct inject *inject, enum verb verb, const char *vm)
{
	struct inject_fate fate = {0};

	for (size_t i = inject->count; i-- > 0;) {
		struct injection *one = &inject->list[i];

		if ((one->verb != VERB_NONE && one->verb != verb) ||
		    (*one->vm && strcmp(one->vm, vm) != 0))
			continue;
		apply(&fate, one);
		if (one->left && --one->left == 0)
			remove_at(inject, i);
	}
	return fate;
}

void
inject_print(const struct inject *inject, FILE *to)
{
	for (size_t i = 0; i < inject->count; i++) {
		const struct injection *one = &inject->list[i];

		fprintf(to, "%s %s", name_of(kind_names, (int)one->kind),
			one->verb == VERB_NONE ? "all" : name_of(verb_names, (int)one->verb));
		if (*one->vm)
			fprintf(to, " -v %s", one->vm);
		if (one->left)
			fprintf(to, " -n %u", one->left);
		if (one->kind == INJECT_SLOW)
			fprintf(to, " %" PRId64, one->delay_ms);
		if (one->kind == INJECT_FAIL)
			fprintf(to, " %s", one->text);
		fputc('\n', to);
	}
}
