#include "hypervisor/xen_driver.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "base/mem.h"

#define PATH_SIZE 256

/* A value that xenstored tells the changes of, by a watch on its path. */
struct xen_followed {
	char path[PATH_SIZE]; /* and the watch's token */
	char *value;	      /* NULL: there is none */
	bool current;	      /* not changed since it was read */
	bool used;	      /* since xen_store_catch_up() */
};

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
	for (size_t i = 0; i < hv->followed_count; i++)
		free(hv->followed[i].value);
	free(hv->followed);
	hv->followed = NULL;
	hv->followed_count = 0;
	hv->watching = false;
}

/* The value, to be freed, or NULL; an error that is not "there is none" marks the connection. */
static char *
read_path(struct hv *hv, const char *path)
{
	char *value;

	if (hv->xs_failed)
		return NULL;
	errno = 0;
	value = xs_read(hv->xs, XBT_NULL, path, NULL);
	if (!value && errno != ENOENT && errno != EACCES)
		hv->xs_failed = true;
	return value;
}

static char *
store_read(struct hv *hv, const char *format, va_list args)
{
	char path[PATH_SIZE];

	return vsnprintf(path, sizeof(path), format, args) < PATH_SIZE ? read_path(hv, path) : NULL;
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

static uint64_t
number_of(const char *value)
{
	uint64_t number = 0;

	if (value)
		xen_parse_number(value, &number);
	return number;
}

uint64_t
xen_store_number(struct hv *hv, const char *format, ...)
{
	uint64_t number;
	char *value;
	va_list args;

	va_start(args, format);
	value = store_read(hv, format, args);
	va_end(args);
	number = number_of(value);
	free(value);
	return number;
}

static struct xen_followed *
find_followed(struct hv *hv, const char *path)
{
	for (size_t i = 0; i < hv->followed_count; i++)
		if (!strcmp(hv->followed[i].path, path))
			return &hv->followed[i];
	return NULL;
}

static struct xen_followed *
add_followed(struct hv *hv, const char *path)
{
	struct xen_followed *followed;

	if (!xs_watch(hv->xs, path, path)) {
		hv->xs_failed = true;
		return NULL;
	}
	hv->followed = mem_resize(hv->followed, hv->followed_count + 1, sizeof(*hv->followed));
	followed = &hv->followed[hv->followed_count++];
	*followed = (struct xen_followed){0};
	TEXT_SET(followed->path, path);
	return followed;
}

/* The value, which stays ours, or NULL. It is watched before it is read: no change is missed. */
static const char *
follow(struct hv *hv, const char *format, va_list args)
{
	char path[PATH_SIZE];
	struct xen_followed *followed;

	if (hv->xs_failed || vsnprintf(path, sizeof(path), format, args) >= PATH_SIZE)
		return NULL;
	followed = find_followed(hv, path);
	if (!followed && !(followed = add_followed(hv, path)))
		return NULL;
	if (!followed->current) {
		free(followed->value);
		followed->value = read_path(hv, path);
		followed->current = !hv->xs_failed;
	}
	followed->used = true;
	return followed->value;
}

bool
xen_store_follow_text(struct hv *hv, char *to, size_t size, const char *format, ...)
{
	const char *value;
	va_list args;

	va_start(args, format);
	value = follow(hv, format, args);
	va_end(args);
	text_set(to, size, value ? value : "");
	return *to;
}

uint64_t
xen_store_follow_number(struct hv *hv, const char *format, ...)
{
	const char *value;
	va_list args;

	va_start(args, format);
	value = follow(hv, format, args);
	va_end(args);
	return number_of(value);
}

/* What was not asked for since the last time is of something that is gone. */
static void
forget_unused(struct hv *hv)
{
	size_t used = 0;

	for (size_t i = 0; i < hv->followed_count; i++) {
		struct xen_followed *followed = &hv->followed[i];

		if (followed->used) {
			followed->used = false;
			hv->followed[used++] = *followed;
		} else {
			xs_unwatch(hv->xs, followed->path, followed->path);
			free(followed->value);
		}
	}
	hv->followed_count = used;
}

bool
xen_store_watch_domains(struct hv *hv)
{
	if (!hv->watching)
		hv->watching = xs_watch(hv->xs, "@introduceDomain", "@introduceDomain") &&
			       xs_watch(hv->xs, "@releaseDomain", "@releaseDomain");
	return hv->watching;
}

bool
xen_store_catch_up(struct hv *hv)
{
	bool changed = false;
	char **event;

	if (!xen_store_watch_domains(hv))
		hv->xs_failed = true;
	free(read_path(hv, "/local/domain/0/name"));
	while (!hv->xs_failed && (event = xs_check_watch(hv->xs))) {
		const char *token = event[XS_WATCH_TOKEN];
		struct xen_followed *followed = find_followed(hv, token);

		if (followed)
			followed->current = false;
		if (*token == '@')
			changed = true;
		free(event);
	}
	if (!hv->xs_failed)
		forget_unused(hv);
	return changed;
}
