/* hosts, list, state, show, locate: what there is. */
#include <stdlib.h>
#include <string.h>

#include "tools/vmctl/vmctl.h"

/* ---- hosts ---- */

static void
value_status(const struct context *context, const struct item *item, struct value *value)
{
	enum vmctl_status status = vmctl_host_status(item->host);

	(void)context;
	value_text(value, name_of(vmctl_status_names, (int)status));
	value->tint = status == VMCTL_ANSWERS ? TINT_GOOD : TINT_BAD;
}

static void
value_address(const struct context *context, const struct item *item, struct value *value)
{
	(void)context;
	value_text(value, vmctl_host_address(item->host));
}

static void
value_error(const struct context *context, const struct item *item, struct value *value)
{
	(void)context;
	value_text(value, vmctl_host_error(item->host));
}

static void
value_profile(const struct context *context, const struct item *item, struct value *value)
{
	(void)context;
	value_text(value, vmctl_host_profile(item->host));
}

static void
value_groups(const struct context *context, const struct item *item, struct value *value)
{
	char text[VALUE_SIZE] = "";
	const char *group;

	(void)context;
	for (size_t i = 0; (group = vmctl_host_group(item->host, i)); i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 group);
	value_text(value, text);
}

static const struct own_field host_fields[] = {
    {"status", "STATUS", false, value_status},	  {"address", "ADDRESS", false, value_address},
    {"profile", "PROFILE", false, value_profile}, {"groups", "GROUPS", false, value_groups},
    {"error", "ERROR", false, value_error},	  {NULL, NULL, false, NULL}};

#define HOST_COLUMNS                                                                               \
	"host,status,hypervisorState=HYPERVISOR,vms=VMS,vmsRunning=RUN,vmsPaused=PAUSED,"          \
	"vmsShutdown=OFF,vmsCrashed=CRASHED,vmsUnknown=UNKNOWN,cpuUsed=CPU,memoryTotal=MEMORY,"    \
	"memoryFree=FREE,agent.version=AGENT,age"

/* A row of one kind that there is one of. */
static const void *
scalar_row(struct vmctl_host *host, enum mib_kind kind, void *row)
{
	return vmctl_row(host, kind, 0, row) ? row : NULL;
}

/* Storage is a table of its own: with --columns storage... of another kind it would not fit a line.
 */
int
cmd_hosts(struct context *context)
{
	static const enum mib_kind kinds[] = {KIND_HOST, KIND_AGENT, 0};
	struct fields fields;
	struct output *output;
	struct vmctl_want wants[] = {{KIND_HOST, 0, NULL}, {KIND_AGENT, 0, NULL}};

	hosts_from_words(context);
	if (!fields_choose(context,
			   context->options.columns		    ? context->options.columns
			   : context->options.format == OUTPUT_TEXT ? HOST_COLUMNS
								    : "all",
			   kinds, host_fields, &fields))
		return EXIT_USAGE;
	if (!fleet_choose(context))
		return EXIT_USAGE;
	fleet_fetch(context, wants, 2);
	output = output_begin(context, "hosts", &fields);
	for (size_t i = 0; i < context->hosts_count; i++) {
		struct vmctl_host *host = context->hosts[i];
		struct mib_host host_row;
		struct mib_agent agent_row;
		struct item item = {.host = host};

		item.rows[KIND_HOST] = scalar_row(host, KIND_HOST, &host_row);
		item.rows[KIND_AGENT] = scalar_row(host, KIND_AGENT, &agent_row);
		item.stale = vmctl_rows_stale(host, KIND_HOST);
		output_item(output, &item);
	}
	output_end(output);
	fields_free(&fields);
	return fleet_report(context);
}

/* ---- VMs ---- */

#define LIST_COLUMNS                                                                               \
	"name,host,state,health,cpuUsed=CPU,memory,memoryUsed=USED,memoryMax=MAX,group,"           \
	"lastChange=CHANGED,age"
#define LOCATE_COLUMNS "name,host,uuid,state,age"
#define STATE_COLUMNS "name,host,state,health,lastChange=SINCE,lastChangeReason=REASON,age"

/* The targets of a command that only looks: without words, all. NULL: it was said. */
static struct targets *
look_targets(struct context *context)
{
	struct targets *targets = targets_new(context, context->words, context->words_count,
					      context->options.all || context->words_count == 0);

	if (!targets)
		return NULL;
	if (!fleet_choose(context)) {
		targets_free(targets);
		return NULL;
	}
	fleet_narrow(context, targets);
	return targets;
}

static int
status_with(int status, size_t wrong, size_t found)
{
	if (wrong == 0)
		return status;
	return found > 0 ? EXIT_SOME : EXIT_NONE;
}

/* ---- what a VM has ---- */

static const struct device {
	enum mib_kind kind;
	const char *title, *key, *columns; /* columns: for people */
} devices[] = {
    {KIND_NET, "net", "nets", "name,mac,bridge,inOctets,outOctets,inErrors,outErrors"},
    {KIND_DISK, "disk", "disks", "name,target,readOctets,writtenOctets,errors"},
};

#define DEVICES (sizeof(devices) / sizeof(devices[0]))

/* The device's next row that is the VM's, from *at on, into item's row; false: there is none. */
static bool
device_next(const struct device *device, const struct item *vm, size_t *at, unsigned char *row,
	    struct item *item)
{
	uint32_t of;

	*item = (struct item){.host = vm->host, .stale = vm->stale};
	item->rows[device->kind] = row;
	while (vmctl_row(vm->host, device->kind, (*at)++, row)) {
		memcpy(&of, row + sizeof(uint64_t), sizeof(of));
		if (of == ((const struct mib_vm *)vm->rows[KIND_VM])->index)
			return true;
	}
	return false;
}

static void
json_devices(const struct context *context, const struct item *vm, FILE *to)
{
	_Alignas(8) unsigned char row[VMCTL_ROW_MAX];

	for (size_t i = 0; i < DEVICES; i++) {
		const enum mib_kind kinds[] = {devices[i].kind, 0};
		const char *before = "";
		struct fields fields;
		struct item item;
		size_t at = 0;

		if (!fields_choose(context, "all", kinds, NULL, &fields))
			continue;
		fprintf(to, ",\n   \"%s\": [", devices[i].key);
		for (; device_next(&devices[i], vm, &at, row, &item); before = ", ") {
			fprintf(to, "%s{", before);
			json_fields(context, &fields, &item, to);
			fputs("}", to);
		}
		fputs("]", to);
		fields_free(&fields);
	}
}

static void
show_devices(const struct context *context, const struct item *vm)
{
	_Alignas(8) unsigned char row[VMCTL_ROW_MAX];

	for (size_t i = 0; i < DEVICES; i++) {
		const enum mib_kind kinds[] = {devices[i].kind, 0};
		struct fields fields;
		struct value value;
		struct item item;
		size_t at = 0;

		if (!fields_choose(context, devices[i].columns, kinds, NULL, &fields))
			continue;
		while (device_next(&devices[i], vm, &at, row, &item)) {
			printf("  %-24s", devices[i].title);
			for (size_t j = 0; j < fields.count; j++) {
				field_value(context, &fields.list[j], &item, &value);
				printf("%s %s %s", j ? "," : "", fields.list[j].key,
				       value_human(&value));
			}
			printf("\n");
		}
		fields_free(&fields);
	}
}

static void
show_vm(const struct context *context, const struct fields *fields, const struct item *item)
{
	const struct mib_vm *vm = item->rows[KIND_VM];
	struct value value;

	printf("%s on %s%s\n", vm->name, vmctl_host_name(item->host),
	       item->stale ? " (last known)" : "");
	for (size_t i = 0; i < fields->count; i++) {
		enum tint tint;

		field_value(context, &fields->list[i], item, &value);
		tint = value.tint;
		printf("  %-24s %s%s%s\n", fields->list[i].key, tint_on(context, tint),
		       value_human(&value), tint_off(context, tint));
	}
	show_devices(context, item);
}

/* ---- lists ---- */

/* whole: with what the VMs have; people get a paragraph for each. */
static int
list_vms(struct context *context, const char *columns, bool whole)
{
	static const enum mib_kind kinds[] = {KIND_VM, 0};
	struct vmctl_want wants[1 + DEVICES] = {{.kind = KIND_VM}};
	enum output_format format = context->options.format;
	struct output *output = NULL;
	struct fields fields;
	struct targets *targets;
	struct vm_list vms;
	int status;

	if (!fields_choose(context, columns, kinds, NULL, &fields))
		return EXIT_USAGE;
	targets = look_targets(context);
	if (!targets) {
		fields_free(&fields);
		return EXIT_USAGE;
	}
	wants[0].fields = fields_bits(&fields, KIND_VM) | targets_bits(targets);
	for (size_t i = 0; i < DEVICES; i++)
		wants[1 + i].kind = devices[i].kind;
	fleet_fetch(context, wants, whole && format != OUTPUT_CSV ? 1 + DEVICES : 1);
	vms_collect(context, targets, &vms);
	if (!whole || format != OUTPUT_TEXT)
		output = output_begin(context, "vms", &fields);
	if (whole && output)
		output_more(output, json_devices);
	for (size_t i = 0; i < vms.count; i++) {
		struct mib_vm vm;
		struct item item = {.host = vms.list[i].host, .rows = {[KIND_VM] = &vm}};

		vmctl_row(item.host, KIND_VM, vms.list[i].position, &vm);
		item.stale = vmctl_rows_stale(item.host, KIND_VM);
		if (output)
			output_item(output, &item);
		else
			show_vm(context, &fields, &item);
	}
	if (output)
		output_end(output);
	status = fleet_report(context);
	vms_say_twice(&vms);
	status =
	    status_with(status, targets_complain(targets, status != EXIT_ALL, false), vms.count);
	vms_free(&vms);
	fields_free(&fields);
	targets_free(targets);
	return status;
}

/* Programs see by a key of its own what is last known only; people by the age. */
static const char *
columns_or(const struct context *context, const char *columns, const char *of_json)
{
	return context->options.columns			? context->options.columns
	       : context->options.format == OUTPUT_JSON ? of_json
							: columns;
}

int
cmd_list(struct context *context)
{
	return list_vms(context, columns_or(context, LIST_COLUMNS, LIST_COLUMNS ",stale"), false);
}

int
cmd_state(struct context *context)
{
	return list_vms(context, columns_or(context, STATE_COLUMNS, STATE_COLUMNS ",stale"), false);
}

int
cmd_locate(struct context *context)
{
	return list_vms(context, columns_or(context, LOCATE_COLUMNS, LOCATE_COLUMNS ",stale"),
			false);
}

int
cmd_show(struct context *context)
{
	if (context->options.format == OUTPUT_TEXT && context->words_count == 0 &&
	    !context->options.all)
		return usage_error(context, "which VM? see vmctl show --help");
	return list_vms(context, columns_or(context, "all", "all"), true);
}
