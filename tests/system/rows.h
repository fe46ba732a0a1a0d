/* Rows for tests and measurements: a VM with every value set. */
#ifndef TESTS_SYSTEM_ROWS_H
#define TESTS_SYSTEM_ROWS_H

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mib/objects.h"

/* VM index of a host, called vmINDEX; epoch_ms: all its dates. */
static inline void
make_vm(uint32_t index, int state, int64_t epoch_ms, struct mib_vm *vm)
{
	*vm = (struct mib_vm){.index = index,
			      .domid = (int32_t)index + 10,
			      .state = state,
			      .sched_state = SCHED_BLOCKED,
			      .health = HEALTH_OK,
			      .configured = 1,
			      .vcpus = 2,
			      .vcpus_max = 4,
			      .cpu_us = 1000000ull * index,
			      .cpu_used = 1234,
			      .memory_mib = 512,
			      .memory_max_mib = 1024,
			      .memory_goal_mib = 512,
			      .memory_used_mib = 300,
			      .memory_used_time = clock_mono_ms(),
			      .start_time = epoch_ms,
			      .change_time = epoch_ms,
			      .restarts = index % 5,
			      .desired = DESIRED_RUNNING,
			      .owner = OWNER_LAUXEND,
			      .monitor = MONITOR_WATCHING,
			      .discontinuity = epoch_ms,
			      .request = VERB_NONE,
			      .memory_target_mib = 512,
			      .admin_state = ADMIN_RUNNING,
			      .auto_start = AUTO_START_ENABLED,
			      .persistent = PERSISTENT_YES,
			      .vm_vcpus = 2,
			      .vm_vcpus_min = 1,
			      .vm_vcpus_max = 4,
			      .vm_memory_unit = 1024,
			      .vm_memory = 512,
			      .vm_memory_min = -1,
			      .vm_memory_max = 1024,
			      .start = clock_mono_ms()};

	TEXT_FORMAT(vm->name, "vm%u", index);
	TEXT_SET(vm->group, "group");
	TEXT_FORMAT(vm->address, "127.1.2.%u", index % 256);
	TEXT_SET(vm->change_reason, "started by the administrator");
	memset(vm->uuid, 0x22, UUID_SIZE);
	vm->uuid[14] = (uint8_t)(index >> 8);
	vm->uuid[15] = (uint8_t)index;
}

#endif
