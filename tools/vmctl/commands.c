#include <string.h>

#include "tools/vmctl/vmctl.h"

#define OPTIONS(...)                                                                               \
	(const int[])                                                                              \
	{                                                                                          \
		__VA_ARGS__, 0                                                                     \
	}

#define ACTS OPT_ALL, OPT_YES, OPT_DRY_RUN, OPT_NO_WAIT, OPT_WAIT, OPT_ID
#define ACT_HELP                                                                                   \
	"It waits for the outcome of each; Ctrl-C stops waiting, not the work. With --id the "     \
	"same\n"                                                                                   \
	"command may be given again without being done twice.\n"

const struct command commands[] = {
    {"hosts", "[HOST ...]", "the hosts, how they are, and what they have left", NULL,
     "  vmctl hosts\n"
     "  vmctl hosts -o host,memoryFree,cpuUsed --json\n",
     NULL, cmd_hosts},
    {"list", "[TARGET ...]", "VMs with their state and figures", NULL,
     "  vmctl list\n"
     "  vmctl list group:web state:paused\n"
     "  vmctl list host:dom0-a -o name,memory,memoryUsed --csv\n",
     OPTIONS(OPT_ALL), cmd_list},
    {"show", "TARGET ...", "everything that is known about a VM", NULL,
     "  vmctl show www\n"
     "  vmctl show www --json\n",
     OPTIONS(OPT_ALL), cmd_show},
    {"locate", "[TARGET ...]", "where each VM is", NULL,
     "  vmctl locate www\n"
     "  vmctl locate host:dom0-a -o name --no-header\n",
     OPTIONS(OPT_ALL), cmd_locate},
    {"state", "[TARGET ...]", "the state of VMs, since when, and why", NULL,
     "  vmctl state www db\n"
     "  vmctl state health:failed\n",
     OPTIONS(OPT_ALL), cmd_state},
    {"services", "[PROVIDER[:SERVICE] ...]", "services, whether they answer, who needs them", NULL,
     "  vmctl services\n"
     "  vmctl services db 'dns:*' host:dom0-a\n",
     NULL, cmd_services},
    {"deps", "[TARGET ...]", "what needs what, over all hosts",
     "--required-by: the other way round. --dot and --svg draw it; circles are said.\n",
     "  vmctl deps www\n"
     "  vmctl deps db --required-by\n"
     "  vmctl deps --svg >vms.svg\n"
     "  vmctl deps --dot | dot -Tpdf >vms.pdf\n",
     OPTIONS(OPT_ALL, OPT_REQUIRED_BY, OPT_DOT, OPT_SVG), cmd_deps},
    {"plan", "[TARGET ...]", "what each VM is to be, what it waits for, and why", NULL,
     "  vmctl plan\n"
     "  vmctl plan group:web --json\n",
     NULL, cmd_vm_rows},
    {"nets", "[TARGET ...]", "network interfaces of VMs: octets, errors, drops", NULL,
     "  vmctl nets www\n"
     "  vmctl nets --csv -o vmName,name,inOctets,outOctets\n",
     NULL, cmd_vm_rows},
    {"disks", "[TARGET ...]", "disks of VMs: what was read and written", NULL,
     "  vmctl disks www\n"
     "  vmctl disks group:db --json\n",
     NULL, cmd_vm_rows},
    {"storage", "[HOST ...]", "what is free where hosts keep disks", NULL,
     "  vmctl storage\n"
     "  vmctl storage dom0-a -o path,free --csv\n",
     NULL, cmd_storage},
    {"events", "[TARGET ...]", "what happened, on all hosts",
     "Of each host the last 50, or --last N, or those after --since NUMBER (of one host). With\n"
     "--state-file FILE those after the last ones that it was given with this file: none is\n"
     "missed. --follow goes on; with --json a line for each.\n",
     "  vmctl events\n"
     "  vmctl events www --follow\n"
     "  vmctl events -H dom0-a --since 1200\n"
     "  vmctl events --state-file /var/lib/noc/events --json\n",
     OPTIONS(OPT_FOLLOW, OPT_SINCE, OPT_LAST, OPT_STATE_FILE), cmd_events},
    {"requests", "[VM|ID ...]", "what was asked for, and what became of it", NULL,
     "  vmctl requests\n"
     "  vmctl requests www\n",
     NULL, cmd_requests},
    {"top", "[TARGET ...]", "VMs as they are now, and now, and now",
     "Keys: n name, c CPU, m memory, u memory used, s state, h host: sort by it; r turns round;\n"
     "/ filter; space now; q ends. --once prints one screen.\n",
     "  vmctl top\n"
     "  vmctl top group:web --sort cpu --interval 5\n",
     OPTIONS(OPT_ALL, OPT_SORT, OPT_INTERVAL, OPT_ONCE), cmd_top},
    {"start", "TARGET ...", "start VMs, without regard to what they need", ACT_HELP,
     "  vmctl start www\n"
     "  vmctl start group:web --no-wait\n",
     OPTIONS(ACTS), cmd_action},
    {"launch", "TARGET ...", "start VMs in order, with all that they need, over all hosts",
     ACT_HELP,
     "  vmctl launch www\n"
     "  vmctl launch --all --dry-run\n",
     OPTIONS(ACTS), cmd_launch},
    {"shutdown", "TARGET ...", "shut VMs down in order, dependents first, over all hosts", ACT_HELP,
     "  vmctl shutdown www\n"
     "  vmctl shutdown host:dom0-a --yes\n"
     "  vmctl shutdown --all --wait 600\n",
     OPTIONS(ACTS), cmd_action},
    {"reboot", "TARGET ...", "reboot VMs", ACT_HELP,
     "  vmctl reboot www\n"
     "  vmctl reboot 'test*' --yes\n",
     OPTIONS(ACTS), cmd_action},
    {"pause", "TARGET ...", "pause VMs", ACT_HELP, "  vmctl pause www\n", OPTIONS(ACTS),
     cmd_action},
    {"unpause", "TARGET ...", "let paused VMs run again", ACT_HELP,
     "  vmctl unpause state:paused\n", OPTIONS(ACTS), cmd_action},
    {"destroy", "TARGET ...", "end VMs at once, as by pulling the plug; their disks stay", ACT_HELP,
     "  vmctl destroy www\n", OPTIONS(ACTS), cmd_action},
    {"save", "TARGET ...", "save the state of VMs to their host's disk, and end them", ACT_HELP,
     "  vmctl save www\n", OPTIONS(ACTS), cmd_action},
    {"restore", "TARGET ...", "let saved VMs go on", ACT_HELP, "  vmctl restore www\n",
     OPTIONS(ACTS), cmd_action},
    {"memory", "TARGET=SIZE ...", "give VMs that are up this much memory (MiB, or 2G)", ACT_HELP,
     "  vmctl memory www=512 db=2G\n"
     "  vmctl memory 'group:web=768M' --dry-run\n",
     OPTIONS(OPT_YES, OPT_DRY_RUN, OPT_NO_WAIT, OPT_WAIT, OPT_ID), cmd_memory},
    {"maintenance", "on|off TARGET ...", "leave VMs alone for a while, or look after them again",
     "--for 2h ends it by itself.\n" ACT_HELP,
     "  vmctl maintenance on www --for 2h\n"
     "  vmctl maintenance off --all\n",
     OPTIONS(ACTS, OPT_FOR), cmd_maintenance},
    {"rebuild", "HOST ...", "let hosts read their configuration anew", ACT_HELP,
     "  vmctl rebuild dom0-a\n"
     "  vmctl rebuild --all\n",
     OPTIONS(OPT_ALL, OPT_DRY_RUN, OPT_NO_WAIT, OPT_WAIT, OPT_ID), cmd_rebuild},
    {"cancel", "ID ...", "take back requests that have not begun", NULL,
     "  vmctl cancel vmctl-69257c5e-0f33a0b3f0aa\n", NULL, cmd_cancel},
    {"check", "TARGET ...", "health as a monitoring plugin (Nagios, Icinga) has it",
     "TARGET is as elsewhere, or service:PROVIDER[:SERVICE], or hosts:HOST; --all is everything.\n"
     "Exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. --warning and --critical: "
     "KEY=NUMBER,...\n"
     "with the keys cpu and memory (percent of one CPU, of what the VM has).\n",
     "  vmctl check www\n"
     "  vmctl check group:web --warning memory=80,cpu=150 --critical memory=95\n"
     "  vmctl check service:db:5432/tcp\n"
     "  vmctl check hosts:dom0-a\n",
     OPTIONS(OPT_ALL, OPT_WARNING, OPT_CRITICAL), cmd_check},
    {"discover", "[RANGE ...]", "look for hosts with our agent",
     "RANGE is 10.0.0.0/24, 10.0.0.10-99, or an address; at most 65536. --broadcast ADDRESS asks\n"
     "all that hear it, --srv DOMAIN the DNS for _snmp._udp.DOMAIN. Prints lines for vmctl.conf.\n",
     "  vmctl discover 10.0.0.0/24\n"
     "  vmctl discover --broadcast 10.0.0.255\n"
     "  vmctl discover --srv example.org >>/etc/lauxen/vmctl.conf\n",
     OPTIONS(OPT_BROADCAST, OPT_SRV), cmd_discover},
    {"completion", "bash", "completion of commands, options and names for the shell", NULL,
     "  vmctl completion bash >/etc/bash_completion.d/vmctl\n", NULL, cmd_completion},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

const struct command *
command_find(const char *name)
{
	for (const struct command *command = commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

void
command_help(const struct command *command, FILE *to)
{
	fprintf(to, "usage: vmctl %s%s%s [OPTION ...]\n%s\n", command->name,
		*command->usage ? " " : "", command->usage, command->summary);
	if (command->help)
		fprintf(to, "%s", command->help);
	options_help(command, to);
	fprintf(to, "Examples:\n%s", command->examples);
}

void
commands_help(FILE *to)
{
	fprintf(to, "usage: vmctl COMMAND [WORD ...] [OPTION ...]\nCommands:\n");
	for (const struct command *command = commands; command->name; command++)
		fprintf(to, "  %-12s %s\n", command->name, command->summary);
	fprintf(
	    to,
	    "TARGET is a VM's name, a glob, group:NAME, host:NAME or state:STATE. Each command has "
	    "--help.\n");
}
