/*
 * The driver of a real Xen, by libxenlight (libxl), libxenstore and the xl program. libxenstat is
 * not used: all that it has is in libxl's list, sysfs and /proc/net/dev, and its one call for
 * everything can block for ever or come back with no domains when xenstored was killed.
 */
#include "hypervisor/xen_driver.h"

#include <errno.h>
#include <libxl_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"

static void logger_message(struct xentoollog_logger *logger, xentoollog_level level, int error,
			   const char *context, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));

static void
logger_message(struct xentoollog_logger *logger, xentoollog_level level, int error,
	       const char *context, const char *format, va_list args)
{
	struct xen_logger *own = (struct xen_logger *)logger;
	char text[512];

	if (level < XTL_VERBOSE)
		return;
	vsnprintf(text, sizeof(text), format, args);
	log_debug("%s: %s%s%s", context ? context : "libxl", text, error > 0 ? ": " : "",
		  error > 0 ? strerror(error) : "");
	if (level >= XTL_ERROR && !*own->complaint)
		xen_parse_complaint(text, own->complaint);
}

static void
logger_progress(struct xentoollog_logger *logger, const char *context, const char *doing,
		int percent, unsigned long done, unsigned long total)
{
	(void)logger, (void)context, (void)doing, (void)percent, (void)done, (void)total;
}

static void
logger_destroy(struct xentoollog_logger *logger)
{
	(void)logger;
}

void
xen_complaint_clear(struct hv *hv)
{
	*hv->logger.complaint = '\0';
}

void
xen_fail(struct hv *hv, struct outcome *outcome, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	outcome->state = REQUEST_FAILED;
	TEXT_FORMAT(outcome->error, "%s%s%s", text, *hv->logger.complaint ? ": " : "",
		    hv->logger.complaint);
}

static void
hv_xen_close(struct hv *hv)
{
	xen_store_close(hv);
	xen_domains_free(hv->domains);
	xen_devices_free(hv->devices);
	if (hv->ctx)
		libxl_ctx_free(hv->ctx);
	free(hv);
}

#define XENBUS_DEVICE "/dev/xen/xenbus"

/*
 * libxl connects to xenstored as soon as it is opened, whether that is needed or not. The daemon's
 * socket lets a few wait to be accepted and blocks all others: with a xenstored that is stopped,
 * the figures workers that were killed for it fill it up, and a pause or a look at the states,
 * which ask xenstored nothing, would hang. The kernel's way to it opens at once (xs_open() takes
 * that where the socket of XENSTORED_PATH is not there).
 */
int
xen_open_libxl(struct hv *hv)
{
	const char *path = getenv("XENSTORED_PATH");
	char *before = path ? mem_string(path) : NULL;
	int rc;

	hv->logger.vtable = (xentoollog_logger){logger_message, logger_progress, logger_destroy};
	setenv("XENSTORED_PATH", XENBUS_DEVICE, 1);
	rc = libxl_ctx_alloc(&hv->ctx, LIBXL_VERSION, 0, &hv->logger.vtable);
	if (before)
		setenv("XENSTORED_PATH", before, 1);
	else
		unsetenv("XENSTORED_PATH");
	free(before);
	return rc;
}

static struct hv *
hv_xen_open(const struct config *config, char *error)
{
	/* Else libxl reaps children that are not its own (xl's, here). */
	static const libxl_childproc_hooks hooks = {
	    .chldowner = libxl_sigchld_owner_libxl_always_selective_reap,
	};
	struct hv *hv = mem_alloc(sizeof(*hv));

	hv->config = config;
	if (xen_open_libxl(hv)) {
		text_format(
		    error, TEXT_SIZE,
		    "the Xen toolstack does not answer: is this a Dom0, and lauxend's user root? "
		    "%s",
		    hv->logger.complaint);
		hv->ctx = NULL;
		hv_xen_close(hv);
		return NULL;
	}
	libxl_childproc_setmode(hv->ctx, &hooks, NULL);
	return hv;
}

libxl_dominfo *
xen_list(struct hv *hv, int *count, char *error)
{
	libxl_dominfo *list;

	xen_complaint_clear(hv);
	list = libxl_list_domain(hv->ctx, count);
	if (!list) {
		text_format(error, TEXT_SIZE, "the hypervisor does not list its domains: %s",
			    hv->logger.complaint);
		return NULL;
	}
	for (int i = 0; i < *count; i++)
		if (list[i].domid == 0)
			return list;
	text_set(error, TEXT_SIZE, "the hypervisor's list of domains lacks Domain-0");
	libxl_dominfo_list_free(list, *count);
	return NULL;
}

static void
put_state(const libxl_dominfo *info, int64_t now_us, const struct hv_sink *sink)
{
	struct fact_domain fact = {.domid = info->domid, .read_mono_us = now_us};

	memcpy(fact.uuid, info->uuid.uuid, UUID_SIZE);
	fact.flags = (info->running ? DOMAIN_RUNNING : 0u) | (info->blocked ? DOMAIN_BLOCKED : 0u) |
		     (info->paused ? DOMAIN_PAUSED : 0u) | (info->shutdown ? DOMAIN_SHUTDOWN : 0u) |
		     (info->dying ? DOMAIN_DYING : 0u);
	/* libxl's numbers are the hypervisor's, and so ours; its -1 is "unknown" */
	fact.reason = info->shutdown && info->shutdown_reason >= 0 ? (uint32_t)info->shutdown_reason
								   : REASON_UNKNOWN;
	fact.cpu_ns = info->cpu_time;
	fact.memory_kib = info->current_memkb;
	fact.vcpus = info->vcpu_online;
	fact.vcpus_max = info->vcpu_max_id + 1;
	sink->put(sink->arg, MSG_DOMAIN, &fact, sizeof(fact));
}

static int
hv_xen_states(struct hv *hv, const struct hv_sink *sink, char *error)
{
	int count;
	libxl_dominfo *list = xen_list(hv, &count, error);
	int64_t now_us = clock_mono_us();

	if (!list)
		return -1;
	for (int i = 0; i < count; i++)
		put_state(&list[i], now_us, sink);
	libxl_dominfo_list_free(list, count);
	return 0;
}

static int
hv_xen_watch(struct hv *hv, char *error)
{
	char **event;
	unsigned count;

	if (!xen_store_open(hv) || !xen_store_watch_domains(hv)) {
		text_format(error, TEXT_SIZE, "xenstore cannot be watched: %s", strerror(errno));
		return -1;
	}
	event = xs_read_watch(hv->xs, &count);
	if (!event) {
		text_format(error, TEXT_SIZE, "the watch on xenstore ended: %s", strerror(errno));
		return -1;
	}
	do
		free(event); /* several at once are one */
	while ((event = xs_check_watch(hv->xs)));
	return 0;
}

int
xen_info(struct hv *hv, uint32_t domid, libxl_dominfo *info)
{
	int rc;

	libxl_dominfo_init(info);
	rc = libxl_domain_info(hv->ctx, info, domid);
	return rc == 0 ? 1 : rc == ERROR_DOMAIN_NOTFOUND ? 0 : -1;
}

/* Whether this domain is the one that is looked for. */
static bool
fits(struct hv *hv, const libxl_dominfo *info, const uint8_t uuid[UUID_SIZE], const char *name)
{
	char has[VM_NAME_SIZE];

	if (!uuid_is_zero(uuid))
		return uuid_equal(info->uuid.uuid, uuid);
	return xen_store_text(hv, has, sizeof(has), "/local/domain/%u/name", info->domid) &&
	       !strcmp(has, name);
}

int
xen_find(struct hv *hv, const uint8_t uuid[UUID_SIZE], const char *name, uint32_t *domid)
{
	char error[TEXT_SIZE];
	int count, found = 0;
	libxl_dominfo *list = xen_list(hv, &count, error);

	if (!list || (uuid_is_zero(uuid) && !xen_store_open(hv)))
		found = -1;
	for (int i = 0; found == 0 && i < count; i++)
		if (list[i].domid != 0 && fits(hv, &list[i], uuid, name)) {
			*domid = list[i].domid;
			found = 1;
		}
	if (found == 0 && uuid_is_zero(uuid) && hv->xs_failed)
		found = -1;
	if (list)
		libxl_dominfo_list_free(list, count);
	return found;
}

static int
hv_xen_find(struct hv *hv, const char *name, uint32_t *domid, char *error)
{
	static const uint8_t any[UUID_SIZE];
	int found = xen_find(hv, any, name, domid);

	if (found < 0)
		text_format(error, TEXT_SIZE, "the Xen toolstack does not say which domain is %s",
			    name);
	return found;
}

static int
hv_xen_monitored(struct hv *hv, uint32_t domid)
{
	struct xen_monitors monitors = {0};
	char name[VM_NAME_SIZE];
	int rc = -1;

	if (xen_store_open(hv) &&
	    xen_store_text(hv, name, sizeof(name), "/local/domain/%u/name", domid) &&
	    xen_monitors_read(&monitors) == 0) {
		rc = xen_monitors_have(&monitors, domid, name);
		xen_monitors_dispose(&monitors);
	}
	return rc;
}

uint64_t
xen_free_kib(struct hv *hv)
{
	const libxl_version_info *version = libxl_get_version_info(hv->ctx);
	uint64_t pages = 0;
	libxl_physinfo info;

	libxl_physinfo_init(&info);
	if (version && libxl_get_physinfo(hv->ctx, &info) == 0 &&
	    info.free_pages + info.scrub_pages > info.outstanding_pages)
		pages = info.free_pages + info.scrub_pages - info.outstanding_pages;
	libxl_physinfo_dispose(&info);
	return version ? pages * ((uint64_t)version->pagesize / 1024) : 0;
}

const struct hv_driver hv_xen = {
    .name = "xen",
    .open = hv_xen_open,
    .close = hv_xen_close,
    .states = hv_xen_states,
    .figures = xen_figures,
    .watch = hv_xen_watch,
    .find = hv_xen_find,
    .monitored = hv_xen_monitored,
    .act = xen_act,
    .mend = xen_mend,
};
