/* services, plan, nets, disks, storage, requests: rows of a kind of all hosts. */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/vmctl/vmctl.h"

/* A row of any kind among those of all hosts. */
struct row_ref {
	struct vmctl_host *host;
	uint32_t position;
	int64_t key; /* to sort by */
	char name[VM_NAME_SIZE];
};

struct row_list {
	struct row_ref *list;
	size_t count, room;
};

static void
row_add(struct row_list *rows, struct vmctl_host *host, size_t position, int64_t key,
	const char *name)
{
	struct row_ref *ref;

	if (rows->count == rows->room) {
		rows->room = rows->room * 2 + 64;
		rows->list = mem_resize(rows->list, rows->room, sizeof(*rows->list));
	}
	ref = &rows->list[rows->count++];
	*ref = (struct row_ref){.host = host, .position = (uint32_t)position, .key = key};
	TEXT_SET(ref->name, name);
}

static int
row_compare(const void *a, const void *b)
{
	const struct row_ref *left = a, *right = b;
	int order = left->key != right->key ? (left->key > right->key ? 1 : -1)
					    : strcmp(left->name, right->name);

	if (order == 0)
		order = strcmp(vmctl_host_name(left->host), vmctl_host_name(right->host));
	return order != 0 ? order
			  : (left->position > right->position) - (left->position < right->position);
}

static void
rows_sort(struct row_list *rows)
{
	if (rows->count > 0)
		qsort(rows->list, rows->count, sizeof(*rows->list), row_compare);
}

/* Prints them, each with its own row of the kind. */
static void
rows_print(const struct context *context, enum mib_kind kind, const struct fields *fields,
	   struct row_list *rows, const char *name)
{
	_Alignas(8) unsigned char row[VMCTL_ROW_MAX];
	struct output *output = output_begin(context, name, fields);

	for (size_t i = 0; i < rows->count; i++) {
		struct item item = {.host = rows->list[i].host, .own = rows->list[i].name};

		if (!vmctl_row(item.host, kind, rows->list[i].position, row))
			continue;
		item.rows[kind] = row;
		item.stale = vmctl_rows_stale(item.host, kind);
		output_item(output, &item);
	}
	output_end(output);
	free(rows->list);
	*rows = (struct row_list){0};
}

/* The fields of a command, and its hosts. */
static bool
rows_begin(struct context *context, enum mib_kind kind, const struct own_field *own,
	   const char *columns, struct fields *fields)
{
	const enum mib_kind kinds[] = {kind, 0};
	const char *chosen = context->options.columns		      ? context->options.columns
			     : context->options.format == OUTPUT_TEXT ? columns
								      : "all";

	if (!fields_choose(context, chosen, kinds, own, fields))
		return false;
	if (fleet_choose(context))
		return true;
	fields_free(fields);
	return false;
}

/* A word that a name of a row is compared with: a glob, or "name@host". */
static bool
word_matches(const char *word, const char *name, const struct vmctl_host *host)
{
	char text[2 * VM_NAME_SIZE];
	char *at;

	snprintf(text, sizeof(text), "%s", word);
	if (strncmp(text, "host:", 5) == 0)
		return fnmatch(text + 5, vmctl_host_name(host), 0) == 0;
	at = strrchr(text, '@');
	if (at)
		*at++ = 0;
	return fnmatch(text, name, 0) == 0 && (!at || fnmatch(at, vmctl_host_name(host), 0) == 0);
}

static bool
words_match(const struct context *context, const char *name, const char *second,
	    const struct vmctl_host *host)
{
	for (int i = 0; i < context->words_count; i++)
		if (word_matches(context->words[i], name, host) ||
		    (second && word_matches(context->words[i], second, host)))
			return true;
	return context->words_count == 0;
}

/* The exit status: words that nothing is named by are said. */
static int
rows_status(const struct context *context, size_t found)
{
	int status = fleet_report(context);

	if (found > 0 || context->words_count == 0)
		return status;
	fprintf(stderr, "vmctl %s: nothing of that name%s\n", context->command,
		status != EXIT_ALL ? " on the hosts that answer" : "");
	return EXIT_NONE;
}

/* ---- services ---- */

int
cmd_services(struct context *context)
{
	struct vmctl_want want = {KIND_SERVICE, 0, NULL};
	struct row_list rows = {0};
	struct fields fields;
	size_t found;
	struct mib_service service;

	if (!rows_begin(
		context, KIND_SERVICE, NULL,
		"provider,name=SERVICE,host,state,since,latency,neededBy=NEEDED BY,text,age",
		&fields))
		return EXIT_USAGE;
	fleet_fetch(context, &want, 1);
	for (size_t i = 0; i < context->hosts_count; i++)
		for (size_t j = 0; vmctl_row(context->hosts[i], KIND_SERVICE, j, &service); j++) {
			char whole[VM_NAME_SIZE + SERVICE_NAME_SIZE + 1];

			snprintf(whole, sizeof(whole), "%s:%s", service.provider, service.name);
			if (words_match(context, service.provider, whole, context->hosts[i]))
				row_add(&rows, context->hosts[i], j, 0, whole);
		}
	found = rows.count;
	rows_sort(&rows);
	rows_print(context, KIND_SERVICE, &fields, &rows, "services");
	fields_free(&fields);
	return rows_status(context, found);
}

/* ---- plan, nets, disks: rows of VMs ---- */

static void
value_vm_name(const struct context *context, const struct item *item, struct value *value)
{
	(void)context;
	value_text(value, item->own);
}

static const struct own_field plan_fields[] = {{"name", "NAME", false, value_vm_name},
					       {NULL, NULL, false, NULL}};
static const struct own_field device_fields[] = {{"vmName", "VM", false, value_vm_name},
						 {NULL, NULL, false, NULL}};

/* A kind whose rows begin with the index of their VM, as those of VMs do: both ascend. */
static const struct vm_kind {
	const char *command;
	enum mib_kind kind;
	const struct own_field *own;
	const char *columns;
} vm_kinds[] = {
    {"plan", KIND_PLAN, plan_fields, "wave,name,host,goal,waitsFor=WAITS FOR,since,reason,age"},
    {"nets", KIND_NET, device_fields,
     "vmName,host,name,mac,bridge,inOctets=IN,outOctets=OUT,inErrors=IN ERRORS,"
     "outErrors=OUT ERRORS,inDrops=IN DROPS,outDrops=OUT DROPS,age"},
    {"disks", KIND_DISK, device_fields,
     "vmName,host,name,target,readOnly=READ ONLY,reads,writes,readOctets=READ,"
     "writtenOctets=WRITTEN,errors,age"},
};

/* Of any kind of a VM: what its index fields are. */
static uint32_t
row_vm(const unsigned char *row)
{
	uint32_t vm;

	memcpy(&vm, row + sizeof(uint64_t), sizeof(vm));
	return vm;
}

static int64_t
row_key(enum mib_kind kind, const unsigned char *row)
{
	struct mib_plan plan;

	if (kind != KIND_PLAN)
		return 0;
	memcpy(&plan, row, sizeof(plan));
	return plan.wave;
}

/* Those of the host's VMs that are meant. The number of these VMs. */
static size_t
rows_of_host(struct vmctl_host *host, enum mib_kind kind, struct targets *targets,
	     struct row_list *rows)
{
	_Alignas(8) unsigned char row[VMCTL_ROW_MAX];
	size_t found = 0, at = 0;
	struct mib_vm vm;

	for (size_t i = 0; vmctl_row(host, KIND_VM, i, &vm); i++) {
		bool wanted = targets_match(targets, host, &vm);

		found += wanted;
		for (; vmctl_row(host, kind, at, row) && row_vm(row) <= vm.index; at++)
			if (wanted && row_vm(row) == vm.index)
				row_add(rows, host, at, row_key(kind, row), vm.name);
	}
	return found;
}

static const struct vm_kind *
vm_kind_of(const char *command)
{
	for (size_t i = 0; i < sizeof(vm_kinds) / sizeof(vm_kinds[0]); i++)
		if (strcmp(vm_kinds[i].command, command) == 0)
			return &vm_kinds[i];
	abort();
}

int
cmd_vm_rows(struct context *context)
{
	const struct vm_kind *of = vm_kind_of(context->command);
	struct vmctl_want wants[] = {{of->kind, 0, NULL}, {KIND_VM, VM_BASIC, NULL}};
	struct targets *targets =
	    targets_new(context, context->words, context->words_count, context->words_count == 0);
	struct row_list rows = {0};
	struct fields fields;
	size_t found = 0;
	int status;

	if (!targets || !rows_begin(context, of->kind, of->own, of->columns, &fields)) {
		targets_free(targets);
		return EXIT_USAGE;
	}
	fleet_narrow(context, targets);
	fleet_fetch(context, wants, 2);
	for (size_t i = 0; i < context->hosts_count; i++)
		found += rows_of_host(context->hosts[i], of->kind, targets, &rows);
	rows_sort(&rows);
	rows_print(context, of->kind, &fields, &rows, context->command);
	fields_free(&fields);
	status = fleet_report(context);
	if (targets_complain(targets, status != EXIT_ALL, false) > 0)
		status = found > 0 ? EXIT_SOME : EXIT_NONE;
	targets_free(targets);
	return status;
}

/* ---- storage: of hosts ---- */

int
cmd_storage(struct context *context)
{
	struct vmctl_want want = {KIND_POOL, 0, NULL};
	struct row_list rows = {0};
	struct fields fields;

	hosts_from_words(context);
	if (!rows_begin(context, KIND_POOL, NULL, "host,path,size,used,free,age", &fields))
		return EXIT_USAGE;
	fleet_fetch(context, &want, 1);
	for (size_t i = 0; i < context->hosts_count; i++)
		for (size_t j = 0; j < vmctl_rows_count(context->hosts[i], KIND_POOL); j++)
			row_add(&rows, context->hosts[i], j, 0, "");
	rows_sort(&rows);
	rows_print(context, KIND_POOL, &fields, &rows, "storage");
	fields_free(&fields);
	return fleet_report(context);
}

/* ---- requests ---- */

int
cmd_requests(struct context *context)
{
	struct vmctl_want want = {KIND_REQUEST, 0, NULL};
	struct row_list rows = {0};
	struct fields fields;
	size_t found;
	struct mib_request request;

	if (!rows_begin(context, KIND_REQUEST, NULL,
			"id,host,vm,verb,number,state,accepted,ended,error,age", &fields))
		return EXIT_USAGE;
	fleet_fetch(context, &want, 1);
	for (size_t i = 0; i < context->hosts_count; i++)
		for (size_t j = 0; vmctl_row(context->hosts[i], KIND_REQUEST, j, &request); j++)
			if (words_match(context, request.vm, request.id, context->hosts[i]))
				row_add(&rows, context->hosts[i], j, request.accepted, request.id);
	found = rows.count;
	rows_sort(&rows);
	rows_print(context, KIND_REQUEST, &fields, &rows, "requests");
	fields_free(&fields);
	return rows_status(context, found);
}
