#include "hypervisor/xen_driver.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "base/mem.h"

#define PATH_SIZE 256

bool
xen_store_open(struct hv *hv)
{
	if (hv->xs_failed)
		return false;
	if (!hv->xs)
		hv->xs = xs_open(0);
	return hv->xs;
}

void
xen_store_close(struct hv *hv)
{
	xs_close(hv->xs);
	hv->xs = NULL;
	hv->watching = false;
}

/* The value, to be freed, or NULL; an error that is not "there is none" marks the connection. */
static char *
store_read(struct hv *hv, const char *format, va_list args)
{
	char path[PATH_SIZE], *value;

	if (hv->xs_failed || vsnprintf(path, sizeof(path), format, args) >= PATH_SIZE)
		return NULL;
	errno = 0;
	value = xs_read(hv->xs, XBT_NULL, path, NULL);
	if (!value && errno != ENOENT && errno != EACCES && errno != EINVAL)
		hv->xs_failed = true;
	return value;
}

bool
xen_store_text(struct hv *hv, char *to, size_t size, const char *format, ...)
{
	char *value;
	va_list args;

	va_start(args, format);
	value = store_read(hv, format, args);
	va_end(args);
	text_set(to, size, value ? value : "");
	free(value);
	return *to;
}

uint64_t
xen_store_number(struct hv *hv, const char *format, ...)
{
	uint64_t number = 0;
	char *value;
	va_list args;

	va_start(args, format);
	value = store_read(hv, format, args);
	va_end(args);
	if (value)
		xen_parse_number(value, &number);
	free(value);
	return number;
}
