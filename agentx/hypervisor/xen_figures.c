#include "hypervisor/xen_driver.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"

#define CONFIG_AGAIN_MS 1000	  /* after a try that failed: it is still being written; doubles */
#define CONFIG_AGAIN_MAX_MS 60000 /* it may be none of libxl's, and never come */
#define CONFIG_PASS_MS 1000 /* what a pass may spend on them; the rest has its turn in the next */

/* Whether a guest that never wrote what it has inside does so now. */
#define INSIDE_AGAIN_MS 5000

/*
 * The search for monitors goes through all of /proc, so not in each pass: only while a domain is
 * young, whose xl becomes its monitor when it is made, or has come, and is let run; and now and
 * then, where there are some oftener, as they may have gone.
 */
#define MONITORS_MS 5000
#define NO_MONITORS_MS 60000
#define YOUNG_MS 20000

/* What its configuration says: enum on_action, which has libxl's numbers. */
struct deaths {
	uint32_t on_poweroff, on_reboot, on_crash;
};

/* What is kept of a domain from pass to pass, by domid and UUID. First it is young and all is read
 * in each pass; once it has run it is settled, and its configuration is asked for; then only what
 * changes is read. */
struct kept {
	uint32_t domid;
	uint8_t uuid[UUID_SIZE];
	bool listed;	  /* while the list is gone through */
	bool ran, ending; /* as listed */
	int64_t young_ms; /* clock_mono_ms() when it was first seen, then when it first ran */

	/* What its toolstack wrote while it made the domain. */
	bool settled; /* it has run: that is complete, and not read again */
	uint32_t stubdom_for;
	uint64_t memory_max_kib;
	int64_t start_wall_ms;
	bool configured;      /* its configuration was read */
	int64_t try_ms;	      /* clock_mono_ms() of the next try to */
	int64_t try_again_ms; /* from that to the one after */
	struct deaths deaths;

	/* What its guest last wrote. */
	uint64_t inside_total_kib, inside_free_kib;
	int64_t inside_mono_ms;
	bool inside;	       /* it wrote something, ever */
	int64_t inside_try_ms; /* clock_mono_ms() of the next look whether it did */
};

struct xen_domains {
	struct kept *list;
	size_t count;
	struct xen_monitors monitors;
	int64_t monitors_ms;	     /* when they were read; 0: never */
	uint64_t free_kib, seen_kib; /* the host's memory: now, and when they were listed */
};

void
xen_domains_free(struct xen_domains *domains)
{
	if (!domains)
		return;
	xen_monitors_dispose(&domains->monitors);
	free(domains->list);
	free(domains);
}

static struct kept *
find_kept(const struct xen_domains *domains, const libxl_dominfo *info)
{
	for (size_t i = 0; i < domains->count; i++) {
		struct kept *kept = &domains->list[i];

		if (kept->domid == info->domid && uuid_equal(kept->uuid, info->uuid.uuid))
			return kept;
	}
	return NULL;
}

static void
keep(struct xen_domains *domains, const libxl_dominfo *info)
{
	struct kept *kept = find_kept(domains, info);

	if (!kept) {
		domains->list =
		    mem_resize(domains->list, domains->count + 1, sizeof(*domains->list));
		kept = &domains->list[domains->count++];
		*kept = (struct kept){.domid = info->domid,
				      .young_ms = clock_mono_ms(),
				      .try_again_ms = CONFIG_AGAIN_MS};
		memcpy(kept->uuid, info->uuid.uuid, UUID_SIZE);
	}
	kept->listed = true;
	kept->ran = info->cpu_time > 0;
	kept->ending = info->shutdown || info->dying;
}

static void
forget_gone(struct xen_domains *domains)
{
	size_t used = 0;

	for (size_t i = 0; i < domains->count; i++)
		if (domains->list[i].listed) {
			domains->list[used] = domains->list[i];
			domains->list[used++].listed = false;
		}
	domains->count = used;
}

/*
 * Whether a domain may have come or gone of which xenstored says nothing: it tells of one when that
 * is built, not when its memory is taken; and of an end before the domain is off the list.
 */
static bool
is_unsteady(const struct xen_domains *domains)
{
	for (size_t i = 0; i < domains->count; i++)
		if (!domains->list[i].settled || domains->list[i].ending)
			return true;
	return domains->free_kib != domains->seen_kib;
}

static bool
list_domains(struct hv *hv, char *error)
{
	struct xen_domains *domains = hv->domains;
	int count;
	libxl_dominfo *list = xen_list(hv, &count, error);

	if (!list)
		return false;
	for (int i = 0; i < count; i++)
		if (list[i].domid != 0)
			keep(domains, &list[i]);
	forget_gone(domains);
	domains->seen_kib = domains->free_kib;
	libxl_dominfo_list_free(list, count);
	return true;
}

bool
xen_domains_have(const struct xen_domains *domains, uint32_t domid)
{
	for (size_t i = 0; i < domains->count; i++)
		if (domains->list[i].domid == domid)
			return true;
	return false;
}

/* In a process of its own. */
static bool
retrieve(uint32_t domid, struct deaths *deaths)
{
	libxl_domain_config config;
	struct hv hv = {0};
	bool known;

	if (xen_open_libxl(&hv))
		return false;
	libxl_domain_config_init(&config);
	known = libxl_retrieve_domain_configuration(hv.ctx, domid, &config, NULL) == 0;
	*deaths = (struct deaths){.on_poweroff = (uint32_t)config.on_poweroff,
				  .on_reboot = (uint32_t)config.on_reboot,
				  .on_crash = (uint32_t)config.on_crash};
	return known;
}

/*
 * libxl reads the whole configuration, under a lock that others hold while they change the domain,
 * and asks the QEMU of an HVM guest, for 10 s if that hangs. So a process is forked for it, that is
 * killed when the time is over; one domain's trouble is not that of all. False: not known.
 */
static bool
ask_config(uint32_t domid, int64_t until_ms, struct deaths *deaths)
{
	struct pollfd wait = {.events = POLLIN};
	struct deaths told;
	bool known = false;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(retrieve(domid, &told) && write(ends[1], &told, sizeof(told)) == sizeof(told)
			  ? 0
			  : 1);
	}
	close(ends[1]);
	wait.fd = ends[0];
	if (pid > 0) {
		int64_t left_ms = until_ms - clock_mono_ms();

		known = poll(&wait, 1, left_ms > 0 ? (int)left_ms : 0) == 1 &&
			read(ends[0], &told, sizeof(told)) == sizeof(told);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(ends[0]);
	if (known)
		*deaths = told;
	return known;
}

/* on_poweroff and its like: asked for once a domain. */
static void
learn_config(struct kept *kept, int64_t until_ms)
{
	kept->configured = ask_config(kept->domid, until_ms, &kept->deaths);
	if (kept->configured)
		return;
	kept->try_ms = clock_mono_ms() + kept->try_again_ms;
	kept->try_again_ms *= 2;
	if (kept->try_again_ms > CONFIG_AGAIN_MAX_MS)
		kept->try_again_ms = CONFIG_AGAIN_MAX_MS;
}

static bool
read_inside(struct hv *hv, struct kept *kept, const char *name, uint64_t *kib)
{
	char text[32];

	*kib = 0;
	if (!xen_store_text(hv, text, sizeof(text), "/local/domain/%u/data/%s", kept->domid, name))
		return false;
	kept->inside = true;
	return xen_parse_number(text, kib);
}

/*
 * What the guest says of its memory: it may write anything there, so only what can be true counts,
 * and one half without the other says nothing. Its age is counted from the last change, as xenstore
 * has no times.
 */
static void
learn_inside(struct hv *hv, struct kept *kept)
{
	int64_t now_ms = clock_mono_ms();
	uint64_t total, left;

	if (!kept->inside && now_ms < kept->inside_try_ms)
		return;
	kept->inside_try_ms = now_ms + INSIDE_AGAIN_MS;
	if (!read_inside(hv, kept, "meminfo_total", &total) ||
	    !read_inside(hv, kept, "meminfo_free", &left) || left > total ||
	    (kept->memory_max_kib && total > kept->memory_max_kib))
		total = left = 0;
	if (total != kept->inside_total_kib || left != kept->inside_free_kib)
		kept->inside_mono_ms = now_ms;
	kept->inside_total_kib = total;
	kept->inside_free_kib = left;
}

static int64_t
read_start(struct hv *hv, const struct kept *kept)
{
	char text[32], uuid[UUID_TEXT_SIZE];

	uuid_text(kept->uuid, uuid);
	xen_store_text(hv, text, sizeof(text), "/vm/%s/start_time", uuid);
	return xen_parse_time_ms(text);
}

static void
learn_birth(struct hv *hv, struct kept *kept)
{
	if (kept->settled)
		return;
	/* only a device model's domain has a target */
	kept->stubdom_for = (uint32_t)xen_store_number(hv, "/local/domain/%u/target", kept->domid);
	kept->memory_max_kib =
	    xen_store_number(hv, "/local/domain/%u/memory/static-max", kept->domid);
	kept->start_wall_ms = read_start(hv, kept);
	kept->settled = kept->ran;
	if (kept->settled)
		kept->young_ms = clock_mono_ms();
}

static void
put_figures(struct hv *hv, struct kept *kept, const struct hv_sink *sink)
{
	struct fact_figures fact = {
	    .domid = kept->domid,
	    .stubdom_for = kept->stubdom_for,
	    .on_poweroff = kept->deaths.on_poweroff,
	    .on_reboot = kept->deaths.on_reboot,
	    .on_crash = kept->deaths.on_crash,
	    .memory_max_kib = kept->memory_max_kib,
	    .start_wall_ms = kept->start_wall_ms,
	};

	memcpy(fact.uuid, kept->uuid, UUID_SIZE);
	xen_store_follow_text(hv, fact.name, sizeof(fact.name), "/local/domain/%u/name",
			      kept->domid);
	fact.memory_target_kib =
	    xen_store_follow_number(hv, "/local/domain/%u/memory/target", kept->domid);
	learn_inside(hv, kept);
	fact.inside_total_kib = kept->inside_total_kib;
	fact.inside_free_kib = kept->inside_free_kib;
	fact.inside_mono_ms = kept->inside_mono_ms;
	fact.monitored = xen_monitors_have(&hv->domains->monitors, kept->domid, fact.name);
	if (!hv->xs_failed)
		sink->put(sink->arg, MSG_FIGURES, &fact, sizeof(fact));
}

/* Dom0's kernel was booted with the hypervisor, and has an id of that (random(4)). */
static void
read_boot_id(uint8_t id[UUID_SIZE])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[UUID_TEXT_SIZE] = "";

	memset(id, 0, UUID_SIZE);
	if (!file)
		return;
	if (fgets(text, sizeof(text), file) && !uuid_parse(text, id))
		memset(id, 0, UUID_SIZE);
	fclose(file);
}

static int
put_host(struct hv *hv, const struct hv_sink *sink, char *error)
{
	struct fact_host host = {.software = "Xen"};
	const libxl_version_info *version = libxl_get_version_info(hv->ctx);
	libxl_physinfo info;
	int rc;

	libxl_physinfo_init(&info);
	rc = version ? libxl_get_physinfo(hv->ctx, &info) : ERROR_FAIL;
	if (rc == 0) {
		uint64_t page_kib = (uint64_t)version->pagesize / 1024;

		TEXT_FORMAT(host.version, "%d.%d%s", version->xen_version_major,
			    version->xen_version_minor,
			    version->xen_version_extra ? version->xen_version_extra : "");
		/* CLOCK_BOOTTIME begins with Dom0's boot, seconds after the hypervisor's own, of
		 * which it tells nothing: 0. */
		host.boot_mono_ms = 0;
		if (uuid_is_zero(hv->boot_id))
			read_boot_id(hv->boot_id);
		memcpy(host.boot_id, hv->boot_id, UUID_SIZE);
		host.cpus = info.nr_cpus;
		host.cpu_mhz = info.cpu_khz / 1000;
		host.memory_kib = info.total_pages * page_kib;
		host.memory_free_kib = (info.free_pages + info.scrub_pages) * page_kib;
		sink->put(sink->arg, MSG_HOST, &host, sizeof(host));
		hv->domains->free_kib = host.memory_free_kib;
	} else {
		text_format(error, TEXT_SIZE, "the hypervisor tells nothing of its host: %s",
			    hv->logger.complaint);
	}
	libxl_physinfo_dispose(&info);
	return rc == 0 ? 0 : -1;
}

static bool
has_young(const struct xen_domains *domains, int64_t now_ms)
{
	for (size_t i = 0; i < domains->count; i++)
		if (now_ms < domains->list[i].young_ms + YOUNG_MS)
			return true;
	return false;
}

static void
learn_monitors(struct xen_domains *domains)
{
	int64_t now_ms = clock_mono_ms();
	int64_t again_ms = domains->monitors.count > 0 ? MONITORS_MS : NO_MONITORS_MS;

	if (domains->monitors_ms && now_ms < domains->monitors_ms + again_ms &&
	    !has_young(domains, now_ms))
		return;
	if (xen_monitors_read(&domains->monitors))
		log_warn("/proc cannot be read: who watches which domain is not known");
	domains->monitors_ms = now_ms;
}

static void
put_domains(struct hv *hv, const struct hv_sink *sink)
{
	struct xen_domains *domains = hv->domains;
	int64_t until_ms = clock_mono_ms() + CONFIG_PASS_MS;

	learn_monitors(domains);
	for (size_t i = 0; i < domains->count && !hv->xs_failed; i++) {
		struct kept *kept = &domains->list[i];

		learn_birth(hv, kept);
		if (!kept->configured && kept->settled && clock_mono_ms() >= kept->try_ms &&
		    clock_mono_ms() < until_ms)
			learn_config(kept, until_ms);
		put_figures(hv, kept, sink);
	}
}

/* The host comes before the list: what its memory was then is what the list is of. */
int
xen_figures(struct hv *hv, const struct hv_sink *sink, char *error)
{
	bool changed;

	xen_complaint_clear(hv);
	if (!xen_store_open(hv)) {
		text_set(error, TEXT_SIZE, "xenstore cannot be reached: does xenstored run?");
		return -1;
	}
	changed = xen_store_catch_up(hv);
	if (!hv->domains)
		hv->domains = mem_alloc(sizeof(*hv->domains));
	if (put_host(hv, sink, error))
		return -1;
	if ((changed || is_unsteady(hv->domains)) && !list_domains(hv, error))
		return -1;
	put_domains(hv, sink);
	if (xen_devices_put(hv, sink, error))
		return -1;
	if (hv->xs_failed)
		text_set(error, TEXT_SIZE, "xenstore stopped answering");
	return hv->xs_failed ? -1 : 0;
}
