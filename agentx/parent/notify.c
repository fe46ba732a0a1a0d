#include "parent/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

static int notify_fd = -1;

void
notify_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;

	if (length > 0 && length < sizeof(address.sun_path)) {
		memcpy(address.sun_path, path, length);
		if (*path == '@')
			address.sun_path[0] = '\0';
		notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (notify_fd >= 0 &&
		    connect(notify_fd, (struct sockaddr *)&address,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0) {
			log_warn("cannot reach the service manager: %s", strerror(errno));
			close(notify_fd);
			notify_fd = -1;
		}
	}
	unsetenv("NOTIFY_SOCKET");
}

void
notify_send(const char *format, ...)
{
	char text[512];
	va_list args;

	if (notify_fd < 0)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (send(notify_fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		log_debug("the service manager does not listen: %s", strerror(errno));
}
