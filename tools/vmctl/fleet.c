#include <stdlib.h>
#include <string.h>

#include "tools/vmctl/vmctl.h"

/* The hosts that the command is of: all, or those of -H. A pointer of each host's own marks it. */
static char chosen[1];

/* An address on the command line is a host of its own; a name of the configuration is that host,
 * and a group of hosts is all of them. */
static bool
choose_one(struct context *context, const char *word)
{
	struct vmctl_host *host = vmctl_host_find(context->vmctl, word);
	char error[VMCTL_ERROR_SIZE];
	bool found = false;

	for (struct vmctl_host *one = host ? NULL : vmctl_host_at(context->vmctl, 0); one;
	     one = vmctl_host_next(one)) {
		const char *group;

		for (size_t j = 0; (group = vmctl_host_group(one, j)); j++)
			if (strcmp(group, word) == 0) {
				vmctl_host_set_data(one, chosen);
				found = true;
			}
	}
	if (found)
		return true;
	if (!host)
		host = vmctl_host_add(context->vmctl, word, word, NULL, error);
	if (!host) {
		usage_error(context, "%s", error);
		return false;
	}
	vmctl_host_set_data(host, chosen);
	return true;
}

void
hosts_from_words(struct context *context)
{
	struct options *options = &context->options;

	options->hosts =
	    mem_resize(options->hosts, options->hosts_count + (size_t)context->words_count,
		       sizeof(*options->hosts));
	for (int i = 0; i < context->words_count; i++)
		options->hosts[options->hosts_count++] = context->words[i];
}

bool
fleet_choose(struct context *context)
{
	bool all = context->options.hosts_count == 0;
	size_t count;

	for (size_t i = 0; i < context->options.hosts_count; i++)
		if (!choose_one(context, context->options.hosts[i]))
			return false;
	count = vmctl_hosts_count(context->vmctl);
	if (count == 0) {
		usage_error(context, "no hosts: name some in /etc/lauxen/vmctl.conf, see "
				     "vmctl.conf(5), or give -H HOST");
		return false;
	}
	context->hosts = mem_array(count, sizeof(*context->hosts));
	for (struct vmctl_host *host = vmctl_host_at(context->vmctl, 0); host;
	     host = vmctl_host_next(host))
		if (all || vmctl_host_data(host) == chosen)
			context->hosts[context->hosts_count++] = host;
	return true;
}

void
fleet_narrow(struct context *context, const struct targets *targets)
{
	size_t count = 0;

	for (size_t i = 0; i < context->hosts_count; i++)
		if (targets_want_host(targets, context->hosts[i]))
			context->hosts[count++] = context->hosts[i];
	context->hosts_count = count;
}

bool
host_answers(const struct vmctl_host *host)
{
	return vmctl_host_status(host) == VMCTL_ANSWERS;
}

static void
fetched(void *arg, struct vmctl_host *host)
{
	(void)arg, (void)host;
}

void
fleet_fetch(struct context *context, const struct vmctl_want *wants, size_t count)
{
	for (size_t i = 0; i < context->hosts_count; i++)
		vmctl_fetch(context->hosts[i], wants, count, fetched, NULL);
	vmctl_run(context->vmctl, 0);
}

#define REPORTED_MAX 10 /* more hosts than these are a number */

int
fleet_report(const struct context *context)
{
	size_t answering = 0, missing = 0;

	for (size_t i = 0; i < context->hosts_count; i++) {
		struct vmctl_host *host = context->hosts[i];
		int64_t age_ms = -1;
		char age[32];

		if (vmctl_host_status(host) == VMCTL_UNASKED)
			continue;
		if (host_answers(host)) {
			answering++;
			continue;
		}
		for (int kind = 1; kind < KIND_COUNT; kind++)
			if (vmctl_rows_stale(host, (enum mib_kind)kind))
				age_ms = vmctl_rows_age_ms(host, (enum mib_kind)kind);
		duration_text(age_ms, age, sizeof(age));
		if (++missing <= REPORTED_MAX || context->options.verbose)
			fprintf(stderr, "vmctl: %s: %s%s%s%s\n", vmctl_host_name(host),
				vmctl_host_error(host), age_ms >= 0 ? "; last known " : "",
				age_ms >= 0 ? age : "", age_ms >= 0 ? " ago" : "");
	}
	if (missing > REPORTED_MAX && !context->options.verbose)
		fprintf(stderr, "vmctl: and %zu more hosts did not answer (-v names them)\n",
			missing - REPORTED_MAX);
	return missing == 0 ? EXIT_ALL : answering > 0 ? EXIT_SOME : EXIT_NONE;
}

void
host_own_name(const struct vmctl_host *host, char name[VM_NAME_SIZE])
{
	struct mib_host row;

	name[0] = 0;
	if (vmctl_row(host, KIND_HOST, 0, &row) && !(row.absent >> mib_host_BIT_name & 1))
		memcpy(name, row.name, VM_NAME_SIZE);
}

/* ---- VMs of all hosts ---- */

static const struct vm_list *sorting; /* qsort() hands nothing of ours on */

static int
vm_order_compare(const void *a, const void *b)
{
	const struct vm_ref *left = &sorting->list[*(const uint32_t *)a];
	const struct vm_ref *right = &sorting->list[*(const uint32_t *)b];
	int order = strcmp(sorting->names + left->name, sorting->names + right->name);

	if (order == 0)
		order = strcmp(vmctl_host_name(left->host), vmctl_host_name(right->host));
	return order != 0 ? order
			  : (left->position > right->position) - (left->position < right->position);
}

/* Numbers are sorted and then followed, as qsort() takes the room of what it sorts once more. */
static void
vms_sort(struct vm_list *vms)
{
	uint32_t *order = mem_array(vms->count, sizeof(*order));

	for (uint32_t i = 0; i < vms->count; i++)
		order[i] = i;
	sorting = vms;
	if (vms->count > 0)
		qsort(order, vms->count, sizeof(*order), vm_order_compare);
	for (uint32_t i = 0; i < vms->count; i++) {
		struct vm_ref first = vms->list[i];
		uint32_t at = i;

		while (order[at] != i) {
			uint32_t from = order[at];

			vms->list[at] = vms->list[from];
			order[at] = at;
			at = from;
		}
		vms->list[at] = first;
		order[at] = at;
	}
	free(order);
}

static void
vms_add(struct vm_list *vms, size_t *room, size_t *names_room, struct vmctl_host *host,
	size_t position, const struct mib_vm *vm)
{
	size_t length = strlen(vm->name) + 1;

	if (vms->count == *room) {
		*room = *room + *room / 4 + 64; /* of 100,000 VMs twice the room is much */
		vms->list = mem_resize(vms->list, *room, sizeof(*vms->list));
	}
	if (vms->names_size + length > *names_room) {
		*names_room = *names_room + *names_room / 4 + 1024;
		vms->names = mem_resize(vms->names, *names_room, 1);
	}
	memcpy(vms->names + vms->names_size, vm->name, length);
	vms->list[vms->count++] =
	    (struct vm_ref){host, (uint32_t)position, (uint32_t)vms->names_size};
	vms->names_size += length;
}

void
vms_collect(const struct context *context, struct targets *targets, struct vm_list *vms)
{
	size_t room = 0, names_room = 0;
	struct mib_vm vm;

	*vms = (struct vm_list){0};
	for (size_t i = 0; i < context->hosts_count; i++) {
		struct vmctl_host *host = context->hosts[i];

		for (size_t j = 0; vmctl_row(host, KIND_VM, j, &vm); j++)
			if (targets_match(targets, host, &vm))
				vms_add(vms, &room, &names_room, host, j, &vm);
	}
	vms_sort(vms);
}

static void
say_place(const struct vm_ref *ref, const char *joint)
{
	struct mib_vm vm;

	vmctl_row(ref->host, KIND_VM, ref->position, &vm);
	fprintf(stderr, "%s on %s (%s%s)", joint, vmctl_host_name(ref->host),
		vm.absent >> mib_vm_BIT_state & 1 ? "in some state"
						  : name_of(vm_state_names, vm.state),
		vmctl_rows_stale(ref->host, KIND_VM) ? ", last known" : "");
}

void
vms_say_twice(const struct vm_list *vms)
{
	size_t first, i;

	for (first = 0; first < vms->count; first = i) {
		const char *name = vms_name(vms, first);

		for (i = first + 1; i < vms->count && strcmp(name, vms_name(vms, i)) == 0; i++) {
			if (i == first + 1) {
				fprintf(stderr, "vmctl: %s is", name);
				say_place(&vms->list[first], "");
			}
			say_place(&vms->list[i], " and");
		}
		if (i > first + 1)
			fprintf(stderr, "\n");
	}
}

void
vms_free(struct vm_list *vms)
{
	free(vms->list);
	free(vms->names);
	*vms = (struct vm_list){0};
}

const char *
vms_name(const struct vm_list *vms, size_t at)
{
	return vms->names + vms->list[at].name;
}
