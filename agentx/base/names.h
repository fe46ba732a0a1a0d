/*
 * The enumerations that more than one process, the MIB and people share: states, verbs, outcomes,
 * kinds of event. Each is one list; number and name are those of the MIB, so that a log line, a row
 * and a configuration spell a thing alike. Numbers never change once released.
 */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

/* A number and its name; tables end with name NULL. */
struct name {
	int value;
	const char *name;
};

/* Name of value in table, or "?" where the table has none. */
const char *name_of(const struct name *table, int value);

/* Value of name in table (exact, case as in the MIB), or -1. */
int name_value(const struct name *table, const char *name);

/* lxVmState: the numbers of VirtualMachineOperState (RFC 7666, section 6). */
#define VM_STATES(E)                                                                               \
	E(VM_UNKNOWN, 1, "unknown")                                                                \
	E(VM_OTHER, 2, "other")                                                                    \
	E(VM_PREPARING, 3, "preparing")                                                            \
	E(VM_RUNNING, 4, "running")                                                                \
	E(VM_SUSPENDING, 5, "suspending")                                                          \
	E(VM_SUSPENDED, 6, "suspended")                                                            \
	E(VM_RESUMING, 7, "resuming")                                                              \
	E(VM_PAUSED, 8, "paused")                                                                  \
	E(VM_MIGRATING, 9, "migrating")                                                            \
	E(VM_SHUTTING_DOWN, 10, "shuttingdown")                                                    \
	E(VM_SHUTDOWN, 11, "shutdown")                                                             \
	E(VM_CRASHED, 12, "crashed")

/* lxVmSchedState: what the hypervisor's scheduler says, flips with every sample. */
#define VM_SCHED_STATES(E)                                                                         \
	E(SCHED_UNKNOWN, 1, "unknown")                                                             \
	E(SCHED_NONE, 2, "none")                                                                   \
	E(SCHED_RUNNING, 3, "running")                                                             \
	E(SCHED_BLOCKED, 4, "blocked")                                                             \
	E(SCHED_PAUSED, 5, "paused")                                                               \
	E(SCHED_SHUTDOWN, 6, "shutdown")                                                           \
	E(SCHED_DYING, 7, "dying")

#define VM_HEALTHS(E)                                                                              \
	E(HEALTH_UNKNOWN, 1, "unknown")                                                            \
	E(HEALTH_OK, 2, "ok")                                                                      \
	E(HEALTH_ATTENTION, 3, "attention")                                                        \
	E(HEALTH_FAILED, 4, "failed")

/* lxVmDesired: what the administrator wants of the VM, as the last accepted request left it. */
#define VM_DESIRES(E)                                                                              \
	E(DESIRED_NONE, 1, "none")                                                                 \
	E(DESIRED_RUNNING, 2, "running")                                                           \
	E(DESIRED_PAUSED, 3, "paused")                                                             \
	E(DESIRED_SUSPENDED, 4, "suspended")                                                       \
	E(DESIRED_SHUTDOWN, 5, "shutdown")

/* Who acts on the death of a domain: lauxend, or the xl monitor of a person who started it. */
#define VM_OWNERS(E)                                                                               \
	E(OWNER_UNKNOWN, 1, "unknown")                                                             \
	E(OWNER_NONE, 2, "none")                                                                   \
	E(OWNER_LAUXEND, 3, "lauxend")                                                             \
	E(OWNER_OTHER, 4, "other")

/* lxVmRequest and lxRequestVerb. none is only read. From launch on the engine itself sees to it; no
 * helper knows them. */
#define VERBS(E)                                                                                   \
	E(VERB_NONE, 1, "none")                                                                    \
	E(VERB_START, 2, "start")                                                                  \
	E(VERB_SHUTDOWN, 3, "shutdown")                                                            \
	E(VERB_REBOOT, 4, "reboot")                                                                \
	E(VERB_PAUSE, 5, "pause")                                                                  \
	E(VERB_UNPAUSE, 6, "unpause")                                                              \
	E(VERB_DESTROY, 7, "destroy")                                                              \
	E(VERB_SAVE, 8, "save")                                                                    \
	E(VERB_RESTORE, 9, "restore")                                                              \
	E(VERB_MEMORY, 10, "memory")                                                               \
	E(VERB_LAUNCH, 11, "launch")                                                               \
	E(VERB_REBUILD, 12, "rebuild")                                                             \
	E(VERB_MAINTENANCE, 13, "maintenance")                                                     \
	E(VERB_DESIRE, 14, "desire")                                                               \
	E(VERB_MEMORY_MIN, 15, "memoryMin")                                                        \
	E(VERB_MEMORY_MAX, 16, "memoryMax")                                                        \
	E(VERB_MEMORY_HIGH, 17, "memoryHigh")                                                      \
	E(VERB_MEMORY_LOW, 18, "memoryLow")
#define VERB_LAST VERB_MEMORY_LOW

/* lxRequestState. held: stored, not yet released by the manager's commit; never seen from outside.
 */
#define REQUEST_STATES(E)                                                                          \
	E(REQUEST_HELD, 0, "held")                                                                 \
	E(REQUEST_QUEUED, 1, "queued")                                                             \
	E(REQUEST_RUNNING, 2, "running")                                                           \
	E(REQUEST_SUCCEEDED, 3, "succeeded")                                                       \
	E(REQUEST_FAILED, 4, "failed")                                                             \
	E(REQUEST_UNDECIDED, 5, "unknown")                                                         \
	E(REQUEST_CANCELLED, 6, "cancelled")

/*
 * lxEventType. The number of a notification under lxNotifications is that of its event; those from
 * 100 on are kept in the journal only.
 */
#define EVENT_TYPES(E)                                                                             \
	E(EVENT_VM_STATE_CHANGED, 1, "vmStateChanged")                                             \
	E(EVENT_VM_CRASHED, 2, "vmCrashed")                                                        \
	E(EVENT_VM_RECOVERED, 3, "vmRecovered")                                                    \
	E(EVENT_VM_IDENTITY_CHANGED, 4, "vmIdentityChanged")                                       \
	E(EVENT_REQUEST_FINISHED, 5, "requestFinished")                                            \
	E(EVENT_AGENT_STARTED, 6, "agentStarted")                                                  \
	E(EVENT_HYPERVISOR_LOST, 7, "hypervisorLost")                                              \
	E(EVENT_HYPERVISOR_RESTORED, 8, "hypervisorRestored")                                      \
	E(EVENT_FIGURES_LOST, 9, "figuresLost")                                                    \
	E(EVENT_FIGURES_RESTORED, 10, "figuresRestored")                                           \
	E(EVENT_STORE_DEGRADED, 11, "storeDegraded")                                               \
	E(EVENT_STORE_RESTORED, 12, "storeRestored")                                               \
	E(EVENT_PROCESS_RESTARTED, 13, "processRestarted")                                         \
	E(EVENT_CONFIG_REFUSED, 14, "configRefused")                                               \
	E(EVENT_CONFIG_LOADED, 15, "configLoaded")                                                 \
	E(EVENT_EVENTS_LOST, 16, "eventsLost")                                                     \
	E(EVENT_SERVICE_FAILED, 17, "serviceFailed")                                               \
	E(EVENT_SERVICE_RESTORED, 18, "serviceRestored")                                           \
	E(EVENT_DEPENDENCY_FAILED, 19, "dependencyFailed")                                         \
	E(EVENT_DEPENDENCY_RESTORED, 20, "dependencyRestored")                                     \
	E(EVENT_VM_BLOCKED, 21, "vmBlocked")                                                       \
	E(EVENT_VM_UNBLOCKED, 22, "vmUnblocked")                                                   \
	E(EVENT_VM_RESTARTED, 23, "vmRestarted")                                                   \
	E(EVENT_NEEDS_HUMAN, 24, "needsHuman")                                                     \
	E(EVENT_NEEDS_HUMAN_OVER, 25, "needsHumanOver")                                            \
	E(EVENT_STANDBY_TOOK_OVER, 26, "standbyTookOver")                                          \
	E(EVENT_STANDBY_RELEASED, 27, "standbyReleased")                                           \
	E(EVENT_PLAN_FINISHED, 28, "planFinished")                                                 \
	E(EVENT_MAINTENANCE_BEGAN, 29, "maintenanceBegan")                                         \
	E(EVENT_MAINTENANCE_ENDED, 30, "maintenanceEnded")                                         \
	E(EVENT_REQUEST_ACCEPTED, 101, "requestAccepted")                                          \
	E(EVENT_MEMORY_ADJUSTED, 102, "memoryAdjusted")                                            \
	E(EVENT_LEFT_ALONE, 103, "leftAlone")

#define EVENT_JOURNAL_ONLY 100 /* types from here on make no notification */

/* Why a domain shut down: the hypervisor's own codes (Xen public/sched.h). */
#define SHUTDOWN_REASONS(E)                                                                        \
	E(REASON_POWEROFF, 0, "poweroff")                                                          \
	E(REASON_REBOOT, 1, "reboot")                                                              \
	E(REASON_SUSPEND, 2, "suspend")                                                            \
	E(REASON_CRASH, 3, "crash")                                                                \
	E(REASON_WATCHDOG, 4, "watchdog")                                                          \
	E(REASON_SOFT_RESET, 5, "soft-reset")                                                      \
	E(REASON_UNKNOWN, 255, "unknown")

/* on_poweroff, on_reboot, on_crash of the VM's file (xl.cfg(5), "Event actions"). */
#define ON_ACTIONS(E)                                                                              \
	E(ON_UNKNOWN, 0, "unknown")                                                                \
	E(ON_DESTROY, 1, "destroy")                                                                \
	E(ON_RESTART, 2, "restart")                                                                \
	E(ON_RENAME_RESTART, 3, "rename-restart")                                                  \
	E(ON_PRESERVE, 4, "preserve")                                                              \
	E(ON_COREDUMP_DESTROY, 5, "coredump-destroy")                                              \
	E(ON_COREDUMP_RESTART, 6, "coredump-restart")                                              \
	E(ON_SOFT_RESET, 7, "soft-reset")

/* How a service is probed. */
#define SERVICE_KINDS(E)                                                                           \
	E(SERVICE_TCP, 1, "tcp")                                                                   \
	E(SERVICE_UDP, 2, "udp")                                                                   \
	E(SERVICE_ICMP, 3, "icmp")                                                                 \
	E(SERVICE_PLUGIN, 4, "plugin")

/* What one attempt to reach a service came to. silent: no answer in time, and no word that there is
 * none. error: trouble of our own, which says nothing of the service. */
#define PROBE_OUTCOMES(E)                                                                          \
	E(PROBE_UP, 1, "up")                                                                       \
	E(PROBE_DOWN, 2, "down")                                                                   \
	E(PROBE_SILENT, 3, "silent")                                                               \
	E(PROBE_ERROR, 4, "error")

/* What is said to a UDP service (agentx/probe/payload.c); "": what is usual on its port. */
#define PROBE_PAYLOADS(E)                                                                          \
	E(PAYLOAD_BY_PORT, 0, "")                                                                  \
	E(PAYLOAD_GENERIC, 1, "generic")                                                           \
	E(PAYLOAD_EMPTY, 2, "empty")                                                               \
	E(PAYLOAD_DNS, 3, "dns")                                                                   \
	E(PAYLOAD_NTP, 4, "ntp")                                                                   \
	E(PAYLOAD_SNMP, 5, "snmp")                                                                 \
	E(PAYLOAD_DHCP, 6, "dhcp")                                                                 \
	E(PAYLOAD_TFTP, 7, "tftp")                                                                 \
	E(PAYLOAD_RPC, 8, "rpc")                                                                   \
	E(PAYLOAD_NFS, 9, "nfs")                                                                   \
	E(PAYLOAD_SIP, 10, "sip")                                                                  \
	E(PAYLOAD_RADIUS, 11, "radius")                                                            \
	E(PAYLOAD_OPENVPN, 12, "openvpn")                                                          \
	E(PAYLOAD_NETBIOS, 13, "netbios")                                                          \
	E(PAYLOAD_STUN, 14, "stun")

/* lxServiceState. starting: its VM was (re)started and it did not answer yet; suspended: its VM is
 * paused; off: its VM does not run. Only up is available to who needs it; unknown is neither. */
#define SERVICE_STATES(E)                                                                          \
	E(SERVICE_UNKNOWN, 1, "unknown")                                                           \
	E(SERVICE_UP, 2, "up")                                                                     \
	E(SERVICE_DOWN, 3, "down")                                                                 \
	E(SERVICE_STARTING, 4, "starting")                                                         \
	E(SERVICE_SUSPENDED, 5, "suspended")                                                       \
	E(SERVICE_OFF, 6, "off")

/* lxDependencyState, of one service that a VM needs. */
#define DEPENDENCY_STATES(E)                                                                       \
	E(DEPENDENCY_UNKNOWN, 1, "unknown")                                                        \
	E(DEPENDENCY_OK, 2, "ok")                                                                  \
	E(DEPENDENCY_FAILED, 3, "failed")

/* What is done to a VM while a service that it needs is down. */
#define DEPENDENCY_POLICIES(E)                                                                     \
	E(DEPENDENCY_PAUSE, 1, "pause")                                                            \
	E(DEPENDENCY_ALERT, 2, "alert")                                                            \
	E(DEPENDENCY_SHUTDOWN, 3, "shutdown")

/* What becomes of a launch that waits for services for too long. */
#define START_POLICIES(E)                                                                          \
	E(START_WAIT, 1, "wait")                                                                   \
	E(START_ANYWAY, 2, "start")                                                                \
	E(START_GIVE_UP, 3, "give-up")

/* lxVmMonitor: what supervision does with a VM now. */
#define MONITOR_STATES(E)                                                                          \
	E(MONITOR_NONE, 1, "none")	   /* it is not ours to look after */                      \
	E(MONITOR_OFF, 2, "off")	   /* is to be off */                                      \
	E(MONITOR_WAITING, 3, "waiting")   /* its launch waits */                                  \
	E(MONITOR_STARTING, 4, "starting") /* boots: its services did not answer yet */            \
	E(MONITOR_WATCHING, 5, "watching")                                                         \
	E(MONITOR_FAILING, 6, "failing")   /* a service of its own is down */                      \
	E(MONITOR_BLOCKED, 7, "blocked")   /* a service that it needs is down */                   \
	E(MONITOR_STOPPING, 8, "stopping") /* an ordered shutdown is under way */                  \
	E(MONITOR_MAINTENANCE, 9, "maintenance")                                                   \
	E(MONITOR_REPLACED, 10, "replaced") /* its standby stands in */                            \
	E(MONITOR_HUMAN, 11, "needsHuman")  /* supervision has done what it may */

/* lxPlanGoal. */
#define PLAN_GOALS(E)                                                                              \
	E(PLAN_NONE, 1, "none")                                                                    \
	E(PLAN_RUN, 2, "run")                                                                      \
	E(PLAN_OFF, 3, "off")

#define NAME_CONSTANT(constant, number, text) constant = number,
enum vm_state { VM_STATES(NAME_CONSTANT) };
enum vm_sched_state { VM_SCHED_STATES(NAME_CONSTANT) };
enum vm_health { VM_HEALTHS(NAME_CONSTANT) };
enum vm_desired { VM_DESIRES(NAME_CONSTANT) };
enum vm_owner { VM_OWNERS(NAME_CONSTANT) };
enum verb { VERBS(NAME_CONSTANT) };
enum request_state { REQUEST_STATES(NAME_CONSTANT) };
enum event_type { EVENT_TYPES(NAME_CONSTANT) };
enum shutdown_reason { SHUTDOWN_REASONS(NAME_CONSTANT) };
enum on_action { ON_ACTIONS(NAME_CONSTANT) };
enum service_kind { SERVICE_KINDS(NAME_CONSTANT) };
enum probe_outcome { PROBE_OUTCOMES(NAME_CONSTANT) };
/* So long beyond its timeout an attempt is given up: by the engine that asked, and, where it has
 * not begun by then, by the prober. */
#define PROBE_PATIENCE_MS 1000
enum probe_payload { PROBE_PAYLOADS(NAME_CONSTANT) };
enum service_state { SERVICE_STATES(NAME_CONSTANT) };
enum dependency_state { DEPENDENCY_STATES(NAME_CONSTANT) };
enum dependency_policy { DEPENDENCY_POLICIES(NAME_CONSTANT) };
enum start_policy { START_POLICIES(NAME_CONSTANT) };
enum monitor_state { MONITOR_STATES(NAME_CONSTANT) };
enum plan_goal { PLAN_GOALS(NAME_CONSTANT) };

extern const struct name vm_state_names[], vm_sched_state_names[], vm_health_names[],
    vm_desired_names[], vm_owner_names[], verb_names[], request_state_names[], event_type_names[],
    shutdown_reason_names[], on_action_names[], service_kind_names[], probe_outcome_names[],
    probe_payload_names[], service_state_names[], dependency_state_names[],
    dependency_policy_names[], start_policy_names[], monitor_state_names[], plan_goal_names[];

#endif
