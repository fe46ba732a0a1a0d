/* Values of supervision that do not go together, within one section. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/reader.h"

/* ---- keys that may stand in several sections ---- */

/* What a section says. */
struct level {
	enum section_id id;
	int line;
	const char *name; /* "" where it has none */
	const char *of;	  /* who offers the service; else "" */
	uint64_t given;	  /* a bit for each key that it has itself */
	const void *values;
	const struct config_watch *watch;
	const struct config_policy *policy; /* NULL: it has none */
};

static bool
timeout_is_long(const struct level *level)
{
	return level->watch->timeout_ms > level->watch->interval_ms;
}

static bool
marks_meet(const struct level *level)
{
	return level->policy &&
	       level->policy->memory_low_percent >= level->policy->memory_high_percent;
}

static bool
waits_for_ever(const struct level *level)
{
	return level->policy && level->policy->on_start_timeout != START_WAIT &&
	       level->policy->start_timeout_ms == 0;
}

static const struct {
	const char *keys[2];
	bool (*wrong)(const struct level *level);
	const char *advice;
} contradictions[] = {
    {{"timeout", "interval"}, timeout_is_long, "make it shorter, or probe less often"},
    {{"memory-low", "memory-high"}, marks_meet, "make it lower"},
    {{"on-start-timeout", "start-timeout"}, waits_for_ever, "say how long to wait"},
};

static bool
level_has(const struct level *level, const char *name)
{
	const struct section *section = &sections[level->id];
	const struct key *key = section_key(section, name);

	return key && level->given >> (key - section->keys) & 1;
}

static void
report_level(const struct level *level, const char *const keys[2], const char *advice,
	     struct errors *errors)
{
	char *values[2] = {key_text(level->id, keys[0], level->values),
			   key_text(level->id, keys[1], level->values)};
	const char *name = level->name, *of = level->of;

	errors_add(errors, level->line, "%s%s%s%s%s%s%s has %s = %s with %s = %s; %s",
		   sections[level->id].name, *name ? " \"" : "", name, *name ? "\"" : "",
		   *of ? " of \"" : "", of, *of ? "\"" : "", keys[0], values[0], keys[1], values[1],
		   advice);
	free(values[0]);
	free(values[1]);
}

/* What it inherited is reported where that was said. */
static void
check_level(const struct level *level, struct errors *errors)
{
	for (size_t i = 0; i < sizeof(contradictions) / sizeof(contradictions[0]); i++) {
		const char *const *keys = contradictions[i].keys;

		if ((level_has(level, keys[0]) || level_has(level, keys[1])) &&
		    contradictions[i].wrong(level))
			report_level(level, keys, contradictions[i].advice, errors);
	}
}

/* ---- services ---- */

static bool
has_port(const struct config_service *service)
{
	return service->kind == SERVICE_TCP || service->kind == SERVICE_UDP;
}

static const char *
service_fault(const struct config_service *service)
{
	bool plugin = service->kind == SERVICE_PLUGIN;

	if (has_port(service) && service->port == 0)
		return "has no port; add: port = ...";
	if (service->kind == SERVICE_ICMP && service->port != 0)
		return "has a port, which icmp has not; remove it";
	if (plugin && !service->command)
		return "has no command; add: command = \"/...\"";
	if (!plugin && service->command)
		return "has a command; write protocol = plugin, or remove it";
	if (!plugin && !service->address[0])
		return "has no address, nor has who offers it; add: address = ...";
	if (service->kind != SERVICE_UDP && (service->payload || service->silence))
		return "has payload or silence, which are of udp only; remove them";
	return NULL;
}

static void
check_service(const struct config_provider *provider, const struct config_service *service,
	      struct errors *errors)
{
	const struct level level = {.id = SECTION_SERVICE,
				    .line = service->line,
				    .name = service->name,
				    .of = provider->name,
				    .given = service->given,
				    .values = service,
				    .watch = &service->watch};
	const char *fault = service_fault(service);

	if (fault)
		errors_add(errors, service->line, "service \"%s\" of \"%s\" %s", service->name,
			   provider->name, fault);
	check_level(&level, errors);
}

static bool
is_same_port(const struct config_service *a, const struct config_service *b)
{
	return has_port(a) && a->kind == b->kind && a->port == b->port &&
	       strcmp(a->address, b->address) == 0;
}

static void
check_services(const struct config_provider *provider, struct errors *errors)
{
	for (size_t i = 0; i < provider->services_count; i++) {
		const struct config_service *service = &provider->services[i];

		check_service(provider, service, errors);
		for (size_t j = 0; j < i; j++) {
			const struct config_service *before = &provider->services[j];

			if (is_same_port(service, before))
				errors_add(errors, service->line,
					   "service \"%s\" of \"%s\" has the port of \"%s\" (line "
					   "%d); remove one",
					   service->name, provider->name, before->name,
					   before->line);
		}
	}
}

/* ---- who offers them ---- */

static const char *
memory_fault(const struct config_vm *vm)
{
	if ((vm->memory_min_mib == 0) != (vm->memory_max_mib == 0))
		return "memory-min or memory-max alone; give both, or none";
	if (vm->memory_min_mib > vm->memory_max_mib)
		return "a memory-min over its memory-max; exchange them";
	if (vm->memory_mib && vm->memory_max_mib &&
	    (vm->memory_mib < vm->memory_min_mib || vm->memory_mib > vm->memory_max_mib))
		return "a memory that is not between its memory-min and memory-max; correct one of "
		       "them";
	return NULL;
}

static void
check_vm(const struct config_vm *vm, struct errors *errors)
{
	const struct level level = {.id = SECTION_VM,
				    .line = vm->provider.line,
				    .name = vm->provider.name,
				    .of = "",
				    .given = vm->given,
				    .values = vm,
				    .watch = &vm->watch,
				    .policy = &vm->policy};
	const char *fault = memory_fault(vm);

	if (fault)
		errors_add(errors, vm->provider.line, "vm \"%s\" has %s", vm->provider.name, fault);
	check_level(&level, errors);
	check_services(&vm->provider, errors);
}

static void
check_external(const struct config_external *external, struct errors *errors)
{
	const struct config_provider *provider = &external->provider;
	const struct level level = {.id = SECTION_EXTERNAL,
				    .line = provider->line,
				    .name = provider->name,
				    .of = "",
				    .given = external->given,
				    .values = external,
				    .watch = &external->watch};

	if (provider->services_count == 0)
		errors_add(errors, provider->line,
			   "external \"%s\" has no service; add: services = {...}, or remove it",
			   provider->name);
	check_level(&level, errors);
	check_services(provider, errors);
}

void
check_supervision(const struct config *config, struct errors *errors)
{
	const struct level level = {.id = SECTION_SUPERVISION,
				    .line = config->supervision_line,
				    .name = "",
				    .of = "",
				    .given = UINT64_MAX,
				    .values = config,
				    .watch = &config->watch,
				    .policy = &config->policy};

	check_level(&level, errors);
	for (size_t i = 0; i < config->vms_count; i++)
		check_vm(&config->vms[i], errors);
	for (size_t i = 0; i < config->externals_count; i++)
		check_external(&config->externals[i], errors);
}
