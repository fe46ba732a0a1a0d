/* What only the whole of the file shows. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
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

/* ---- what no two VMs may have alike ---- */

static bool
has_uuid(const struct config_vm *vm)
{
	return !uuid_is_zero(vm->uuid);
}

static int
compare_uuid(const struct config_vm *a, const struct config_vm *b)
{
	return memcmp(a->uuid, b->uuid, UUID_SIZE);
}

static bool
has_address(const struct config_vm *vm)
{
	return vm->provider.address[0] != '\0';
}

static int
compare_address(const struct config_vm *a, const struct config_vm *b)
{
	return strcmp(a->provider.address, b->provider.address);
}

static bool
has_file(const struct config_vm *vm)
{
	return vm->file != NULL;
}

static int
compare_file(const struct config_vm *a, const struct config_vm *b)
{
	return strcmp(a->file, b->file);
}

struct unique {
	const char *key, *advice;
	bool standby_shares; /* a VM and its standby may have the same */
	bool (*has)(const struct config_vm *vm);
	int (*compare)(const struct config_vm *a, const struct config_vm *b);
};

static const struct unique uniques[] = {
    {"uuid", "give one of them another, here or in its xl file", false, has_uuid, compare_uuid},
    {"address", "correct one of them", true, has_address, compare_address},
    {"file", "give each its own", false, has_file, compare_file},
};

/* By value; VMs of the same value as in the file. */
static int
compare_unique(const void *a, const void *b, void *arg)
{
	const struct config_vm *left = *(const struct config_vm *const *)a;
	const struct config_vm *right = *(const struct config_vm *const *)b;
	const struct unique *unique = arg;
	int order = unique->compare(left, right);

	return order ? order : left < right ? -1 : 1;
}

static void
report_same(const struct unique *unique, const struct config_vm *vm, const struct config_vm *before,
	    struct errors *errors)
{
	char *value = key_text(SECTION_VM, unique->key, vm);

	errors_add(errors, vm->provider.line, "vm \"%s\" has the %s of \"%s\" (line %d), %s; %s",
		   vm->provider.name, unique->key, before->provider.name, before->provider.line,
		   value, unique->advice);
	free(value);
}

static bool
stands_in(const struct config *config, const struct config_vm *vm, const struct config_vm *of)
{
	return vm->standby_of >= 0 && &config->vms[vm->standby_of] == of;
}

static void
check_unique(const struct config *config, const struct unique *unique, struct errors *errors)
{
	const struct config_vm **list = mem_array(config->vms_count + 1, sizeof(*list)), *first;
	size_t count = 0;

	for (size_t i = 0; i < config->vms_count; i++)
		if (unique->has(&config->vms[i]))
			list[count++] = &config->vms[i];
	qsort_r(list, count, sizeof(*list), compare_unique, (void *)unique);
	first = list[0];
	for (size_t i = 1; i < count; i++) {
		if (unique->compare(first, list[i]) != 0)
			first = list[i];
		else if (!unique->standby_shares ||
			 (!stands_in(config, first, list[i]) && !stands_in(config, list[i], first)))
			report_same(unique, list[i], first, errors);
	}
	free(list);
}

void
check_uniques(const struct config *config, struct errors *errors)
{
	for (size_t i = 0; i < sizeof(uniques) / sizeof(uniques[0]); i++)
		check_unique(config, &uniques[i], errors);
}

void
check_config(struct config *config, struct errors *errors)
{
	check_name(config, errors);
	for (size_t i = 0; i < config->vms_count; i++)
		check_xl_file(&config->vms[i], errors);
	check_uniques(config, errors);
	check_supervision(config, errors);
	check_graph(config, errors);
}
