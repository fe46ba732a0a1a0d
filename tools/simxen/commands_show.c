/* The commands that only look. */
#include <inttypes.h>
#include <string.h>

#include "tools/simxen/command.h"
#include "tools/simxen/figures.h"
#include "tools/simxen/protocol.h"
#include "tools/simxen/services.h"
#include "tools/simxen/snapshot.h"

/* One word for what a domain is doing: what tests wait for. */
static const char *
state_word(const struct domain *d)
{
	static const char *const phases[] = {
	    [PHASE_BUILDING] = "building", [PHASE_DYING] = "dying"};
	static const char *const guests[] = {[GUEST_BOOTING] = "booting",
					     [GUEST_UP] = "up",
					     [GUEST_STOPPING] = "stopping",
					     [GUEST_HUNG] = "hung"};

	if (d->phase == PHASE_SHUTDOWN)
		return name_of(shutdown_reason_names, (int)d->reason);
	if (d->phase != PHASE_LIVE)
		return phases[d->phase];
	return d->pauses ? "paused" : guests[d->guest];
}

/* As in xl list: r-----. */
static void
flag_letters(const struct domain *d, char letters[static 7])
{
	static const struct {
		uint32_t flag;
		char letter;
	} all[] = {{SX_RUNNING, 'r'},  {SX_BLOCKED, 'b'}, {SX_PAUSED, 'p'},
		   {SX_SHUTDOWN, 's'}, {0, 'c'},	  {SX_DYING, 'd'}};
	uint32_t flags = snapshot_flags(d);

	for (int i = 0; i < 6; i++)
		letters[i] = flags & all[i].flag ? all[i].letter : '-';
	if (d->phase == PHASE_SHUTDOWN && d->reason == REASON_CRASH)
		letters[4] = 'c';
	letters[6] = '\0';
}

static int
run_list(struct command_run *run)
{
	const struct model *m = run->host->model;

	fprintf(run->out, "%-32s %5s %6s %5s  %-6s %9s  %s\n", "Name", "ID", "Mem", "VCPUs",
		"State", "Time(s)", "Doing");
	for (size_t i = 0; i < m->domain_count; i++) {
		const struct domain *d = m->domains[i];
		uint64_t cpu_ns = snapshot_cpu_ns(d);
		char letters[7];

		flag_letters(d, letters);
		fprintf(run->out, "%-32s %5u %6" PRIu64 " %5u  %s %7" PRIu64 ".%" PRIu64 "  %s\n",
			d->def.name, d->domid, domain_memory_kib(d) / 1024, d->def.vcpus, letters,
			cpu_ns / 1000000000, cpu_ns / 100000000 % 10, state_word(d));
	}
	return COMMAND_OK;
}

static int
run_state(struct command_run *run)
{
	const struct domain *d = model_find(run->host->model, run->args.word[0]);

	fprintf(run->out, "%s\n", d ? state_word(d) : "gone");
	return COMMAND_OK;
}

static void
show_memory(FILE *out, const struct domain *d)
{
	char total[32], free[32];

	fprintf(out, "memory: %" PRIu64 "\ntarget: %" PRIu64 "\nmaxmem: %u\n",
		domain_memory_kib(d) / 1024, d->target_kib / 1024, d->def.maxmem_mib);
	fprintf(out, "used: %" PRIu64 "\n", figures_used_kib(d) / 1024);
	if (figures_meminfo(d, total, free))
		fprintf(out, "meminfo_total: %s\nmeminfo_free: %s\n", total, free);
}

static void
show_services(struct command_run *run, const struct domain *d)
{
	static const char *const states[] = {
	    [PORT_CLOSED] = "closed", [PORT_SILENT] = "silent", [PORT_SERVING] = "serving"};

	for (uint32_t i = 0; i < d->def.service_count; i++) {
		const struct vmdef_service *s = &d->def.services[i];
		const char *error = services_error(d, i);
		unsigned port = s->port;

		if (run->host->services)
			port = services_port(run->host->services, s);
		fprintf(run->out, "service: %s:%u at %s:%u %s\n", s->udp ? "udp" : "tcp", s->port,
			*d->def.address ? d->def.address : "-", port,
			error ? error : states[model_service(d, i)]);
	}
}

static void
show_devices(FILE *out, const struct domain *d)
{
	for (uint32_t i = 0; i < d->def.vcpus; i++)
		fprintf(out, "vcpu: %u %s cpu_ns=%" PRIu64 "\n", i,
			figures_vcpu_running(d, i) ? "running" : "blocked", figures_vcpu_ns(d, i));
	for (uint32_t i = 0; i < d->def.vif_count; i++) {
		struct figures_vif f;
		char mac[18];

		figures_vif(d, i, &f);
		figures_mac(d, i, mac);
		fprintf(out,
			"vif: %u mac=%s bridge=%s rx_octets=%" PRIu64 " rx_packets=%" PRIu64
			" rx_errors=%" PRIu64 " rx_drops=%" PRIu64 " tx_octets=%" PRIu64
			" tx_packets=%" PRIu64 " tx_errors=%" PRIu64 " tx_drops=%" PRIu64 "\n",
			i, mac, d->def.vifs[i].bridge, f.rx_octets, f.rx_packets, f.rx_errors,
			f.rx_drops, f.tx_octets, f.tx_packets, f.tx_errors, f.tx_drops);
	}
	for (uint32_t i = 0; i < d->def.disk_count; i++) {
		struct figures_vbd f;

		figures_vbd(d, i, &f);
		fprintf(out,
			"vbd: %u %s target=%s read_requests=%" PRIu64 " read_octets=%" PRIu64
			" write_requests=%" PRIu64 " write_octets=%" PRIu64 " errors=%" PRIu64 "\n",
			figures_vbd_number(d, i), d->def.disks[i].vdev, d->def.disks[i].target,
			f.read_requests, f.read_octets, f.write_requests, f.write_octets, f.errors);
	}
}

static int
run_show(struct command_run *run)
{
	const struct domain *d = command_domain(run, 0);
	char letters[7];

	if (!d)
		return COMMAND_FAILED;
	flag_letters(d, letters);
	fprintf(run->out, "name: %s\ndomid: %u\nuuid: %s\nstate: %s\nflags: %s\npauses: %u\n",
		d->def.name, d->domid, d->def.uuid, state_word(d), letters, d->pauses);
	fprintf(run->out, "reason: %s\nmonitor: %s\nage_ms: %" PRId64 "\nactive_ms: %" PRId64 "\n",
		name_of(shutdown_reason_names, (int)d->reason), d->monitor ? "yes" : "no",
		d->model->now_ms - d->born_ms, domain_active_ms(d));
	fprintf(run->out, "on_poweroff: %s\non_reboot: %s\non_crash: %s\n",
		name_of(on_action_names, (int)d->def.on_poweroff),
		name_of(on_action_names, (int)d->def.on_reboot),
		name_of(on_action_names, (int)d->def.on_crash));
	show_memory(run->out, d);
	show_services(run, d);
	show_devices(run->out, d);
	return COMMAND_OK;
}

static int
run_host(struct command_run *run)
{
	const struct host *host = run->host;
	const struct model *m = host->model;
	static const char *const on[] = {"off", "on"};

	fprintf(run->out,
		"domains: %zu\nnext_domid: %u\ncpus: %u\nmemory: %" PRIu64 "\nfree: %" PRIu64
		"\nuptime_ms: %" PRId64 "\nseed: %" PRIu64 "\n",
		m->domain_count, m->next_domid, m->config.cpus, m->config.memory_mib,
		model_free_kib(m) / 1024, m->now_ms, m->config.seed);
	fprintf(
	    run->out,
	    "silent: %s\nxenstore-hang: %s\nempty-list: %s\nhost-memory-full: %s\ndisk-full: %s\n",
	    on[host->silent], on[host->xenstore_hangs], on[host->empty_list], on[m->memory_full],
	    on[host->ops.disk_full]);
	inject_print(&host->ops.inject, run->out);
	return COMMAND_OK;
}

const struct command commands_show[] = {
    {"list", "", "all domains, as `xl list` does", 0, 0, run_list, 0},
    {"show", "VM", "all there is to know of one", 1, 1, run_show, 0},
    {"state", "VM", "one word: building booting up stopping hung paused poweroff ... gone", 1, 1,
     run_state, 0},
    {"host", "", "the host, and what is injected", 0, 0, run_host, 0},
    {NULL, NULL, NULL, 0, 0, NULL, 0},
};
