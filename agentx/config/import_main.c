#include "config/import.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define DEFAULT_XL "/etc/xen/NAME.cfg"
#define DEFAULT_HOSTS "/etc/hosts"

enum { EXIT_USAGE = 2 };

static const char help[] =
    "usage: lauxend --import FILE [-x PATH] [-a FILE] [-e NAME]...\n"
    "Prints, in the form of lauxen.conf(5), what FILE says in the syntax of LauXen of 2008:\n"
    "  www(22T, 80T, 443T){300}: dns(53U) nfs-server(2049T)\n"
    "Where anything is wrong it says so, and prints nothing.\n"
    "  -x, --xl PATH        the VMs' xl files; NAME in it stands for the VM (" DEFAULT_XL ")\n"
    "  -a, --hosts FILE     addresses of VMs, as hosts(5) has them (" DEFAULT_HOSTS ")\n"
    "  -e, --external NAME  this is needed and is no VM of FILE: another host, or a VM of one\n"
    "  -h, --help           this text\n"
    "Exit status: 0 it is printed, 1 something is wrong with FILE, 2 bad use.\n"
    "Example:\n"
    "  lauxend --import old.conf -e mail >new.conf && lauxend -n -f new.conf\n";

static const struct option long_options[] = {{"xl", required_argument, NULL, 'x'},
					     {"hosts", required_argument, NULL, 'a'},
					     {"external", required_argument, NULL, 'e'},
					     {"help", no_argument, NULL, 'h'},
					     {0}};

static int
usage_error(const char *what, const char *which)
{
	fprintf(stderr, "lauxend: %s%s; see lauxend --import --help\n", what, which);
	return EXIT_USAGE;
}

static int
read_options(int argc, char **argv, struct import *import, char **externals, bool *asked)
{
	int option;

	while ((option = getopt_long(argc, argv, "x:a:e:h", long_options, NULL)) != -1)
		switch (option) {
		case 'x':
			import->xl = optarg;
			break;
		case 'a':
			import->hosts = optarg;
			break;
		case 'e':
			externals[import->externals_count++] = optarg;
			break;
		case 'h':
			*asked = true;
			return 0;
		default:
			return usage_error("an option is wrong", "");
		}
	if (argc - optind != 1)
		return usage_error("one file is needed", "");
	if (*import->xl != '/' || !strstr(import->xl, "NAME"))
		return usage_error("this is no absolute path with NAME in it: ", import->xl);
	import->file = argv[optind];
	return 0;
}

static void
print_error(void *arg, const char *error)
{
	(void)arg;
	fprintf(stderr, "%s\n", error);
}

static int
run_import(const struct import *import)
{
	struct import_rest rest;

	if (!config_import(import, stdout, &rest, print_error, NULL))
		return EXIT_FAILURE;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "lauxend: it cannot be printed: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	if (rest.unaddressed)
		fprintf(stderr,
			"lauxend: %zu without an address; fill them in where the text says so\n",
			rest.unaddressed);
	if (rest.fileless)
		fprintf(stderr, "lauxend: %zu VMs without an xl file at %s; is --xl right?\n",
			rest.fileless, import->xl);
	return EXIT_SUCCESS;
}

int
import_main(int argc, char **argv)
{
	char **externals = mem_array((size_t)argc, sizeof(*externals));
	struct import import = {.xl = DEFAULT_XL, .hosts = NULL, .externals = externals};
	bool asked = false;
	int rc = read_options(argc, argv, &import, externals, &asked);

	if (!import.hosts && access(DEFAULT_HOSTS, R_OK) == 0)
		import.hosts = DEFAULT_HOSTS;
	if (asked)
		fputs(help, stdout);
	else if (rc == 0)
		rc = run_import(&import);
	free(externals);
	return rc;
}
