/*
 * Inside the prober: an attempt, and what each kind of it does. prober.c owns attempts, queues and
 * results; a kind's file begins them and says how they end.
 */
#ifndef PROBE_INTERNAL_H
#define PROBE_INTERNAL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "probe/probe.h"

union probe_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct probe;

/* What attempts compete for: those of a pool share a limit and a queue. */
enum pool_kind { POOL_SOCKETS, POOL_ICMP, POOL_PLUGINS, POOL_COUNT };

struct probe_kind {
	enum pool_kind pool;
	bool has_address, has_port;
	void (*begin)(struct probe *); /* may end the attempt at once */
	void (*stop)(struct probe *);  /* gives back what begin took, but event and fd; or NULL */
};

extern const struct probe_kind probe_tcp, probe_udp, probe_icmp, probe_plugin;

struct probe {
	LIST_ENTRY(probe) by_tag;
	union {
		TAILQ_ENTRY(probe) next;       /* in its pool's queue, until it has begun */
		LIST_ENTRY(probe) by_sequence; /* icmp, then */
	};
	struct prober *prober;
	const struct probe_kind *kind;
	uint64_t tag;
	union probe_address to;
	uint32_t timeout_ms;
	int fd; /* its own, or -1; closed at its end */
	bool begun, resent;
	uint8_t payload;     /* udp: enum probe_payload */
	uint16_t sequence;   /* icmp */
	int64_t begun_us;    /* clock_mono_us(); until it has begun: when it was asked for */
	uint64_t nonce;	     /* udp, icmp: random */
	char *command;	     /* plugin */
	struct child *child; /* plugin: the process */
	struct event event;  /* made by begin, by event_assign(); deleted at the end */
};

LIST_HEAD(probe_list, probe);
TAILQ_HEAD(probe_queue, probe);

#define TAG_BUCKETS 1024

struct prober {
	struct event_base *base;
	void (*done)(void *arg, const struct probe_result *result);
	void *arg;
	struct event *turn; /* begins what waits */
	struct {
		struct probe_queue queue;
		unsigned begun, limit;
	} pools[POOL_COUNT];
	struct probe_list tags[TAG_BUCKETS];
	struct pinger *pinger;
	struct children *children;
};

/* Ends an attempt: its result is handed over, and it is no more. */
void probe_finish(struct probe *probe, enum probe_outcome outcome, int status, const char *text);
void probe_up(struct probe *probe);
void probe_silent(struct probe *probe);
/* A call failed before anything was heard from outside. */
void probe_failed(struct probe *probe, const char *call, int error);
/* The socket reports what came back for what was sent. */
void probe_refused(struct probe *probe, int error);

/* Microseconds that are left of the timeout; not positive: none. half: of its first half. */
int64_t probe_left_us(const struct probe *probe, bool half);
/* Lets its event wait for what it was made for, at most that long. */
void probe_wait(struct probe *probe, int64_t left_us);

/* Opens fd and makes event of it; false: the attempt has ended. */
bool probe_open(struct probe *probe, int type, short what, event_callback_fn handler);
/*
 * A client on this host may be given the very port that it wants to reach, when nobody listens
 * there: it then talks to itself. own: address_own() of its socket.
 */
bool probe_met_itself(const struct probe *probe, const union probe_address *own);

/* "192.0.2.1", "2001:db8::1", "fe80::1%xenbr0"; false: it is malformed. */
bool address_parse(union probe_address *address, const char *text, uint16_t port);
socklen_t address_size(const union probe_address *address);
/* Where a socket is bound. */
union probe_address address_own(int fd);
/* Ports and scopes aside. */
bool address_same_host(const union probe_address *a, const union probe_address *b);

/*
 * Takes one message from a socket's error queue (IP_RECVERR, ip(7)): the error, where the datagram
 * that it is about was sent, and its first octets, size in and out. False: there is none.
 */
bool error_take(int fd, int *error, union probe_address *to, uint8_t *octets, size_t *size);
/* Asks for that. */
void error_ask(int fd, int family);

/* icmp.c: the sockets that all ICMP attempts share. */
struct pinger *pinger_new(struct event_base *base, int fd, int fd6);
void pinger_free(struct pinger *pinger);

/* plugin.c: the processes of plugins, those among them that were killed and have not ended yet. */
struct children *children_new(struct event_base *base);
void children_free(struct children *children);

#endif
