/*
 * lauxend: options, and who is to be called. The agent itself is the parent (parent/parent.h) and
 * its three children; see lauxend(8).
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "config/config.h"
#include "config/import.h"
#include "control/control.h"
#include "hypervisor/hv.h"
#include "parent/parent.h"

#define DEFAULT_FILE "/etc/lauxen/lauxen.conf"
#define DEFAULT_USER "_lauxen"

enum { EXIT_USAGE = 2 };

enum { OPTION_CHILD = 256, OPTION_RECORD, OPTION_RUNNING, OPTION_VERSION };

static const struct option long_options[] = {
    {"file", required_argument, NULL, 'f'},
    {"foreground", no_argument, NULL, 'd'},
    {"verbose", no_argument, NULL, 'v'},
    {"check", no_argument, NULL, 'n'},
    {"user", required_argument, NULL, 'u'},
    {"child", required_argument, NULL, OPTION_CHILD},
    {"record", required_argument, NULL, OPTION_RECORD},
    {"running", no_argument, NULL, OPTION_RUNNING},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

static const char help[] =
    "usage: lauxend [-dnv] [-f FILE] [-u USER] [--record FILE]\n"
    "       lauxend --request VERB VM [NUMBER] [...]\n"
    "       lauxend --action VERB VM [NUMBER] [-f FILE]\n"
    "       lauxend --import OLD [...]\n"
    "  -f, --file FILE   the configuration (" DEFAULT_FILE ")\n"
    "  -d, --foreground  stay in the foreground, log to stderr\n"
    "  -v, --verbose     log more; with -n print the configuration, defaults included\n"
    "  -n, --check       check the configuration and end\n"
    "  -u, --user USER   whom engine and agentx run as, started by root (" DEFAULT_USER ")\n"
    "      --record FILE record what the engine is told, for who looks into a fault of it\n"
    "      --request ... hand a request to the running agent, as a manager would; first option, "
    "see\n"
    "                    lauxend --request --help\n"
    "      --action ...  without the agent, do to a VM what a manager may ask for: start,\n"
    "                    shutdown, reboot, pause,\n"
    "                    unpause, destroy, save, restore, memory (with its MiB); first option\n"
    "      --import ...  print what a configuration of LauXen of 2008 is in the new form; first "
    "option,\n"
    "                    see lauxend --import --help\n"
    "  -h, --help        this text\n"
    "      --version     the version\n"
    "Signals: HUP reads the configuration again, unless it has errors; TERM ends lauxend.\n"
    "Examples:\n"
    "  lauxend -n                     is the configuration good?\n"
    "  lauxend -nv -f new.conf        how is this one understood?\n"
    "  lauxend -d -v                  run it and watch\n"
    "  lauxend --request launch '*'   all VMs, in the order of what they need\n"
    "  lauxend --action pause www     as a manager's SET would\n"
    "  lauxend --action memory www 512\n";

struct arguments {
	const char *file, *user, *child, *record;
	bool foreground, check, running, help, version;
	int verbose;
};

static int
usage_error(const char *text, const char *what)
{
	fprintf(stderr, "lauxend: %s%s; see lauxend --help\n", text, what);
	return EXIT_USAGE;
}

/* 0, or the exit status. getopt_long() itself names an option that it does not know. */
static int
read_arguments(int argc, char **argv, struct arguments *arguments)
{
	int option;

	while ((option = getopt_long(argc, argv, "f:dvnu:h", long_options, NULL)) != -1)
		switch (option) {
		case 'f':
			arguments->file = optarg;
			break;
		case 'd':
			arguments->foreground = true;
			break;
		case 'v':
			arguments->verbose++;
			break;
		case 'n':
			arguments->check = true;
			break;
		case 'u':
			arguments->user = optarg;
			break;
		case 'h':
			arguments->help = true;
			break;
		case OPTION_CHILD:
			arguments->child = optarg;
			break;
		case OPTION_RECORD:
			arguments->record = optarg;
			break;
		case OPTION_RUNNING:
			arguments->running = true;
			break;
		case OPTION_VERSION:
			arguments->version = true;
			break;
		default:
			return usage_error("an option is wrong", "");
		}
	if (optind < argc)
		return usage_error("no argument is needed here: ", argv[optind]);
	return 0;
}

static void
print_error(void *arg, const char *error)
{
	(void)arg;
	fprintf(stderr, "%s\n", error);
}

/* --running: of a reload. The parent hands down what it runs with. */
static bool
may_follow_running(const struct config *config)
{
	struct config *running = config_load_checked(PROCESS_CONFIG_FD, print_error, NULL);
	bool may = running && config_may_follow(config, running, print_error, NULL);

	config_free(running);
	return may;
}

/* -n, -nv */
static int
check_file(const char *file, bool print, bool running)
{
	struct config *config = config_load(file, print_error, NULL);

	if (!config || (running && !may_follow_running(config))) {
		config_free(config);
		return EXIT_FAILURE;
	}
	if (print)
		config_print(config, stdout);
	else
		printf("%s: good, with %zu VMs\n", config->file, config->vms_count);
	config_free(config);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_SUCCESS;
	fprintf(stderr, "lauxend: it cannot be printed: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

static int
run_child(const char *name, const struct options *options)
{
	static int (*const mains[ROLE_COUNT])(const struct options *options) = {
	    [ROLE_HYPERVISOR] = hypervisor_main,
	    [ROLE_ENGINE] = engine_main,
	    [ROLE_AGENTX] = agentx_main};
	int role = name_value(role_names, name);

	if (role < 0 || !mains[role])
		return usage_error("there is no child ", name);
	return mains[role](options);
}

int
main(int argc, char **argv)
{
	struct arguments arguments = {.file = DEFAULT_FILE, .user = DEFAULT_USER};
	static struct options options;
	int rc;

	prctl(PR_SET_NAME, "lauxend"); /* it was "exe" where it started itself */
	if (argc > 1 && strcmp(argv[1], "--action") == 0)
		return action_main(argc - 1, argv + 1, DEFAULT_FILE);
	if (argc > 1 && strcmp(argv[1], "--request") == 0)
		return control_main(argc - 1, argv + 1, DEFAULT_FILE);
	if (argc > 1 && strcmp(argv[1], "--import") == 0)
		return import_main(argc - 1, argv + 1);
	rc = read_arguments(argc, argv, &arguments);
	if (rc)
		return rc;
	if (arguments.help || arguments.version) {
		fputs(arguments.help ? help : "lauxend " VERSION "\n", stdout);
		return EXIT_SUCCESS;
	}
	options = (struct options){
	    .foreground = arguments.foreground,
	    .verbose = arguments.verbose,
	    .record = arguments.record ? config_path(arguments.record) : NULL,
	};
	if (arguments.check)
		return check_file(arguments.file, arguments.verbose > 0, arguments.running);
	if (arguments.child)
		return run_child(arguments.child, &options);
	return parent_main(&options, config_path(arguments.file), arguments.user);
}
