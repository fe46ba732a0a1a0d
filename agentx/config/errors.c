#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/reader.h"

#define ERRORS_MAX 100 /* nobody reads more */

void
errors_add(struct errors *errors, int line, const char *format, ...)
{
	const struct error *last = errors->count ? &errors->list[errors->count - 1] : NULL;
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (errors->count >= ERRORS_MAX ||
	    (last && last->line == line && strcmp(last->text, text) == 0))
		return;
	errors->list = mem_resize(errors->list, errors->count + 1, sizeof(*errors->list));
	errors->list[errors->count++] = (struct error){line, mem_string(text)};
}

/* By line; errors of one line stay in the order they were found. */
static void
errors_sort(struct errors *errors)
{
	for (size_t i = 1; i < errors->count; i++) {
		struct error error = errors->list[i];
		size_t at = i;

		for (; at > 0 && errors->list[at - 1].line > error.line; at--)
			errors->list[at] = errors->list[at - 1];
		errors->list[at] = error;
	}
}

void
errors_report(struct errors *errors, const char *file, void (*report)(void *arg, const char *error),
	      void *arg)
{
	errors_sort(errors);
	for (size_t i = 0; i < errors->count && report; i++) {
		const struct error *error = &errors->list[i];
		char line[16] = "", text[1024 + 4096 + 32];

		if (error->line > 0)
			snprintf(line, sizeof(line), "%d:", error->line);
		snprintf(text, sizeof(text), "%s:%s %s", file, line, error->text);
		report(arg, text);
	}
}

void
errors_dispose(struct errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->list[i].text);
	free(errors->list);
	*errors = (struct errors){0};
}
