#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static const char *log_role = "lauxend";
static bool log_to_stderr = true;
static int log_verbose;

void
log_open(const char *role, bool foreground, int verbose)
{
	log_role = role;
	log_to_stderr = foreground;
	log_verbose = verbose;
	if (!foreground)
		openlog("lauxend", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

/*
 * One write(2) a line, so that the lines of several processes do not mix. Who reads them may have
 * stopped, as journald does on a disk that hangs: then lines are lost, and nobody waits for it.
 */
static void
log_write(const char *line, size_t length)
{
	static unsigned lost;
	struct pollfd reader = {.fd = STDERR_FILENO, .events = POLLOUT};
	char told[64];
	int told_length = 0;

	if (poll(&reader, 1, 0) == 0) {
		lost++;
		return;
	}
	if (lost > 0)
		told_length =
		    snprintf(told, sizeof(told), "%s: %u lines before are lost\n", log_role, lost);
	lost = 0;
	if ((told_length > 0 && write(STDERR_FILENO, told, (size_t)told_length) < 0) ||
	    write(STDERR_FILENO, line, length) < 0)
		log_to_stderr = true; /* nobody to tell */
}

static void
log_line(int level, const char *format, va_list args)
{
	char text[1024], line[1200], when[32] = "";
	int saved = errno, length;

	vsnprintf(text, sizeof(text), format, args);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (!log_to_stderr) {
		syslog(level, "%s: %s", log_role, text);
		errno = saved;
		return;
	}
	if (!getenv("JOURNAL_STREAM")) {
		struct timespec now;
		struct tm tm;
		char clock[16];

		clock_gettime(CLOCK_REALTIME, &now);
		localtime_r(&now.tv_sec, &tm);
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
		snprintf(when, sizeof(when), "%s.%03ld ", clock, now.tv_nsec / 1000000);
	}
	length = snprintf(line, sizeof(line), "%s%s: %s%s\n", when, log_role,
			  level <= LOG_ERR	 ? "error: "
			  : level == LOG_WARNING ? "warning: "
						 : "",
			  text);
	if (length > 0)
		log_write(line, (size_t)length);
	errno = saved;
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		va_start(args, format);                                                            \
		log_line(level, format, args);                                                     \
		va_end(args);                                                                      \
	}

LOG_FUNCTION(log_info, LOG_INFO)
LOG_FUNCTION(log_warn, LOG_WARNING)
LOG_FUNCTION(log_error, LOG_ERR)

void
log_debug(const char *format, ...)
{
	va_list args;

	if (!log_verbose)
		return;
	va_start(args, format);
	log_line(LOG_DEBUG, format, args);
	va_end(args);
}

void
fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(LOG_CRIT, format, args);
	va_end(args);
	exit(1);
}
