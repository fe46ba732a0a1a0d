#include "config/import.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/reader.h"

/* ---- who is needed and is no VM of the file ---- */

static bool
is_listed(const struct import *import, const char *name)
{
	for (size_t i = 0; i < import->externals_count; i++)
		if (strcmp(import->externals[i], name) == 0)
			return true;
	return false;
}

static struct config_external *
external_find(struct config *config, const char *name)
{
	for (size_t i = 0; i < config->externals_count; i++)
		if (strcmp(config->externals[i].provider.name, name) == 0)
			return &config->externals[i];
	return NULL;
}

/* The external of that name, a new one where there is none yet. */
static struct config_provider *
external_provider(struct config *config, const char *name, int line)
{
	struct config_external *external = external_find(config, name);

	if (external)
		return &external->provider;
	config->externals =
	    mem_resize(config->externals, config->externals_count + 1, sizeof(*external));
	external = &config->externals[config->externals_count++];
	*external = (struct config_external){.provider.line = line};
	TEXT_SET(external->provider.name, name);
	return &external->provider;
}

static void
external_offer(const struct config *config, struct config_provider *provider, const char *service,
	       int line, struct errors *errors)
{
	const struct place place = {config->file, line, errors};
	const struct key *key = section_key(&sections[SECTION_EXTERNAL], "services");

	for (size_t i = 0; i < provider->services_count; i++)
		if (strcmp(provider->services[i].name, service) == 0)
			return;
	key->kind->parse(&place, key, service, provider);
}

static void
need_declare(struct config *config, const struct import *import, const struct names *vms,
	     const struct config_vm *vm, const struct config_need_text *need, struct errors *errors)
{
	char name[sizeof(need->text)];
	char *service;

	TEXT_SET(name, need->text);
	service = strchr(name, ':');
	*service++ = '\0';
	if (names_find(vms, name))
		return;
	if (is_listed(import, name))
		external_offer(config, external_provider(config, name, need->line), service,
			       need->line, errors);
	else
		errors_add(errors, need->line,
			   "vm \"%s\" needs \"%s\", which is no VM of this file; correct the name, "
			   "or if it is another host or a VM of one, add: --external %s",
			   vm->provider.name, name, name);
}

static void
externals_declare(struct config *config, const struct import *import, struct errors *errors)
{
	struct names vms = names_of(config);

	for (size_t i = 0; i < config->vms_count; i++)
		for (size_t need = 0; need < config->vms[i].needs_text_count; need++)
			need_declare(config, import, &vms, &config->vms[i],
				     &config->vms[i].needs_text[need], errors);
	for (size_t i = 0; i < import->externals_count; i++) {
		const char *name = import->externals[i];

		if (names_find(&vms, name))
			errors_add(errors, names_find(&vms, name)->provider->line,
				   "\"%s\" is a VM of this file; leave out --external %s", name,
				   name);
		else if (!external_find(config, name))
			errors_add(errors, 0, "no VM needs \"%s\"; leave out --external %s", name,
				   name);
	}
	free(vms.list);
}

/* ---- addresses ---- */

static void
address_take(struct config *config, const struct names *names, const char *name,
	     const char *address)
{
	const struct key *key = section_key(&sections[SECTION_VM], "address");
	const struct named *named = names_find(names, name);
	struct errors unheard = {0};
	const struct place place = {"", 0, &unheard};
	struct config_provider *provider;

	if (!named)
		return;
	provider = named->external ? &config->externals[named->position].provider
				   : &config->vms[named->position].provider;
	if (!provider->address[0])
		key->kind->parse(&place, key, address, provider->address);
	errors_dispose(&unheard);
}

/* ADDRESS NAME ...; an address that is none of ours (one with a zone) names nobody. */
static void
host_read(struct config *config, const struct names *names, char *line)
{
	static const char blanks[] = " \t\r";
	char *address, *name, *rest;

	line[strcspn(line, "#")] = '\0';
	address = strtok_r(line, blanks, &rest);
	while (address && (name = strtok_r(NULL, blanks, &rest)))
		address_take(config, names, name, address);
}

static void
hosts_read(struct config *config, const char *hosts, struct errors *errors)
{
	struct names names = names_of(config);
	struct text text = {0};
	char *next;

	if (text_load(&text, hosts, -1, "correct its name", errors))
		for (next = text.data; next;)
			host_read(config, &names, strsep(&next, "\n"));
	text_dispose(&text);
	free(names.list);
}

/* ---- the whole ---- */

static void
rest_count(const struct config *config, struct import_rest *rest)
{
	*rest = (struct import_rest){0};
	for (size_t i = 0; i < config->vms_count; i++) {
		rest->unaddressed += !config->vms[i].provider.address[0];
		rest->fileless += access(config->vms[i].file, F_OK) != 0;
	}
	for (size_t i = 0; i < config->externals_count; i++)
		rest->unaddressed += !config->externals[i].provider.address[0];
}

static void
check_import(struct config *config, const struct import *import, struct errors *errors,
	     struct errors *of_hosts)
{
	import_parse(config, import, errors);
	if (errors->count > 0)
		return;
	externals_declare(config, import, errors);
	if (import->hosts)
		hosts_read(config, import->hosts, of_hosts);
	if (errors->count > 0)
		return;
	resolve_config(config, errors);
	check_uniques(config, errors);
	check_graph(config, errors);
}

bool
config_import(const struct import *import, FILE *to, struct import_rest *rest,
	      void (*report)(void *arg, const char *error), void *arg)
{
	struct config *config = mem_alloc(sizeof(*config));
	struct errors errors = {0}, of_hosts = {0};
	bool good;

	config->file = config_path(import->file);
	check_import(config, import, &errors, &of_hosts);
	good = errors.count == 0 && of_hosts.count == 0;
	errors_report(&errors, config->file, report, arg);
	if (import->hosts)
		errors_report(&of_hosts, import->hosts, report, arg);
	if (good && rest)
		rest_count(config, rest);
	if (good)
		import_print(config, import, to);
	errors_dispose(&errors);
	errors_dispose(&of_hosts);
	config_free(config);
	return good;
}
