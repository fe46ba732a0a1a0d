#include "base/mem.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void *
mem_alloc(size_t size)
{
	return mem_array(1, size);
}

void *
mem_array(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size ? size : 1);

	if (!memory)
		fatal("out of memory (%zu x %zu octets)", count, size);
	return memory;
}

void *
mem_resize(void *old, size_t count, size_t size)
{
	void *memory = reallocarray(old, count ? count : 1, size ? size : 1);

	if (!memory)
		fatal("out of memory (%zu x %zu octets)", count, size);
	return memory;
}

char *
mem_string(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		fatal("out of memory (%zu octets)", strlen(text));
	return copy;
}

/*
 * The second octet of a sequence is from 80 to BF, and of some first octets less (RFC 3629, section
 * 4): what is shorter in fewer octets, surrogates, what is behind U+10FFFF; and U+0080 to U+009F,
 * which are control characters: a terminal takes U+009B for the begin of a command.
 */
static inline bool
text_second(unsigned char first, unsigned char second)
{
	static const struct {
		unsigned char first, least, most;
	} bounds[] = {{0xc2, 0xa0, 0xbf},
		      {0xe0, 0xa0, 0xbf},
		      {0xed, 0x80, 0x9f},
		      {0xf0, 0x90, 0xbf},
		      {0xf4, 0x80, 0x8f}};

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		if (bounds[i].first == first)
			return second >= bounds[i].least && second <= bounds[i].most;
	return true;
}

/* Octets of the UTF-8 sequence at text, or 0 where it is broken or a control character. */
static inline size_t
text_sequence(const unsigned char *text)
{
	size_t length;

	if (*text >= ' ' && *text < 0x7f)
		return 1;
	length = *text < 0x80			 ? 1
		 : *text >= 0xc2 && *text < 0xe0 ? 2
		 : *text >= 0xe0 && *text < 0xf0 ? 3
		 : *text >= 0xf0 && *text < 0xf5 ? 4
						 : 0;

	if (*text < ' ' || *text == 0x7f)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return length < 2 || text_second(text[0], text[1]) ? length : 0;
}

void
text_set(char *to, size_t size, const char *text)
{
	const unsigned char *from = (const unsigned char *)text;
	size_t used = 0;

	while (*from) {
		size_t length = text_sequence(from);

		if (length == 1 && used + 1 < size) { /* nearly always */
			to[used++] = (char)*from++;
			continue;
		}
		if (used + (length ? length : 1) >= size)
			break;
		if (length)
			memcpy(to + used, from, length);
		else
			to[used] = '?';
		used += length ? length : 1;
		from += length ? length : 1;
	}
	memset(to + used, 0, size - used);
}

void
text_format(char *to, size_t size, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_set(to, size, text);
}
