#include "hypervisor/hv.h"

const struct hv_driver *
hv_driver(const struct config *config)
{
	static const struct hv_driver *const drivers[] = {
	    [CONFIG_XEN] = &hv_xen, [CONFIG_SIM] = &hv_sim};

	return drivers[config->hypervisor];
}
