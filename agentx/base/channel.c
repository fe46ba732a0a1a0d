#include "base/channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/messages.h"

#define CHANNEL_TURN 32 /* messages handled before the loop gets its turn again */

struct waiting {
	STAILQ_ENTRY(waiting) next;
	int fd; /* -1: none */
	struct message message;
};

struct channel {
	const char *name;
	const struct channel_handlers *handlers;
	void *arg;
	struct event_base *base;
	struct event *readable, *writable;
	int fd;
	bool greeted; /* the peer's hello came */
	STAILQ_HEAD(, waiting) queue;
};

static void channel_read(int fd, short what, void *arg);
static void channel_write(int fd, short what, void *arg);

struct channel *
channel_new(struct event_base *base, const char *name, const struct channel_handlers *handlers,
	    void *arg)
{
	struct channel *channel = mem_alloc(sizeof(*channel));

	*channel = (struct channel){
	    .name = name, .handlers = handlers, .arg = arg, .base = base, .fd = -1};
	STAILQ_INIT(&channel->queue);
	return channel;
}

static void
waiting_free(struct waiting *waiting)
{
	if (waiting->fd >= 0)
		close(waiting->fd);
	free(waiting);
}

static void
channel_detach(struct channel *channel)
{
	struct waiting *waiting;

	if (channel->fd < 0)
		return;
	event_free(channel->readable);
	event_free(channel->writable);
	close(channel->fd);
	channel->fd = -1;
	channel->greeted = false;
	while ((waiting = STAILQ_FIRST(&channel->queue))) {
		STAILQ_REMOVE_HEAD(&channel->queue, next);
		waiting_free(waiting);
	}
}

void
channel_free(struct channel *channel)
{
	if (!channel)
		return;
	channel_detach(channel);
	free(channel);
}

bool
channel_attached(const struct channel *channel)
{
	return channel->fd >= 0;
}

void
channel_attach(struct channel *channel, int fd)
{
	uint32_t version = MESSAGES_VERSION;

	channel_detach(channel);
	evutil_make_socket_nonblocking(fd);
	evutil_make_socket_closeonexec(fd);
	channel->fd = fd;
	channel->readable =
	    event_new(channel->base, fd, EV_READ | EV_PERSIST, channel_read, channel);
	channel->writable =
	    event_new(channel->base, fd, EV_WRITE | EV_PERSIST, channel_write, channel);
	if (!channel->readable || !channel->writable)
		fatal("%s: libevent refuses an event", channel->name);
	event_add(channel->readable, NULL);
	channel_send(channel, MSG_HELLO, version, NULL, 0);
}

static void
channel_close(struct channel *channel, const char *why)
{
	log_debug("%s: %s", channel->name, why);
	channel_detach(channel);
	if (channel->handlers->closed)
		channel->handlers->closed(channel->arg);
}

/* One sendmsg(2); 0 sent, EAGAIN, or another errno. */
static int
channel_transmit(struct channel *channel, const struct message *message, int fd)
{
	struct iovec part = {(void *)message, MESSAGE_HEAD + message->size};
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *rights;

		header.msg_control = control.room;
		header.msg_controllen = sizeof(control.room);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &fd, sizeof(int));
	}
	while (sendmsg(channel->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return errno == ENOBUFS ? EAGAIN : errno;
	return 0;
}

static void
message_fill(struct message *message, int type, uint32_t detail, const void *body, size_t size)
{
	if (size > MESSAGE_BODY_MAX)
		fatal("message %d of %zu octets is over %d", type, size, MESSAGE_BODY_MAX);
	message->type = (uint16_t)type;
	message->size = (uint16_t)size;
	message->detail = detail;
	if (size > 0)
		memcpy(message->body, body, size);
}

/* Up to CHANNEL_TURN by one sendmmsg(2), so that the peer wakes once; how many need no second try.
 */
static int
channel_transmit_all(struct channel *channel, struct message *messages, int count)
{
	struct mmsghdr headers[CHANNEL_TURN];
	struct iovec parts[CHANNEL_TURN];
	int sent;

	for (int i = 0; i < count; i++) {
		parts[i] = (struct iovec){&messages[i], MESSAGE_HEAD + messages[i].size};
		headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
	}
	sent = sendmmsg(channel->fd, headers, (unsigned)count, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : count;
}

static void
channel_queue(struct channel *channel, const struct message *message, int fd)
{
	struct waiting *waiting = mem_alloc(offsetof(struct waiting, message.body) + message->size);

	memcpy(&waiting->message, message, MESSAGE_HEAD + message->size);
	waiting->fd = fd < 0 ? -1 : dup(fd);
	STAILQ_INSERT_TAIL(&channel->queue, waiting, next);
	event_add(channel->writable, NULL);
}

/* The peer's death is left to the read side, which first reads what the peer still said. */
static void
channel_post(struct channel *channel, const struct message *message, int fd)
{
	if (channel->fd < 0)
		return;
	if (!STAILQ_EMPTY(&channel->queue) || channel_transmit(channel, message, fd) == EAGAIN)
		channel_queue(channel, message, fd);
}

void
channel_send(struct channel *channel, int type, uint32_t detail, const void *body, size_t size)
{
	struct message message;

	message_fill(&message, type, detail, body, size);
	channel_post(channel, &message, -1);
}

void
channel_send_fd(struct channel *channel, int type, uint32_t detail, int fd)
{
	struct message message;

	message_fill(&message, type, detail, NULL, 0);
	channel_post(channel, &message, fd);
}

void
channel_offer(struct channel *channel)
{
	if (channel->fd >= 0)
		event_add(channel->writable, NULL);
}

/* Sends queued messages, then at most one turn of rows. False: the socket is full. */
static bool
channel_drain(struct channel *channel)
{
	struct waiting *waiting;

	while ((waiting = STAILQ_FIRST(&channel->queue))) {
		if (channel_transmit(channel, &waiting->message, waiting->fd) == EAGAIN)
			return false;
		STAILQ_REMOVE_HEAD(&channel->queue, next);
		waiting_free(waiting);
	}
	return true;
}

static void
channel_write(int fd, short what, void *arg)
{
	static struct message messages[CHANNEL_TURN];
	struct channel *channel = arg;
	int count = 0;

	(void)fd, (void)what;
	if (!channel_drain(channel))
		return;
	while (channel->handlers->pull && count < CHANNEL_TURN &&
	       channel->handlers->pull(channel->arg, &messages[count]))
		count++;
	for (int i = channel_transmit_all(channel, messages, count); i < count; i++)
		channel_queue(channel, &messages[i], -1);
	if (count < CHANNEL_TURN && STAILQ_EMPTY(&channel->queue))
		event_del(channel->writable);
}

/* The first descriptor that came, or -1; the room rounds up to two, and a hostile peer fills it. */
static int
channel_take_fd(struct msghdr *header)
{
	const struct cmsghdr *rights = CMSG_FIRSTHDR(header);
	size_t count;
	int first = -1, fd;

	if (!rights || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS)
		return -1;
	count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < count; i++) {
		memcpy(&fd, CMSG_DATA(rights) + i * sizeof(int), sizeof(int));
		if (i == 0)
			first = fd;
		else
			close(fd);
	}
	return first;
}

static void
channel_greet(struct channel *channel, int fd)
{
	channel->greeted = true;
	if (fd >= 0)
		close(fd);
}

/* One message: 1 handled, 0 nothing there, -1 the peer is gone (and the channel detached). */
static int
channel_receive(struct channel *channel)
{
	struct message message;
	struct iovec part = {&message, sizeof(message)};
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.room,
				.msg_controllen = sizeof(control.room)};
	ssize_t length;
	int fd;

	length = recvmsg(channel->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (length <= 0) {
		channel_close(channel, "the peer is gone");
		return -1;
	}
	fd = channel_take_fd(&header);
	if ((size_t)length < MESSAGE_HEAD || (size_t)length != MESSAGE_HEAD + message.size ||
	    (!channel->greeted &&
	     (message.type != MSG_HELLO || message.detail != MESSAGES_VERSION))) {
		if (fd >= 0)
			close(fd);
		channel_close(channel, "the peer speaks another version; restart all of lauxend");
		return -1;
	}
	if (message.type == MSG_HELLO)
		channel_greet(channel, fd);
	else
		channel->handlers->received(channel->arg, &message, fd);
	return channel->fd < 0 ? -1 : 1;
}

static void
channel_read(int fd, short what, void *arg)
{
	(void)fd, (void)what;
	for (int i = 0; i < CHANNEL_TURN; i++)
		if (channel_receive(arg) <= 0)
			return;
}

bool
channel_wait(struct channel *channel, int64_t deadline_ms, const bool *done)
{
	while (!*done && channel->fd >= 0) {
		int64_t left_ms = deadline_ms - clock_mono_ms();
		struct pollfd wait = {.fd = channel->fd, .events = POLLIN};

		if (left_ms <= 0)
			break;
		if (!STAILQ_EMPTY(&channel->queue))
			wait.events |= POLLOUT;
		if (poll(&wait, 1, (int)left_ms) <= 0)
			continue;
		if (wait.revents & POLLOUT)
			channel_drain(channel);
		if (wait.revents & (POLLIN | POLLHUP | POLLERR))
			channel_receive(channel);
	}
	return *done;
}

void
channel_flush(struct channel *channel, int64_t deadline_ms)
{
	while (channel->fd >= 0 && !channel_drain(channel)) {
		struct pollfd wait = {.fd = channel->fd, .events = POLLOUT};
		int64_t left_ms = deadline_ms - clock_mono_ms();

		if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) < 0)
			return;
	}
}
