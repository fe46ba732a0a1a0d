/* The parts of plugins that are pure. */
#ifndef PROBE_PLUGIN_H
#define PROBE_PLUGIN_H

#include <stddef.h>

#include "base/names.h"

#define PLUGIN_WORDS_MAX 64

/*
 * Splits line, in place, into words, and ends the list with NULL. Blanks and tabs separate them; in
 * '...' all is literal; in "..." and outside, a backslash takes the next character as it is, and
 * that is all: no variable, pattern, pipe or redirection. Who wants a shell writes one:
 * /bin/sh -c 'a | b'. Returns NULL, or what is wrong with the line: the words are none then.
 */
const char *plugin_words(char *line, char *words[PLUGIN_WORDS_MAX + 1]);

/* What an exit status means (Monitoring Plugins Development Guidelines, 2.4). */
enum probe_outcome plugin_outcome(int status);

/*
 * Of the octets that a plugin wrote, the first line that is not blank, up to its performance data
 * ("text|data"), as a string in text: NULs as '?', tabs as blanks.
 */
void plugin_first_line(const char *octets, size_t size, char *text, size_t text_size);

#endif
