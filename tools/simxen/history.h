/*
 * `simxen --history SECONDS`: the model in virtual time, without sockets: prints each change as it
 * happens and the state and figures of all domains each second. The output is a function of seed,
 * definitions and script.
 */
#ifndef SIMXEN_HISTORY_H
#define SIMXEN_HISTORY_H

#include <stdint.h>

#include "tools/simxen/host.h"

/*
 * Runs host for so long. script, or NULL: a file with lines "MS COMMAND WORD ...", rising in time;
 * words are separated by blanks, # begins a comment. Returns an exit status, errors to stderr.
 */
int history_run(struct host *host, int64_t seconds, const char *script, FILE *out);

#endif
