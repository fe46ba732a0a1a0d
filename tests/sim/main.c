/* The simulator's command line. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "tests/sim/check.h"
#include "tests/sim/ops.h"
#include "tests/sim/random.h"
#include "tests/sim/replay.h"
#include "tests/sim/scenario.h"
#include "tests/sim/world.h"

static const char help[] =
    "usage: sim log [-v] [-r RECORDING] FILE...\n"
    "                                      what happens in scenarios; -v: all that is said and "
    "done\n"
    "       sim random [-s SEED] [-r RUNS] [-n STEPS] [-t SECONDS] [-f FAILURES] [-w FOLDER]\n"
    "                                      random runs from that seed on; what fails is made "
    "small\n"
    "                                      and written to the folder; -f 0: all is only counted\n"
    "       sim seed SEED                  the scenario of a seed\n"
    "       sim prove [-s SEED] [RULE...]  that a broken rule is found: each with a lie of the "
    "world\n"
    "       sim replay [-q] FILE           plays a recording (lauxend --record): its effects, and\n"
    "                                      whether they are those of then\n"
    "What can happen in a scenario (scenario.h has its form):\n";

static bool verbose;

/* ---- the log of the engine's parts ---- */

void
log_open(const char *role, bool foreground, int level)
{
	(void)role, (void)foreground, (void)level;
}

#define LOG(name)                                                                                  \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		if (!verbose)                                                                      \
			return;                                                                    \
		va_start(args, format);                                                            \
		fputs("          log     ", stdout);                                               \
		vprintf(format, args);                                                             \
		fputc('\n', stdout);                                                               \
		va_end(args);                                                                      \
	}
LOG(log_debug)
LOG(log_info)
LOG(log_warn)
LOG(log_error)

void
fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("sim: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

/* ---- sim log ---- */

static void
read_file(struct scenario *scenario, const char *path)
{
	FILE *from = fopen(path, "re");
	const char *name = strrchr(path, '/');
	char error[256];

	if (!from || !scenario_read(scenario, from, error))
		fatal("%s: %s", path, from ? error : "cannot be read");
	fclose(from);
	TEXT_SET(scenario->name, name ? name + 1 : path);
}

static int
log_main(int count, char **words)
{
	const char *recording = NULL;
	int rc = 0;

	if (count > 0 && strcmp(words[0], "-v") == 0) {
		verbose = true;
		count--, words++;
	}
	if (count > 1 && strcmp(words[0], "-r") == 0) {
		recording = words[1];
		count -= 2, words += 2;
	}
	for (int i = 0; i < count; i++) {
		struct scenario scenario;
		struct world *world;

		read_file(&scenario, words[i]);
		world = world_new(&scenario, verbose ? NULL : stdout, verbose ? stdout : NULL);
		world->recording = recording;
		world_run(world);
		if (verbose)
			printf("%" PRIu64 " steps, %016" PRIx64 "\n", world->steps, world->hash);
		rc |= check_failed(world->check);
		world_free(world);
		scenario_dispose(&scenario);
	}
	return rc;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *word;
		int (*run)(int count, char **words);
	} commands[] = {
	    {"log", log_main},		{"random", random_main},
	    {"seed", random_seed_main}, {"prove", random_prove_main},
	    {"replay", replay_main},
	};

	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].word, argv[1]) == 0)
			return commands[i].run(argc - 2, argv + 2);
	fputs(help, stdout);
	ops_help(stdout);
	return argc > 1 && strcmp(argv[1], "help") == 0 ? 0 : 2;
}
