/* Three VMs that need one another, as most tests of supervision have them. */
#ifndef TESTS_UNIT_ENGINE_THREE_H
#define TESTS_UNIT_ENGINE_THREE_H

#include "engine_world.h"

#define MIN_MS INT64_C(60000)

/* The rules of supervision, one by one, and what goes wrong between. */
#include "engine_world.h"

#define MIN_MS INT64_C(60000)

/* All three run, and everything answers. */
static inline void
use_running_three(void)
{
	use_three();
	begin();
	run(20000);
	assert_vm("www", VM_RUNNING);
	assert_service("www", "80/tcp", SERVICE_UP);
	run(5 * MIN_MS);
	w->log[0] = '\0';
	forget_events();
}

static inline void
fail_service(const char *provider, const char *name)
{
	service_of(provider, name)->outcome = PROBE_DOWN;
}

static inline void
cure_service(const char *provider, const char *name)
{
	service_of(provider, name)->outcome = PROBE_UP;
}

#endif
