/*
 * libconfuse over the text. Every value goes to its kind as it is read, by a callback that never
 * fails: so one pass finds all wrong values. An unknown key or section ends libconfuse's pass; it
 * is reported and blanked out, and the text is read once more, until the rest is known or wrong in
 * its form. So does a VM of a name that was there before.
 */
#include <confuse.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/reader.h"

#define KEYS_MAX 16   /* of a section */
#define VMS_MAX 4096  /* a Dom0 holds fewer */
#define PASSES_MAX 50 /* each but the last finds an unknown key */

struct reader {
	struct config *config;
	struct text *text;
	struct errors errors;	 /* of this pass */
	struct config_vm vm;	 /* of the section that is being read */
	int key_lines[KEYS_MAX]; /* where its keys are; 0: not there */
	size_t listed;		 /* values of its list */
	size_t sections;	 /* that are complete */
	int section_lines[SECTION_COUNT];
	bool failed;	/* the pass ended before the file's end */
	char word[128]; /* where it ended, if that can be stepped over; else "" */
	int line;
	struct errors obstacle; /* why */
};

/* libconfuse hands nothing of ours to its callbacks. One file is read at a time. */
static struct reader *reading;

static const struct section *
section_of(const cfg_t *cfg)
{
	for (size_t i = 0; i < SECTION_COUNT; i++)
		if (strcmp(sections[i].name, cfg->name) == 0)
			return &sections[i];
	return NULL;
}

static const struct key *
section_key(const struct section *section, const char *name)
{
	for (const struct key *key = section->keys; key->name; key++)
		if (strcmp(key->name, name) == 0)
			return key;
	return NULL;
}

static void *
section_struct(const struct section *section)
{
	return section->titled ? (void *)&reading->vm : (void *)reading->config;
}

static void
take_value(const struct section *section, const struct key *key, int line, const char *value)
{
	const struct place place = {reading->config->file, line, &reading->errors};
	int *first = &reading->key_lines[key - section->keys];

	if (*first && !key->kind->list) {
		errors_add(&reading->errors, line,
			   "%s stands here again, after line %d; remove one", key->name, *first);
		return;
	}
	if (!*first)
		*first = line;
	reading->listed += key->kind->list;
	key->kind->parse(&place, key, value, key_field(key, section_struct(section)));
}

static int
value_read(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const struct section *section = section_of(cfg);
	const struct key *key = section ? section_key(section, opt->name) : NULL;

	if (key)
		take_value(section, key, cfg->line, value);
	else
		errors_add(&reading->errors, cfg->line,
			   "%s stands outside of its section; put it in there", opt->name);
	*(const char **)result = value;
	return 0;
}

/* libconfuse kept the last list only; what it dropped was given before. */
static void
list_check(const struct key *key, const cfg_opt_t *opt, int line)
{
	if (reading->listed > opt->nvalues)
		errors_add(&reading->errors, line,
			   "%s stands here more than once; make it one list", key->name);
}

/* The default of a key that the section does not have. */
static void
take_fallback(const struct section *section, const struct key *key, int line)
{
	const struct place place = {reading->config->file, line, &reading->errors};

	if (key->required)
		errors_add(&reading->errors, line, "the %s has no %s (%s); add: %s = \"...\"",
			   section->name, key->name, key->doc, key->name);
	else if (key->fallback)
		key->kind->parse(&place, key, key->fallback,
				 key_field(key, section_struct(section)));
}

static void
take_fallbacks(const struct section *section, cfg_t *cfg, int line)
{
	for (const struct key *key = section->keys; key->name; key++) {
		cfg_opt_t *opt = cfg ? cfg_getopt(cfg, key->name) : NULL;

		if (opt && key->kind->list)
			list_check(key, opt, line);
		if (!reading->key_lines[key - section->keys] &&
		    !(opt && key->kind->list && (opt->flags & CFGF_MODIFIED)))
			take_fallback(section, key, line);
	}
}

static void
take_vm(const char *title, int line)
{
	struct config *config = reading->config;
	const char *fault = vm_name_fault(title);

	if (fault)
		errors_add(&reading->errors, line, "vm \"%s\": %s", title, fault);
	if (config->vms_count == VMS_MAX) {
		errors_add(&reading->errors, line,
			   "this VM is one more than the %d that are possible", VMS_MAX);
		vm_dispose(&reading->vm);
		return;
	}
	text_set(reading->vm.provider.name, sizeof(reading->vm.provider.name), title);
	reading->vm.provider.line = line;
	config->vms = mem_resize(config->vms, config->vms_count + 1, sizeof(*config->vms));
	config->vms[config->vms_count++] = reading->vm;
}

/* A section is complete: its closing brace came. */
static int
section_read(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *of = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	const struct section *section = section_of(of);
	int line = reading->sections < reading->text->sections
		       ? reading->text->section_lines[reading->sections]
		       : cfg->line;
	int *first = &reading->section_lines[section - sections];

	reading->sections++;
	if (section->titled) {
		take_fallbacks(section, of, line);
		take_vm(of->title, line);
	} else if (*first) {
		errors_add(&reading->errors, line,
			   "the section %s stands here again, after line %d; make it one",
			   section->name, *first);
	} else {
		take_fallbacks(section, of, line);
	}
	if (!*first)
		*first = line;
	memset(&reading->vm, 0, sizeof(reading->vm));
	memset(reading->key_lines, 0, sizeof(reading->key_lines));
	reading->listed = 0;
	return 0;
}

static const struct {
	const char *format; /* libconfuse's */
	const char *advice;
} advices[] = {
    {"premature end of file", "the file ends within a section; close it with a }"},
    {"unexpected closing brace", "there is a } too many; remove it"},
    {"missing equal sign after option '%s'", "write KEY = VALUE"},
    {"missing opening brace for section '%s'", "write { after the section's name"},
    {"missing title for section '%s'", "write: vm \"NAME\" {"},
    {"unexpected token '%s'", "write KEY = VALUE, and each section in braces"},
};

static const char *
advice_for(const char *format)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (strcmp(advices[i].format, format) == 0)
			return advices[i].advice;
	return "see lauxen.conf(5)";
}

/* An unknown word, and what could stand in its place. */
static void
unknown_word(const cfg_t *cfg, const char *word)
{
	const struct section *within = section_of(cfg);
	char known[512] = "";

	for (size_t i = 0; within ? within->keys[i].name != NULL : i < SECTION_COUNT; i++) {
		size_t used = strlen(known);

		snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
			 within ? within->keys[i].name : sections[i].name);
	}
	errors_add(&reading->obstacle, cfg->line, "%s \"%s\" is unknown%s%s; known are: %s",
		   within ? "the key" : "the section", word, within ? " in " : "",
		   within ? within->name : "", known);
	TEXT_SET(reading->word, word);
}

static void
second_vm(const cfg_t *cfg, const char *title)
{
	const struct config_vm *first = config_find_vm(reading->config, title);

	errors_add(&reading->obstacle, cfg->line,
		   "the VM \"%s\" stands here again, after line %d; remove one", title,
		   first ? first->provider.line : 0);
	TEXT_SET(reading->word, sections[SECTION_VM].name);
}

/* libconfuse is about to end its pass: at something to step over, or for good. */
static void
parser_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[256];
	va_list again;

	reading->failed = true;
	va_copy(again, args);
	vsnprintf(text, sizeof(text), format, args);
	if (strcmp(format, "no such option '%s'") == 0)
		unknown_word(cfg, va_arg(again, const char *));
	else if (strcmp(format, "found duplicate title '%s'") == 0)
		second_vm(cfg, va_arg(again, const char *));
	else
		errors_add(&reading->errors, cfg->line, "%s; %s", text, advice_for(format));
	va_end(again);
	reading->line = cfg->line;
}

static void
schema_fill(cfg_opt_t *schema, cfg_opt_t keys[SECTION_COUNT][KEYS_MAX])
{
	static const cfg_opt_t end = CFG_END();

	for (size_t i = 0; i < SECTION_COUNT; i++) {
		cfg_opt_t *to = keys[i];

		for (const struct key *key = sections[i].keys; key->name; key++, to++) {
			const cfg_opt_t value =
			    CFG_STR_CB(key->name, NULL, CFGF_NODEFAULT, value_read);
			const cfg_opt_t list =
			    CFG_STR_LIST_CB(key->name, NULL, CFGF_NODEFAULT, value_read);

			*to = key->kind->list ? list : value;
		}
		*to = end;
		schema[i] = (cfg_opt_t)CFG_SEC(
		    sections[i].name, keys[i],
		    CFGF_MULTI | (sections[i].titled ? CFGF_TITLE | CFGF_NO_TITLE_DUPES : 0));
		schema[i].validcb = section_read;
	}
	schema[SECTION_COUNT] = end;
}

static void
run_parser(const struct text *text)
{
	cfg_opt_t schema[SECTION_COUNT + 1], keys[SECTION_COUNT][KEYS_MAX];
	cfg_t *cfg;

	schema_fill(schema, keys);
	cfg = cfg_init(schema, CFGF_NONE);
	if (!cfg) {
		errors_add(&reading->errors, 0, "libconfuse refuses to begin; is memory short?");
		return;
	}
	cfg_set_error_function(cfg, parser_error);
	if (cfg_parse_buf(cfg, text->data) != CFG_SUCCESS && !reading->failed)
		errors_add(&reading->errors, 0, "libconfuse cannot read it; see lauxen.conf(5)");
	cfg_free(cfg);
}

static void
errors_move(struct errors *to, struct errors *from)
{
	for (size_t i = 0; i < from->count; i++)
		errors_add(to, from->list[i].line, "%s", from->list[i].text);
	errors_dispose(from);
}

/* One pass. True: it ended at something that is reported and now out of the way. */
static bool
parse_pass(struct config *config, struct text *text, struct errors *errors)
{
	struct reader reader = {.config = config, .text = text};
	bool again;

	reading = &reader;
	run_parser(text);
	for (size_t i = 0; i < SECTION_COUNT && !reader.failed; i++)
		if (!sections[i].titled && !reader.section_lines[i])
			take_fallbacks(&sections[i], NULL, 0);
	reading = NULL;
	vm_dispose(&reader.vm);
	again = reader.word[0] && text_mask(text, reader.line, reader.word);
	errors_move(errors, &reader.obstacle);
	if (again)
		errors_dispose(&reader.errors);
	else
		errors_move(errors, &reader.errors);
	return again;
}

void
parse_text(struct config *config, struct text *text, struct errors *errors)
{
	int passes = 1;

	while (parse_pass(config, text, errors) && passes++ < PASSES_MAX)
		config_empty(config);
}
