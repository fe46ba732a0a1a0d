#include "tests/sim/scenario.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LINE_MAX_OCTETS 1000

int64_t
scenario_time(const char *text)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"min", 60000}, {"h", 3600000}};
	char *unit;
	double value = strtod(text, &unit);

	if (unit == text || value < 0)
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].unit, unit) == 0)
			return (int64_t)(value * units[i].ms + 0.5);
	return -1;
}

static struct scenario_line
line_of(const char *text, int64_t at_ms, int number)
{
	struct scenario_line line = {
	    .at_ms = at_ms, .line = number, .text = mem_string(text), .buffer = mem_string(text)};
	char *rest = line.buffer, *word;

	while (line.count < SCENARIO_WORDS && (word = strsep(&rest, " \t")))
		if (*word)
			line.words[line.count++] = word;
	return line;
}

static void
line_dispose(struct scenario_line *line)
{
	free(line->text);
	free(line->buffer);
}

static void
lines_add(struct scenario_line **lines, size_t *count, struct scenario_line line)
{
	*lines = mem_resize(*lines, *count + 1, sizeof(**lines));
	(*lines)[(*count)++] = line;
}

void
scenario_add_config(struct scenario *scenario, const char *name, const char *text)
{
	struct scenario_config *config;

	scenario->configs =
	    mem_resize(scenario->configs, scenario->configs_count + 1, sizeof(*scenario->configs));
	config = &scenario->configs[scenario->configs_count++];
	TEXT_SET(config->name, name);
	config->text = mem_string(text);
}

void
scenario_add_guest(struct scenario *scenario, const char *text)
{
	lines_add(&scenario->guests, &scenario->guests_count, line_of(text, 0, 0));
}

void
scenario_add_op(struct scenario *scenario, int64_t at_ms, const char *format, ...)
{
	char text[LINE_MAX_OCTETS];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	lines_add(&scenario->ops, &scenario->ops_count, line_of(text, at_ms, 0));
}

void
scenario_drop_op(struct scenario *scenario, size_t at, size_t count)
{
	for (size_t i = at; i < at + count; i++)
		line_dispose(&scenario->ops[i]);
	scenario->ops_count -= count;
	memmove(&scenario->ops[at], &scenario->ops[at + count],
		(scenario->ops_count - at) * sizeof(*scenario->ops));
}

/* Lines until "end". */
static bool
read_config(struct scenario *scenario, const char *name, FILE *from, int *number)
{
	char line[LINE_MAX_OCTETS], *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	bool ended = false;

	while (!ended && fgets(line, sizeof(line), from)) {
		++*number;
		ended = strcmp(line, "end\n") == 0;
		if (!ended)
			fputs(line, to);
	}
	fclose(to);
	scenario_add_config(scenario, name, text);
	free(text);
	return ended;
}

static const char *
read_head(struct scenario *scenario, const char *line, FILE *from, int *number)
{
	char name[32] = "";

	if (strncmp(line, "seed ", 5) == 0) {
		scenario->seed = strtoull(line + 5, NULL, 10);
		return NULL;
	}
	if (strcmp(line, "agent off") == 0) {
		scenario->agent_off = true;
		return NULL;
	}
	if (strncmp(line, "guest ", 6) == 0) {
		lines_add(&scenario->guests, &scenario->guests_count,
			  line_of(line + 6, 0, *number));
		return NULL;
	}
	if (strcmp(line, "config") != 0 && sscanf(line, "config %31s", name) != 1)
		return "neither seed, agent, config, guest, nor a time";
	return read_config(scenario, name, from, number) ? NULL
							 : "the configuration has no \"end\"";
}

static const char *
read_op(struct scenario *scenario, char *line, int number)
{
	int64_t last_ms =
	    scenario->ops_count > 0 ? scenario->ops[scenario->ops_count - 1].at_ms : 0;
	char *text = line + strcspn(line, " \t");
	int64_t at_ms;

	if (*text)
		*text++ = '\0';
	at_ms = scenario_time(line + (*line == '+'));
	if (at_ms < 0)
		return "the time makes no sense";
	if (*line == '+')
		at_ms += last_ms;
	if (at_ms < last_ms)
		return "the line before is later";
	lines_add(&scenario->ops, &scenario->ops_count, line_of(text, at_ms, number));
	return scenario->ops[scenario->ops_count - 1].count > 0 ? NULL : "what happens?";
}

bool
scenario_read(struct scenario *scenario, FILE *from, char *error)
{
	char line[LINE_MAX_OCTETS];
	const char *fault = NULL;
	int number = 0;

	*scenario = (struct scenario){0};
	while (!fault && fgets(line, sizeof(line), from)) {
		char *begin = line + strspn(line, " \t");

		number++;
		begin[strcspn(begin, "\n")] = '\0';
		if (*begin == '\0' || *begin == '#')
			continue;
		if (*begin == '+' || (*begin >= '0' && *begin <= '9'))
			fault = read_op(scenario, begin, number);
		else
			fault = read_head(scenario, begin, from, &number);
	}
	if (!fault && scenario->configs_count == 0)
		fault = "there is no configuration";
	if (fault) {
		snprintf(error, 256, "line %d: %s", number, fault);
		scenario_dispose(scenario);
	}
	return !fault;
}

void
scenario_write(const struct scenario *scenario, FILE *to)
{
	if (scenario->seed)
		fprintf(to, "seed %" PRIu64 "\n", scenario->seed);
	if (scenario->agent_off)
		fputs("agent off\n", to);
	for (size_t i = 0; i < scenario->configs_count; i++)
		fprintf(to, "config%s%s\n%send\n", *scenario->configs[i].name ? " " : "",
			scenario->configs[i].name, scenario->configs[i].text);
	for (size_t i = 0; i < scenario->guests_count; i++)
		fprintf(to, "guest %s\n", scenario->guests[i].text);
	for (size_t i = 0; i < scenario->ops_count; i++)
		fprintf(to, "%" PRId64 ".%03d %s\n", scenario->ops[i].at_ms / 1000,
			(int)(scenario->ops[i].at_ms % 1000), scenario->ops[i].text);
}

void
scenario_dispose(struct scenario *scenario)
{
	for (size_t i = 0; i < scenario->configs_count; i++)
		free(scenario->configs[i].text);
	for (size_t i = 0; i < scenario->guests_count; i++)
		line_dispose(&scenario->guests[i]);
	for (size_t i = 0; i < scenario->ops_count; i++)
		line_dispose(&scenario->ops[i]);
	free(scenario->configs);
	free(scenario->guests);
	free(scenario->ops);
	*scenario = (struct scenario){0};
}

void
scenario_copy(struct scenario *to, const struct scenario *from)
{
	*to = (struct scenario){.seed = from->seed, .agent_off = from->agent_off};
	TEXT_SET(to->name, from->name);
	for (size_t i = 0; i < from->configs_count; i++)
		scenario_add_config(to, from->configs[i].name, from->configs[i].text);
	for (size_t i = 0; i < from->guests_count; i++)
		scenario_add_guest(to, from->guests[i].text);
	for (size_t i = 0; i < from->ops_count; i++)
		scenario_add_op(to, from->ops[i].at_ms, "%s", from->ops[i].text);
}

const char *
scenario_text(const struct scenario *scenario, const char *name)
{
	for (size_t i = 0; i < scenario->configs_count; i++)
		if (strcmp(scenario->configs[i].name, name) == 0)
			return scenario->configs[i].text;
	return NULL;
}
