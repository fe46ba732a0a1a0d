/* What is inherited, and positions of what is named. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/reader.h"

#define SYSLOG_PORT 514 /* whose usual payload is the empty one (probe/payload.c) */

/* ---- inheritance ---- */

static size_t
inherited_size(const struct key *key)
{
	if (key->kind == &kind_address)
		return ADDRESS_SIZE;
	return key->kind == &kind_flag ? sizeof(bool) : sizeof(uint32_t);
}

/* The struct of section, of those that stand around what is read. */
struct around {
	const struct config *config;
	const struct config_vm *vm;
	const struct config_external *external;
};

static const void *
inherited_from(const struct around *around, const struct key *key)
{
	const enum section_id order[] = {SECTION_VM, SECTION_EXTERNAL, SECTION_SUPERVISION,
					 SECTION_HYPERVISOR};
	const void *const of[] = {around->vm, around->external, around->config, around->config};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const struct key *found =
		    of[i] ? section_key(&sections[order[i]], key->name) : NULL;

		if (found)
			return key_field(found, of[i]);
	}
	return NULL;
}

static void
inherit(enum section_id id, uint64_t given, void *of, const struct around *around)
{
	for (const struct key *key = sections[id].keys; key->name; key++)
		if (key->inherited && !(given >> (key - sections[id].keys) & 1))
			memcpy(key_field(key, of), inherited_from(around, key),
			       inherited_size(key));
}

bool
is_inherited(const struct config *config, const struct config_vm *vm,
	     const struct config_external *external, const struct key *key, const void *of)
{
	const struct around around = {config, vm, external};

	return key->inherited &&
	       memcmp(key_field(key, of), inherited_from(&around, key), inherited_size(key)) == 0;
}

/* ---- names ---- */

static int
named_compare(const void *a, const void *b)
{
	const struct named *left = a, *right = b;

	return strcmp(left->name, right->name);
}

struct names
names_of(const struct config *config)
{
	struct names names = {0};

	names.list =
	    mem_array(config->vms_count + config->externals_count + 1, sizeof(*names.list));
	for (size_t i = 0; i < config->vms_count; i++)
		names.list[names.count++] = (struct named){
		    config->vms[i].provider.name, &config->vms[i].provider, false, (uint32_t)i};
	for (size_t i = 0; i < config->externals_count; i++)
		names.list[names.count++] =
		    (struct named){config->externals[i].provider.name,
				   &config->externals[i].provider, true, (uint32_t)i};
	qsort(names.list, names.count, sizeof(*names.list), named_compare);
	return names;
}

const struct named *
names_find(const struct names *names, const char *name)
{
	const struct named key = {.name = name};

	return bsearch(&key, names->list, names->count, sizeof(key), named_compare);
}

static void
names_check(const struct names *names, struct errors *errors)
{
	for (size_t i = 1; i < names->count; i++) {
		const struct named *one = &names->list[i - 1], *other = &names->list[i];

		if (strcmp(one->name, other->name) == 0 && one->external != other->external)
			errors_add(errors, (one->external ? one : other)->provider->line,
				   "external \"%s\" is a VM of this file as well (line %d); "
				   "remove one or rename it",
				   one->name, (one->external ? other : one)->provider->line);
	}
}

/* ---- needs ---- */

static void
list_services(const struct config_provider *provider, char *list, size_t size)
{
	*list = '\0';
	for (size_t i = 0; i < provider->services_count; i++) {
		size_t used = strlen(list);

		snprintf(list + used, size - used, "%s%s", used ? ", " : "",
			 provider->services[i].name);
	}
}

static void
need_add(struct config_vm *vm, const struct config_need *need, const struct named *named,
	 struct errors *errors)
{
	for (size_t i = 0; i < vm->needs_count; i++) {
		const struct config_need *before = &vm->needs[i];

		if (before->external != need->external || before->provider != need->provider ||
		    before->service != need->service)
			continue;
		errors_add(errors, need->line, "vm \"%s\" needs \"%s:%s\" twice; remove one",
			   vm->provider.name, named->name,
			   named->provider->services[need->service].name);
		return;
	}
	vm->needs = mem_resize(vm->needs, vm->needs_count + 1, sizeof(*vm->needs));
	vm->needs[vm->needs_count++] = *need;
}

/* service NULL: all that it has. */
static void
need_resolve(struct config_vm *vm, const struct config_need_text *text, const struct named *named,
	     const char *service, struct errors *errors)
{
	struct config_need need = {
	    .line = text->line, .external = named->external, .provider = named->position};
	size_t before = vm->needs_count;
	char list[256];

	if (named->provider == &vm->provider) {
		errors_add(errors, text->line, "vm \"%s\" needs itself; remove \"%s\"",
			   vm->provider.name, text->text);
		return;
	}
	for (uint32_t i = 0; i < named->provider->services_count; i++) {
		if (service && strcmp(named->provider->services[i].name, service) != 0)
			continue;
		need.service = i;
		need_add(vm, &need, named, errors);
		if (service)
			return;
	}
	if (!service && (vm->needs_count > before || named->provider->services_count > 0))
		return;
	list_services(named->provider, list, sizeof(list));
	errors_add(errors, text->line, "vm \"%s\" needs \"%s\", but \"%s\" has %s%s; %s",
		   vm->provider.name, text->text, named->name, *list ? "only: " : "no service",
		   list, *list ? "correct the name, or add the service there" : "add one there");
}

static void
need_read(const struct names *names, struct config_vm *vm, const struct config_need_text *text,
	  struct errors *errors)
{
	const struct named *named = names_find(names, text->text);
	char name[sizeof(text->text)];
	char *colon;

	if (named) {
		need_resolve(vm, text, named, NULL, errors);
		return;
	}
	TEXT_SET(name, text->text);
	colon = strrchr(name, ':');
	if (colon) {
		*colon = '\0';
		named = names_find(names, name);
	}
	if (named)
		need_resolve(vm, text, named, colon + 1, errors);
	else
		errors_add(
		    errors, text->line,
		    "vm \"%s\" needs \"%s\", but no VM of this file is \"%s\"; correct the "
		    "name, or declare it: external \"%s\" { address = ... services = {...} }",
		    vm->provider.name, text->text, name, name);
}

static void
standby_read(const struct names *names, struct config *config, size_t at, struct errors *errors)
{
	struct config_vm *vm = &config->vms[at];
	const struct named *named = names_find(names, vm->standby_name);
	struct config_vm *standby;
	const char *why = NULL;

	if (!named || named->external) {
		errors_add(errors, vm->provider.line,
			   "vm \"%s\" has the standby \"%s\", but no VM of this file is that; "
			   "correct the name",
			   vm->provider.name, vm->standby_name);
		return;
	}
	standby = &config->vms[named->position];
	if (standby == vm)
		why = "is that VM itself";
	else if (standby->standby_of >= 0)
		why = "is another's standby already";
	else if (standby->standby_name[0])
		why = "has a standby of its own";
	if (why) {
		errors_add(errors, vm->provider.line,
			   "the standby of vm \"%s\", \"%s\", %s; name another one",
			   vm->provider.name, vm->standby_name, why);
		return;
	}
	vm->standby = (int32_t)named->position;
	standby->standby_of = (int32_t)at;
}

/* ---- services ---- */

/* %a, where c is that; %% is another. */
static bool
command_has(const char *command, char c)
{
	for (const char *p = strchr(command, '%'); p; p = strchr(p + 2, '%'))
		if (p[1] == c)
			return true;
	return false;
}

static void
command_check(const struct config_provider *provider, const struct config_service *service,
	      struct errors *errors)
{
	const char *what = NULL;

	if (command_has(service->command, 'a') && !service->address[0])
		what = "has %a in its command and no address, nor has who offers it; add: address "
		       "= ...";
	else if (command_has(service->command, 'p') && service->port == 0)
		what = "has %p in its command and no port; add: port = ...";
	if (what)
		errors_add(errors, service->line, "service \"%s\" of \"%s\" %s", service->name,
			   provider->name, what);
}

/* What the other processes read, with each % doubled again, must not be longer than they take. */
static void
command_measure(const struct config_provider *provider, const struct config_service *service,
		struct errors *errors)
{
	size_t length = strlen(service->command);

	for (const char *p = strchr(service->command, '%'); p; p = strchr(p + 1, '%'))
		length++;
	if (length > COMMAND_MAX)
		errors_add(
		    errors, service->line,
		    "service \"%s\" of \"%s\" has a command of %zu octets with its address and "
		    "port filled in; make it shorter (at most %d)",
		    service->name, provider->name, length, COMMAND_MAX);
}

static void
command_fill(struct config_service *service)
{
	size_t size = 0;
	char *filled = NULL;
	FILE *to = open_memstream(&filled, &size);

	if (!to)
		fatal("out of memory");
	for (const char *c = service->command; *c; c++) {
		if (*c != '%')
			fputc(*c, to);
		else if (*++c == 'a')
			fputs(service->address, to);
		else if (*c == 'p')
			fprintf(to, "%" PRIu16, service->port);
		else
			fputc('%', to);
	}
	fclose(to);
	free(service->command);
	service->command = filled;
}

/* To the empty payload nobody answers: silence is all that can be hoped for. */
static bool
silence_is_up(const struct config_service *service)
{
	bool empty = service->payload == PAYLOAD_EMPTY ||
		     (service->payload == PAYLOAD_BY_PORT && service->port == SYSLOG_PORT);

	if (service->kind != SERVICE_UDP || service->silence != SILENCE_AS_USUAL)
		return service->silence == SILENCE_UP;
	return empty;
}

static void
services_resolve(struct config_provider *provider, const struct around *around,
		 struct errors *errors)
{
	for (size_t i = 0; i < provider->services_count; i++) {
		struct config_service *service = &provider->services[i];

		inherit(SECTION_SERVICE, service->given, service, around);
		service->silence_is_up = silence_is_up(service);
		if (!service->command)
			continue;
		command_check(provider, service, errors);
		command_fill(service);
		command_measure(provider, service, errors);
	}
}

void
resolve_config(struct config *config, struct errors *errors)
{
	struct names names = names_of(config);

	names_check(&names, errors);
	for (size_t i = 0; i < config->externals_count; i++) {
		struct config_external *external = &config->externals[i];
		const struct around around = {.config = config};
		const struct around of_services = {.config = config, .external = external};

		inherit(SECTION_EXTERNAL, external->given, external, &around);
		services_resolve(&external->provider, &of_services, errors);
	}
	for (size_t i = 0; i < config->vms_count; i++)
		config->vms[i].standby = config->vms[i].standby_of = -1;
	for (size_t i = 0; i < config->vms_count; i++) {
		struct config_vm *vm = &config->vms[i];
		const struct around around = {.config = config};
		const struct around of_services = {.config = config, .vm = vm};

		inherit(SECTION_VM, vm->given, vm, &around);
		services_resolve(&vm->provider, &of_services, errors);
		for (size_t need = 0; need < vm->needs_text_count; need++)
			need_read(&names, vm, &vm->needs_text[need], errors);
		if (vm->standby_name[0])
			standby_read(&names, config, i, errors);
	}
	free(names.list);
}
