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

static int
list_vms(struct context *context, const char *columns)
{
	static const enum mib_kind kinds[] = {KIND_VM, 0};
	struct vmctl_want want = {.kind = KIND_VM};
	struct fields fields;
	struct targets *targets;
	struct vm_list vms;
	struct output *output;
	int status;

	if (!fields_choose(context, columns, kinds, NULL, &fields))
		return EXIT_USAGE;
	targets = look_targets(context);
	if (!targets) {
		fields_free(&fields);
		return EXIT_USAGE;
	}
	want.fields = fields_bits(&fields, KIND_VM) | targets_bits(targets);
	fleet_fetch(context, &want, 1);
	vms_collect(context, targets, &vms);
	output = output_begin(context, "vms", &fields);
	for (size_t i = 0; i < vms.count; i++) {
		struct mib_vm vm;
		struct item item = {.host = vms.list[i].host, .rows = {[KIND_VM] = &vm}};

		vmctl_row(item.host, KIND_VM, vms.list[i].position, &vm);
		item.stale = vmctl_rows_stale(item.host, KIND_VM);
		output_item(output, &item);
	}
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
	return list_vms(context, columns_or(context, LIST_COLUMNS, LIST_COLUMNS ",stale"));
}

int
cmd_state(struct context *context)
{
	return list_vms(context, columns_or(context, STATE_COLUMNS, STATE_COLUMNS ",stale"));
}

int
cmd_locate(struct context *context)
{
	return list_vms(context, columns_or(context, LOCATE_COLUMNS, LOCATE_COLUMNS ",stale"));
}

/* ---- show: everything about some VMs ---- */

static void
show_line(const struct context *context, const char *title, struct value *value)
{
	printf("  %-24s %s%s%s\n", title, tint_on(context, value->tint), value_human(value),
	       tint_off(context, value->tint));
}

/* The rows of another kind that are this VM's: an own line for each. */
static void
show_devices(const struct context *context, struct vmctl_host *host, enum mib_kind kind,
	     uint32_t vm, const char *title, const char *columns)
{
	const enum mib_kind kinds[] = {kind, 0};
	_Alignas(8) unsigned char row[VMCTL_ROW_MAX];
	struct fields fields;

	if (!fields_choose(context, columns, kinds, NULL, &fields))
		return;
	for (size_t i = 0; vmctl_row(host, kind, i, row); i++) {
		struct item item = {.host = host};
		uint32_t of;

		item.rows[kind] = row;
		memcpy(&of, row + sizeof(uint64_t), sizeof(of));
		if (of != vm)
			continue;
		printf("  %-24s", title);
		for (size_t j = 0; j < fields.count; j++) {
			struct value value;

			field_value(context, &fields.list[j], &item, &value);
			printf(" %s %s%s", fields.list[j].key, value_human(&value),
			       j + 1 < fields.count ? "," : "");
		}
		printf("\n");
	}
	fields_free(&fields);
}

static void
show_vm(const struct context *context, const struct fields *fields, const struct item *item)
{
	const struct mib_vm *vm = item->rows[KIND_VM];
	struct value value;

	printf("%s on %s%s\n", vm->name, vmctl_host_name(item->host),
	       item->stale ? " (last known)" : "");
	for (size_t i = 0; i < fields->count; i++) {
		field_value(context, &fields->list[i], item, &value);
		show_line(context, fields->list[i].key, &value);
	}
	show_devices(context, item->host, KIND_NET, vm->index, "net",
		     "name,mac,bridge,inOctets,outOctets,inErrors,outErrors");
	show_devices(context, item->host, KIND_DISK, vm->index, "disk",
		     "name,target,readOctets,writtenOctets,errors");
}

int
cmd_show(struct context *context)
{
	static const enum mib_kind kinds[] = {KIND_VM, 0};
	struct vmctl_want wants[] = {{KIND_VM, 0, NULL}, {KIND_NET, 0, NULL}, {KIND_DISK, 0, NULL}};
	struct targets *targets;
	struct fields fields;
	struct vm_list vms;
	int status;

	if (context->options.format != OUTPUT_TEXT)
		return list_vms(context, columns_or(context, "all", "all"));
	if (context->words_count == 0 && !context->options.all)
		return usage_error(context, "which VM? see vmctl show --help");
	if (!fields_choose(context, columns_or(context, "all", "all"), kinds, NULL, &fields))
		return EXIT_USAGE;
	targets = look_targets(context);
	if (!targets)
		return EXIT_USAGE;
	fleet_fetch(context, wants, sizeof(wants) / sizeof(wants[0]));
	vms_collect(context, targets, &vms);
	for (size_t i = 0; i < vms.count; i++) {
		struct mib_vm vm;
		struct item item = {.host = vms.list[i].host, .rows = {[KIND_VM] = &vm}};

		vmctl_row(item.host, KIND_VM, vms.list[i].position, &vm);
		item.stale = vmctl_rows_stale(item.host, KIND_VM);
		show_vm(context, &fields, &item);
	}
	status = fleet_report(context);
	vms_say_twice(&vms);
	status =
	    status_with(status, targets_complain(targets, status != EXIT_ALL, false), vms.count);
	vms_free(&vms);
	fields_free(&fields);
	targets_free(targets);
	return status;
}
