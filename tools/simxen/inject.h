/*
 * Faults that a test injects into the toolstack: actions that are slow, fail, or never end, for
 * one verb or all, one VM or all, a number of times or until taken back. Pure.
 */
#ifndef SIMXEN_INJECT_H
#define SIMXEN_INJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/names.h"
#include "tools/simxen/vmdef.h"

enum inject_kind { INJECT_SLOW, INJECT_FAIL, INJECT_NEVER };

struct injection {
	enum inject_kind kind;
	enum verb verb;	     /* VERB_NONE: all */
	char vm[VMDEF_TEXT]; /* empty: all */
	int64_t delay_ms;    /* INJECT_SLOW */
	char text[200];	     /* INJECT_FAIL */
	unsigned left;	     /* so many times; 0: until it is taken back */
};

struct inject {
	struct injection *list;
	size_t count;
};

/* What is to befall one action. */
struct inject_fate {
	int64_t delay_ms;
	bool fails, never;
	char text[200];
};

/* Adds one, in place of that of the same kind, verb and VM. */
void inject_add(struct inject *inject, const struct injection *injection);

/* Takes back those of the kind for the verb and VM given; with VERB_NONE, for all verbs; with an
 * empty name, for all VMs. */
void inject_remove(struct inject *inject, enum inject_kind kind, enum verb verb, const char *vm);

/* Takes back everything. */
void inject_clear(struct inject *inject);

/* Decides on an action on the VM vm, counting it. Delays add up. */
struct inject_fate inject_decide(struct inject *inject, enum verb verb, const char *vm);

/* One line each, in the words of the command that made it. */
void inject_print(const struct inject *inject, FILE *to);

/* A verb by its name or xl's ("create", "mem-set"); "all" is VERB_NONE; -1: no such verb. */
int inject_verb(const char *name);

#endif
