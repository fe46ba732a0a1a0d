#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/vmctl/vmctl.h"

static const struct option long_options[] = {
    {"file", required_argument, NULL, OPT_FILE},
    {"host", required_argument, NULL, OPT_HOST},
    {"all", no_argument, NULL, OPT_ALL},
    {"yes", no_argument, NULL, OPT_YES},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"columns", required_argument, NULL, OPT_COLUMNS},
    {"sort", required_argument, NULL, OPT_SORT},
    {"verbose", no_argument, NULL, 'v'},
    {"json", no_argument, NULL, OPT_JSON},
    {"csv", no_argument, NULL, OPT_CSV},
    {"no-header", no_argument, NULL, OPT_NO_HEADER},
    {"absolute", no_argument, NULL, OPT_ABSOLUTE},
    {"color", required_argument, NULL, OPT_COLOR},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"retries", required_argument, NULL, OPT_RETRIES},
    {"no-wait", no_argument, NULL, OPT_NO_WAIT},
    {"wait", required_argument, NULL, OPT_WAIT},
    {"id", required_argument, NULL, OPT_ID},
    {"follow", no_argument, NULL, OPT_FOLLOW},
    {"since", required_argument, NULL, OPT_SINCE},
    {"last", required_argument, NULL, OPT_LAST},
    {"state-file", required_argument, NULL, OPT_STATE_FILE},
    {"required-by", no_argument, NULL, OPT_REQUIRED_BY},
    {"dot", no_argument, NULL, OPT_DOT},
    {"svg", no_argument, NULL, OPT_SVG},
    {"warning", required_argument, NULL, OPT_WARNING},
    {"critical", required_argument, NULL, OPT_CRITICAL},
    {"broadcast", required_argument, NULL, OPT_BROADCAST},
    {"srv", required_argument, NULL, OPT_SRV},
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"for", required_argument, NULL, OPT_FOR},
    {"once", no_argument, NULL, OPT_ONCE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {0},
};

/* Those that every command takes. */
static const int common[] = {
    OPT_FILE,	 OPT_HOST,    OPT_JSON,	   OPT_CSV, OPT_NO_HEADER, OPT_ABSOLUTE, OPT_COLOR,
    OPT_COLUMNS, OPT_TIMEOUT, OPT_RETRIES, 'v',	    'h',	   OPT_VERSION,	 0};

int
usage_error(const struct context *context, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "vmctl%s%s: ", context->command ? " " : "",
		context->command ? context->command : "");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
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

void
options_print(const struct command *command, FILE *to)
{
	for (const struct option *option = long_options; option->name; option++)
		if (!command || list_has(common, option->val) ||
		    list_has(command->options, option->val))
			fprintf(to, "--%s\n", option->name);
}

static const char *
option_name(int id)
{
	for (const struct option *option = long_options; option->name; option++)
		if (option->val == id)
			return option->name;
	return "?";
}

int
arguments_read(struct context *context, int argc, char **argv, const struct command **command)
{
	int given[64], count = 0, option;
	bool help = false;

	while ((option = getopt_long(argc, argv, "f:H:ayno:s:vh", long_options, NULL)) != -1) {
		if (option == '?') {
			fprintf(stderr, "See vmctl --help\n");
			return EXIT_USAGE;
		}
		if (option == OPT_VERSION) {
			printf("vmctl %s\n", VERSION);
			return -1;
		}
		help |= option == 'h';
		if (option != 'h' && !option_take(context, option, optarg))
			return EXIT_USAGE;
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
