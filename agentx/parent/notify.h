/* Tells the service manager how lauxend fares, by sd_notify(3)'s protocol; nothing without one. */
#ifndef PARENT_NOTIFY_H
#define PARENT_NOTIFY_H

/* Takes NOTIFY_SOCKET out of the environment, which children do not need. */
void notify_open(void);

/* Sends lines of KEY=VALUE: "READY=1\nSTATUS=...". */
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
