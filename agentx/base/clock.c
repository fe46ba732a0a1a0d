#include "base/clock.h"

#include <time.h>

static int64_t
clock_read_ms(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

int64_t
clock_mono_ms(void)
{
	return clock_read_ms(CLOCK_BOOTTIME);
}

int64_t
clock_mono_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

int64_t
clock_wall_ms(void)
{
	return clock_read_ms(CLOCK_REALTIME);
}

struct instant
clock_now(void)
{
	return (struct instant){.mono_ms = clock_mono_ms(), .wall_ms = clock_wall_ms()};
}
