/*
 * A channel between two processes: messages of a fixed form over a SOCK_SEQPACKET pair, on
 * libevent. Sends never block. Messages wait in order and are never dropped while the peer lives;
 * rows are pulled from their owner only when the socket has room, so that a newer row replaces a
 * waiting one. When the peer died the queue is thrown away: who owns the state sends it anew to the
 * next peer.
 */
#ifndef BASE_CHANNEL_H
#define BASE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_BODY_MAX 2016 /* octets */

struct message {
	uint16_t type;	 /* enum message_type of base/messages.h */
	uint16_t size;	 /* octets of body in use */
	uint32_t detail; /* meaning depends on type */
	_Alignas(8) unsigned char body[MESSAGE_BODY_MAX];
};

#define MESSAGE_HEAD offsetof(struct message, body)

struct channel;
struct event_base;

struct channel_handlers {
	/* A message came; fd is -1 or a descriptor that is now the handler's. */
	void (*received)(void *arg, const struct message *message, int fd);
	/* The socket has room: fill the next row into message, or return false. May be NULL. */
	bool (*pull)(void *arg, struct message *message);
	/* The peer is gone or spoke another version; the channel is detached. */
	void (*closed)(void *arg);
};

/* A channel without a peer. name is kept, for the log; arg goes to the handlers. */
struct channel *channel_new(struct event_base *base, const char *name,
			    const struct channel_handlers *handlers, void *arg);
void channel_free(struct channel *channel);

/* Takes over fd as the (new) peer, greets it; what waited for an old peer is dropped. */
void channel_attach(struct channel *channel, int fd);
bool channel_attached(const struct channel *channel);

/* Sends, or queues in order; silently nothing where no peer is attached. */
void channel_send(struct channel *channel, int type, uint32_t detail, const void *body,
		  size_t size);
/* The same with a descriptor, which stays the caller's (and must be closed by it after). */
void channel_send_fd(struct channel *channel, int type, uint32_t detail, int fd);

/* Says that pull has something to give now. */
void channel_offer(struct channel *channel);

/*
 * Serves this channel alone until *done or deadline_ms (clock_mono_ms()) has passed or the peer is
 * gone; returns *done. For the one bounded wait that an SNMP SET needs.
 */
bool channel_wait(struct channel *channel, int64_t deadline_ms, const bool *done);

/* Sends what waits, until deadline_ms: at a clean end. */
void channel_flush(struct channel *channel, int64_t deadline_ms);

#endif
