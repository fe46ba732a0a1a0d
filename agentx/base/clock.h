/* Time. Deadlines run on the monotonic clock, which counts while the host sleeps; people read the
 * wall clock. Both in milliseconds. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct instant {
	int64_t mono_ms; /* CLOCK_BOOTTIME: the same in every process of the host */
	int64_t wall_ms; /* since 1970-01-01 UTC */
};

struct instant clock_now(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void); /* the same clock in microseconds, to measure by */
int64_t clock_wall_ms(void);

#endif
