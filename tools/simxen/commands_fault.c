/* The commands that inject faults. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tools/simxen/command.h"
#include "tools/simxen/figures.h"
#include "tools/simxen/server.h"

/* Does something to one domain; returns false with a text in the model's error. */
typedef bool change_domain(struct command_run *run, struct domain *d);

/*
 * Applies change to the domain of the first word, or, with "all", to every domain that it can be
 * applied to. The list may shrink and grow meanwhile, so it goes by domid.
 */
static int
for_domains(struct command_run *run, change_domain *change)
{
	struct model *m = run->host->model;
	struct domain *d;
	uint32_t end = m->next_domid;

	if (strcmp(run->args.word[0], "all") != 0) {
		d = command_domain(run, 0);
		if (d && change(run, d))
			return COMMAND_OK;
		if (d)
			fprintf(run->out, "%s\n", m->error);
		return COMMAND_FAILED;
	}
	for (uint32_t domid = 1; domid < end; domid++)
		if ((d = model_by_domid(m, domid)))
			change(run, d);
	return COMMAND_OK;
}

static bool
crash(struct command_run *run, struct domain *d)
{
	(void)run;
	return model_crash(d);
}

static bool
poweroff(struct command_run *run, struct domain *d)
{
	(void)run;
	return model_guest_end(d, REASON_POWEROFF);
}

static bool
greboot(struct command_run *run, struct domain *d)
{
	(void)run;
	return model_guest_end(d, REASON_REBOOT);
}

#define PANIC_MS 1000 /* a kernel's report, before it tells the hypervisor */

static bool
panic(struct command_run *run, struct domain *d)
{
	(void)run;
	return model_panic(d, PANIC_MS);
}

static bool
hang(struct command_run *run, struct domain *d)
{
	(void)run;
	return model_panic(d, -1);
}

static int
run_crash(struct command_run *run)
{
	return for_domains(run, crash);
}

static int
run_poweroff(struct command_run *run)
{
	return for_domains(run, poweroff);
}

static int
run_greboot(struct command_run *run)
{
	return for_domains(run, greboot);
}

static int
run_panic(struct command_run *run)
{
	return for_domains(run, panic);
}

static int
run_hang(struct command_run *run)
{
	return for_domains(run, hang);
}

/* PORT is "tcp:80", "udp:53", or "80" for whichever the VM has. */
static bool
fault_services(struct command_run *run, struct domain *d, enum service_fault fault)
{
	const char *port = run->args.word[1];
	bool found = false;

	for (uint32_t i = 0; i < d->def.service_count; i++) {
		char with_protocol[16], alone[8];

		snprintf(with_protocol, sizeof(with_protocol), "%s:%u",
			 d->def.services[i].udp ? "udp" : "tcp", d->def.services[i].port);
		snprintf(alone, sizeof(alone), "%u", d->def.services[i].port);
		if (strcmp(port, with_protocol) == 0 || strcmp(port, alone) == 0 ||
		    strcmp(port, "all") == 0)
			found |= model_set_fault(d, &d->def.services[i], fault, run->args.lasting);
	}
	return found || model_fail(d->model, "%s: has no service %s", d->def.name, port);
}

static bool
service_hang(struct command_run *run, struct domain *d)
{
	return fault_services(run, d, FAULT_HANG);
}

static bool
service_stop(struct command_run *run, struct domain *d)
{
	return fault_services(run, d, FAULT_STOP);
}

static bool
service_ok(struct command_run *run, struct domain *d)
{
	return fault_services(run, d, FAULT_NONE);
}

static int
run_service_hang(struct command_run *run)
{
	return for_domains(run, service_hang);
}

static int
run_service_stop(struct command_run *run)
{
	return for_domains(run, service_stop);
}

static int
run_service_ok(struct command_run *run)
{
	return for_domains(run, service_ok);
}

/* The number in word 1, or -1 for "own": as the domain would have it by itself. */
static bool
number_or_own(struct command_run *run, int64_t most, int64_t *number)
{
	*number = -1;
	return strcmp(run->args.word[1], "own") == 0 || command_number(run, 1, 0, most, number);
}

static bool
load(struct command_run *run, struct domain *d)
{
	figures_set_load(d, strcmp(run->args.word[1], "own") == 0 ? -1 : atoi(run->args.word[1]));
	return true;
}

static int
run_load(struct command_run *run)
{
	int64_t number;

	return number_or_own(run, 100, &number) ? for_domains(run, load) : COMMAND_USAGE;
}

static bool
used(struct command_run *run, struct domain *d)
{
	return number_or_own(run, VMDEF_MEMORY, &d->def.used_mib);
}

static int
run_used(struct command_run *run)
{
	int64_t number;

	return number_or_own(run, VMDEF_MEMORY, &number) ? for_domains(run, used) : COMMAND_USAGE;
}

static bool
meminfo(struct command_run *run, struct domain *d)
{
	bool own = strcmp(run->args.word[1], "own") == 0;
	const char *text[2] = {run->args.word[1], run->args.word[run->args.count - 1]};

	for (int i = 0; i < 2; i++)
		snprintf(d->meminfo[i], sizeof(d->meminfo[i]), "%s", own ? "" : text[i]);
	return true;
}

static int
run_meminfo(struct command_run *run)
{
	return for_domains(run, meminfo);
}

/* Adds or takes back an injection into actions; word 0 is the verb, word 1 what comes with it. */
static int
inject(struct command_run *run, struct injection injection)
{
	struct inject *list = &run->host->ops.inject;
	int verb = inject_verb(run->args.word[0]);

	if (verb < 0) {
		fprintf(run->out, "%s: no such verb\n", run->args.word[0]);
		return COMMAND_USAGE;
	}
	injection.verb = (enum verb)verb;
	injection.left = run->args.times;
	TEXT_SET(injection.vm, run->args.vm);
	if (run->args.count > 1 && strcmp(run->args.word[1], "off") == 0)
		inject_remove(list, injection.kind, injection.verb, injection.vm);
	else
		inject_add(list, &injection);
	return COMMAND_OK;
}

static int
run_slow(struct command_run *run)
{
	struct injection injection = {.kind = INJECT_SLOW};

	if (strcmp(run->args.word[1], "off") != 0 &&
	    !command_number(run, 1, 0, 86400000, &injection.delay_ms))
		return COMMAND_USAGE;
	return inject(run, injection);
}

static int
run_fail(struct command_run *run)
{
	struct injection injection = {.kind = INJECT_FAIL};

	TEXT_SET(injection.text, run->args.count > 1 ? run->args.word[1] : "injected failure");
	return inject(run, injection);
}

static int
run_never(struct command_run *run)
{
	if (run->args.count > 1 && strcmp(run->args.word[1], "off") != 0) {
		fprintf(run->out, "%s: only off may follow the verb\n", run->args.word[1]);
		return COMMAND_USAGE;
	}
	return inject(run, (struct injection){.kind = INJECT_NEVER});
}

/* Sets a switch by word 0. */
static int
set_switch(struct command_run *run, bool *value)
{
	bool on = strcmp(run->args.word[0], "on") == 0;

	if (!on && strcmp(run->args.word[0], "off") != 0) {
		fprintf(run->out, "%s: must be on or off\n", run->args.word[0]);
		return COMMAND_USAGE;
	}
	*value = on;
	if (run->host->server)
		server_mood(run->host->server);
	return COMMAND_OK;
}

static int
run_silent(struct command_run *run)
{
	return set_switch(run, &run->host->silent);
}

static int
run_xenstore_hang(struct command_run *run)
{
	return set_switch(run, &run->host->xenstore_hangs);
}

static int
run_empty_list(struct command_run *run)
{
	return set_switch(run, &run->host->empty_list);
}

static int
run_memory_full(struct command_run *run)
{
	return set_switch(run, &run->host->model->memory_full);
}

static int
run_disk_full(struct command_run *run)
{
	return set_switch(run, &run->host->ops.disk_full);
}

static int
run_heal(struct command_run *run)
{
	struct host *host = run->host;

	inject_clear(&host->ops.inject);
	host->silent = host->xenstore_hangs = host->empty_list = false;
	host->model->memory_full = host->ops.disk_full = false;
	if (host->server)
		server_mood(host->server);
	return COMMAND_OK;
}

const struct command commands_fault[] = {
    {"crash", "VM|all", "the hypervisor ends the domain: crashed", 1, 1, run_crash, 0},
    {"panic", "VM|all", "its kernel panics: silent at once, crashed 1 s later", 1, 1, run_panic, 0},
    {"hang", "VM|all", "its kernel hangs: silent, and stays so", 1, 1, run_hang, 0},
    {"poweroff", "VM|all", "the guest powers itself off", 1, 1, run_poweroff, 0},
    {"greboot", "VM|all", "the guest reboots itself", 1, 1, run_greboot, 0},
    {"service-hang", "VM|all PORT|all [--lasting]", "a service answers nothing", 2, 2,
     run_service_hang, 0},
    {"service-stop", "VM|all PORT|all [--lasting]", "a service is refused", 2, 2, run_service_stop,
     0},
    {"service-ok", "VM|all PORT|all", "a service is well again", 2, 2, run_service_ok, 0},
    {"load", "VM|all PERCENT|own", "CPU that each vCPU uses", 2, 2, run_load, 0},
    {"used", "VM|all MIB|own", "memory used inside", 2, 2, run_used, 0},
    {"meminfo", "VM|all TOTAL [FREE]|own", "what the guest writes to data/meminfo_*", 2, 3,
     run_meminfo, 0},
    {"slow", "VERB|all MS|off [-v VM] [-n N]", "actions take longer", 2, 2, run_slow, 0},
    {"fail", "VERB|all [TEXT|off] [-v VM] [-n N]", "actions fail", 1, 2, run_fail, 0},
    {"never", "VERB|all [off] [-v VM] [-n N]", "actions never end", 1, 2, run_never, 0},
    {"silent", "on|off", "the hypervisor answers nothing at all", 1, 1, run_silent, 0},
    {"xenstore-hang", "on|off", "no names, no figures, few actions", 1, 1, run_xenstore_hang, 0},
    {"empty-list", "on|off", "lists have no domain, not even Domain-0", 1, 1, run_empty_list, 0},
    {"host-memory-full", "on|off", "the host has no memory left", 1, 1, run_memory_full, 0},
    {"disk-full", "on|off", "save files cannot be written", 1, 1, run_disk_full, 0},
    {"heal", "", "take all of these back, services and guests apart", 0, 0, run_heal, 0},
    {NULL, NULL, NULL, 0, 0, NULL, 0},
};
