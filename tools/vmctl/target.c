#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"
#include "tools/vmctl/vmctl.h"

enum term_kind { TERM_NAME, TERM_UUID, TERM_GROUP, TERM_HOST, TERM_STATE, TERM_HEALTH };

struct term {
	enum term_kind kind;
	bool glob;
	char text[VM_NAME_SIZE];
	uint8_t uuid[UUID_SIZE];
	int32_t number;
};

#define TERMS_MAX 8

/* A word: all its terms hold together. */
struct word {
	const char *text;
	struct term terms[TERMS_MAX];
	size_t count, matched;
	const struct vmctl_host *first, *second; /* that it matched on */
	bool plain;				 /* names one VM: no glob, no set */
};

struct targets {
	const struct context *context;
	struct word *words;
	size_t count;
	bool all;
};

static const struct {
	const char *prefix;
	enum term_kind kind;
	const struct name *names;
} prefixes[] = {{"group:", TERM_GROUP, NULL},
		{"host:", TERM_HOST, NULL},
		{"state:", TERM_STATE, vm_state_names},
		{"health:", TERM_HEALTH, vm_health_names}};

static bool
term_number(const struct context *context, struct term *term, const struct name *names)
{
	char known[256] = "";
	size_t used = 0;

	term->number = name_value(names, term->text);
	if (term->number >= 0)
		return true;
	for (; names->name && used < sizeof(known); names++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, " %s", names->name);
	usage_error(context, "\"%s\" is none of:%s", term->text, known);
	return false;
}

static bool
term_read(const struct context *context, const char *text, enum term_kind kind, struct term *term)
{
	*term = (struct term){.kind = kind};
	for (size_t i = 0; kind == TERM_NAME && i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t length = strlen(prefixes[i].prefix);

		if (strncmp(text, prefixes[i].prefix, length) != 0)
			continue;
		text += length;
		term->kind = prefixes[i].kind;
		TEXT_SET(term->text, text);
		if (prefixes[i].names && !term_number(context, term, prefixes[i].names))
			return false;
		break;
	}
	if (!*text || strlen(text) >= sizeof(term->text)) {
		usage_error(context, "\"%s\" names nothing", text);
		return false;
	}
	TEXT_SET(term->text, text);
	term->glob = strpbrk(text, "*?[") != NULL;
	if (term->kind == TERM_NAME && uuid_parse(text, term->uuid))
		term->kind = TERM_UUID;
	return true;
}

/* A term, or NAME@HOST, which is two. */
static bool
word_add(const struct context *context, struct word *word, char *text)
{
	char *at = strchr(text, '@');

	if (word->count + 2 > TERMS_MAX) {
		usage_error(context, "\"%s\" has too many terms", word->text);
		return false;
	}
	if (at)
		*at++ = 0;
	if (at && !*text)
		text = "*";
	if (!term_read(context, text, TERM_NAME, &word->terms[word->count++]))
		return false;
	return !at || term_read(context, at, TERM_HOST, &word->terms[word->count++]);
}

static bool
word_read(const struct context *context, const char *text, struct word *word)
{
	char *copy = mem_string(text), *save = NULL;
	bool ok = true;

	word->text = text;
	for (char *term = strtok_r(copy, ",", &save); term && ok; term = strtok_r(NULL, ",", &save))
		ok = word_add(context, word, term);
	free(copy);
	if (ok && word->count == 0) {
		usage_error(context, "\"%s\" names nothing", text);
		return false;
	}
	for (size_t i = 0; i < word->count; i++)
		word->plain |= word->terms[i].kind == TERM_UUID ||
			       (word->terms[i].kind == TERM_NAME && !word->terms[i].glob);
	return ok;
}

struct targets *
targets_new(const struct context *context, char **words, int count, bool all)
{
	struct targets *targets = mem_alloc(sizeof(*targets));
	bool ok = true;

	targets->context = context;
	targets->all = all;
	targets->words = mem_array((size_t)count, sizeof(*targets->words));
	if (all && count > 0) {
		usage_error(context, "--all and \"%s\" are too much; give one of them", words[0]);
		ok = false;
	}
	for (int i = 0; i < count && ok; i++)
		ok = word_read(context, words[i], &targets->words[targets->count++]);
	if (ok)
		return targets;
	targets_free(targets);
	return NULL;
}

void
targets_free(struct targets *targets)
{
	if (!targets)
		return;
	free(targets->words);
	free(targets);
}

uint64_t
targets_bits(const struct targets *targets)
{
	static const uint64_t bits[] = {
	    [TERM_NAME] = 0,
	    [TERM_UUID] = VMCTL_FIELD(mib_vm, uuid),
	    [TERM_GROUP] = VMCTL_FIELD(mib_vm, group),
	    [TERM_HOST] = 0,
	    [TERM_STATE] = VMCTL_FIELD(mib_vm, state),
	    [TERM_HEALTH] = VMCTL_FIELD(mib_vm, health),
	};
	uint64_t wanted = VMCTL_FIELD(mib_vm, name);

	for (size_t i = 0; i < targets->count; i++)
		for (size_t j = 0; j < targets->words[i].count; j++)
			wanted |= bits[targets->words[i].terms[j].kind];
	return wanted;
}

bool
targets_name_one(const struct targets *targets)
{
	return targets->count == 1 && targets->words[0].plain;
}

static bool
text_matches(const struct term *term, const char *text)
{
	return term->glob ? fnmatch(term->text, text, 0) == 0 : strcmp(term->text, text) == 0;
}

static bool
host_matches(const struct term *term, const struct vmctl_host *host)
{
	const char *group;

	if (!host) /* what is no VM of ours is on no host */
		return false;
	if (text_matches(term, vmctl_host_name(host)))
		return true;
	for (size_t i = 0; (group = vmctl_host_group(host, i)); i++)
		if (text_matches(term, group))
			return true;
	return false;
}

static bool
term_matches(const struct term *term, const struct vmctl_host *host, const struct mib_vm *vm)
{
	switch (term->kind) {
	case TERM_NAME:
		return text_matches(term, vm->name);
	case TERM_UUID:
		return uuid_equal(term->uuid, vm->uuid);
	case TERM_GROUP:
		return text_matches(term, vm->group);
	case TERM_HOST:
		return host_matches(term, host);
	case TERM_STATE:
		return vm->state == term->number;
	case TERM_HEALTH:
		return vm->health == term->number;
	}
	return false;
}

static bool
word_matches(struct word *word, const struct vmctl_host *host, const struct mib_vm *vm)
{
	for (size_t i = 0; i < word->count; i++)
		if (!term_matches(&word->terms[i], host, vm))
			return false;
	word->matched++;
	if (!word->first)
		word->first = host;
	else if (word->first != host && !word->second)
		word->second = host;
	return true;
}

bool
targets_match(struct targets *targets, const struct vmctl_host *host, const struct mib_vm *vm)
{
	bool matched = targets->all;

	for (size_t i = 0; i < targets->count; i++)
		matched |= word_matches(&targets->words[i], host, vm);
	return matched;
}

static bool
word_wants_host(const struct word *word, const struct vmctl_host *host)
{
	for (size_t i = 0; i < word->count; i++)
		if (word->terms[i].kind == TERM_HOST && !host_matches(&word->terms[i], host))
			return false;
	return true;
}

bool
targets_want_host(const struct targets *targets, const struct vmctl_host *host)
{
	for (size_t i = 0; i < targets->count; i++)
		if (word_wants_host(&targets->words[i], host))
			return true;
	return targets->all;
}

bool
targets_may_miss(const struct targets *targets, const struct vmctl_host *host)
{
	for (size_t i = 0; i < targets->count; i++)
		if (!targets->words[i].plain && word_wants_host(&targets->words[i], host))
			return true;
	return targets->all;
}

size_t
targets_complain(const struct targets *targets, bool hosts_missing, bool twice)
{
	size_t wrong = 0;

	for (size_t i = 0; i < targets->count; i++) {
		const struct word *word = &targets->words[i];

		if (word->matched == 0) {
			fprintf(stderr, "vmctl: %s%s: no such VM%s\n",
				word->plain ? "" : "nothing is ", word->text,
				hosts_missing ? " on the hosts that answer; it may be on another"
					      : "");
			wrong++;
		} else if (twice && word->plain && word->second) {
			fprintf(stderr,
				"vmctl: %s is on %s and on %s: write %s@HOST for the one that you "
				"mean\n",
				word->text, vmctl_host_name(word->first),
				vmctl_host_name(word->second), word->text);
			wrong++;
		}
	}
	return wrong;
}
