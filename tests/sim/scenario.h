/*
 * A scenario: configurations, guests, and what happens when. Its file (NAME.scn) is read by people
 * first. One line each:
 *
 *   # a remark
 *   seed N                   latencies vary by it; without: each is the shortest
 *   agent off                lauxend is not started at 0
 *   config [NAME]            the lines until one that is "end" are a configuration
 * (lauxen.conf(5)); the first one holds at 0 guest NAME KEY=VALUE...  of a VM, where it is not as
 * usual: boot=3s shutdown=1.5s memory=256 maxmem=256 used=MiB tools=1 crash=TIME
 * on_poweroff=destroy on_reboot=restart on_crash=destroy uuid=UUID serves=tcp:PORT saved=1 TIME
 * WORD...             happens then: ops.h. TIME: 12, 1.5s, 200ms, 3min, 2h; "+" counts from the
 * line before
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SCENARIO_WORDS 24

struct scenario_config {
	char name[32];
	char *text;
};

/* A guest line, or an op; the words lie in text. */
struct scenario_line {
	int64_t at_ms;
	int line;
	char *text; /* as written, after the time */
	char *buffer;
	char *words[SCENARIO_WORDS + 1];
	int count;
};

struct scenario {
	char name[64];
	uint64_t seed;
	bool agent_off;
	struct scenario_config *configs;
	size_t configs_count;
	struct scenario_line *guests, *ops;
	size_t guests_count, ops_count;
};

/* False with error (256 octets), which has the line. */
bool scenario_read(struct scenario *scenario, FILE *from, char *error);
void scenario_write(const struct scenario *scenario, FILE *to);
void scenario_dispose(struct scenario *scenario);
void scenario_copy(struct scenario *to, const struct scenario *from);

/* For who makes one. */
void scenario_add_config(struct scenario *scenario, const char *name, const char *text);
void scenario_add_guest(struct scenario *scenario, const char *text);
void scenario_add_op(struct scenario *scenario, int64_t at_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void scenario_drop_op(struct scenario *scenario, size_t at, size_t count);

const char *scenario_text(const struct scenario *scenario, const char *name); /* NULL: none */

/* Milliseconds of "1.5s"; -1: no time. */
int64_t scenario_time(const char *text);

#endif
