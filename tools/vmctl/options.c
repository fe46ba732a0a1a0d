#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/vmctl/vmctl.h"

/* All there are: what they take (NULL: nothing), and what they are for. A letter is its own id. */
static const struct {
	const char *name;
	int id;
	const char *word;
	const char *doc;
} all[] = {
    {"all", OPT_ALL, NULL, "everything that it could be about"},
    {"yes", OPT_YES, NULL, "do not ask before what ends or stops VMs"},
    {"dry-run", OPT_DRY_RUN, NULL, "print what would be done, in its order"},
    {"no-wait", OPT_NO_WAIT, NULL, "print the requests' ids, and do not wait for their ends"},
    {"wait", OPT_WAIT, "SECONDS", "wait no longer than that"},
    {"id", OPT_ID, "ID", "of the request: given again it is not done twice"},
    {"for", OPT_FOR, "DURATION", "30min, 2h or 1d; then it is over by itself"},
    {"follow", OPT_FOLLOW, NULL, "go on with what comes"},
    {"since", OPT_SINCE, "NUMBER", "those after that event of one host"},
    {"last", OPT_LAST, "N", "the last so many of each host"},
    {"state-file", OPT_STATE_FILE, "FILE", "begin where the last run with it ended"},
    {"required-by", OPT_REQUIRED_BY, NULL, "the other way round: who needs it"},
    {"dot", OPT_DOT, NULL, "a drawing, for Graphviz"},
    {"svg", OPT_SVG, NULL, "a drawing, as SVG"},
    {"warning", OPT_WARNING, "KEY=N,...", "over that it is a warning"},
    {"critical", OPT_CRITICAL, "KEY=N,...", "over that it is critical"},
    {"broadcast", OPT_BROADCAST, "ADDRESS", "ask all who hear that"},
    {"srv", OPT_SRV, "DOMAIN", "ask the DNS"},
    {"interval", OPT_INTERVAL, "SECONDS", "between two looks"},
    {"once", OPT_ONCE, NULL, "one screen, and the end"},
    {"sort", OPT_SORT, "KEY", "sort by that column"},
    {"columns", OPT_COLUMNS, "KEY,...", "these columns; all: all that there are"},
    {"json", OPT_JSON, NULL, "JSON, for programs"},
    {"csv", OPT_CSV, NULL, "lines with commas"},
    {"no-header", OPT_NO_HEADER, NULL, "no line of titles"},
    {"absolute", OPT_ABSOLUTE, NULL, "times as dates, not as how long ago"},
    {"color", OPT_COLOR, "WHEN", "auto, always or never"},
    {"host", OPT_HOST, "HOST", "only this host, or group of hosts; may be repeated"},
    {"file", OPT_FILE, "FILE", "the configuration (/etc/lauxen/vmctl.conf)"},
    {"timeout", OPT_TIMEOUT, "TIME", "of each try: 500ms, 2s"},
    {"retries", OPT_RETRIES, "N", "further tries"},
    {"verbose", 'v', NULL, "name all hosts that did not answer"},
    {"help", 'h', NULL, "this text"},
    {"version", OPT_VERSION, NULL, "the version"},
};
enum { OPTIONS_ALL = sizeof(all) / sizeof(all[0]) };

#define LETTERS "f:H:ayno:s:vh"

/* Those that every command takes. */
static const int common[] = {
    OPT_FILE,	 OPT_HOST,    OPT_JSON,	   OPT_CSV, OPT_NO_HEADER, OPT_ABSOLUTE, OPT_COLOR,
    OPT_COLUMNS, OPT_TIMEOUT, OPT_RETRIES, 'v',	    'h',	   OPT_VERSION,	 0};

static char first_error[1024];

void
error_keep(const char *text)
{
	if (!*first_error)
		TEXT_SET(first_error, text);
}

const char *
error_kept(void)
{
	return first_error;
}

int
usage_error(const struct context *context, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "vmctl%s%s: %s\n", context->command ? " " : "",
		context->command ? context->command : "", text);
	error_keep(text);
	return EXIT_USAGE;
}

bool
only_json(const struct context *context)
{
	if (context->options.format != OUTPUT_CSV && !context->options.columns)
		return true;
	usage_error(context, "it has no --csv and no --columns; take --json");
	return false;
}

/* A number from least to most; false: said. */
static bool
number_read(const struct context *context, const char *option, const char *text, long least,
	    long most, long *number)
{
	char *end;

	errno = 0;
	*number = strtol(text, &end, 10);
	if (errno == 0 && end != text && !*end && *number >= least && *number <= most)
		return true;
	usage_error(context, "--%s %s: a number from %ld to %ld is wanted", option, text, least,
		    most);
	return false;
}

static bool
color_read(struct context *context, const char *text)
{
	if (strcmp(text, "always") == 0)
		context->options.color = true;
	else if (strcmp(text, "never") == 0)
		context->options.color = false;
	else if (strcmp(text, "auto") != 0) {
		usage_error(context, "--color is auto, always or never, and not %s", text);
		return false;
	}
	return true;
}

/* Options with a text or none; where each goes. */
static const struct {
	int id;
	size_t offset;
	bool flag;
} simple[] = {
    {OPT_FILE, offsetof(struct options, file), false},
    {OPT_COLUMNS, offsetof(struct options, columns), false},
    {OPT_SORT, offsetof(struct options, sort), false},
    {OPT_ID, offsetof(struct options, id), false},
    {OPT_STATE_FILE, offsetof(struct options, state_file), false},
    {OPT_WARNING, offsetof(struct options, warning), false},
    {OPT_CRITICAL, offsetof(struct options, critical), false},
    {OPT_FOR, offsetof(struct options, duration), false},
    {OPT_SRV, offsetof(struct options, srv), false},
    {OPT_INTERVAL, offsetof(struct options, interval), false},
    {OPT_ALL, offsetof(struct options, all), true},
    {OPT_YES, offsetof(struct options, yes), true},
    {OPT_DRY_RUN, offsetof(struct options, dry_run), true},
    {OPT_NO_HEADER, offsetof(struct options, no_header), true},
    {OPT_ABSOLUTE, offsetof(struct options, absolute), true},
    {OPT_NO_WAIT, offsetof(struct options, no_wait), true},
    {OPT_FOLLOW, offsetof(struct options, follow), true},
    {OPT_REQUIRED_BY, offsetof(struct options, required_by), true},
    {OPT_DOT, offsetof(struct options, dot), true},
    {OPT_SVG, offsetof(struct options, svg), true},
    {OPT_BROADCAST, offsetof(struct options, broadcast), false},
    {OPT_ONCE, offsetof(struct options, once), true},
    {'v', offsetof(struct options, verbose), true},
};

static bool
option_simple(struct options *options, int id, const char *argument)
{
	for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++) {
		char *field = (char *)options + simple[i].offset;

		if (simple[i].id != id)
			continue;
		if (simple[i].flag)
			*(bool *)(void *)field = true;
		else
			*(const char **)(void *)field = argument;
		return true;
	}
	return false;
}

/* "500ms", "2s", or seconds. */
static bool
timeout_read(struct context *context, const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	unsigned long ms = strcmp(end, "ms") == 0 ? number : number * 1000;

	if (end == text || *text == '-' ||
	    (*end && strcmp(end, "ms") != 0 && strcmp(end, "s") != 0) || ms < 1 || ms > 60000) {
		usage_error(context, "--timeout %s: it is from 1ms to 60s", text);
		return false;
	}
	context->options.timeout_ms = (int)ms;
	return true;
}

static bool
option_take(struct context *context, int id, const char *argument)
{
	struct options *options = &context->options;
	long number;
	bool ok = true;

	switch (id) {
	case OPT_HOST:
		options->hosts =
		    mem_resize(options->hosts, options->hosts_count + 1, sizeof(*options->hosts));
		options->hosts[options->hosts_count++] = argument;
		break;
	case OPT_JSON:
		options->format = OUTPUT_JSON;
		break;
	case OPT_CSV:
		options->format = OUTPUT_CSV;
		break;
	case OPT_COLOR:
		return color_read(context, argument);
	case OPT_TIMEOUT:
		return timeout_read(context, argument);
	case OPT_RETRIES:
		ok = number_read(context, "retries", argument, 0, 20, &number);
		options->retries = (int)number;
		break;
	case OPT_WAIT:
		ok = number_read(context, "wait", argument, 1, 86400, &number);
		options->wait_s = (int)number;
		break;
	case OPT_SINCE:
		return number_read(context, "since", argument, 0, UINT32_MAX, &options->since);
	case OPT_LAST:
		return number_read(context, "last", argument, 1, 1000000, &options->last);
	default:
		return option_simple(options, id, argument);
	}
	return ok;
}

static bool
list_has(const int *list, int id)
{
	for (; list && *list; list++)
		if (*list == id)
			return true;
	return false;
}

/* NULL: any command. */
static bool
takes(const struct command *command, int id)
{
	return !command || list_has(common, id) || list_has(command->options, id);
}

void
options_print(const struct command *command, FILE *to)
{
	for (size_t i = 0; i < OPTIONS_ALL; i++)
		if (takes(command, all[i].id))
			fprintf(to, "--%s\n", all[i].name);
}

void
options_help(const struct command *command, FILE *to)
{
	fprintf(to, "Options:\n");
	for (size_t i = 0; i < OPTIONS_ALL; i++) {
		char letter[] = "    ", left[40];

		if (!takes(command, all[i].id))
			continue;
		if (all[i].id < OPT_JSON)
			snprintf(letter, sizeof(letter), "-%c, ", all[i].id);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, all[i].name,
			 all[i].word ? " " : "", all[i].word ? all[i].word : "");
		fprintf(to, "  %-26s %s\n", left, all[i].doc);
	}
}

static const char *
option_name(int id)
{
	for (size_t i = 0; i < OPTIONS_ALL; i++)
		if (all[i].id == id)
			return all[i].name;
	return "?";
}

/* As getopt_long(3) has them; the last is empty. */
static void
options_long(struct option *to)
{
	for (size_t i = 0; i < OPTIONS_ALL; i++)
		to[i] = (struct option){all[i].name, all[i].word ? required_argument : no_argument,
					NULL, all[i].id};
	to[OPTIONS_ALL] = (struct option){0};
}

/* getopt_long(3) has said what is wrong: a letter, or a word of the command line. */
static void
option_wrong(char **argv)
{
	char text[256];

	if (optopt > 0 && optopt < OPT_JSON)
		snprintf(text, sizeof(text), "-%c: a wrong option, or without what it takes",
			 optopt);
	else
		snprintf(text, sizeof(text), "%s: a wrong option, or without what it takes",
			 argv[optind - 1]);
	error_keep(text);
	fprintf(stderr, "See vmctl --help\n");
}

/* Finds the command also where an option before it is wrong: check has its own way to say that. */
static void
command_seek(int argc, char **argv, const struct option *long_options,
	     const struct command **command)
{
	opterr = 0;
	while (getopt_long(argc, argv, LETTERS, long_options, NULL) != -1)
		continue;
	if (optind < argc)
		*command = command_find(argv[optind]);
}

int
arguments_read(struct context *context, int argc, char **argv, const struct command **command)
{
	struct option long_options[OPTIONS_ALL + 1];
	int given[64], count = 0, option;
	bool help = false;

	options_long(long_options);
	while ((option = getopt_long(argc, argv, LETTERS, long_options, NULL)) != -1) {
		if (option == OPT_VERSION) {
			printf("vmctl %s\n", VERSION);
			return -1;
		}
		if (option == '?')
			option_wrong(argv);
		help |= option == 'h';
		if (option == '?' || (option != 'h' && !option_take(context, option, optarg))) {
			command_seek(argc, argv, long_options, command);
			return EXIT_USAGE;
		}
		if (count < 64)
			given[count++] = option;
	}
	if (optind == argc) {
		commands_help(help ? stdout : stderr);
		return help ? -1 : EXIT_USAGE;
	}
	*command = command_find(argv[optind]);
	if (!*command)
		return usage_error(context, "there is no command %s; see vmctl --help",
				   argv[optind]);
	context->command = (*command)->name;
	context->words = argv + optind + 1;
	context->words_count = argc - optind - 1;
	if (help) {
		command_help(*command, stdout);
		return -1;
	}
	for (int i = 0; i < count; i++)
		if (!list_has(common, given[i]) && !list_has((*command)->options, given[i]))
			return usage_error(context, "it takes no --%s; see vmctl %s --help",
					   option_name(given[i]), context->command);
	return 0;
}
