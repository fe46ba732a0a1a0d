#include "config/config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "config/reader.h"

static void
keys_dispose(const struct section *section, void *of)
{
	for (const struct key *key = section->keys; key->name; key++)
		if (key->kind->dispose)
			key->kind->dispose(key_field(key, of));
}

void
vm_dispose(struct config_vm *vm)
{
	keys_dispose(&sections[SECTION_VM], vm);
	free(vm->needs);
	*vm = (struct config_vm){0};
}

void
external_dispose(struct config_external *external)
{
	keys_dispose(&sections[SECTION_EXTERNAL], external);
	*external = (struct config_external){0};
}

void
config_empty(struct config *config)
{
	char *file = config->file;

	for (size_t i = 0; i < SECTION_COUNT; i++)
		if (!sections[i].titled)
			keys_dispose(&sections[i], config);
	for (size_t i = 0; i < config->vms_count; i++)
		vm_dispose(&config->vms[i]);
	free(config->vms);
	for (size_t i = 0; i < config->externals_count; i++)
		external_dispose(&config->externals[i]);
	free(config->externals);
	*config = (struct config){.file = file};
}

void
config_free(struct config *config)
{
	if (!config)
		return;
	config_empty(config);
	free(config->file);
	free(config);
}

char *
config_path(const char *file)
{
	char directory[PATH_MAX], whole[2 * PATH_MAX];

	if (*file == '/' || !getcwd(directory, sizeof(directory)))
		return mem_string(file);
	while (strncmp(file, "./", 2) == 0)
		file += 2;
	snprintf(whole, sizeof(whole), "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, file);
	return mem_string(whole);
}

/* fd: of a text that was checked; -1: file is read and checked. Takes over file. */
static struct config *
load(char *file, int fd, void (*report)(void *arg, const char *error), void *arg)
{
	struct config *config = mem_alloc(sizeof(*config));
	struct errors errors = {0};
	struct text text;

	config->file = file;
	if (text_read(&text, file, fd, &errors) && parse_text(config, &text, &errors)) {
		resolve_config(config, &errors);
		if (fd < 0)
			check_config(config, &errors);
	}
	text_dispose(&text);
	errors_report(&errors, config->file, report, arg);
	if (errors.count > 0) {
		config_free(config);
		config = NULL;
	}
	errors_dispose(&errors);
	return config;
}

struct config *
config_load(const char *file, void (*report)(void *arg, const char *error), void *arg)
{
	return load(config_path(file), -1, report, arg);
}

struct config *
config_load_checked(int fd, void (*report)(void *arg, const char *error), void *arg)
{
	return load(mem_string("the checked configuration"), fd, report, arg);
}

char *
key_text(enum section_id id, const char *name, const void *of)
{
	const struct key *key = section_key(&sections[id], name);
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		fatal("out of memory");
	key->kind->print(key, key_field(key, of), to);
	fclose(to);
	return text;
}

static void
find_changed(enum section_id id, const struct config *new, const struct config *old,
	     struct errors *errors)
{
	for (const struct key *key = sections[id].keys; key->name; key++) {
		char *is, *was;

		if (!key->fixed)
			continue;
		is = key_text(id, key->name, new);
		was = key_text(id, key->name, old);
		if (strcmp(is, was) != 0)
			errors_add(
			    errors, 0,
			    "%s is %s now, and was %s when lauxend started; restart lauxend, "
			    "or put it back",
			    key->name, is, was);
		free(is);
		free(was);
	}
}

bool
config_may_follow(const struct config *new, const struct config *old,
		  void (*report)(void *arg, const char *error), void *arg)
{
	struct errors errors = {0};
	bool may;

	for (size_t i = 0; i < SECTION_COUNT; i++)
		if (!sections[i].titled)
			find_changed((enum section_id)i, new, old, &errors);
	may = errors.count == 0;
	errors_report(&errors, new->file, report, arg);
	errors_dispose(&errors);
	return may;
}

/* What is printed, and what stands around it. */
struct printed {
	const struct config *config;
	const struct config_vm *vm;
	const struct config_external *external;
	FILE *to;
};

/* What is as around it is left out: it is read to the same. */
static void
print_keys(const struct printed *printed, const struct section *section, const void *of,
	   const char *indent)
{
	for (const struct key *key = section->keys; key->name; key++) {
		const void *field = key_field(key, of);

		if ((key->kind->given && !key->kind->given(field)) ||
		    is_inherited(printed->config, printed->vm, printed->external, key, of))
			continue;
		fprintf(printed->to, "%s%s = ", indent, key->name);
		key->kind->print(key, field, printed->to);
		fprintf(printed->to, " # %s\n", key->doc);
	}
}

static void
print_provider(const struct printed *around, enum section_id id,
	       const struct config_provider *provider, const void *of)
{
	const struct printed outermost = {.config = around->config, .to = around->to};

	fprintf(around->to, "%s \"%s\" {\n", sections[id].name, provider->name);
	print_keys(&outermost, &sections[id], of, "\t");
	for (size_t i = 0; i < provider->services_count; i++) {
		fprintf(around->to, "\t%s \"%s\" {\n", sections[SECTION_SERVICE].name,
			provider->services[i].name);
		print_keys(around, &sections[SECTION_SERVICE], &provider->services[i], "\t\t");
		fputs("\t}\n", around->to);
	}
	fputs("}\n", around->to);
}

void
config_print(const struct config *config, FILE *to)
{
	const struct printed outermost = {.config = config, .to = to};

	for (size_t i = 0; i < SECTION_COUNT; i++) {
		if (sections[i].titled)
			continue;
		fprintf(to, "%s {\n", sections[i].name);
		print_keys(&outermost, &sections[i], config, "\t");
		fputs("}\n", to);
	}
	for (size_t i = 0; i < config->vms_count; i++) {
		const struct printed around = {config, &config->vms[i], NULL, to};

		print_provider(&around, SECTION_VM, &config->vms[i].provider, &config->vms[i]);
	}
	for (size_t i = 0; i < config->externals_count; i++) {
		const struct printed around = {config, NULL, &config->externals[i], to};

		print_provider(&around, SECTION_EXTERNAL, &config->externals[i].provider,
			       &config->externals[i]);
	}
}

const struct config_policy *
config_policy(const struct config *config, const struct config_vm *vm)
{
	return vm ? &vm->policy : &config->policy;
}

const struct config_vm *
config_find_uuid(const struct config *config, const uint8_t uuid[UUID_SIZE])
{
	for (size_t i = 0; i < config->vms_count && !uuid_is_zero(uuid); i++)
		if (uuid_equal(config->vms[i].uuid, uuid))
			return &config->vms[i];
	return NULL;
}

const struct config_vm *
config_find_vm(const struct config *config, const char *name_or_uuid)
{
	uint8_t uuid[UUID_SIZE];

	for (size_t i = 0; i < config->vms_count; i++)
		if (strcmp(config->vms[i].provider.name, name_or_uuid) == 0)
			return &config->vms[i];
	return uuid_parse(name_or_uuid, uuid) ? config_find_uuid(config, uuid) : NULL;
}
