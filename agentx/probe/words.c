#include "probe/plugin.h"

#include <stdbool.h>
#include <string.h>

/* One word from *from on to to, which follows behind; NULL, or what is wrong with it. */
static const char *
word(char **from, char **to)
{
	char quote = '\0';

	for (; **from && (quote || !strchr(" \t", **from)); (*from)++) {
		char c = **from;

		if (c == quote)
			quote = '\0';
		else if (!quote && (c == '\'' || c == '"'))
			quote = c;
		else if (c == '\\' && quote != '\'' && !*++*from)
			return "a backslash at the end of the command";
		else
			*(*to)++ = **from;
	}
	return quote ? "a quote that does not end in the command" : NULL;
}

const char *
plugin_words(char *line, char *words[PLUGIN_WORDS_MAX + 1])
{
	char *from = line, *to = line;
	size_t count = 0;

	while (*(from += strspn(from, " \t"))) {
		const char *wrong;

		if (count == PLUGIN_WORDS_MAX)
			return "too many words in the command";
		words[count++] = to;
		wrong = word(&from, &to);
		if (wrong)
			return wrong;
		from += *from != '\0';
		*to++ = '\0'; /* at most where the blank was */
	}
	words[count] = NULL;
	if (count == 0 || words[0][0] != '/')
		return "the command does not begin with an absolute path";
	return NULL;
}

enum probe_outcome
plugin_outcome(int status)
{
	return status == 0 || status == 1 ? PROBE_UP : status == 2 ? PROBE_DOWN : PROBE_ERROR;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Octets before the first c. */
static size_t
length_before(const char *octets, size_t size, char c)
{
	const char *end = memchr(octets, c, size);

	return end ? (size_t)(end - octets) : size;
}

void
plugin_first_line(const char *octets, size_t size, char *text, size_t text_size)
{
	size_t length;

	while (size > 0 && is_blank(*octets))
		octets++, size--;
	length = length_before(octets, length_before(octets, size, '\n'), '|');
	while (length > 0 && is_blank(octets[length - 1]))
		length--;
	if (length >= text_size)
		length = text_size - 1;
	for (size_t i = 0; i < length; i++)
		text[i] = octets[i] == '\t' ? ' ' : octets[i] ? octets[i] : '?';
	text[length] = '\0';
}
