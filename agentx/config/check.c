/* What only the whole of the file shows. */
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "config/reader.h"

#define VM_NAME_OCTETS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:+@-"

static bool
ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), of_end = strlen(end);

	return length >= of_end && strcmp(text + length - of_end, end) == 0;
}

/* xl takes a number for a domid and a '-' for an option, and adds ends of its own when it migrates.
 */
const char *
vm_name_fault(const char *name)
{
	if (!*name)
		return "its name is empty; give it the name in its xl file";
	if (strlen(name) >= VM_NAME_SIZE)
		return "its name is too long; at most 63 octets are allowed";
	if (name[strspn(name, VM_NAME_OCTETS)])
		return "its name may have letters, digits and . _ : + @ - only; rename it";
	if (*name == '-')
		return "its name begins with '-'; rename it";
	if (!name[strspn(name, "0123456789")])
		return "its name is a number, which xl takes for a domid; rename it";
	if (strcmp(name, "Domain-0") == 0)
		return "Domain-0 is the host itself; remove this section";
	if (ends_with(name, "--incoming") || ends_with(name, "--migratedaway"))
		return "its name has an end that xl gives while it migrates; rename it";
	return NULL;
}

static void
check_name(struct config *config, struct errors *errors)
{
	const struct key *key = sections[SECTION_AGENT].keys;
	const struct place place = {config->file, 0, errors};
	char host[256] = "";

	if (config->name[0])
		return;
	gethostname(host, sizeof(host) - 1);
	if (!key->kind->parse(&place, key, host, config->name))
		errors_add(errors, 0,
			   "the system's host name \"%s\" cannot be this agent's; "
			   "set name in the section agent",
			   host);
}

/* A UUID of our own for a VM whose file has another would make two VMs of one. */
static void
report_unreadable(const struct config_vm *vm, struct errors *errors)
{
	const struct passwd *user = getpwuid(geteuid());

	errors_add(errors, vm->provider.line,
		   "vm \"%s\": user %s (uid %u) may not read %s, so its uuid is not known; "
		   "permit it, or give the uuid here",
		   vm->provider.name, user ? user->pw_name : "?", (unsigned)geteuid(), vm->file);
}

/* What the VM's xl file says. One that is missing is its start's matter. */
static void
check_xl_file(struct config_vm *vm, struct errors *errors)
{
	struct xl_file found;
	int error = vm->file ? xl_file_read(vm->file, &found) : ENOENT;

	if (error == EACCES && uuid_is_zero(vm->uuid))
		report_unreadable(vm, errors);
	if (error)
		return;
	if (found.name[0] && strcmp(found.name, vm->provider.name) != 0)
		errors_add(errors, vm->provider.line,
			   "vm \"%s\": %s:%d names it \"%s\"; both must be the same",
			   vm->provider.name, vm->file, found.name_line, found.name);
	if (!uuid_is_zero(vm->uuid))
		return;
	if (found.uuid_bad)
		errors_add(errors, vm->provider.line,
			   "vm \"%s\": the uuid at %s:%d is malformed; write one as uuidgen(1) "
			   "prints it",
			   vm->provider.name, vm->file, found.uuid_line);
	else
		memcpy(vm->uuid, found.uuid, UUID_SIZE);
}

static void
check_pair(const struct config_vm *vm, const struct config_vm *before, struct errors *errors)
{
	char uuid[UUID_TEXT_SIZE];

	if (!uuid_is_zero(vm->uuid) && uuid_equal(vm->uuid, before->uuid)) {
		uuid_text(vm->uuid, uuid);
		errors_add(
		    errors, vm->provider.line,
		    "vm \"%s\" has the uuid of \"%s\" (line %d), %s; give one of them another, "
		    "here or in its xl file",
		    vm->provider.name, before->provider.name, before->provider.line, uuid);
	}
	if (vm->provider.address[0] &&
	    strcmp(vm->provider.address, before->provider.address) == 0 &&
	    strcmp(vm->standby_name, before->provider.name) != 0 &&
	    strcmp(before->standby_name, vm->provider.name) != 0)
		errors_add(errors, vm->provider.line,
			   "vm \"%s\" has the address of \"%s\" (line %d), %s; correct one of them",
			   vm->provider.name, before->provider.name, before->provider.line,
			   vm->provider.address);
	if (vm->file && before->file && strcmp(vm->file, before->file) == 0)
		errors_add(errors, vm->provider.line,
			   "vm \"%s\" has the file of \"%s\" (line %d), %s; give each its own",
			   vm->provider.name, before->provider.name, before->provider.line,
			   vm->file);
}

static bool
has_port(const struct config_service *service)
{
	return service->kind == SERVICE_TCP || service->kind == SERVICE_UDP;
}

static void
check_service(const struct config_provider *provider, const struct config_service *service,
	      struct errors *errors)
{
	const char *what = NULL;

	if (has_port(service) && service->port == 0)
		what = "has no port; add: port = ...";
	else if (!has_port(service) && service->kind != SERVICE_PLUGIN && service->port != 0)
		what = "has a port, which icmp has not; remove it";
	else if (service->kind == SERVICE_PLUGIN && !service->command)
		what = "has no command; add: command = \"/...\"";
	else if (service->kind != SERVICE_PLUGIN && service->command)
		what = "has a command; write protocol = plugin, or remove it";
	else if (service->kind != SERVICE_PLUGIN && !service->address[0])
		what = "has no address, nor has who offers it; add: address = ...";
	else if (service->kind != SERVICE_UDP && (service->payload || service->silence_is_up))
		what = "has payload or silence, which are of udp only; remove them";
	else if (service->watch.timeout_ms > service->watch.interval_ms)
		what = "has a timeout over its interval; make it shorter, or probe less often";
	if (what)
		errors_add(errors, service->line, "service \"%s\" of \"%s\" %s", service->name,
			   provider->name, what);
}

static void
check_services(const struct config_provider *provider, struct errors *errors)
{
	for (size_t i = 0; i < provider->services_count; i++) {
		const struct config_service *service = &provider->services[i];

		check_service(provider, service, errors);
		for (size_t j = 0; j < i && has_port(service); j++) {
			const struct config_service *before = &provider->services[j];

			if (before->kind == service->kind && before->port == service->port &&
			    strcmp(before->address, service->address) == 0)
				errors_add(errors, service->line,
					   "service \"%s\" of \"%s\" has the port of \"%s\" (line "
					   "%d); remove one",
					   service->name, provider->name, before->name,
					   before->line);
		}
	}
}

static void
check_policy(const struct config_vm *vm, struct errors *errors)
{
	const struct config_policy *policy = &vm->policy;
	const char *what = NULL;

	if ((vm->memory_min_mib == 0) != (vm->memory_max_mib == 0))
		what = "memory-min or memory-max alone; give both, or none";
	else if (vm->memory_min_mib > vm->memory_max_mib)
		what = "a memory-min over its memory-max; exchange them";
	else if (policy->memory_low_percent >= policy->memory_high_percent)
		what = "a memory-low that is not under its memory-high; make it lower";
	else if (policy->on_start_timeout != START_WAIT && policy->start_timeout_ms == 0)
		what = "on-start-timeout without a start-timeout; add one";
	if (what)
		errors_add(errors, vm->provider.line, "vm \"%s\" has %s", vm->provider.name, what);
}

static void
check_supervision(const struct config *config, struct errors *errors)
{
	for (size_t i = 0; i < config->vms_count; i++) {
		check_services(&config->vms[i].provider, errors);
		check_policy(&config->vms[i], errors);
	}
	for (size_t i = 0; i < config->externals_count; i++) {
		const struct config_provider *provider = &config->externals[i].provider;

		check_services(provider, errors);
		if (provider->services_count == 0)
			errors_add(errors, provider->line,
				   "external \"%s\" has no service; add: services = {...}, or "
				   "remove it",
				   provider->name);
	}
	check_graph(config, errors);
}

void
check_config(struct config *config, struct errors *errors)
{
	check_name(config, errors);
	for (size_t i = 0; i < config->vms_count; i++) {
		check_xl_file(&config->vms[i], errors);
		for (size_t before = 0; before < i; before++)
			check_pair(&config->vms[i], &config->vms[before], errors);
	}
	check_supervision(config, errors);
}
