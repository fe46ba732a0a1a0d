#include <string.h>

#include "tools/vmctl/vmctl.h"

#define OPTIONS(...)                                                                               \
	(const int[])                                                                              \
	{                                                                                          \
		__VA_ARGS__, 0                                                                     \
	}

const struct command commands[] = {
    {"hosts", "[HOST ...]", "the hosts, how they are, and what they have left", NULL,
     "  vmctl hosts\n  vmctl hosts -o host,memoryFree,cpuUsed --json\n", NULL, cmd_hosts},
    {"list", "[TARGET ...]", "VMs with their state and figures", NULL,
     "  vmctl list\n  vmctl list group:web state:paused\n  vmctl list host:dom0-a --csv\n",
     OPTIONS(OPT_ALL), cmd_list},
    {"show", "TARGET ...", "everything that is known about a VM", NULL,
     "  vmctl show www\n  vmctl show www --json\n", OPTIONS(OPT_ALL), cmd_show},
    {"locate", "[TARGET ...]", "where each VM is", NULL,
     "  vmctl locate www\n  vmctl locate host:dom0-a -o name --no-header\n", OPTIONS(OPT_ALL),
     cmd_locate},
    {"state", "[TARGET ...]", "the state of VMs, since when, and why", NULL,
     "  vmctl state www db\n  vmctl state health:failed\n", OPTIONS(OPT_ALL), cmd_state},
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
	fprintf(to, "Examples:\n%s", command->examples);
}

void
commands_help(FILE *to)
{
	fprintf(to, "usage: vmctl COMMAND [WORD ...] [OPTION ...]\nCommands:\n");
	for (const struct command *command = commands; command->name; command++)
		fprintf(to, "  %-12s %s\n", command->name, command->summary);
}
