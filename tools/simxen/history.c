#include "tools/simxen/history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/simxen/command.h"

#define LINE_SIZE 1024
#define WORD_BREAKS " \t\r\n"

struct script {
	FILE *file;
	const char *path;
	unsigned line;
	int64_t at_ms; /* of the command that comes next; TIMERS_NEVER: none */
	char text[LINE_SIZE];
	char *words[COMMAND_WORDS];
	int count;
};

/* Reads the next command; false, with the reason on stderr, where the line is none. */
static bool
script_next(struct script *script)
{
	char *word, *end, *save;

	script->at_ms = TIMERS_NEVER;
	while (script->file && fgets(script->text, sizeof(script->text), script->file)) {
		script->line++;
		script->text[strcspn(script->text, "#")] = '\0';
		word = strtok_r(script->text, WORD_BREAKS, &save);
		if (!word)
			continue;
		script->at_ms = strtoll(word, &end, 10);
		for (script->count = 0; script->count < COMMAND_WORDS; script->count++)
			if (!(script->words[script->count] = strtok_r(NULL, WORD_BREAKS, &save)))
				break;
		if (!*end && script->at_ms >= 0 && script->count > 0)
			return true;
		fprintf(stderr, "simxen: %s:%u: MS COMMAND is needed\n", script->path,
			script->line);
		return false;
	}
	return true;
}

static void
command_done(void *arg, int status, const char *text)
{
	struct host *host = arg;

	if (!host->history)
		return; /* what goes on at the end has no place in it */
	fprintf(host->history, "%" PRId64 " command ended %d %s%s", host->model->now_ms, status,
		text, *text ? "" : "\n");
}

static void
print_all(struct host *host)
{
	static const char *const words[] = {"list", "show"};
	struct model *m = host->model;

	command_start(host, 1, (char *const *)words, command_done, host);
	for (size_t i = 0; i < m->domain_count; i++) {
		char domid[16];

		snprintf(domid, sizeof(domid), "%u", m->domains[i]->domid);
		command_start(host, 2, (char *const[]){"show", domid}, command_done, host);
	}
}

int
history_run(struct host *host, int64_t seconds, const char *path, FILE *out)
{
	struct script script = {.path = path, .file = path ? fopen(path, "re") : NULL};
	bool ok = !path || script.file;

	if (!ok)
		fprintf(stderr, "simxen: %s: cannot read\n", path);
	ok = ok && script_next(&script);
	host->history = out;
	for (int64_t second = 0; ok && second <= seconds; second++) {
		while (ok && script.at_ms <= second * 1000) {
			model_advance(host->model, script.at_ms);
			command_start(host, script.count, script.words, command_done, host);
			ok = script_next(&script);
		}
		model_advance(host->model, second * 1000);
		print_all(host);
	}
	host->history = NULL;
	if (script.file)
		fclose(script.file);
	return ok ? 0 : 2;
}
