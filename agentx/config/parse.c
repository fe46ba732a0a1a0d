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

#define PASSES_MAX 50 /* each but the last finds an unknown key */

/* A section that is being read; one within another has its own. */
struct frame {
	int key_lines[KEYS_MAX]; /* where its keys are; 0: not there */
	size_t listed[KEYS_MAX]; /* values of its lists */
	uint64_t given;		 /* a bit for each key whose value is good */
};

struct reader {
	struct config *config;
	struct text *text;
	struct errors errors; /* of this pass */
	/* What the sections that are being read make. */
	struct config_vm vm;
	struct config_external external;
	struct config_service service;
	struct frame frames[2]; /* of an outermost section, of one in it */
	size_t sections;	/* that are complete */
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

const struct key *
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
	switch (section - sections) {
	case SECTION_VM:
		return &reading->vm;
	case SECTION_EXTERNAL:
		return &reading->external;
	case SECTION_SERVICE:
		return &reading->service;
	default:
		return reading->config;
	}
}

static struct frame *
section_frame(const struct section *section)
{
	return &reading->frames[section->nested];
}

static void
take_value(const struct section *section, const struct key *key, int line, const char *value)
{
	const struct place place = {reading->config->file, line, &reading->errors};
	struct frame *frame = section_frame(section);
	int *first = &frame->key_lines[key - section->keys];

	if (*first && !key->kind->list) {
		errors_add(&reading->errors, line,
			   "%s stands here again, after line %d; remove one", key->name, *first);
		return;
	}
	if (!*first)
		*first = line;
	frame->listed[key - section->keys] += key->kind->list;
	if (key->kind->parse(&place, key, value, key_field(key, section_struct(section))))
		frame->given |= UINT64_C(1) << (key - section->keys);
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
list_check(const struct section *section, const struct key *key, const cfg_opt_t *opt, int line)
{
	if (section_frame(section)->listed[key - section->keys] > opt->nvalues)
		errors_add(&reading->errors, line,
			   "%s stands here more than once; make it one list", key->name);
}

/* The default of a key that the section does not have, or has wrong: then what else is wrong can
 * still be found. */
static void
take_fallback(const struct section *section, const struct key *key, int line)
{
	const struct place place = {reading->config->file, line, &reading->errors};
	bool there = section_frame(section)->key_lines[key - section->keys] > 0;

	if (key->required && !there)
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
		bool given = section_frame(section)->given >> (key - section->keys) & 1;

		if (opt && key->kind->list)
			list_check(section, key, opt, line);
		if (!given && !(opt && key->kind->list && (opt->flags & CFGF_MODIFIED)))
			take_fallback(section, key, line);
	}
}

static void
provider_name(struct config_provider *provider, const char *kind, const char *title, int line)
{
	const char *fault = vm_name_fault(title);

	if (fault)
		errors_add(&reading->errors, line, "%s \"%s\": %s", kind, title, fault);
	text_set(provider->name, sizeof(provider->name), title);
	provider->line = line;
}

static void
take_vm(const cfg_t *around, const char *title, int line)
{
	struct config *config = reading->config;
	struct config_vm *vm = &reading->vm;

	(void)around;
	if (config->vms_count == VMS_MAX) {
		errors_add(&reading->errors, line,
			   "this VM is one more than the %d that are possible", VMS_MAX);
		vm_dispose(vm);
		return;
	}
	provider_name(&vm->provider, "vm", title, line);
	vm->given = section_frame(&sections[SECTION_VM])->given;
	config->vms = mem_resize(config->vms, config->vms_count + 1, sizeof(*config->vms));
	config->vms[config->vms_count++] = *vm;
	memset(vm, 0, sizeof(*vm));
}

static void
take_external(const cfg_t *around, const char *title, int line)
{
	struct config *config = reading->config;
	struct config_external *external = &reading->external;

	(void)around;
	if (config->externals_count == VMS_MAX) {
		errors_add(&reading->errors, line,
			   "this external is one more than the %d that are possible", VMS_MAX);
		external_dispose(external);
		return;
	}
	provider_name(&external->provider, "external", title, line);
	external->given = section_frame(&sections[SECTION_EXTERNAL])->given;
	config->externals =
	    mem_resize(config->externals, config->externals_count + 1, sizeof(*config->externals));
	config->externals[config->externals_count++] = *external;
	memset(external, 0, sizeof(*external));
}

static void
take_service(const cfg_t *around, const char *title, int line)
{
	bool of_vm = strcmp(around->name, sections[SECTION_VM].name) == 0;
	struct config_provider *provider =
	    of_vm ? &reading->vm.provider : &reading->external.provider;
	struct config_service *service = &reading->service;
	const char *fault = service_name_fault(title);

	if (fault)
		errors_add(&reading->errors, line, "service \"%s\": %s", title, fault);
	text_set(service->name, sizeof(service->name), title);
	service->line = line;
	service->given = section_frame(&sections[SECTION_SERVICE])->given;
	if (!fault) {
		fault = provider_add(provider, service);
		if (fault)
			errors_add(&reading->errors, line, "the service \"%s\" %s", title, fault);
	}
	if (fault)
		service_dispose(service);
	memset(service, 0, sizeof(*service));
}

static void (*const takes[SECTION_COUNT])(const cfg_t *around, const char *title, int line) = {
    [SECTION_VM] = take_vm, [SECTION_EXTERNAL] = take_external, [SECTION_SERVICE] = take_service};

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
	if (!section->titled && *first)
		errors_add(&reading->errors, line,
			   "the section %s stands here again, after line %d; make it one",
			   section->name, *first);
	else
		take_fallbacks(section, of, line);
	if (section->titled)
		takes[section - sections](cfg, of->title, line);
	if (!*first)
		*first = line;
	memset(section_frame(section), 0, sizeof(struct frame));
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
    {"missing title for section '%s'", "write its name before the {: vm \"NAME\" {"},
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

static void
known_add(char *known, size_t size, const char *word)
{
	size_t used = strlen(known);

	snprintf(known + used, size - used, "%s%s", used ? ", " : "", word);
}

/* An unknown word, and what could stand in its place. */
static void
unknown_word(const cfg_t *cfg, const char *word)
{
	const struct section *within = section_of(cfg);
	char known[1024] = "";

	for (size_t i = 0; within && within->keys[i].name; i++)
		known_add(known, sizeof(known), within->keys[i].name);
	for (size_t i = 0; i < SECTION_COUNT; i++)
		if (within ? within->offers && sections[i].nested : !sections[i].nested)
			known_add(known, sizeof(known), sections[i].name);
	errors_add(&reading->obstacle, cfg->line, "%s \"%s\" is unknown%s%s; known are: %s",
		   within ? "the key" : "the section", word, within ? " in " : "",
		   within ? within->name : "", known);
	TEXT_SET(reading->word, word);
}

/* What has a title stands here again; cfg is the section around it. */
static void
second_title(const cfg_t *cfg, const char *title)
{
	const struct config *config = reading->config;
	const struct section *within = section_of(cfg);
	const struct config_vm *vm = config_find_vm(config, title);
	enum section_id which = within ? SECTION_SERVICE : vm ? SECTION_VM : SECTION_EXTERNAL;
	int first = vm ? vm->provider.line : 0;

	for (size_t i = 0; i < config->externals_count && which == SECTION_EXTERNAL; i++)
		if (strcmp(config->externals[i].provider.name, title) == 0)
			first = config->externals[i].provider.line;
	if (within)
		errors_add(&reading->obstacle, cfg->line,
			   "the service \"%s\" stands here again; remove one", title);
	else
		errors_add(&reading->obstacle, cfg->line,
			   "the %s \"%s\" stands here again, after line %d; remove one",
			   vm ? "VM" : "external", title, first);
	TEXT_SET(reading->word, sections[which].name);
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
		second_title(cfg, va_arg(again, const char *));
	else
		errors_add(&reading->errors, cfg->line, "%s; %s", text, advice_for(format));
	va_end(again);
	reading->line = cfg->line;
}

/* The keys of a section, and room for the sections within it. */
typedef cfg_opt_t schema[KEYS_MAX + 2];

static const cfg_opt_t schema_end = CFG_END();

static cfg_opt_t *
schema_keys(const struct section *section, cfg_opt_t *to)
{
	for (const struct key *key = section->keys; key->name; key++, to++) {
		const cfg_opt_t value = CFG_STR_CB(key->name, NULL, CFGF_NODEFAULT, value_read);
		const cfg_opt_t list = CFG_STR_LIST_CB(key->name, NULL, CFGF_NODEFAULT, value_read);

		*to = key->kind->list ? list : value;
	}
	*to = schema_end;
	return to;
}

static cfg_opt_t
schema_section(const struct section *section, cfg_opt_t *keys)
{
	cfg_opt_t opt =
	    CFG_SEC(section->name, keys,
		    CFGF_MULTI | (section->titled ? CFGF_TITLE | CFGF_NO_TITLE_DUPES : 0));

	opt.validcb = section_read;
	return opt;
}

static void
schema_fill(cfg_opt_t *outermost, schema keys[SECTION_COUNT])
{
	schema_keys(&sections[SECTION_SERVICE], keys[SECTION_SERVICE]);
	for (size_t i = 0; i < SECTION_COUNT; i++) {
		cfg_opt_t *end;

		if (sections[i].nested)
			continue;
		end = schema_keys(&sections[i], keys[i]);
		if (sections[i].offers) {
			*end++ = schema_section(&sections[SECTION_SERVICE], keys[SECTION_SERVICE]);
			*end = schema_end;
		}
		*outermost++ = schema_section(&sections[i], keys[i]);
	}
	*outermost = schema_end;
}

static void
run_parser(const struct text *text)
{
	cfg_opt_t outermost[SECTION_COUNT + 1];
	schema keys[SECTION_COUNT];
	cfg_t *cfg;

	schema_fill(outermost, keys);
	cfg = cfg_init(outermost, CFGF_NONE);
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

/* One pass. True: it ended at something that is reported and now out of the way. whole: it came to
 * the end of the file. */
static bool
parse_pass(struct config *config, struct text *text, struct errors *errors, bool *whole)
{
	struct reader reader = {.config = config, .text = text};
	bool again;

	reading = &reader;
	run_parser(text);
	for (size_t i = 0; i < SECTION_COUNT && !reader.failed; i++)
		if (!sections[i].titled && !reader.section_lines[i])
			take_fallbacks(&sections[i], NULL, 0);
	config->supervision_line = reader.section_lines[SECTION_SUPERVISION];
	reading = NULL;
	vm_dispose(&reader.vm);
	external_dispose(&reader.external);
	service_dispose(&reader.service);
	again = reader.word[0] && text_mask(text, reader.line, reader.word);
	errors_move(errors, &reader.obstacle);
	if (again)
		errors_dispose(&reader.errors);
	else
		errors_move(errors, &reader.errors);
	*whole = !reader.failed;
	return again;
}

bool
parse_text(struct config *config, struct text *text, struct errors *errors)
{
	bool whole;

	for (int passes = 1; parse_pass(config, text, errors, &whole); passes++) {
		if (passes == PASSES_MAX)
			return false;
		config_empty(config);
	}
	return whole;
}
