/* What on_crash and its like may ask for beside destroying a dead domain. */
#include "hypervisor/xen_driver.h"

#include <errno.h>
#include <inttypes.h>
#include <libxl_utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenctrl.h>

#include "base/log.h"
#include "base/mem.h"

/* The VM's last one is replaced: so the space that dumps take is bounded. */
void
xen_dump(struct hv *hv, const struct action *action, const struct config_vm *vm,
	 struct outcome *outcome)
{
	char path[XEN_PATH_SIZE], part[XEN_PATH_SIZE], domid[16], error[TEXT_SIZE];

	(void)vm;
	xen_path(hv, action, XEN_CORE, path);
	xen_path(hv, action, XEN_CORE ".part", part);
	if (!xen_file_begin(hv, action, part, outcome))
		return;
	snprintf(domid, sizeof(domid), "%" PRIu32, action->domid);
	if (xen_xl((const char *[]){"dump-core", domid, part, NULL}, action->deadline_ms, error))
		xen_fail(hv, outcome, "%s", error);
	else if (xen_file_keep(hv, part, path))
		xen_fail(hv, outcome, "%s: %s", path, strerror(errno));
	else
		log_info("%s: the memory of its domain %" PRIu32 " is in %s", action->name,
			 action->domid, path);
	if (outcome->state != REQUEST_SUCCEEDED)
		unlink(part);
}

void
xen_mend_dump(struct hv *hv, const struct action *action)
{
	char part[XEN_PATH_SIZE];

	xen_path(hv, action, XEN_CORE ".part", part);
	unlink(part);
}

/* The UUID that the hypervisor itself lists, which libxl_domain_preserve() leaves as it was. */
static bool
set_handle(struct hv *hv, uint32_t domid, const libxl_uuid *uuid)
{
	xc_interface *xc = xc_interface_open(&hv->logger.vtable, &hv->logger.vtable, 0);
	xen_domain_handle_t handle = {0};
	int r = -1;

	memcpy(handle, uuid->uuid, UUID_SIZE);
	if (xc) {
		r = xc_domain_sethandle(xc, domid, handle);
		xc_interface_close(xc);
	}
	return r == 0;
}

/* Under a name as xl gives it. */
void
xen_set_aside(struct hv *hv, const struct action *action, const struct config_vm *vm,
	      struct outcome *outcome)
{
	libxl_domain_create_info info;
	char suffix[32];
	time_t now = time(NULL);
	struct tm utc;
	libxl_uuid uuid;

	(void)vm;
	libxl_domain_create_info_init(&info);
	libxl_uuid_generate(&uuid);
	info.name = libxl_domid_to_name(hv->ctx, action->domid);
	strftime(suffix, sizeof(suffix), "-%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
	if (!info.name || libxl_domain_preserve(hv->ctx, action->domid, &info, suffix, uuid) ||
	    !set_handle(hv, action->domid, &uuid))
		xen_fail(hv, outcome, "domain %" PRIu32 " of %s cannot be renamed", action->domid,
			 action->name);
	else
		log_info("%s: its dead domain %" PRIu32 " is now %s%s", action->name, action->domid,
			 info.name, suffix);
	libxl_domain_create_info_dispose(&info);
}
