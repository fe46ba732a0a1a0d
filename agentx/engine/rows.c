#include "engine/internal.h"

#include <string.h>

#include "base/mem.h"

#define BALLOON_MS 10000   /* until what VMs are given shows in what the host has free */
#define MIB_OCTETS 1048576 /* octets in a MiB: the unit of VM-MIB's memory here */

static uint32_t
mib_of_kib(uint64_t kib)
{
	return (uint32_t)(kib / 1024);
}

/* A row that is put often: where it stands is kept. */
static void
put_kept(struct rowset *set, void **place, const void *row)
{
	if (*place)
		rowset_replace(set, *place, row);
	else
		*place = rowset_place(set, row);
}

static enum vm_sched_state
sched_state(const struct engine *engine, const struct vm *vm)
{
	uint32_t flags;

	if (!engine->states_ok)
		return SCHED_UNKNOWN;
	if (!vm->domain)
		return SCHED_NONE;
	flags = vm->domain->state.flags;
	return flags & DOMAIN_DYING	 ? SCHED_DYING
	       : flags & DOMAIN_SHUTDOWN ? SCHED_SHUTDOWN
	       : flags & DOMAIN_PAUSED	 ? SCHED_PAUSED
	       : flags & DOMAIN_BLOCKED	 ? SCHED_BLOCKED
					 : SCHED_RUNNING;
}

static enum mib_vm_admin_state
admin_state(enum vm_state state)
{
	switch (state) {
	case VM_PAUSED:
		return ADMIN_PAUSED;
	case VM_SUSPENDED:
	case VM_SUSPENDING:
		return ADMIN_SUSPENDED;
	case VM_SHUTDOWN:
	case VM_SHUTTING_DOWN:
	case VM_CRASHED:
		return ADMIN_SHUTDOWN;
	default:
		return ADMIN_RUNNING;
	}
}

/* A VM is well when it is as it is desired; crashed or off against that wish it failed. */
static enum vm_health
vm_health(const struct vm *vm, enum vm_state state)
{
	if (vm->policy.monitor == MONITOR_HUMAN || vm->policy.monitor == MONITOR_FAILING)
		return HEALTH_FAILED;
	if (vm->policy.monitor == MONITOR_BLOCKED || vm->policy.monitor == MONITOR_REPLACED)
		return HEALTH_ATTENTION;
	switch (state) {
	case VM_UNKNOWN:
		return HEALTH_UNKNOWN;
	case VM_CRASHED:
		return HEALTH_FAILED;
	case VM_SHUTDOWN:
		return vm->kept.desired == DESIRED_RUNNING ? HEALTH_ATTENTION : HEALTH_OK;
	case VM_PAUSED:
		return vm->kept.desired == DESIRED_PAUSED ? HEALTH_OK : HEALTH_ATTENTION;
	default:
		return HEALTH_OK;
	}
}

/* What the hypervisor's list says. */
static void
fill_state(const struct engine *engine, const struct vm *vm, struct mib_vm *row)
{
	bool known = engine->states_ok && vm->domain;
	const struct fact_domain *state = vm->domain ? &vm->domain->state : NULL;

	row->domid = known ? (int32_t)state->domid : -1;
	row->vcpus = known ? state->vcpus : 0;
	row->vcpus_max = known ? state->vcpus_max : 0;
	row->cpu_us = known ? state->cpu_ns / 1000 : 0;
	row->cpu_used = known ? vm->domain->cpu_used : 0;
	row->memory_mib = known ? mib_of_kib(state->memory_kib) : 0;
	MIB_ABSENT(mib_vm, row, domid, !engine->states_ok);
	MIB_ABSENT(mib_vm, row, vcpus, !engine->states_ok);
	MIB_ABSENT(mib_vm, row, vcpus_max, !known);
	MIB_ABSENT(mib_vm, row, cpu_us, !known);
	MIB_ABSENT(mib_vm, row, cpu_used, !known || !vm->domain->cpu_known);
	MIB_ABSENT(mib_vm, row, memory_mib, !engine->states_ok);
}

/* What xenstore and the guest say. */
static void
fill_figures(const struct engine *engine, const struct vm *vm, struct mib_vm *row)
{
	bool known = engine->figures_ok && engine->states_ok && vm->domain && vm->domain->named;
	const struct fact_figures *figures = known ? &vm->domain->figures : NULL;
	bool inside = known && figures->inside_total_kib >= figures->inside_free_kib &&
		      figures->inside_total_kib > 0;

	row->memory_max_mib = known ? mib_of_kib(figures->memory_max_kib) : 0;
	row->memory_goal_mib = known ? mib_of_kib(figures->memory_target_kib) : 0;
	row->memory_used_mib =
	    inside ? mib_of_kib(figures->inside_total_kib - figures->inside_free_kib) : 0;
	row->memory_used_time = inside ? figures->inside_mono_ms : 0;
	MIB_ABSENT(mib_vm, row, memory_max_mib, !known);
	MIB_ABSENT(mib_vm, row, memory_goal_mib, !known);
	MIB_ABSENT(mib_vm, row, memory_used_mib, !inside);
	MIB_ABSENT(mib_vm, row, memory_used_time, !inside);
	row->memory_target_mib = vm->kept.memory_target_mib ? vm->kept.memory_target_mib
				 : known		    ? row->memory_goal_mib
							    : 0;
}

/* What is kept, and what VM-MIB wants in forms of its own (RFC 7666: -1 is no limit). */
static void
fill_kept(const struct engine *engine, const struct vm *vm, struct mib_vm *row)
{
	const struct store_vm *kept = &vm->kept;

	row->index = kept->index;
	TEXT_SET(row->name, kept->name);
	memcpy(row->uuid, kept->uuid, UUID_SIZE);
	row->configured = vm->config != NULL;
	TEXT_SET(row->group, vm->config ? vm->config->group : "");
	TEXT_SET(row->address, vm->config ? vm->config->provider.address : "");
	row->start_time = vm->domain ? kept->start_wall_ms : 0;
	row->change_time = kept->change_wall_ms;
	TEXT_SET(row->change_reason, kept->change_reason);
	row->restarts = kept->restarts;
	row->crashes = kept->crashes;
	row->desired = (int32_t)kept->desired;
	row->owner = (int32_t)vm_owner(engine, vm);
	row->discontinuity = kept->discontinuity_wall_ms;
	row->request = (int32_t)kept->last_verb;
	row->auto_start = !vm->config			 ? AUTO_START_UNKNOWN
			  : vm->config->policy.autostart ? AUTO_START_ENABLED
							 : AUTO_START_DISABLED;
	row->persistent = vm->config ? PERSISTENT_YES : PERSISTENT_TRANSIENT;
	row->start =
	    vm->domain ? engine->now.mono_ms - (engine->now.wall_ms - kept->start_wall_ms) : 0;
	MIB_ABSENT(mib_vm, row, start, !vm->domain);
	MIB_ABSENT(mib_vm, row, vm_vcpus, !engine->states_ok);
	MIB_ABSENT(mib_vm, row, vm_memory, !engine->states_ok);
	row->vm_vcpus = (int32_t)row->vcpus;
	row->vm_vcpus_min = -1;
	row->vm_vcpus_max = row->vcpus_max ? (int32_t)row->vcpus_max : -1;
	row->vm_memory_unit = MIB_OCTETS;
	row->vm_memory = (int32_t)row->memory_mib;
	row->vm_memory_min = -1;
	row->vm_memory_max = row->memory_max_mib ? (int32_t)row->memory_max_mib : -1;
}

/* The start on the monotonic clock is worked out from the wall clock; where that was only read a
 * little differently it is the same start, and the row has not changed. */
static void
fill_start(const struct mib_vm *old, struct mib_vm *row)
{
	if (old && old->start_time == row->start_time && row->start != 0 && old->start != 0)
		row->start = old->start;
}

/* state 0: no row. */
static void
count_shown(struct engine *engine, struct vm *vm, uint32_t state)
{
	if (vm->shown == state)
		return;
	engine->host_changed = true;
	engine->shown[vm->shown]--;
	engine->shown[state]++;
	vm->shown = state;
}

static void
fill_supervision(const struct vm *vm, struct mib_vm *row)
{
	struct memory_marks marks = memory_marks(vm);

	row->monitor = (int32_t)vm->policy.monitor;
	row->maintenance_s = vm->kept.maintenance_s;
	row->maintenance_end =
	    vm->kept.maintenance_wall_ms == INT64_MAX ? 0 : vm->kept.maintenance_wall_ms;
	row->policy_memory_min_mib = marks.min_mib;
	row->policy_memory_max_mib = marks.max_mib;
	row->policy_memory_high = marks.high;
	row->policy_memory_low = marks.low;
}

void
rows_put_vm(struct engine *engine, struct vm *vm, enum vm_state state)
{
	struct mib_vm row = {0};

	row.state = (int32_t)state;
	row.sched_state = (int32_t)sched_state(engine, vm);
	row.health = (int32_t)vm_health(vm, state);
	row.admin_state = (int32_t)admin_state(state == VM_UNKNOWN ? vm->kept.state : state);
	fill_state(engine, vm, &row);
	fill_figures(engine, vm, &row);
	fill_kept(engine, vm, &row);
	fill_supervision(vm, &row);
	fill_start(vm->row, &row);
	put_kept(&engine->rows.sets[KIND_VM], (void **)&vm->row, &row);
	rows_put_plan(engine, vm);
	count_shown(engine, vm, state);
}

void
rows_drop_vm(struct engine *engine, struct vm *vm)
{
	struct mib_vm key = {.index = vm->kept.index};

	vm->row = NULL;
	count_shown(engine, vm, 0);
	rowset_remove(&engine->rows.sets[KIND_VM], &key);
	rows_drop_devices(engine, vm->kept.index);
}

void
rows_put_request(struct engine *engine, const struct request *request)
{
	struct mib_request row = request->kept.row;

	if (row.state == REQUEST_HELD)
		row.state = REQUEST_QUEUED;
	rowset_put(&engine->rows.sets[KIND_REQUEST], &row);
}

static void
count_vms(const struct engine *engine, struct mib_host *row)
{
	uint32_t *const counters[VM_CRASHED + 1] = {
	    [VM_RUNNING] = &row->vms_running,	  [VM_PAUSED] = &row->vms_paused,
	    [VM_SUSPENDED] = &row->vms_suspended, [VM_SHUTDOWN] = &row->vms_shutdown,
	    [VM_CRASHED] = &row->vms_crashed,	  [VM_UNKNOWN] = &row->vms_unknown,
	};

	for (uint32_t state = VM_UNKNOWN; state <= VM_CRASHED; state++)
		*(counters[state] ? counters[state] : &row->vms_changing) += engine->shown[state];
	row->vms = (uint32_t)engine->rows.sets[KIND_VM].count;
}

void
rows_put_host(struct engine *engine)
{
	const struct fact_host *host = &engine->host;
	struct mib_host row = {0};
	bool known = engine->figures_ok && host->memory_kib > 0;

	TEXT_SET(row.name, engine->config ? engine->config->name : "");
	TEXT_SET(row.software, host->software);
	TEXT_SET(row.version, host->version);
	row.hv_state = engine->states_ok ? HV_ANSWERING : engine->lost ? HV_SILENT : HV_UNKNOWN;
	row.boot = host->boot_mono_ms;
	row.cpus = host->cpus;
	row.cpu_mhz = host->cpu_mhz;
	row.cpu_used = engine->host_cpu_used;
	row.memory_mib = mib_of_kib(host->memory_kib);
	row.memory_free_mib = mib_of_kib(host->memory_free_kib);
	row.memory_used_mib = row.memory_mib - row.memory_free_mib;
	MIB_ABSENT(mib_host, &row, boot, host->memory_kib == 0);
	MIB_ABSENT(mib_host, &row, cpus, host->cpus == 0);
	MIB_ABSENT(mib_host, &row, cpu_mhz, host->cpu_mhz == 0);
	MIB_ABSENT(mib_host, &row, cpu_used, !engine->host_cpu_known);
	MIB_ABSENT(mib_host, &row, memory_mib, host->memory_kib == 0);
	MIB_ABSENT(mib_host, &row, memory_free_mib, !known);
	MIB_ABSENT(mib_host, &row, memory_used_mib, !known);
	if (engine->table_change_ms > host->boot_mono_ms)
		row.table_change = (uint32_t)((engine->table_change_ms - host->boot_mono_ms) / 10);
	count_vms(engine, &row);
	rowset_put(&engine->rows.sets[KIND_HOST], &row);
}

void
rows_host(struct engine *engine, const struct message *message)
{
	engine->host_changed = true;
	engine->host = *(const struct fact_host *)message->body;
	if (engine->now.mono_ms - engine->promised_ms > BALLOON_MS)
		engine->promised_mib = 0;
	engine->host.software[sizeof(engine->host.software) - 1] = 0;
	engine->host.version[sizeof(engine->host.version) - 1] = 0;
}

void
rows_pool(struct engine *engine, const struct message *message)
{
	struct fact_pool fact = *(const struct fact_pool *)message->body;
	struct mib_pool row = {.index = fact.index};

	if (message->detail == FACT_GONE) {
		rowset_remove(&engine->rows.sets[KIND_POOL], &row);
		return;
	}
	fact.path[sizeof(fact.path) - 1] = 0;
	TEXT_SET(row.path, fact.path);
	row.size_mib = (uint32_t)fact.size_mib;
	row.free_mib = (uint32_t)fact.free_mib;
	row.used_mib = (uint32_t)(fact.size_mib - fact.free_mib);
	MIB_ABSENT(mib_pool, &row, size_mib, !fact.known);
	MIB_ABSENT(mib_pool, &row, free_mib, !fact.known);
	MIB_ABSENT(mib_pool, &row, used_mib, !fact.known);
	rowset_put(&engine->rows.sets[KIND_POOL], &row);
}

/* ---- supervision ---- */

void
rows_put_service(struct engine *engine, struct service *service)
{
	struct mib_service row = {.index = service->kept.index};

	if (!service->config)
		return;
	TEXT_SET(row.provider, service->kept.provider);
	row.vm = service->vm ? service->vm->kept.index : 0;
	TEXT_SET(row.host, service->external ? service->external->host : "");
	TEXT_SET(row.name, service->kept.service);
	row.kind = (int32_t)service->config->kind;
	row.port = service->config->port;
	TEXT_SET(row.address, service->config->address);
	row.state = (int32_t)service->state;
	row.since = service->since_wall_ms;
	row.probed = service->probed_ms;
	row.latency_us = service->latency_us;
	row.failures = service->failures;
	row.changes = service->changes;
	TEXT_SET(row.text, service->text);
	row.needed_by = (uint32_t)service->needed_by_count;
	MIB_ABSENT(mib_service, &row, probed, service->probed_ms == 0);
	MIB_ABSENT(mib_service, &row, latency_us, service->latency_us == 0);
	put_kept(&engine->rows.sets[KIND_SERVICE], (void **)&service->row, &row);
}

/* Its rows stand as long as the graph does: only what changes is written. */
void
rows_touch_need(struct engine *engine, const struct need *need)
{
	need->row->state = need->required->state = (int32_t)need->state;
	need->row->since = need->since_wall_ms;
	rowset_touch(&engine->rows.sets[KIND_DEPENDENCY], need->row);
	rowset_touch(&engine->rows.sets[KIND_REQUIRED], need->required);
}

static void
put_need(struct engine *engine, struct need *need)
{
	struct mib_dependency row = {.vm = need->vm->kept.index,
				     .service = need->service->kept.index};

	TEXT_SET(row.vm_name, need->vm->kept.name);
	TEXT_SET(row.provider, need->service->kept.provider);
	TEXT_SET(row.service_name, need->service->kept.service);
	row.state = (int32_t)need->state;
	row.since = need->since_wall_ms;
	need->row = rowset_place(&engine->rows.sets[KIND_DEPENDENCY], &row);
}

/* The reverse; by service, as they stand in the set so. */
static void
put_required(struct engine *engine, struct service *service)
{
	struct mib_required row = {.service = service->kept.index};

	for (size_t i = 0; i < service->needed_by_count; i++) {
		struct need *need = service->needed_by[i];

		row.vm = need->vm->kept.index;
		TEXT_SET(row.vm_name, need->vm->kept.name);
		row.state = (int32_t)need->state;
		need->required = rowset_place(&engine->rows.sets[KIND_REQUIRED], &row);
	}
}

/* What it waits for, or why it is not done. */
static void
fill_waits(const struct vm *vm, struct mib_plan *row)
{
	char text[TEXT_SIZE] = "";

	if (vm->stopping)
		plan_list_busy(vm, text, sizeof(text));
	else if (vm->policy.launching || vm->kept.blocked)
		care_list_needs(vm, text, sizeof(text));
	TEXT_SET(row->waits_for, text);
	if (vm->kept.needs_human)
		TEXT_SET(row->reason, vm->kept.human_reason);
	else if (vm_in_maintenance(vm))
		TEXT_SET(row->reason, "it is in maintenance");
	else if (vm->policy.fails > 0)
		TEXT_SET(row->reason, vm->policy.error);
}

void
rows_put_plan(struct engine *engine, struct vm *vm)
{
	struct mib_plan row = {.vm = vm->kept.index};

	if (!vm->config)
		return;
	row.wave = vm->wave;
	row.goal = (int32_t)vm->kept.goal;
	fill_waits(vm, &row);
	row.since = row.waits_for[0] ? vm->policy.since_wall_ms : 0;
	put_kept(&engine->rows.sets[KIND_PLAN], (void **)&vm->plan_row, &row);
}

void
rows_load(struct engine *engine)
{
	const struct graph *graph = &engine->graph;

	for (enum mib_kind kind = KIND_SERVICE; kind <= KIND_PLAN; kind++)
		rowset_begin(&engine->rows.sets[kind]);
	for (size_t i = 0; i < graph->services_count; i++) {
		rows_put_service(engine, graph->services[i]);
		put_required(engine, graph->services[i]);
	}
	for (size_t i = 0; i < graph->needs_count; i++)
		put_need(engine, &graph->needs[i]);
	for (size_t i = 0; i < engine->order_count; i++)
		rows_put_plan(engine, engine->order[i]);
	for (enum mib_kind kind = KIND_SERVICE; kind <= KIND_PLAN; kind++)
		rowset_end(&engine->rows.sets[kind]);
}

/* ---- devices ---- */

#define COUNTERS_NET(X)                                                                            \
	X(in_octets)                                                                               \
	X(in_packets)                                                                              \
	X(in_errors) X(in_drops) X(out_octets) X(out_packets) X(out_errors) X(out_drops)
#define COUNTERS_DISK(X)                                                                           \
	X(reads, counted)                                                                          \
	X(writes, counted)                                                                         \
	X(read_octets, counted) X(written_octets, counted) X(errors, errors_counted)

/* Counters that fell began anew: so did their discontinuity time. */
static void
put_net(struct engine *engine, const struct vm *vm, const struct fact_net *fact)
{
	struct mib_net row = {.vm = vm->kept.index, .index = fact->device + 1};
	const struct mib_net *old = rowset_find(&engine->rows.sets[KIND_NET], &row);
	bool fell = false;

#define COPY(field)                                                                                \
	row.field = fact->field;                                                                   \
	fell |= old && old->field > fact->field;                                                   \
	MIB_ABSENT(mib_net, &row, field, !engine->figures_ok);
	COUNTERS_NET(COPY)
#undef COPY
	TEXT_SET(row.name, fact->name);
	TEXT_SET(row.bridge, fact->bridge);
	memcpy(row.mac, fact->mac, sizeof(row.mac));
	row.if_index = (int32_t)fact->if_index;
	row.discontinuity = fell  ? engine->now.wall_ms
			    : old ? old->discontinuity
				  : vm->kept.discontinuity_wall_ms;
	rowset_put(&engine->rows.sets[KIND_NET], &row);
}

static void
put_disk(struct engine *engine, const struct vm *vm, const struct fact_disk *fact)
{
	struct mib_disk row = {.vm = vm->kept.index, .index = fact->device};
	const struct mib_disk *old = rowset_find(&engine->rows.sets[KIND_DISK], &row);
	bool fell = false;

	/* One that is not known keeps its last value unseen, to be held against the next. */
#define COPY(field, known)                                                                         \
	row.field = fact->known ? fact->field : old ? old->field : 0;                              \
	fell |= old && old->field > row.field;                                                     \
	MIB_ABSENT(mib_disk, &row, field, !engine->figures_ok || !fact->known);
	COUNTERS_DISK(COPY)
#undef COPY
	TEXT_SET(row.name, fact->name);
	TEXT_SET(row.target, fact->target);
	row.read_only = fact->read_only != 0;
	row.discontinuity = fell  ? engine->now.wall_ms
			    : old ? old->discontinuity
				  : vm->kept.discontinuity_wall_ms;
	rowset_put(&engine->rows.sets[KIND_DISK], &row);
}

static struct vm *
vm_of_domid(const struct engine *engine, uint32_t domid)
{
	const struct domain *domain = domain_find(engine, domid);

	return domain ? domain->vm : NULL;
}

void
rows_net(struct engine *engine, const struct message *message)
{
	struct fact_net fact = *(const struct fact_net *)message->body;
	const struct vm *vm = vm_of_domid(engine, fact.domid);

	fact.name[sizeof(fact.name) - 1] = 0;
	fact.bridge[sizeof(fact.bridge) - 1] = 0;
	if (message->detail == FACT_GONE) {
		struct mib_net key = {.vm = vm ? vm->kept.index : 0, .index = fact.device + 1};

		rowset_remove(&engine->nets, &fact);
		rowset_remove(&engine->rows.sets[KIND_NET], &key);
		return;
	}
	rowset_put(&engine->nets, &fact);
	if (vm)
		put_net(engine, vm, &fact);
}

void
rows_disk(struct engine *engine, const struct message *message)
{
	struct fact_disk fact = *(const struct fact_disk *)message->body;
	const struct vm *vm = vm_of_domid(engine, fact.domid);

	fact.name[sizeof(fact.name) - 1] = 0;
	fact.target[sizeof(fact.target) - 1] = 0;
	if (message->detail == FACT_GONE) {
		struct mib_disk key = {.vm = vm ? vm->kept.index : 0, .index = fact.device};

		rowset_remove(&engine->disks, &fact);
		rowset_remove(&engine->rows.sets[KIND_DISK], &key);
		return;
	}
	rowset_put(&engine->disks, &fact);
	if (vm)
		put_disk(engine, vm, &fact);
}

/* All of a VM's, from the facts known of its domain. */
void
rows_put_devices(struct engine *engine, const struct vm *vm)
{
	uint32_t domid = vm->domain ? vm->domain->domid : 0;
	struct fact_net net_key = {.domid = domid};
	struct fact_disk disk_key = {.domid = domid};
	const struct fact_net *net;
	const struct fact_disk *disk;

	if (domid == 0)
		return;
	for (size_t i = rowset_seek(&engine->nets, &net_key);
	     (net = rowset_at(&engine->nets, i)) && net->domid == domid; i++)
		put_net(engine, vm, net);
	for (size_t i = rowset_seek(&engine->disks, &disk_key);
	     (disk = rowset_at(&engine->disks, i)) && disk->domid == domid; i++)
		put_disk(engine, vm, disk);
}

void
rows_drop_devices(struct engine *engine, uint32_t vm_index)
{
	struct rowset *nets = &engine->rows.sets[KIND_NET], *disks = &engine->rows.sets[KIND_DISK];
	struct mib_net net_key = {.vm = vm_index}, *net;
	struct mib_disk disk_key = {.vm = vm_index}, *disk;

	while ((net = rowset_at(nets, rowset_seek(nets, &net_key))) && net->vm == vm_index)
		rowset_remove(nets, net);
	while ((disk = rowset_at(disks, rowset_seek(disks, &disk_key))) && disk->vm == vm_index)
		rowset_remove(disks, disk);
}
