/* Every section and every key of lauxen.conf(5). A new key is a line here, its member in config.h
 * and its text in the manual. */
#include <stddef.h>

#include "config/reader.h"

#define IN_CONFIG(member) offsetof(struct config, member)
#define IN_VM(member) offsetof(struct config_vm, member)
#define SOCKET_PATH_MAX 107 /* unix(7) */

static const struct name driver_names[] = {{CONFIG_XEN, "xen"}, {CONFIG_SIM, "sim"}, {0, NULL}};
static const struct name escalation_names[] = {{false, "fail"}, {true, "destroy"}, {0, NULL}};

/* clang-format off */
static const struct key agent_keys[] = {
	{"name", &kind_host, IN_CONFIG(name), .max = VM_NAME_SIZE - 1,
	    .doc = "of this host, as managers see it"},
	{"state-dir", &kind_path, IN_CONFIG(state_dir), "/var/lib/lauxen", .max = 1023,
	    .doc = "the store"},
	{"run-dir", &kind_path, IN_CONFIG(run_dir), "/run/lauxen", .max = 1023,
	    .doc = "records of running actions"},
	{"save-dir", &kind_path, IN_CONFIG(save_dir), "/var/lib/lauxen-save", .max = 1023,
	    .doc = "states of saved VMs"},
	{"agentx-socket", &kind_socket, IN_CONFIG(agentx_socket), "unix:/var/agentx/master",
	    .max = SOCKET_PATH_MAX, .doc = "where snmpd listens for AgentX"},
	{"journal-size", &kind_number, IN_CONFIG(journal_size), "1000", 10, 100000,
	    .doc = "events kept"},
	{"notify-rate", &kind_number, IN_CONFIG(notify_rate), "50", 1, 10000,
	    .doc = "notifications a second, at most"},
	{0},
};

static const struct key hypervisor_keys[] = {
	{"driver", &kind_choice, IN_CONFIG(hypervisor), "xen", .choices = driver_names,
	    .doc = "xen or sim"},
	{"sim-socket", &kind_path, IN_CONFIG(sim_socket), "/run/simxen.sock",
	    .max = SOCKET_PATH_MAX, .doc = "of simxen, for the driver sim"},
	{"interval", &kind_duration, IN_CONFIG(interval_ms), "1s", 100, 3600000,
	    .doc = "between two samples"},
	{"silence", &kind_duration, IN_CONFIG(silence_ms), "3s", 500, 600000,
	    .doc = "until an answer that is missing counts as lost"},
	{"action-timeout", &kind_duration, IN_CONFIG(action_ms), "2min", 1000, 86400000,
	    .doc = "until an action's helper is killed"},
	{"shutdown-timeout", &kind_duration, IN_CONFIG(shutdown_ms), "1min", 1000, 86400000,
	    .doc = "what a guest gets to shut down"},
	{"shutdown-escalation", &kind_flag, IN_CONFIG(shutdown_destroys), "fail",
	    .choices = escalation_names, .doc = "then: fail or destroy"},
	{"storage", &kind_paths, IN_CONFIG(pools), "/", .min = 64, .max = 127,
	    .doc = "paths whose size and free space are watched"},
	{0},
};

static const struct key vm_keys[] = {
	{"file", &kind_path, IN_VM(file), .max = 1023, .required = true, .doc = "its xl.cfg(5) file"},
	{"uuid", &kind_uuid, IN_VM(uuid), .doc = "instead of the one in its file"},
	{"address", &kind_address, IN_VM(provider.address), .max = 47, .doc = "IPv4 or IPv6"},
	{"group", &kind_text, IN_VM(group), .max = 31, .doc = "any word, for sorting"},
	{"memory", &kind_number, IN_VM(memory_mib), NULL, 16, 16777216,
	    .doc = "MiB, set after the start"},
	{0},
};

const struct section sections[SECTION_COUNT] = {
	[SECTION_AGENT] = {"agent", "lauxend itself", agent_keys, false},
	[SECTION_HYPERVISOR] = {"hypervisor", "the host's hypervisor", hypervisor_keys, false},
	[SECTION_VM] = {"vm", "a virtual machine", vm_keys, true},
};
/* clang-format on */
