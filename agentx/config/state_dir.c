/* Where the agent is to be found, by a file that may be half edited: the agent itself works with
 * the last good one. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/reader.h"

#define KEY "state-dir"

/* The value behind "KEY =" at at, or NULL; a text ends where its line does. */
static char *
value_at(const char *at)
{
	const char *from = at + strlen(KEY);
	size_t length;
	char *value;

	from += strspn(from, " \t");
	if (*from++ != '=')
		return NULL;
	from += strspn(from, " \t");
	if (*from == '"' || *from == '\'') {
		const char ends[] = {*from++, '\r', '\n', '\0'};

		length = strcspn(from, ends);
	} else {
		length = strcspn(from, " \t\r\n\"'={}()+,*");
	}
	if (length == 0)
		return NULL;
	value = mem_alloc(length + 1);
	memcpy(value, from, length);
	return value;
}

/* The first one outside of texts; comments are blanked. */
static char *
find_value(const struct text *text)
{
	char quote = '\0', before = '\n', *value;

	for (size_t at = 0; at < text->size; before = text->data[at++]) {
		char c = text->data[at];

		if (c == '\n' || (quote && c == quote)) {
			quote = '\0';
		} else if (!quote && (c == '"' || c == '\'')) {
			quote = c;
		} else if (!quote && (isspace((unsigned char)before) || before == '{') &&
			   strncmp(text->data + at, KEY, strlen(KEY)) == 0) {
			value = value_at(text->data + at);
			if (value)
				return value;
		}
	}
	return NULL;
}

char *
config_state_dir(const char *file, void (*report)(void *arg, const char *error), void *arg)
{
	struct errors errors = {0};
	struct text text;
	char *path = config_path(file), *value = NULL, *dir = NULL;

	text_read(&text, path, -1, &errors);
	if (text.data)
		value = find_value(&text);
	else
		errors_report(&errors, path, report, arg);
	if (value)
		dir = path_resolve(path, value);
	if (!dir || *dir != '/') {
		free(dir);
		dir = mem_string(section_key(&sections[SECTION_AGENT], KEY)->fallback);
	}
	text_dispose(&text);
	errors_dispose(&errors);
	free(value);
	free(path);
	return dir;
}
