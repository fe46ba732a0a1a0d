#include "mib/objects.h"

const unsigned long mib_root[] = {MIB_ROOT}, mib_vm_mib[] = {MIB_VM_MIB};
const size_t mib_root_count = sizeof(mib_root) / sizeof(mib_root[0]);
const size_t mib_vm_mib_count = sizeof(mib_vm_mib) / sizeof(mib_vm_mib[0]);

const struct name mib_store_health_names[] = {
    {STORE_UNKNOWN, "unknown"}, {STORE_OK, "ok"}, {STORE_DEGRADED, "degraded"}, {0, NULL}};
const struct name mib_hv_state_names[] = {
    {HV_UNKNOWN, "unknown"}, {HV_ANSWERING, "answering"}, {HV_SILENT, "silent"}, {0, NULL}};
const struct name mib_vm_admin_state_names[] = {{ADMIN_RUNNING, "running"},
						{ADMIN_SUSPENDED, "suspended"},
						{ADMIN_PAUSED, "paused"},
						{ADMIN_SHUTDOWN, "shutdown"},
						{0, NULL}};
const struct name mib_vm_auto_start_names[] = {{AUTO_START_UNKNOWN, "unknown"},
					       {AUTO_START_ENABLED, "enabled"},
					       {AUTO_START_DISABLED, "disabled"},
					       {0, NULL}};
const struct name mib_vm_persistent_names[] = {{PERSISTENT_UNKNOWN, "unknown"},
					       {PERSISTENT_YES, "persistent"},
					       {PERSISTENT_TRANSIENT, "transient"},
					       {0, NULL}};

#define COLUMN(s, number, object, field, type, size, access, names)                                \
	{number,                                                                                   \
	 #object,                                                                                  \
	 MIB_##type,                                                                               \
	 MIB_##access,                                                                             \
	 offsetof(struct s, field),                                                                \
	 sizeof(((struct s *)NULL)->field),                                                        \
	 s##_BIT_##field,                                                                          \
	 names},
#define COLUMNS(name, list) static const struct mib_column name[] = {list(COLUMN)};
COLUMNS(agent_columns, MIB_AGENT_COLUMNS)
COLUMNS(host_columns, MIB_HOST_COLUMNS)
COLUMNS(host_rfc7666_columns, MIB_HOST_RFC7666_COLUMNS)
COLUMNS(objects_rfc7666_columns, MIB_OBJECTS_RFC7666_COLUMNS)
COLUMNS(pool_columns, MIB_POOL_COLUMNS)
COLUMNS(vm_columns, MIB_VM_COLUMNS)
COLUMNS(vm_control_columns, MIB_VM_CONTROL_COLUMNS)
COLUMNS(vm_policy_columns, MIB_VM_POLICY_COLUMNS)
COLUMNS(vm_rfc7666_columns, MIB_VM_RFC7666_COLUMNS)
COLUMNS(net_columns, MIB_NET_COLUMNS)
COLUMNS(disk_columns, MIB_DISK_COLUMNS)
COLUMNS(request_columns, MIB_REQUEST_COLUMNS)
COLUMNS(event_columns, MIB_EVENT_COLUMNS)
COLUMNS(service_columns, MIB_SERVICE_COLUMNS)
COLUMNS(dependency_columns, MIB_DEPENDENCY_COLUMNS)
COLUMNS(required_columns, MIB_REQUIRED_COLUMNS)
COLUMNS(plan_columns, MIB_PLAN_COLUMNS)

#define ARCS(...)                                                                                  \
	sizeof((unsigned long[]){__VA_ARGS__}) / sizeof(unsigned long),                            \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define TABLE(name, kind, standard, columns, ...)                                                  \
	{                                                                                          \
		name, kind, standard, ARCS(__VA_ARGS__), columns,                                  \
		    sizeof(columns) / sizeof(columns[0])                                           \
	}

/* Ascending by OID: VM-MIB stands under mib-2, below enterprises. */
const struct mib_table mib_tables[] = {
    TABLE("vmHypervisor", KIND_HOST, true, host_rfc7666_columns, MIB_VM_MIB, 1, 1),
    TABLE("vmObjects", KIND_HOST, true, objects_rfc7666_columns, MIB_VM_MIB, 1),
    TABLE("vmTable", KIND_VM, true, vm_rfc7666_columns, MIB_VM_MIB, 1, 4, 1),
    TABLE("lxAgent", KIND_AGENT, false, agent_columns, MIB_ROOT, 1, 1),
    TABLE("lxHost", KIND_HOST, false, host_columns, MIB_ROOT, 1, 2),
    TABLE("lxStorageTable", KIND_POOL, false, pool_columns, MIB_ROOT, 1, 3, 1),
    TABLE("lxVmTable", KIND_VM, false, vm_columns, MIB_ROOT, 1, 4, 1),
    TABLE("lxNetTable", KIND_NET, false, net_columns, MIB_ROOT, 1, 5, 1),
    TABLE("lxDiskTable", KIND_DISK, false, disk_columns, MIB_ROOT, 1, 6, 1),
    TABLE("lxEventTable", KIND_EVENT, false, event_columns, MIB_ROOT, 1, 7, 1),
    TABLE("lxServiceTable", KIND_SERVICE, false, service_columns, MIB_ROOT, 1, 8, 1),
    TABLE("lxDependencyTable", KIND_DEPENDENCY, false, dependency_columns, MIB_ROOT, 1, 9, 1),
    TABLE("lxRequiredByTable", KIND_REQUIRED, false, required_columns, MIB_ROOT, 1, 10, 1),
    TABLE("lxPlanTable", KIND_PLAN, false, plan_columns, MIB_ROOT, 1, 11, 1),
    TABLE("lxVmControlTable", KIND_VM, false, vm_control_columns, MIB_ROOT, 2, 1, 1),
    TABLE("lxRequestTable", KIND_REQUEST, false, request_columns, MIB_ROOT, 2, 2, 1),
    TABLE("lxVmPolicyTable", KIND_VM, false, vm_policy_columns, MIB_ROOT, 3, 1, 1),
};
const size_t mib_tables_count = sizeof(mib_tables) / sizeof(mib_tables[0]);

const struct mib_kind_info mib_kinds[KIND_COUNT] = {
    [KIND_AGENT] = {"agent", sizeof(struct mib_agent), INDEX_NONE},
    [KIND_HOST] = {"host", sizeof(struct mib_host), INDEX_NONE},
    [KIND_POOL] = {"storage", sizeof(struct mib_pool), INDEX_NUMBER},
    [KIND_VM] = {"vm", sizeof(struct mib_vm), INDEX_NUMBER},
    [KIND_NET] = {"net", sizeof(struct mib_net), INDEX_NUMBERS},
    [KIND_DISK] = {"disk", sizeof(struct mib_disk), INDEX_NUMBERS},
    [KIND_REQUEST] = {"request", sizeof(struct mib_request), INDEX_TEXT},
    [KIND_EVENT] = {"event", sizeof(struct mib_event), INDEX_NUMBER},
    [KIND_SERVICE] = {"service", sizeof(struct mib_service), INDEX_NUMBER},
    [KIND_DEPENDENCY] = {"dependency", sizeof(struct mib_dependency), INDEX_NUMBERS},
    [KIND_REQUIRED] = {"required-by", sizeof(struct mib_required), INDEX_NUMBERS},
    [KIND_PLAN] = {"plan", sizeof(struct mib_plan), INDEX_NUMBER},
};

_Static_assert(sizeof(struct mib_vm) <= 1000, "two VM rows fit one message");
_Static_assert((size_t)mib_vm_BIT_absent < 64, "the absent bits of a VM row fit 64");

/* What a notification carries: the object as its table names it, the value as the event keeps it.
 */
#define OBJECT(table_at, object_name, number, event_field)                                         \
	{                                                                                          \
		object_name, &mib_tables[table_at], number, mib_event_BIT_##event_field            \
	}
enum { AT_VM = 6, AT_EVENT = 9, AT_SERVICE = 10, AT_REQUEST = 15 }; /* positions in mib_tables */

#define VM_OBJECTS OBJECT(AT_VM, "lxVmName", 2, vm_name), OBJECT(AT_VM, "lxVmUuid", 3, vm_uuid)
#define SERVICE_OBJECTS                                                                            \
	OBJECT(AT_SERVICE, "lxServiceProvider", 2, provider),                                      \
	    OBJECT(AT_SERVICE, "lxServiceName", 3, service),                                       \
	    OBJECT(AT_SERVICE, "lxServiceState", 9, service_state)
#define EVENT_OBJECTS                                                                              \
	OBJECT(AT_EVENT, "lxEventTime", 2, time), OBJECT(AT_EVENT, "lxEventText", 12, text)

static const struct mib_notify_object state_objects[] = {
    VM_OBJECTS,
    OBJECT(AT_VM, "lxVmState", 5, state),
    OBJECT(AT_EVENT, "lxEventPreviousState", 8, previous),
    EVENT_OBJECTS,
    {0}};
static const struct mib_notify_object vm_objects[] = {VM_OBJECTS, EVENT_OBJECTS, {0}};
static const struct mib_notify_object service_objects[] = {SERVICE_OBJECTS, EVENT_OBJECTS, {0}};
static const struct mib_notify_object blocked_objects[] = {
    VM_OBJECTS, SERVICE_OBJECTS, EVENT_OBJECTS, {0}};
static const struct mib_notify_object request_objects[] = {
    VM_OBJECTS,
    OBJECT(AT_REQUEST, "lxRequestVerb", 3, verb),
    OBJECT(AT_REQUEST, "lxRequestState", 5, outcome),
    EVENT_OBJECTS,
    {0}};
static const struct mib_notify_object plan_objects[] = {
    OBJECT(AT_REQUEST, "lxRequestVerb", 3, verb),
    OBJECT(AT_REQUEST, "lxRequestState", 5, outcome),
    EVENT_OBJECTS,
    {0}};
static const struct mib_notify_object agent_objects[] = {EVENT_OBJECTS, {0}};

const struct mib_notification mib_notifications[] = {
    {EVENT_VM_STATE_CHANGED, "lxVmStateChanged", state_objects},
    {EVENT_VM_CRASHED, "lxVmCrashed", state_objects},
    {EVENT_VM_RECOVERED, "lxVmRecovered", state_objects},
    {EVENT_VM_IDENTITY_CHANGED, "lxVmIdentityChanged", vm_objects},
    {EVENT_REQUEST_FINISHED, "lxRequestFinished", request_objects},
    {EVENT_AGENT_STARTED, "lxAgentStarted", agent_objects},
    {EVENT_HYPERVISOR_LOST, "lxHypervisorLost", agent_objects},
    {EVENT_HYPERVISOR_RESTORED, "lxHypervisorRestored", agent_objects},
    {EVENT_FIGURES_LOST, "lxFiguresLost", agent_objects},
    {EVENT_FIGURES_RESTORED, "lxFiguresRestored", agent_objects},
    {EVENT_STORE_DEGRADED, "lxStoreDegraded", agent_objects},
    {EVENT_STORE_RESTORED, "lxStoreRestored", agent_objects},
    {EVENT_PROCESS_RESTARTED, "lxProcessRestarted", agent_objects},
    {EVENT_CONFIG_REFUSED, "lxConfigRefused", agent_objects},
    {EVENT_CONFIG_LOADED, "lxConfigLoaded", agent_objects},
    {EVENT_EVENTS_LOST, "lxEventsLost", agent_objects},
    {EVENT_SERVICE_FAILED, "lxServiceFailed", service_objects},
    {EVENT_SERVICE_RESTORED, "lxServiceRestored", service_objects},
    {EVENT_DEPENDENCY_FAILED, "lxDependencyFailed", service_objects},
    {EVENT_DEPENDENCY_RESTORED, "lxDependencyRestored", service_objects},
    {EVENT_VM_BLOCKED, "lxVmBlocked", blocked_objects},
    {EVENT_VM_UNBLOCKED, "lxVmUnblocked", blocked_objects},
    {EVENT_VM_RESTARTED, "lxVmRestarted", blocked_objects},
    {EVENT_NEEDS_HUMAN, "lxNeedsHuman", vm_objects},
    {EVENT_NEEDS_HUMAN_OVER, "lxNeedsHumanOver", vm_objects},
    {EVENT_STANDBY_TOOK_OVER, "lxStandbyTookOver", vm_objects},
    {EVENT_STANDBY_RELEASED, "lxStandbyReleased", vm_objects},
    {EVENT_PLAN_FINISHED, "lxPlanFinished", plan_objects},
    {EVENT_MAINTENANCE_BEGAN, "lxMaintenanceBegan", vm_objects},
    {EVENT_MAINTENANCE_ENDED, "lxMaintenanceEnded", vm_objects},
    {0, NULL, NULL},
};
