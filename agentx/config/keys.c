/* Every section and every key of lauxen.conf(5). A new key is a line here, its member in config.h
 * and its text in the manual. */
#include <stddef.h>

#include "config/reader.h"

#define IN_CONFIG(member) offsetof(struct config, member)
#define IN_CONFIG_WATCH(member) offsetof(struct config, watch.member)
#define IN_CONFIG_POLICY(member) offsetof(struct config, policy.member)
#define IN_VM(member) offsetof(struct config_vm, member)
#define IN_VM_WATCH(member) offsetof(struct config_vm, watch.member)
#define IN_VM_POLICY(member) offsetof(struct config_vm, policy.member)
#define IN_EXTERNAL(member) offsetof(struct config_external, member)
#define IN_EXTERNAL_WATCH(member) offsetof(struct config_external, watch.member)
#define IN_SERVICE(member) offsetof(struct config_service, member)
#define IN_SERVICE_WATCH(member) offsetof(struct config_service, watch.member)
#define DEFAULT(value) value, .inherited = false
#define INHERITED(value) NULL, .inherited = true
#define SOCKET_PATH_MAX 107 /* unix(7) */

static const struct name driver_names[] = {{CONFIG_XEN, "xen"}, {CONFIG_SIM, "sim"}, {0, NULL}};
static const struct name escalation_names[] = {{false, "fail"}, {true, "destroy"}, {0, NULL}};
static const struct name answer_names[] = {{false, "no"}, {true, "yes"}, {0, NULL}};
static const struct name silence_names[] = {
    {SILENCE_AS_USUAL, ""}, {SILENCE_DOWN, "down"}, {SILENCE_UP, "up"}, {0, NULL}};

/* clang-format off */

/* What stands in supervision, and in any VM, external or service that has it otherwise. */
#define WATCH_KEYS(in, value) \
	{"interval", &kind_duration, in(interval_ms), value("10s"), .min = 200, .max = 3600000, \
	    .doc = "between two probes of a service"}, \
	{"timeout", &kind_duration, in(timeout_ms), value("2s"), .min = 10, .max = 600000, \
	    .doc = "of a probe"}, \
	{"rise", &kind_count, in(rise), value("1"), .min = 1, .max = 100, \
	    .doc = "answers in a row until it is up"}, \
	{"fall", &kind_count, in(fall), value("3"), .min = 1, .max = 100, \
	    .doc = "failures in a row until it is down"}, \
	{"grace", &kind_duration, in(grace_ms), value("20s"), .min = 0, .max = 86400000, \
	    .doc = "from down until its VM is restarted"}

#define POLICY_KEYS(in, value) \
	{"autostart", &kind_flag, in(autostart), value("yes"), .choices = answer_names, \
	    .doc = "launched when the host has booted: yes or no"}, \
	{"start-delay", &kind_duration, in(start_delay_ms), value("0s"), .min = 0, .max = 86400000, \
	    .doc = "from all that it needs is up to its start"}, \
	{"start-timeout", &kind_duration, in(start_timeout_ms), value("0s"), .min = 0, .max = 86400000, \
	    .doc = "of waiting for what it needs; 0s: none"}, \
	{"on-start-timeout", &kind_choice, in(on_start_timeout), value("wait"), .choices = start_policy_names, \
	    .doc = "then: wait, start or give-up"}, \
	{"boot-allowance", &kind_duration, in(boot_ms), value("3min"), .min = 1000, .max = 86400000, \
	    .doc = "from its start until its services must answer"}, \
	{"restart-limit", &kind_count, in(restart_limit), value("3"), .min = 0, .max = 32, \
	    .doc = "restarts in the window; 0: never"}, \
	{"restart-window", &kind_duration, in(restart_window_ms), value("1h"), .min = 1000, .max = 604800000, \
	    .doc = "in which restarts are counted"}, \
	{"restart-backoff", &kind_duration, in(restart_backoff_ms), value("10s"), .min = 0, .max = 86400000, \
	    .doc = "before the second restart in a row; doubles"}, \
	{"on-dependency-failure", &kind_choice, in(on_dependency), value("pause"), \
	    .choices = dependency_policy_names, \
	    .doc = "when a service that it needs is down: pause, alert or shutdown"}, \
	{"memory-high", &kind_count, in(memory_high_percent), value("90"), .min = 1, .max = 100, \
	    .doc = "percent used inside, over which it is given more"}, \
	{"memory-low", &kind_count, in(memory_low_percent), value("60"), .min = 0, .max = 99, \
	    .doc = "percent used inside, under which some is taken"}, \
	{"memory-step", &kind_count, in(memory_step_mib), value("64"), .min = 1, .max = 1048576, \
	    .doc = "MiB given or taken at a time"}, \
	{"memory-interval", &kind_duration, in(memory_interval_ms), value("30s"), .min = 1000, .max = 86400000, \
	    .doc = "between two such changes"}

static const struct key agent_keys[] = {
	{"name", &kind_host, IN_CONFIG(name), .max = VM_NAME_SIZE - 1,
	    .doc = "of this host, as managers see it"},
	{"state-dir", &kind_path, IN_CONFIG(state_dir), "/var/lib/lauxen", .max = 1023, .fixed = true,
	    .doc = "the store"},
	{"run-dir", &kind_path, IN_CONFIG(run_dir), "/run/lauxen", .max = 1023, .fixed = true,
	    .doc = "records of running actions"},
	{"save-dir", &kind_path, IN_CONFIG(save_dir), "/var/lib/lauxen-save", .max = 1023,
	    .doc = "states of saved VMs"},
	{"agentx-socket", &kind_socket, IN_CONFIG(agentx_socket), "unix:/var/agentx/master",
	    .max = SOCKET_PATH_MAX, .doc = "where snmpd listens for AgentX"},
	{"journal-size", &kind_number, IN_CONFIG(journal_size), "1000", 10, 100000, .fixed = true,
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
	{"shutdown-timeout", &kind_duration, IN_CONFIG_POLICY(shutdown_ms), "1min", 1000, 86400000,
	    .doc = "what a guest gets to shut down"},
	{"shutdown-escalation", &kind_flag, IN_CONFIG_POLICY(shutdown_destroys), "fail",
	    .choices = escalation_names, .doc = "then: fail or destroy"},
	{"storage", &kind_paths, IN_CONFIG(pools), "/", .min = 64, .max = 127,
	    .doc = "paths whose size and free space are watched"},
	{0},
};

static const struct key supervision_keys[] = {
	WATCH_KEYS(IN_CONFIG_WATCH, DEFAULT),
	POLICY_KEYS(IN_CONFIG_POLICY, DEFAULT),
	{0},
};

static const struct key service_keys[] = {
	{"protocol", &kind_choice, IN_SERVICE(kind), "tcp", .choices = service_kind_names,
	    .doc = "tcp, udp, icmp or plugin"},
	{"port", &kind_port, IN_SERVICE(port), .min = 1, .max = 65535, .doc = "of tcp and udp"},
	{"address", &kind_address, IN_SERVICE(address), .max = ADDRESS_SIZE - 1, .inherited = true,
	    .doc = "instead of that of who offers it"},
	{"command", &kind_command, IN_SERVICE(command), .max = COMMAND_MAX,
	    .doc = "of a Nagios plugin; %a: address, %p: port"},
	{"payload", &kind_option, IN_SERVICE(payload), "", .choices = probe_payload_names,
	    .doc = "what is said over udp; default: what is usual on its port"},
	{"silence", &kind_option, IN_SERVICE(silence), "", .choices = silence_names,
	    .doc = "no answer over udp, and no word that there is none: up or down; default: up where payload is empty"},
	WATCH_KEYS(IN_SERVICE_WATCH, INHERITED),
	{0},
};

static const struct key external_keys[] = {
	{"address", &kind_address, IN_EXTERNAL(provider.address), .max = ADDRESS_SIZE - 1,
	    .doc = "IPv4 or IPv6"},
	{"host", &kind_host, IN_EXTERNAL(host), .max = VM_NAME_SIZE - 1,
	    .doc = "the Dom0 that it is a VM of"},
	{"services", &kind_services, IN_EXTERNAL(provider), .doc = "PORT/tcp, PORT/udp, icmp"},
	WATCH_KEYS(IN_EXTERNAL_WATCH, INHERITED),
	{0},
};

static const struct key vm_keys[] = {
	{"file", &kind_path, IN_VM(file), .max = 1023, .required = true, .doc = "its xl.cfg(5) file"},
	{"uuid", &kind_uuid, IN_VM(uuid), .doc = "instead of the one in its file"},
	{"address", &kind_address, IN_VM(provider.address), .max = 47, .doc = "IPv4 or IPv6"},
	{"group", &kind_text, IN_VM(group), .max = 31, .doc = "any word, for sorting"},
	{"memory", &kind_number, IN_VM(memory_mib), NULL, 16, 16777216,
	    .doc = "MiB, set after the start"},
	{"memory-min", &kind_number, IN_VM(memory_min_mib), NULL, 16, 16777216,
	    .doc = "MiB; with memory-max: its memory follows its use"},
	{"memory-max", &kind_number, IN_VM(memory_max_mib), NULL, 16, 16777216, .doc = "MiB"},
	{"services", &kind_services, IN_VM(provider), .doc = "PORT/tcp, PORT/udp, icmp"},
	{"needs", &kind_needs, IN_VM(needs_text), .max = VM_NAME_SIZE + SERVICE_NAME_SIZE - 1,
	    .doc = "PROVIDER:SERVICE, or PROVIDER: all of it"},
	{"standby", &kind_vm_name, IN_VM(standby_name), .max = VM_NAME_SIZE - 1,
	    .doc = "the VM that stands in for it"},
	{"shutdown-timeout", &kind_duration, IN_VM_POLICY(shutdown_ms), NULL, 1000, 86400000,
	    .inherited = true, .doc = "what its guest gets to shut down"},
	{"shutdown-escalation", &kind_flag, IN_VM_POLICY(shutdown_destroys), NULL,
	    .choices = escalation_names, .inherited = true, .doc = "then: fail or destroy"},
	WATCH_KEYS(IN_VM_WATCH, INHERITED),
	POLICY_KEYS(IN_VM_POLICY, INHERITED),
	{0},
};

/* That of a VM has the most. */
_Static_assert(sizeof(vm_keys) / sizeof(vm_keys[0]) <= KEYS_MAX, "KEYS_MAX is too small");
_Static_assert(KEYS_MAX <= 64, "given has a bit for each key");

const struct section sections[SECTION_COUNT] = {
	[SECTION_AGENT] = {"agent", "lauxend itself", agent_keys, .titled = false},
	[SECTION_HYPERVISOR] = {"hypervisor", "the host's hypervisor", hypervisor_keys, .titled = false},
	[SECTION_SUPERVISION] = {"supervision", "what all VMs have", supervision_keys, .titled = false},
	[SECTION_VM] = {"vm", "a virtual machine", vm_keys, .titled = true, .offers = true},
	[SECTION_EXTERNAL] = {"external", "who else offers services", external_keys, .titled = true,
	    .offers = true},
	[SECTION_SERVICE] = {"service", "what a VM offers", service_keys, .titled = true,
	    .nested = true},
};
/* clang-format on */
