/* Log: one line an event, to syslog or stderr. A line names the VM and the host where it has one.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/*
 * Opens the log for a process called role ("parent", "engine", ...; kept, not copied).
 * foreground: to stderr, with the time where stderr is no journal; else to syslog (daemon).
 * verbose: debug lines too.
 */
void log_open(const char *role, bool foreground, int verbose);

void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Logs and ends the process with status 1: only at start, or where a bug of ours shows. */
void fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
