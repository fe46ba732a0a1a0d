/*
 * The one description of every table and column that LauXen shows: rows as flat structs, and for
 * each column its number, MIB name, field, type and access. The agent's handler, the notifications,
 * vmctl, --json and the test against the MIB text all read these tables.
 *
 * A new column is one line in a list below (which also makes the struct's field), the line that
 * fills it, and its text in LAUXEN-MIB.txt.
 *
 * List line: C(struct, number, MIB name, field, TYPE, size of a TEXT or 0, ACCESS, names of an
 * ENUM) Number 0 makes a field that is no column of this table (a view of the same rows shows it).
 *
 * Each row starts with `absent`, a bit per field (struct_BIT_field): set where the value is not
 * known now; the instance then does not exist, which snmptable shows as '?'.
 */
#ifndef MIB_OBJECTS_H
#define MIB_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/messages.h"

enum mib_type {
	MIB_INTEGER,   /* int32_t   Integer32 */
	MIB_ENUM,      /* int32_t   INTEGER { names } */
	MIB_TRUTH,     /* int32_t   TruthValue: 0 or not */
	MIB_ROWSTATUS, /* int32_t   RowStatus */
	MIB_GAUGE,     /* uint32_t  Gauge32 */
	MIB_UNSIGNED,  /* uint32_t  Unsigned32 */
	MIB_COUNTER,   /* uint32_t  Counter32 */
	MIB_COUNTER64, /* uint64_t  Counter64 */
	MIB_TICKS,     /* uint32_t  TimeTicks, centiseconds */
	MIB_UPTIME,    /* int64_t   clock_mono_ms() of the start, shown as TimeTicks since then */
	MIB_AGE,       /* int64_t   clock_mono_ms() of the moment, shown as Gauge32 seconds since */
	MIB_TEXT,      /* char[]    SnmpAdminString */
	MIB_UUID,      /* 16 octets, shown as text of 36 characters; all zero: of none */
	MIB_UUIDRAW,   /* 16 octets, shown as they are (UUIDorZero); all zero: no octets */
	MIB_MAC,       /* 6 octets  PhysAddress */
	MIB_DATE, /* int64_t   ms since 1970, shown as DateAndTime in UTC; 0: all octets zero */
	MIB_OID,  /* no field: the agent's own product OID (mib_product) */
};

enum mib_access { MIB_NA, MIB_RO, MIB_RW, MIB_RC }; /* not-accessible, read-only, -write, -create */

/* Kinds of row; several tables may show rows of one kind. */
enum mib_kind {
	KIND_AGENT = 1,
	KIND_HOST,
	KIND_POOL,
	KIND_VM,
	KIND_NET,
	KIND_DISK,
	KIND_REQUEST,
	KIND_EVENT,
	KIND_SERVICE,
	KIND_DEPENDENCY,
	KIND_REQUIRED,
	KIND_PLAN,
	KIND_COUNT
};

/* lxAgent: scalars. */
#define MIB_AGENT_COLUMNS(C)                                                                       \
	C(mib_agent, 1, lxAgentVersion, version, TEXT, 24, RO, NULL)                               \
	C(mib_agent, 2, lxAgentUpTime, start, UPTIME, 0, RO, NULL)                                 \
	C(mib_agent, 3, lxAgentSampleAge, sample_time, AGE, 0, RO, NULL)                           \
	C(mib_agent, 4, lxAgentSampleDuration, sample_ms, GAUGE, 0, RO, NULL)                      \
	C(mib_agent, 5, lxAgentFiguresAge, figures_time, AGE, 0, RO, NULL)                         \
	C(mib_agent, 6, lxAgentFiguresDuration, figures_ms, GAUGE, 0, RO, NULL)                    \
	C(mib_agent, 7, lxAgentHypervisorRestarts, restarts_hypervisor, COUNTER, 0, RO, NULL)      \
	C(mib_agent, 8, lxAgentEngineRestarts, restarts_engine, COUNTER, 0, RO, NULL)              \
	C(mib_agent, 9, lxAgentAgentxRestarts, restarts_agentx, COUNTER, 0, RO, NULL)              \
	C(mib_agent, 10, lxAgentStoreHealth, store_health, ENUM, 0, RO, mib_store_health_names)    \
	C(mib_agent, 11, lxAgentStoreError, store_error, TEXT, TEXT_SIZE, RO, NULL)                \
	C(mib_agent, 12, lxAgentJournalId, journal, TEXT, 20, RO, NULL)                            \
	C(mib_agent, 13, lxAgentJournalFirst, journal_first, UNSIGNED, 0, RO, NULL)                \
	C(mib_agent, 14, lxAgentJournalLast, journal_last, UNSIGNED, 0, RO, NULL)                  \
	C(mib_agent, 15, lxAgentNotificationsHanded, handed, COUNTER, 0, RO, NULL)                 \
	C(mib_agent, 16, lxAgentNotificationsWaiting, waiting, GAUGE, 0, RO, NULL)                 \
	C(mib_agent, 17, lxAgentEventsLost, lost, COUNTER, 0, RO, NULL)                            \
	C(mib_agent, 18, lxAgentRequestsOpen, requests_open, GAUGE, 0, RO, NULL)                   \
	C(mib_agent, 19, lxAgentConfigLoaded, config_time, DATE, 0, RO, NULL)                      \
	C(mib_agent, 20, lxAgentConfigError, config_error, TEXT, TEXT_SIZE, RO, NULL)

/* lxHost: scalars. CPU used is of all CPUs together, hundredths of a percent of one CPU. */
#define MIB_HOST_COLUMNS(C)                                                                        \
	C(mib_host, 1, lxHostName, name, TEXT, VM_NAME_SIZE, RO, NULL)                             \
	C(mib_host, 2, lxHostHypervisor, software, TEXT, 32, RO, NULL)                             \
	C(mib_host, 3, lxHostHypervisorVersion, version, TEXT, 64, RO, NULL)                       \
	C(mib_host, 4, lxHostHypervisorState, hv_state, ENUM, 0, RO, mib_hv_state_names)           \
	C(mib_host, 5, lxHostUpTime, boot, UPTIME, 0, RO, NULL)                                    \
	C(mib_host, 6, lxHostCpus, cpus, GAUGE, 0, RO, NULL)                                       \
	C(mib_host, 7, lxHostCpuSpeed, cpu_mhz, GAUGE, 0, RO, NULL)                                \
	C(mib_host, 8, lxHostCpuUsed, cpu_used, GAUGE, 0, RO, NULL)                                \
	C(mib_host, 9, lxHostMemoryTotal, memory_mib, GAUGE, 0, RO, NULL)                          \
	C(mib_host, 10, lxHostMemoryFree, memory_free_mib, GAUGE, 0, RO, NULL)                     \
	C(mib_host, 11, lxHostMemoryUsed, memory_used_mib, GAUGE, 0, RO, NULL)                     \
	C(mib_host, 12, lxHostVms, vms, GAUGE, 0, RO, NULL)                                        \
	C(mib_host, 13, lxHostVmsRunning, vms_running, GAUGE, 0, RO, NULL)                         \
	C(mib_host, 14, lxHostVmsPaused, vms_paused, GAUGE, 0, RO, NULL)                           \
	C(mib_host, 15, lxHostVmsSuspended, vms_suspended, GAUGE, 0, RO, NULL)                     \
	C(mib_host, 16, lxHostVmsShutdown, vms_shutdown, GAUGE, 0, RO, NULL)                       \
	C(mib_host, 17, lxHostVmsCrashed, vms_crashed, GAUGE, 0, RO, NULL)                         \
	C(mib_host, 18, lxHostVmsChanging, vms_changing, GAUGE, 0, RO, NULL)                       \
	C(mib_host, 19, lxHostVmsUnknown, vms_unknown, GAUGE, 0, RO, NULL)                         \
	C(mib_host, 0, vmTableLastChange, table_change, TICKS, 0, RO, NULL)

#define MIB_POOL_COLUMNS(C)                                                                        \
	C(mib_pool, 1, lxStorageIndex, index, UNSIGNED, 0, NA, NULL)                               \
	C(mib_pool, 2, lxStoragePath, path, TEXT, 128, RO, NULL)                                   \
	C(mib_pool, 3, lxStorageSize, size_mib, GAUGE, 0, RO, NULL)                                \
	C(mib_pool, 4, lxStorageFree, free_mib, GAUGE, 0, RO, NULL)                                \
	C(mib_pool, 5, lxStorageUsed, used_mib, GAUGE, 0, RO, NULL)

#define MIB_VM_COLUMNS(C)                                                                          \
	C(mib_vm, 1, lxVmIndex, index, UNSIGNED, 0, NA, NULL)                                      \
	C(mib_vm, 2, lxVmName, name, TEXT, VM_NAME_SIZE, RO, NULL)                                 \
	C(mib_vm, 3, lxVmUuid, uuid, UUID, 0, RO, NULL)                                            \
	C(mib_vm, 4, lxVmDomid, domid, INTEGER, 0, RO, NULL)                                       \
	C(mib_vm, 5, lxVmState, state, ENUM, 0, RO, vm_state_names)                                \
	C(mib_vm, 6, lxVmSchedState, sched_state, ENUM, 0, RO, vm_sched_state_names)               \
	C(mib_vm, 7, lxVmHealth, health, ENUM, 0, RO, vm_health_names)                             \
	C(mib_vm, 8, lxVmConfigured, configured, TRUTH, 0, RO, NULL)                               \
	C(mib_vm, 9, lxVmGroup, group, TEXT, 32, RO, NULL)                                         \
	C(mib_vm, 10, lxVmAddress, address, TEXT, 48, RO, NULL)                                    \
	C(mib_vm, 11, lxVmVcpus, vcpus, GAUGE, 0, RO, NULL)                                        \
	C(mib_vm, 12, lxVmVcpusMax, vcpus_max, GAUGE, 0, RO, NULL)                                 \
	C(mib_vm, 13, lxVmCpuTime, cpu_us, COUNTER64, 0, RO, NULL)                                 \
	C(mib_vm, 14, lxVmCpuUsed, cpu_used, GAUGE, 0, RO, NULL)                                   \
	C(mib_vm, 15, lxVmMemory, memory_mib, GAUGE, 0, RO, NULL)                                  \
	C(mib_vm, 16, lxVmMemoryMax, memory_max_mib, GAUGE, 0, RO, NULL)                           \
	C(mib_vm, 17, lxVmMemoryGoal, memory_goal_mib, GAUGE, 0, RO, NULL)                         \
	C(mib_vm, 18, lxVmMemoryUsed, memory_used_mib, GAUGE, 0, RO, NULL)                         \
	C(mib_vm, 19, lxVmMemoryUsedAge, memory_used_time, AGE, 0, RO, NULL)                       \
	C(mib_vm, 20, lxVmStartTime, start_time, DATE, 0, RO, NULL)                                \
	C(mib_vm, 21, lxVmLastChange, change_time, DATE, 0, RO, NULL)                              \
	C(mib_vm, 22, lxVmLastChangeReason, change_reason, TEXT, TEXT_SIZE, RO, NULL)              \
	C(mib_vm, 23, lxVmRestarts, restarts, COUNTER, 0, RO, NULL)                                \
	C(mib_vm, 24, lxVmCrashes, crashes, COUNTER, 0, RO, NULL)                                  \
	C(mib_vm, 25, lxVmDesired, desired, ENUM, 0, RO, vm_desired_names)                         \
	C(mib_vm, 26, lxVmOwner, owner, ENUM, 0, RO, vm_owner_names)                               \
	C(mib_vm, 27, lxVmDiscontinuityTime, discontinuity, DATE, 0, RO, NULL)                     \
	C(mib_vm, 28, lxVmMonitor, monitor, ENUM, 0, RO, monitor_state_names)                      \
	C(mib_vm, 29, lxVmMaintenanceEnd, maintenance_end, DATE, 0, RO, NULL)                      \
	C(mib_vm, 0, lxVmMaintenance, maintenance_s, UNSIGNED, 0, RW, NULL)                        \
	C(mib_vm, 0, lxVmPolicyMemoryMin, policy_memory_min_mib, UNSIGNED, 0, RW, NULL)            \
	C(mib_vm, 0, lxVmPolicyMemoryMax, policy_memory_max_mib, UNSIGNED, 0, RW, NULL)            \
	C(mib_vm, 0, lxVmPolicyMemoryHigh, policy_memory_high, UNSIGNED, 0, RW, NULL)              \
	C(mib_vm, 0, lxVmPolicyMemoryLow, policy_memory_low, UNSIGNED, 0, RW, NULL)                \
	C(mib_vm, 0, lxVmRequest, request, ENUM, 0, RW, verb_names)                                \
	C(mib_vm, 0, lxVmMemoryTarget, memory_target_mib, UNSIGNED, 0, RW, NULL)                   \
	C(mib_vm, 0, vmOSType, os_type, TEXT, 1, RO, NULL)                                         \
	C(mib_vm, 0, vmAdminState, admin_state, ENUM, 0, RO, mib_vm_admin_state_names)             \
	C(mib_vm, 0, vmAutoStart, auto_start, ENUM, 0, RO, mib_vm_auto_start_names)                \
	C(mib_vm, 0, vmPersistent, persistent, ENUM, 0, RO, mib_vm_persistent_names)               \
	C(mib_vm, 0, vmCurCpuNumber, vm_vcpus, INTEGER, 0, RO, NULL)                               \
	C(mib_vm, 0, vmMinCpuNumber, vm_vcpus_min, INTEGER, 0, RO, NULL)                           \
	C(mib_vm, 0, vmMaxCpuNumber, vm_vcpus_max, INTEGER, 0, RO, NULL)                           \
	C(mib_vm, 0, vmMemUnit, vm_memory_unit, INTEGER, 0, RO, NULL)                              \
	C(mib_vm, 0, vmCurMem, vm_memory, INTEGER, 0, RO, NULL)                                    \
	C(mib_vm, 0, vmMinMem, vm_memory_min, INTEGER, 0, RO, NULL)                                \
	C(mib_vm, 0, vmMaxMem, vm_memory_max, INTEGER, 0, RO, NULL)                                \
	C(mib_vm, 0, vmUpTime, start, UPTIME, 0, RO, NULL)

/* lxVmControlTable: the writable side of a VM. */
#define MIB_VM_CONTROL_COLUMNS(C)                                                                  \
	C(mib_vm, 1, lxVmRequest, request, ENUM, 0, RW, verb_names)                                \
	C(mib_vm, 2, lxVmMemoryTarget, memory_target_mib, UNSIGNED, 0, RW, NULL)                   \
	C(mib_vm, 3, lxVmMaintenance, maintenance_s, UNSIGNED, 0, RW, NULL)

/* lxVmPolicyTable: what supervision is to make of a VM. */
#define MIB_VM_POLICY_COLUMNS(C)                                                                   \
	C(mib_vm, 1, lxVmPolicyDesired, desired, ENUM, 0, RW, vm_desired_names)                    \
	C(mib_vm, 2, lxVmPolicyMemoryMin, policy_memory_min_mib, UNSIGNED, 0, RW, NULL)            \
	C(mib_vm, 3, lxVmPolicyMemoryMax, policy_memory_max_mib, UNSIGNED, 0, RW, NULL)            \
	C(mib_vm, 4, lxVmPolicyMemoryHigh, policy_memory_high, UNSIGNED, 0, RW, NULL)              \
	C(mib_vm, 5, lxVmPolicyMemoryLow, policy_memory_low, UNSIGNED, 0, RW, NULL)

/* vmTable of VM-MIB (RFC 7666, section 6) over the same rows. */
#define MIB_VM_RFC7666_COLUMNS(C)                                                                  \
	C(mib_vm, 1, vmIndex, index, INTEGER, 0, NA, NULL)                                         \
	C(mib_vm, 2, vmName, name, TEXT, 0, RO, NULL)                                              \
	C(mib_vm, 3, vmUUID, uuid, UUIDRAW, 0, RO, NULL)                                           \
	C(mib_vm, 4, vmOSType, os_type, TEXT, 0, RO, NULL)                                         \
	C(mib_vm, 5, vmAdminState, admin_state, ENUM, 0, RO, mib_vm_admin_state_names)             \
	C(mib_vm, 6, vmOperState, state, ENUM, 0, RO, vm_state_names)                              \
	C(mib_vm, 7, vmAutoStart, auto_start, ENUM, 0, RO, mib_vm_auto_start_names)                \
	C(mib_vm, 8, vmPersistent, persistent, ENUM, 0, RO, mib_vm_persistent_names)               \
	C(mib_vm, 9, vmCurCpuNumber, vm_vcpus, INTEGER, 0, RO, NULL)                               \
	C(mib_vm, 10, vmMinCpuNumber, vm_vcpus_min, INTEGER, 0, RO, NULL)                          \
	C(mib_vm, 11, vmMaxCpuNumber, vm_vcpus_max, INTEGER, 0, RO, NULL)                          \
	C(mib_vm, 12, vmMemUnit, vm_memory_unit, INTEGER, 0, RO, NULL)                             \
	C(mib_vm, 13, vmCurMem, vm_memory, INTEGER, 0, RO, NULL)                                   \
	C(mib_vm, 14, vmMinMem, vm_memory_min, INTEGER, 0, RO, NULL)                               \
	C(mib_vm, 15, vmMaxMem, vm_memory_max, INTEGER, 0, RO, NULL)                               \
	C(mib_vm, 16, vmUpTime, start, UPTIME, 0, RO, NULL)                                        \
	C(mib_vm, 17, vmCpuTime, cpu_us, COUNTER64, 0, RO, NULL)

/* vmHypervisor (its four scalars), and the scalars vmNumber and vmTableLastChange. */
#define MIB_HOST_RFC7666_COLUMNS(C)                                                                \
	C(mib_host, 1, vmHvSoftware, software, TEXT, 0, RO, NULL)                                  \
	C(mib_host, 2, vmHvVersion, version, TEXT, 0, RO, NULL)                                    \
	C(mib_host, 3, vmHvObjectID, absent, OID, 0, RO, NULL)                                     \
	C(mib_host, 4, vmHvUpTime, boot, UPTIME, 0, RO, NULL)
#define MIB_OBJECTS_RFC7666_COLUMNS(C)                                                             \
	C(mib_host, 2, vmNumber, vms, INTEGER, 0, RO, NULL)                                        \
	C(mib_host, 3, vmTableLastChange, table_change, TICKS, 0, RO, NULL)

/* In is what the VM received, whatever Dom0 calls it. */
#define MIB_NET_COLUMNS(C)                                                                         \
	C(mib_net, 0, lxVmIndex, vm, UNSIGNED, 0, NA, NULL)                                        \
	C(mib_net, 1, lxNetIndex, index, UNSIGNED, 0, NA, NULL)                                    \
	C(mib_net, 2, lxNetName, name, TEXT, 24, RO, NULL)                                         \
	C(mib_net, 3, lxNetMac, mac, MAC, 0, RO, NULL)                                             \
	C(mib_net, 4, lxNetBridge, bridge, TEXT, 24, RO, NULL)                                     \
	C(mib_net, 5, lxNetIfIndex, if_index, INTEGER, 0, RO, NULL)                                \
	C(mib_net, 6, lxNetInOctets, in_octets, COUNTER64, 0, RO, NULL)                            \
	C(mib_net, 7, lxNetInPackets, in_packets, COUNTER64, 0, RO, NULL)                          \
	C(mib_net, 8, lxNetInErrors, in_errors, COUNTER64, 0, RO, NULL)                            \
	C(mib_net, 9, lxNetInDrops, in_drops, COUNTER64, 0, RO, NULL)                              \
	C(mib_net, 10, lxNetOutOctets, out_octets, COUNTER64, 0, RO, NULL)                         \
	C(mib_net, 11, lxNetOutPackets, out_packets, COUNTER64, 0, RO, NULL)                       \
	C(mib_net, 12, lxNetOutErrors, out_errors, COUNTER64, 0, RO, NULL)                         \
	C(mib_net, 13, lxNetOutDrops, out_drops, COUNTER64, 0, RO, NULL)                           \
	C(mib_net, 14, lxNetDiscontinuityTime, discontinuity, DATE, 0, RO, NULL)

#define MIB_DISK_COLUMNS(C)                                                                        \
	C(mib_disk, 0, lxVmIndex, vm, UNSIGNED, 0, NA, NULL)                                       \
	C(mib_disk, 1, lxDiskIndex, index, UNSIGNED, 0, NA, NULL)                                  \
	C(mib_disk, 2, lxDiskName, name, TEXT, 16, RO, NULL)                                       \
	C(mib_disk, 3, lxDiskTarget, target, TEXT, 112, RO, NULL)                                  \
	C(mib_disk, 4, lxDiskReadOnly, read_only, TRUTH, 0, RO, NULL)                              \
	C(mib_disk, 5, lxDiskReads, reads, COUNTER64, 0, RO, NULL)                                 \
	C(mib_disk, 6, lxDiskWrites, writes, COUNTER64, 0, RO, NULL)                               \
	C(mib_disk, 7, lxDiskReadOctets, read_octets, COUNTER64, 0, RO, NULL)                      \
	C(mib_disk, 8, lxDiskWrittenOctets, written_octets, COUNTER64, 0, RO, NULL)                \
	C(mib_disk, 9, lxDiskErrors, errors, COUNTER64, 0, RO, NULL)                               \
	C(mib_disk, 10, lxDiskDiscontinuityTime, discontinuity, DATE, 0, RO, NULL)

#define REQUESTS_MAX 1000   /* rows of lxRequestTable; the next is resourceUnavailable */
#define REQUESTS_PER_VM 8   /* open (queued, running) ones a VM; likewise */
#define MEMORY_FLOOR_MIB 32 /* no VM is given less */

/* lxRequestVm: name or UUID as the manager wrote it; the row of a request by hand has the name. */
#define MIB_REQUEST_COLUMNS(C)                                                                     \
	C(mib_request, 1, lxRequestId, id, TEXT, REQUEST_ID_SIZE, NA, NULL)                        \
	C(mib_request, 2, lxRequestVm, vm, TEXT, VM_NAME_SIZE, RC, NULL)                           \
	C(mib_request, 3, lxRequestVerb, verb, ENUM, 0, RC, verb_names)                            \
	C(mib_request, 4, lxRequestNumber, number, UNSIGNED, 0, RC, NULL)                          \
	C(mib_request, 5, lxRequestState, state, ENUM, 0, RO, mib_request_state_names)             \
	C(mib_request, 6, lxRequestError, error, TEXT, TEXT_SIZE, RO, NULL)                        \
	C(mib_request, 7, lxRequestVmIndex, vm_index, UNSIGNED, 0, RO, NULL)                       \
	C(mib_request, 8, lxRequestAccepted, accepted, DATE, 0, RO, NULL)                          \
	C(mib_request, 9, lxRequestStarted, started, DATE, 0, RO, NULL)                            \
	C(mib_request, 10, lxRequestEnded, ended, DATE, 0, RO, NULL)                               \
	C(mib_request, 11, lxRequestStatus, status, ROWSTATUS, 0, RC, NULL)

/* The journal. state and previous of an event that is of no VM, request of one of no request:
 * absent. The values are those of the moment of the event. */
#define MIB_EVENT_COLUMNS(C)                                                                       \
	C(mib_event, 1, lxEventSequence, sequence, UNSIGNED, 0, NA, NULL)                          \
	C(mib_event, 2, lxEventTime, time, DATE, 0, RO, NULL)                                      \
	C(mib_event, 3, lxEventType, type, ENUM, 0, RO, event_type_names)                          \
	C(mib_event, 4, lxEventVmIndex, vm_index, UNSIGNED, 0, RO, NULL)                           \
	C(mib_event, 5, lxEventVmName, vm_name, TEXT, VM_NAME_SIZE, RO, NULL)                      \
	C(mib_event, 6, lxEventVmUuid, vm_uuid, UUID, 0, RO, NULL)                                 \
	C(mib_event, 7, lxEventState, state, ENUM, 0, RO, vm_state_names)                          \
	C(mib_event, 8, lxEventPreviousState, previous, ENUM, 0, RO, vm_state_names)               \
	C(mib_event, 9, lxEventRequest, request, TEXT, REQUEST_ID_SIZE, RO, NULL)                  \
	C(mib_event, 10, lxEventVerb, verb, ENUM, 0, RO, verb_names)                               \
	C(mib_event, 11, lxEventOutcome, outcome, ENUM, 0, RO, mib_request_state_names)            \
	C(mib_event, 12, lxEventText, text, TEXT, TEXT_SIZE, RO, NULL)                             \
	C(mib_event, 13, lxEventServiceIndex, service_index, UNSIGNED, 0, RO, NULL)                \
	C(mib_event, 14, lxEventProvider, provider, TEXT, VM_NAME_SIZE, RO, NULL)                  \
	C(mib_event, 15, lxEventService, service, TEXT, SERVICE_NAME_SIZE, RO, NULL)               \
	C(mib_event, 16, lxEventServiceState, service_state, ENUM, 0, RO, service_state_names)

/* vm 0: of no VM of this host. */
#define MIB_SERVICE_COLUMNS(C)                                                                     \
	C(mib_service, 1, lxServiceIndex, index, UNSIGNED, 0, NA, NULL)                            \
	C(mib_service, 2, lxServiceProvider, provider, TEXT, VM_NAME_SIZE, RO, NULL)               \
	C(mib_service, 3, lxServiceName, name, TEXT, SERVICE_NAME_SIZE, RO, NULL)                  \
	C(mib_service, 4, lxServiceVmIndex, vm, UNSIGNED, 0, RO, NULL)                             \
	C(mib_service, 5, lxServiceHost, host, TEXT, VM_NAME_SIZE, RO, NULL)                       \
	C(mib_service, 6, lxServiceKind, kind, ENUM, 0, RO, service_kind_names)                    \
	C(mib_service, 7, lxServiceAddress, address, TEXT, ADDRESS_SIZE, RO, NULL)                 \
	C(mib_service, 8, lxServicePort, port, UNSIGNED, 0, RO, NULL)                              \
	C(mib_service, 9, lxServiceState, state, ENUM, 0, RO, service_state_names)                 \
	C(mib_service, 10, lxServiceSince, since, DATE, 0, RO, NULL)                               \
	C(mib_service, 11, lxServiceText, text, TEXT, TEXT_SIZE, RO, NULL)                         \
	C(mib_service, 12, lxServiceProbeAge, probed, AGE, 0, RO, NULL)                            \
	C(mib_service, 13, lxServiceLatency, latency_us, GAUGE, 0, RO, NULL)                       \
	C(mib_service, 14, lxServiceFailures, failures, GAUGE, 0, RO, NULL)                        \
	C(mib_service, 15, lxServiceChanges, changes, COUNTER, 0, RO, NULL)                        \
	C(mib_service, 16, lxServiceNeededBy, needed_by, GAUGE, 0, RO, NULL)

#define MIB_DEPENDENCY_COLUMNS(C)                                                                  \
	C(mib_dependency, 0, lxVmIndex, vm, UNSIGNED, 0, NA, NULL)                                 \
	C(mib_dependency, 0, lxServiceIndex, service, UNSIGNED, 0, NA, NULL)                       \
	C(mib_dependency, 1, lxDependencyVm, vm_name, TEXT, VM_NAME_SIZE, RO, NULL)                \
	C(mib_dependency, 2, lxDependencyProvider, provider, TEXT, VM_NAME_SIZE, RO, NULL)         \
	C(mib_dependency, 3, lxDependencyService, service_name, TEXT, SERVICE_NAME_SIZE, RO, NULL) \
	C(mib_dependency, 4, lxDependencyState, state, ENUM, 0, RO, dependency_state_names)        \
	C(mib_dependency, 5, lxDependencySince, since, DATE, 0, RO, NULL)

/* The same the other way round. */
#define MIB_REQUIRED_COLUMNS(C)                                                                    \
	C(mib_required, 0, lxServiceIndex, service, UNSIGNED, 0, NA, NULL)                         \
	C(mib_required, 0, lxVmIndex, vm, UNSIGNED, 0, NA, NULL)                                   \
	C(mib_required, 1, lxRequiredByVm, vm_name, TEXT, VM_NAME_SIZE, RO, NULL)                  \
	C(mib_required, 2, lxRequiredByState, state, ENUM, 0, RO, dependency_state_names)

#define MIB_PLAN_COLUMNS(C)                                                                        \
	C(mib_plan, 0, lxVmIndex, vm, UNSIGNED, 0, NA, NULL)                                       \
	C(mib_plan, 1, lxPlanWave, wave, UNSIGNED, 0, RO, NULL)                                    \
	C(mib_plan, 2, lxPlanGoal, goal, ENUM, 0, RO, plan_goal_names)                             \
	C(mib_plan, 3, lxPlanWaitsFor, waits_for, TEXT, TEXT_SIZE, RO, NULL)                       \
	C(mib_plan, 4, lxPlanSince, since, DATE, 0, RO, NULL)                                      \
	C(mib_plan, 5, lxPlanReason, reason, TEXT, TEXT_SIZE, RO, NULL)

#define MIB_FIELD_INTEGER(f, n) int32_t f;
#define MIB_FIELD_ENUM(f, n) int32_t f;
#define MIB_FIELD_TRUTH(f, n) int32_t f;
#define MIB_FIELD_ROWSTATUS(f, n) int32_t f;
#define MIB_FIELD_GAUGE(f, n) uint32_t f;
#define MIB_FIELD_UNSIGNED(f, n) uint32_t f;
#define MIB_FIELD_COUNTER(f, n) uint32_t f;
#define MIB_FIELD_COUNTER64(f, n) uint64_t f;
#define MIB_FIELD_TICKS(f, n) uint32_t f;
#define MIB_FIELD_UPTIME(f, n) int64_t f;
#define MIB_FIELD_AGE(f, n) int64_t f;
#define MIB_FIELD_TEXT(f, n) char f[n];
#define MIB_FIELD_UUID(f, n) uint8_t f[UUID_SIZE];
#define MIB_FIELD_MAC(f, n) uint8_t f[6];
#define MIB_FIELD_DATE(f, n) int64_t f;

#define MIB_FIELD(s, number, object, field, type, size, access, names) MIB_FIELD_##type(field, size)
#define MIB_BIT(s, number, object, field, type, size, access, names) s##_BIT_##field,
#define MIB_ROW(s, columns)                                                                        \
	struct s {                                                                                 \
		uint64_t absent;                                                                   \
		columns(MIB_FIELD)                                                                 \
	};                                                                                         \
	enum { columns(MIB_BIT) s##_BIT_absent };

MIB_ROW(mib_agent, MIB_AGENT_COLUMNS)
MIB_ROW(mib_host, MIB_HOST_COLUMNS)
MIB_ROW(mib_pool, MIB_POOL_COLUMNS)
MIB_ROW(mib_vm, MIB_VM_COLUMNS)
MIB_ROW(mib_net, MIB_NET_COLUMNS)
MIB_ROW(mib_disk, MIB_DISK_COLUMNS)
MIB_ROW(mib_request, MIB_REQUEST_COLUMNS)
MIB_ROW(mib_event, MIB_EVENT_COLUMNS)
MIB_ROW(mib_service, MIB_SERVICE_COLUMNS)
MIB_ROW(mib_dependency, MIB_DEPENDENCY_COLUMNS)
MIB_ROW(mib_required, MIB_REQUIRED_COLUMNS)
MIB_ROW(mib_plan, MIB_PLAN_COLUMNS)

/* Says that a field of the row has (no) value now: MIB_ABSENT(mib_vm, &row, cpu_used, true). */
#define MIB_ABSENT(s, row, field, is_absent)                                                       \
	((row)->absent = ((row)->absent & ~(UINT64_C(1) << s##_BIT_##field)) |                     \
			 ((uint64_t)((is_absent) ? 1 : 0) << s##_BIT_##field))

enum mib_store_health { STORE_UNKNOWN = 1, STORE_OK, STORE_DEGRADED };
enum mib_hv_state { HV_UNKNOWN = 1, HV_ANSWERING, HV_SILENT };
enum mib_vm_admin_state { ADMIN_RUNNING = 1, ADMIN_SUSPENDED, ADMIN_PAUSED, ADMIN_SHUTDOWN };
enum mib_vm_auto_start { AUTO_START_UNKNOWN = 1, AUTO_START_ENABLED, AUTO_START_DISABLED };
enum mib_vm_persistent { PERSISTENT_UNKNOWN = 1, PERSISTENT_YES, PERSISTENT_TRANSIENT };
enum mib_row_status {
	ROW_ACTIVE = 1,
	ROW_NOT_IN_SERVICE,
	ROW_NOT_READY,
	ROW_CREATE_AND_GO,
	ROW_CREATE_AND_WAIT,
	ROW_DESTROY
};

extern const struct name mib_store_health_names[], mib_hv_state_names[], mib_vm_admin_state_names[],
    mib_vm_auto_start_names[], mib_vm_persistent_names[];
#define mib_request_state_names (request_state_names + 1) /* held is never shown */

struct mib_column {
	uint32_t number; /* 0: no column of this table */
	const char *name;
	enum mib_type type;
	enum mib_access access;
	uint16_t offset, size; /* of the field in the row, octets */
	uint8_t bit;	       /* of the field in absent */
	const struct name *names;
};

/* How the rows of a kind are told apart, in the order of the index. */
enum mib_index { INDEX_NONE, INDEX_NUMBER, INDEX_NUMBERS, INDEX_TEXT };

/* The index fields are the struct's first after absent. A text index is IMPLIED. */
struct mib_kind_info {
	const char *name;
	size_t row_size; /* octets */
	enum mib_index index;
};

#define MIB_ARCS_MAX 16
struct mib_table {
	const char *name; /* of the table, or of the group of scalars */
	enum mib_kind kind;
	bool standard; /* in VM-MIB; else in LAUXEN-MIB */
	uint8_t arcs_count;
	unsigned long arcs[MIB_ARCS_MAX]; /* whole OID of the entry (of the group, for scalars) */
	const struct mib_column *columns; /* ascending numbers; those of number 0 anywhere */
	size_t columns_count;
};

/* An object of a notification: a column of a table, with the value taken from the event's row.
 * The instance is the VM's index, the event's sequence number, the request's id or the
 * service's index. */
struct mib_notify_object {
	const char *name;
	const struct mib_table *table;
	uint32_t column;     /* its number in table */
	size_t event_column; /* position in the event table's columns that has the value */
};

struct mib_notification {
	enum event_type type; /* also its number under lxNotifications */
	const char *name;
	const struct mib_notify_object *objects; /* ends with name NULL */
};

/* Both ascend by OID. */
extern const struct mib_table mib_tables[];
extern const size_t mib_tables_count;
extern const struct mib_kind_info mib_kinds[KIND_COUNT];
extern const struct mib_notification mib_notifications[]; /* ends with name NULL */

/* OIDs. LAUXEN-MIB's root: node 2008 of net-snmp's playpen until a number is assigned; the one
 * place in the code. */
#define MIB_ROOT 1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 2008
#define MIB_VM_MIB 1, 3, 6, 1, 2, 1, 236
extern const unsigned long mib_root[], mib_vm_mib[];
extern const size_t mib_root_count, mib_vm_mib_count;

#endif
