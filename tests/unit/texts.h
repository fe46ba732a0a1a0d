/* Files of tests as texts, and errors on a stream. */
#ifndef TESTS_TEXTS_H
#define TESTS_TEXTS_H

#include <stdio.h>

#include "base/mem.h"

/* Its first MiB, to be freed; NULL: it cannot be read. */
static inline char *
slurp(const char *file)
{
	FILE *from = fopen(file, "r");
	char *text = mem_alloc(1 << 20);

	if (!from) {
		free(text);
		return NULL;
	}
	text[fread(text, 1, (1 << 20) - 1, from)] = '\0';
	fclose(from);
	return text;
}

static inline void
spill(const char *file, const char *text, size_t size)
{
	FILE *to = fopen(file, "w");

	assert_non_null(to);
	assert_int_equal(fwrite(text, 1, size, to), size);
	fclose(to);
}

/* As config_load() and config_import() report, with the stream as arg. */
static inline void
note_error(void *arg, const char *error)
{
	fprintf(arg, "%s\n", error);
}

#endif
