/*
 * Start, save and restore, whose logic is xl's own: `xl create -e`, `xl save`, `xl restore -e`. -e:
 * no monitor stays behind. What xl returns is not believed: the domains are looked at after it.
 */
#include "hypervisor/xen_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libxlutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"

#define OVERHEAD_KIB (4 * 1024)	   /* what Xen needs of its own for a small VM */
#define SAVE_SPARE_KIB (64 * 1024) /* of a state beside the memory; and left for others */
#define SUSPEND_WAIT_MS 5000	   /* for a guest that was told to suspend */
#define LOOK_MS 50
#define OVERRIDE_SIZE 160

/* The memory that an xl file asks for, read by xl's own reader; false, and outcome filled: why the
 * file is of no use. */
static bool
read_demand(struct hv *hv, const char *path, uint64_t *kib, struct outcome *outcome)
{
	char *report = NULL;
	long mib = 0;
	size_t size = 0;
	FILE *to = open_memstream(&report, &size);
	XLU_Config *config = to ? xlu_cfg_init(to, path) : NULL;
	int r = config ? xlu_cfg_readfile(config, path) : ENOMEM;

	if (r == 0)
		xlu_cfg_get_long(config, "memory", &mib, 1);
	if (config)
		xlu_cfg_destroy(config);
	if (to)
		fclose(to);
	*kib = mib > 0 ? (uint64_t)mib * 1024 : 0;
	if (r) {
		char why[TEXT_SIZE] = "";

		if (report)
			xen_parse_complaint(report, why); /* with the file's name and line */
		if (*why)
			xen_fail(hv, outcome, "%s", why);
		else
			xen_fail(hv, outcome, "%s: %s", path, strerror(r));
	}
	free(report);
	return r == 0;
}

/* Whether the host has memory for a new domain; unknown is taken for yes, as xl looks again. */
static bool
has_memory(struct hv *hv, const struct action *action, uint64_t kib, struct outcome *outcome)
{
	uint64_t free_kib = xen_free_kib(hv);

	if (!free_kib || kib + OVERHEAD_KIB <= free_kib)
		return true;
	xen_fail(hv, outcome, "%s needs %" PRIu64 " MiB, the host has %" PRIu64 " MiB free",
		 action->name, (kib + 1023) / 1024, free_kib / 1024);
	return false;
}

/* Whether no domain has this UUID; Xen itself would allow a second. */
static bool
is_new(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	uint32_t domid;
	int found = xen_find(hv, action->uuid, action->name, &domid);

	if (found > 0)
		xen_fail(hv, outcome, "%s is domain %" PRIu32 " already", action->name, domid);
	else if (found < 0)
		xen_fail(hv, outcome, "whether %s has a domain already is not known", action->name);
	return found == 0;
}

/* After xl: the domain that has come is the word that counts. */
static void
settle_new(struct hv *hv, const struct action *action, int status, const char *error,
	   struct outcome *outcome)
{
	int found = xen_find(hv, action->uuid, action->name, &outcome->domid);

	if (found == 1 && status) /* xl could not clean up, or failed after all was done */
		xen_mend_new(hv, action, outcome);
	xen_complaint_clear(hv);
	if (found < 0) {
		outcome->state = REQUEST_UNDECIDED;
		TEXT_FORMAT(outcome->error, "what became of %s is not known", action->name);
	} else if (found == 0 && status == 0) {
		xen_fail(hv, outcome, "%s was made, and was gone at once", action->name);
	} else if (found == 0 || outcome->state == REQUEST_FAILED) {
		xen_fail(hv, outcome, "%s", error);
		outcome->domid = 0;
	}
}

/* Whether text can stand in quotes in an xl file. */
static bool
is_quotable(const char *text)
{
	for (; *text; text++)
		if (*text == '"' || *text == '\\' || *text == '\'' || (unsigned char)*text < ' ')
			return false;
	return true;
}

/* Saved states: SAVE_DIR/UUID.save, and while one is written UUID.save.part. */
void
xen_path(struct hv *hv, const struct action *action, const char *suffix, char *path)
{
	char uuid[UUID_TEXT_SIZE];

	uuid_text(action->uuid, uuid);
	snprintf(path, XEN_PATH_SIZE, "%s/%s%s", hv->config->save_dir, uuid, suffix);
}

/* A state that was saved before the VM was started afresh does not fit its disks any more. */
static void
retire_state(struct hv *hv, const struct action *action)
{
	char path[XEN_PATH_SIZE], old[XEN_PATH_SIZE];

	xen_path(hv, action, XEN_STATE, path);
	xen_path(hv, action, XEN_STATE ".old", old);
	if (rename(path, old) == 0)
		log_warn("%s: was started afresh, so its saved state is out of date: now %s",
			 action->name, old);
}

/* xl takes the last two words as further lines of the file, which outweigh its own. */
static int
create(const struct config_vm *vm, const uint8_t uuid[UUID_SIZE], char *error)
{
	char name[OVERRIDE_SIZE], id[OVERRIDE_SIZE], text[UUID_TEXT_SIZE];

	uuid_text(uuid, text);
	snprintf(name, sizeof(name), "name=\"%s\"", vm->provider.name);
	snprintf(id, sizeof(id), "uuid=\"%s\"", text);
	return xen_xl((const char *[]){"create", "-q", "-e", "-f", vm->file, name, id, NULL}, 0,
		      error);
}

static bool
can_start(struct hv *hv, const struct action *action, const struct config_vm *vm,
	  struct outcome *outcome)
{
	uint64_t kib;

	if (!vm || !vm->file)
		xen_fail(hv, outcome, "no xl file is configured for %s", action->name);
	else if (access(vm->file, R_OK))
		xen_fail(hv, outcome, "%s: %s", vm->file, strerror(errno));
	else if (!is_quotable(vm->provider.name))
		xen_fail(hv, outcome, "%s: a name with quotes cannot be given to xl",
			 vm->provider.name);
	else
		return read_demand(hv, vm->file, &kib, outcome) &&
		       has_memory(hv, action, kib, outcome);
	return false;
}

void
xen_start(struct hv *hv, const struct action *action, const struct config_vm *vm,
	  struct outcome *outcome)
{
	struct action new = *action;
	char error[TEXT_SIZE];
	int status;

	if (!can_start(hv, action, vm, outcome))
		return;
	/* one that we make, where there is none, tells our domain from others */
	if (uuid_is_zero(new.uuid))
		memcpy(new.uuid, vm->uuid, UUID_SIZE);
	if (uuid_is_zero(new.uuid))
		uuid_random(new.uuid);
	if (!is_new(hv, &new, outcome))
		return;
	status = create(vm, new.uuid, error);
	settle_new(hv, &new, status, error, outcome);
	if (outcome->state == REQUEST_SUCCEEDED)
		retire_state(hv, &new);
}

static bool
has_space(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	const char *dir = hv->config->save_dir;
	struct statvfs fs;
	libxl_dominfo info;
	int found = xen_info(hv, action->domid, &info);
	uint64_t need_kib = info.current_memkb + SAVE_SPARE_KIB, free_kib;
	bool fits = false;

	libxl_dominfo_dispose(&info);
	if (found != 1) {
		xen_fail(hv, outcome, "%s has no domain %" PRIu32 " (any more)", action->name,
			 action->domid);
	} else if (statvfs(dir, &fs)) {
		xen_fail(hv, outcome, "%s: %s", dir, strerror(errno));
	} else {
		free_kib = (uint64_t)fs.f_bavail * fs.f_frsize / 1024;
		fits = need_kib <= free_kib;
		if (!fits)
			xen_fail(hv, outcome,
				 "the memory of %s takes %" PRIu64 " MiB, %s has %" PRIu64
				 " MiB free",
				 action->name, need_kib / 1024, dir, free_kib / 1024);
	}
	return fits;
}

/* Makes the finished file last, under its own name. */
int
xen_file_keep(struct hv *hv, const char *part, const char *path)
{
	int fd = open(part, O_RDONLY | O_CLOEXEC);
	int dir = open(hv->config->save_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 || dir < 0 || fsync(fd) || rename(part, path) || fsync(dir) ? -1 : 0;
	int saved = errno;

	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	errno = saved;
	return r;
}

/*
 * Whether a state may be complete: its last record says so, which is 8 octets of 0 (libxl's
 * migration stream, version 2, record END). A state that was cut there by chance fails to restore,
 * without harm.
 */
static bool
is_whole(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t tail = 1;
	bool whole;

	if (fd < 0)
		return false;
	whole = lseek(fd, -(off_t)sizeof(tail), SEEK_END) >= 0 &&
		read(fd, &tail, sizeof(tail)) == (ssize_t)sizeof(tail) && tail == 0;
	close(fd);
	return whole;
}

/* What is left of the domain of a save. */
enum remains {
	REMAINS_UNKNOWN,
	REMAINS_NONE, /* it is gone, or dying */
	REMAINS_RUNNING,
	REMAINS_SUSPENDED,
};

/* wait_ms: one that was told to suspend may do so still. */
static enum remains
remains_of(struct hv *hv, const struct action *action, int wait_ms, uint32_t *domid)
{
	int64_t until_ms = clock_mono_ms() + wait_ms;
	int known = xen_find(hv, action->uuid, action->name, domid);

	if (known != 1)
		return known < 0 ? REMAINS_UNKNOWN : REMAINS_NONE;
	for (;;) {
		libxl_dominfo info;
		int found = xen_info(hv, *domid, &info);
		bool dying = found == 1 && info.dying;
		bool suspended = found == 1 && info.shutdown &&
				 info.shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND;

		libxl_dominfo_dispose(&info);
		if (found < 0)
			return REMAINS_UNKNOWN;
		if (found == 0 || dying)
			return REMAINS_NONE;
		if (suspended)
			return REMAINS_SUSPENDED;
		if (clock_mono_ms() >= until_ms)
			return REMAINS_RUNNING;
		xen_sleep_ms(LOOK_MS);
	}
}

static void
discard_part(const char *part)
{
	if (unlink(part) && errno != ENOENT)
		log_error("%s: %s", part, strerror(errno));
}

/*
 * The save is over, by xl's end or the helper's: what is left decides. done: xl says that it has
 * saved it, and has destroyed the domain, which can stay in the list for a while. Else a guest that
 * suspended goes on, and its state goes; where it cannot, a state that is whole is kept.
 */
static void
settle_save(struct hv *hv, const struct action *action, bool done, int wait_ms,
	    struct outcome *outcome)
{
	char path[XEN_PATH_SIZE], part[XEN_PATH_SIZE];
	struct outcome ignored = {0};
	uint32_t domid;
	enum remains remains = remains_of(hv, action, wait_ms, &domid);
	bool whole;

	xen_path(hv, action, XEN_STATE, path);
	xen_path(hv, action, XEN_STATE ".part", part);
	whole = done || is_whole(part);
	if (remains == REMAINS_SUSPENDED && !done) {
		if (libxl_domain_resume(hv->ctx, domid, 1, NULL) == 0)
			remains = REMAINS_RUNNING;
		else
			log_error("%s: suspended for a save that failed, and cannot be resumed: %s",
				  action->name, hv->logger.complaint);
	}
	if (remains == REMAINS_UNKNOWN) {
		outcome->state = REQUEST_UNDECIDED;
		TEXT_FORMAT(outcome->error, "whether %s lives is not known: its state is in %s",
			    action->name, part);
	} else if (remains == REMAINS_RUNNING) {
		discard_part(part);
		outcome->state = REQUEST_FAILED;
		if (!*outcome->error)
			TEXT_FORMAT(outcome->error, "%s was not saved, and runs on", action->name);
	} else if (whole && xen_file_keep(hv, part, path)) {
		outcome->state = REQUEST_UNDECIDED;
		TEXT_FORMAT(outcome->error, "the state of %s stays in %s: %s", action->name, part,
			    strerror(errno));
	} else if (whole) {
		if (remains == REMAINS_SUSPENDED)
			xen_destroy(hv, domid, &ignored);
		outcome->state = REQUEST_SUCCEEDED;
		*outcome->error = '\0';
	} else if (remains == REMAINS_SUSPENDED) {
		discard_part(part);
		outcome->state = REQUEST_FAILED;
		TEXT_FORMAT(outcome->error,
			    "%s is suspended for a save that failed, and cannot be resumed",
			    action->name);
	} else if (access(part, F_OK) == 0 || access(path, F_OK)) {
		discard_part(part);
		outcome->state = REQUEST_FAILED;
		TEXT_FORMAT(outcome->error, "%s went while it was saved: no state is left",
			    action->name);
	}
}

/* xl would make the file readable for all, and it holds the guest's memory. */
static bool
make_part(struct hv *hv, const char *part, struct outcome *outcome)
{
	int fd;

	unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		xen_fail(hv, outcome, "%s: %s", part, strerror(errno));
	else
		close(fd);
	return fd >= 0;
}

bool
xen_file_begin(struct hv *hv, const struct action *action, const char *part,
	       struct outcome *outcome)
{
	return has_space(hv, action, outcome) && make_part(hv, part, outcome);
}

void
xen_save(struct hv *hv, const struct action *action, const struct config_vm *vm,
	 struct outcome *outcome)
{
	char part[XEN_PATH_SIZE], domid[16], error[TEXT_SIZE];
	int status;

	(void)vm;
	xen_path(hv, action, XEN_STATE ".part", part);
	if (!xen_file_begin(hv, action, part, outcome))
		return;
	snprintf(domid, sizeof(domid), "%" PRIu32, action->domid);
	status = xen_xl((const char *[]){"save", domid, part, NULL}, 0, error);
	if (status)
		TEXT_SET(outcome->error, error);
	settle_save(hv, action, status == 0, 0, outcome);
}

void
xen_restore(struct hv *hv, const struct action *action, const struct config_vm *vm,
	    struct outcome *outcome)
{
	char path[XEN_PATH_SIZE], error[TEXT_SIZE];
	struct stat stat_of;
	int status;

	(void)vm;
	xen_path(hv, action, XEN_STATE, path);
	if (stat(path, &stat_of)) {
		xen_fail(hv, outcome, "%s has no saved state: %s: %s", action->name, path,
			 strerror(errno));
		return;
	}
	/* the state is the guest's memory and little else */
	if (!is_new(hv, action, outcome) ||
	    !has_memory(hv, action, (uint64_t)stat_of.st_size / 1024, outcome))
		return;
	status = xen_xl((const char *[]){"restore", "-e", path, NULL}, 0, error);
	settle_new(hv, action, status, error, outcome);
	/* a second restore would find disks that have moved on */
	if (outcome->state == REQUEST_SUCCEEDED && unlink(path))
		log_error("%s: restored, but its state cannot be removed: %s: %s", action->name,
			  path, strerror(errno));
}

/*
 * A start or a restore was cut off. A domain that was never unpaused (it has had no CPU time, and
 * stands paused) is half built: it goes, unless a monitor shows that a person made it. One that
 * runs is what was asked for.
 */
bool
xen_mend_new(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	libxl_dominfo info;
	uint32_t domid = 0;
	int found = xen_find(hv, action->uuid, action->name, &domid);
	bool half;

	if (found != 1) {
		outcome->state = found ? REQUEST_UNDECIDED : REQUEST_FAILED;
		return found == 0;
	}
	found = xen_info(hv, domid, &info);
	half = found == 1 && info.paused && info.cpu_time == 0 && hv_xen.monitored(hv, domid) != 1;
	libxl_dominfo_dispose(&info);
	if (!half) {
		outcome->domid = domid;
		return true;
	}
	log_warn("%s: domain %" PRIu32 " is half built, and is destroyed", action->name, domid);
	if (!xen_destroy(hv, domid, outcome))
		return false;
	outcome->state = REQUEST_FAILED;
	TEXT_FORMAT(outcome->error, "%s was half built, and was destroyed", action->name);
	return true;
}

void
xen_mend_save(struct hv *hv, const struct action *action, struct outcome *outcome)
{
	settle_save(hv, action, false, SUSPEND_WAIT_MS, outcome);
}
