/* Memory that is there or ends the process, and strings that always end. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);				/* zeroed */
void *mem_array(size_t count, size_t size);		/* zeroed */
void *mem_resize(void *old, size_t count, size_t size); /* new part not zeroed */
char *mem_string(const char *text);

/*
 * Copies text, cut to fit (never inside a UTF-8 sequence), control characters and broken UTF-8 as
 * '?'; the rest of to is zeroed, so that rows compare by memcmp. For whatever comes from outside.
 */
void text_set(char *to, size_t size, const char *text);
#define TEXT_SET(array, text) text_set(array, sizeof(array), text)

/* The same from a format. */
void text_format(char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define TEXT_FORMAT(array, ...) text_format(array, sizeof(array), __VA_ARGS__)

#endif
