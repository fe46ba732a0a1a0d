#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hypervisor/facts.h"
#include "hypervisor/worker.h"

#define COLLECT_TURNS 20
#define COLLECT_TURN_US 5000
#define TURN 16		   /* messages read before the loop gets its turn again */
#define BACKOFF_MIN_MS 100 /* from a worker's death to its next life; doubles */
#define BACKOFF_MAX_MS 10000
#define LOOK_GAP_MIN_MS 10 /* rest between two urgent passes, at least */
#define POOL_OUT_MS 600000 /* a storage path that hangs is left out for */

/* One worker as this process sees it. pid stays set until the killed one was reaped: a second one
 * beside one that cannot die would only pile up. */
struct watched {
	enum worker_kind kind;
	struct workers *workers;
	pid_t pid; /* 0: none */
	int fd;	   /* -1: none, or given up */
	struct event *readable, *late, *restart;
	int64_t born_ms;
	unsigned failures; /* failed passes and deaths since it last did its work */
	bool runs, urgent; /* a pass, and which */
	bool renewed;	   /* killed only to be started anew */
	bool wants_regular, wants_urgent;
};

struct workers {
	struct event_base *base;
	const struct options *options;
	const struct config *config;
	struct facts *facts;
	struct workers_handlers handlers;
	struct event *tick, *look;
	int pool;	      /* position of the storage path that is being asked; -1: none */
	uint64_t pools_out;   /* those that did not answer, for a while */
	int64_t pools_out_ms; /* until when */
	bool resting; /* an urgent pass has just been; the next one waits for the timer look */
	struct watched watched[WORKER_COUNT];
};

static const char *const worker_kind_names[] = {"states", "figures", "watch"};

static void
timer_set(struct event *timer, int64_t ms)
{
	struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(timer, &after);
}

static void
watched_forget_socket(struct watched *watched)
{
	if (watched->fd < 0)
		return;
	event_free(watched->readable);
	close(watched->fd);
	watched->readable = NULL;
	watched->fd = -1;
}

/* Ends the pass that runs as a failure. */
static void
pass_failed(struct watched *watched, const char *error)
{
	struct workers *workers = watched->workers;
	struct fact_sample sample = {.mono_ms = clock_mono_ms(),
				     .urgent = watched->urgent,
				     .kind = watched->kind == WORKER_STATES ? SAMPLE_STATES
									    : SAMPLE_FIGURES};

	if (!watched->runs)
		return;
	watched->runs = false;
	event_del(watched->late);
	TEXT_SET(sample.error, error);
	facts_end(workers->facts, &sample);
	workers->handlers.news(workers->handlers.arg);
}

static void
watched_kill(struct watched *watched)
{
	watched_forget_socket(watched);
	if (watched->pid > 0)
		kill(watched->pid, SIGKILL);
}

/*
 * No fault of the worker's: its pass is made again, by another. One that cannot even be killed, as
 * it sits in a call that the kernel does not end, is late once more, and that is a failure.
 */
static void
watched_renew(struct watched *watched)
{
	if (watched->runs)
		timer_set(watched->late, watched->workers->config->silence_ms);
	watched->renewed = watched->pid > 0;
	watched_kill(watched);
}

/* The driver had answered: only the storage path hangs, and the pass is made again without it. */
static void
pool_late(struct watched *watched)
{
	struct workers *workers = watched->workers;

	log_warn("storage %s does not answer, and is left out for %d min",
		 workers->config->pools[workers->pool], POOL_OUT_MS / 60000);
	workers->pools_out |= UINT64_C(1) << workers->pool;
	workers->pools_out_ms = clock_mono_ms() + POOL_OUT_MS;
	watched_renew(watched);
}

static void
pass_late(evutil_socket_t fd, short what, void *arg)
{
	struct watched *watched = arg;
	struct workers *workers = watched->workers;
	char error[TEXT_SIZE];

	(void)fd, (void)what;
	if (watched->kind == WORKER_FIGURES && workers->pool >= 0 && !watched->renewed) {
		pool_late(watched);
		return;
	}
	TEXT_FORMAT(error, "the hypervisor did not answer within %g s (%s)",
		    workers->config->silence_ms / 1000.0, worker_kind_names[watched->kind]);
	if (watched->failures == 0)
		log_warn("%s; that worker is started anew", error);
	watched_kill(watched);
	pass_failed(watched, error);
}

static bool
pass_send(struct watched *watched, bool urgent)
{
	struct workers *workers = watched->workers;
	struct message message = {.type = WORKER_GO, .size = sizeof(struct worker_go)};
	struct worker_go go = {.urgent = urgent};

	if (clock_mono_ms() >= workers->pools_out_ms)
		workers->pools_out = 0;
	go.pools_left_out = workers->pools_out;
	memcpy(message.body, &go, sizeof(go));
	return send(watched->fd, &message, MESSAGE_HEAD + sizeof(go),
		    MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static void
pass_start(struct watched *watched, bool urgent)
{
	if (!pass_send(watched, urgent)) {
		watched_kill(watched);
		return;
	}
	if (watched->kind == WORKER_FIGURES)
		watched->workers->pool = -1;
	watched->runs = true;
	watched->urgent = urgent;
	if (urgent)
		watched->wants_urgent = false;
	else
		watched->wants_regular = false;
	facts_begin(watched->workers->facts,
		    watched->kind == WORKER_STATES ? SAMPLE_STATES : SAMPLE_FIGURES, urgent);
	timer_set(watched->late, watched->workers->config->silence_ms);
}

/* Starts the pass that is due, if the worker is free. */
static void
watched_serve(struct watched *watched)
{
	if (watched->fd < 0 || watched->runs)
		return;
	if (watched->wants_urgent && !watched->workers->resting)
		pass_start(watched, true);
	else if (watched->wants_regular)
		pass_start(watched, false);
}

void
workers_look(struct workers *workers)
{
	workers->watched[WORKER_STATES].wants_urgent = true;
	watched_serve(&workers->watched[WORKER_STATES]);
}

static void
look_rested(evutil_socket_t fd, short what, void *arg)
{
	struct workers *workers = arg;

	(void)fd, (void)what;
	workers->resting = false;
	watched_serve(&workers->watched[WORKER_STATES]);
}

/* Twice its duration of rest after an urgent pass bounds what a storm of changes costs. */
static void
look_rest(struct workers *workers, uint32_t duration_us)
{
	int64_t rest_ms = duration_us / 500;

	workers->resting = true;
	timer_set(workers->look, rest_ms > LOOK_GAP_MIN_MS ? rest_ms : LOOK_GAP_MIN_MS);
}

static void
pass_ended(struct watched *watched, const struct message *message)
{
	struct workers *workers = watched->workers;
	struct fact_sample sample;

	memcpy(&sample, message->body, sizeof(sample));
	watched->runs = false;
	event_del(watched->late);
	if (facts_end(workers->facts, &sample)) {
		if (watched->failures > 0)
			log_info("the hypervisor answers again (%s)",
				 worker_kind_names[watched->kind]);
		watched->failures = 0;
	} else if (watched->failures++ == 0) {
		log_warn("no %s of the hypervisor: %s", worker_kind_names[watched->kind],
			 sample.error);
	}
	if (watched->urgent)
		look_rest(workers, sample.duration_us);
	watched_serve(watched);
}

/* False: a message that no worker of this kind sends. */
static bool
sampler_message(struct watched *watched, const struct message *message)
{
	enum sample_kind kind = watched->kind == WORKER_STATES ? SAMPLE_STATES : SAMPLE_FIGURES;

	if (!watched->runs)
		return false;
	if (message->type == WORKER_POOL) {
		watched->workers->pool = (int)message->detail;
		timer_set(watched->late, watched->workers->config->silence_ms); /* for this one */
		return message->detail < watched->workers->config->pools_count;
	}
	if (message->type != MSG_SAMPLE)
		return facts_put(watched->workers->facts, kind, message->type, message->body,
				 message->size);
	if (message->size != sizeof(struct fact_sample) ||
	    ((const struct fact_sample *)message->body)->kind != (uint32_t)kind)
		return false;
	pass_ended(watched, message);
	return true;
}

static bool
watch_message(struct watched *watched, const struct message *message)
{
	if (message->type == WORKER_CHANGED) {
		if (clock_mono_ms() - watched->born_ms > BACKOFF_MAX_MS)
			watched->failures = 0;
		workers_look(watched->workers);
		return true;
	}
	if (message->type != WORKER_ERROR || message->size != TEXT_SIZE)
		return false;
	if (watched->failures == 0)
		log_warn("the watch on the hypervisor failed: %.*s; it is started anew",
			 TEXT_SIZE - 1, (const char *)message->body);
	return true;
}

/* 1 a message was handled, 0 none is there, -1 the worker is no good any more. */
static int
watched_receive(struct watched *watched)
{
	struct message message;
	ssize_t length = recv(watched->fd, &message, sizeof(message), MSG_DONTWAIT);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (length < (ssize_t)MESSAGE_HEAD || (size_t)length != MESSAGE_HEAD + message.size)
		return -1;
	if (watched->kind == WORKER_WATCH)
		return watch_message(watched, &message) ? 1 : -1;
	return sampler_message(watched, &message) ? 1 : -1;
}

static void
watched_readable(evutil_socket_t fd, short what, void *arg)
{
	struct watched *watched = arg;
	int rc = 1;

	(void)fd, (void)what;
	for (int i = 0; i < TURN && rc > 0 && watched->fd >= 0; i++)
		rc = watched_receive(watched);
	watched->workers->handlers.news(watched->workers->handlers.arg);
	if (rc < 0)
		watched_kill(watched); /* what follows, follows when it is reaped */
}

/* In the forked child. */
static void
watched_become(struct watched *watched, int fd)
{
	struct workers *workers = watched->workers;

	worker_main(watched->kind, fd, workers->config, workers->options);
}

static void
watched_backoff(struct watched *watched)
{
	int64_t ms = BACKOFF_MIN_MS;

	for (unsigned i = 1; i < watched->failures && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	timer_set(watched->restart, ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

static void
watched_start(struct watched *watched)
{
	struct workers *workers = watched->workers;
	int pair[2] = {-1, -1};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    (watched->pid = process_fork()) < 0) {
		log_error("no %s worker: %s", worker_kind_names[watched->kind], strerror(errno));
		for (int i = 0; i < 2; i++)
			if (pair[i] >= 0)
				close(pair[i]);
		watched->pid = 0;
		watched->failures++;
		watched_backoff(watched);
		return;
	}
	if (watched->pid == 0)
		watched_become(watched, pair[1]);
	close(pair[1]);
	watched->fd = pair[0];
	watched->born_ms = clock_mono_ms();
	watched->readable =
	    event_new(workers->base, watched->fd, EV_READ | EV_PERSIST, watched_readable, watched);
	if (!watched->readable || event_add(watched->readable, NULL) < 0)
		fatal("libevent refuses a worker's socket");
	watched_serve(watched);
}

static void
watched_restart(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	watched_start(arg);
}

static void
watched_died(struct watched *watched, int status)
{
	char error[TEXT_SIZE];

	watched->pid = 0;
	if (watched->renewed) {
		watched->renewed = watched->runs = false;
		watched->wants_regular = watched->kind != WORKER_WATCH;
		event_del(watched->late);
		watched_start(watched);
		return;
	}
	if (WIFSIGNALED(status))
		TEXT_FORMAT(error, "the %s worker was killed by signal %d",
			    worker_kind_names[watched->kind], WTERMSIG(status));
	else
		TEXT_FORMAT(error, "the %s worker ended", worker_kind_names[watched->kind]);
	pass_failed(watched, error);
	watched_forget_socket(watched);
	watched->failures++;
	log_debug("%s, for the %u. time in a row", error, watched->failures);
	watched_backoff(watched);
}

/* A dead worker's last words are read before its death is acted on. */
void
workers_reap(struct workers *workers)
{
	for (size_t i = 0; i < WORKER_COUNT; i++) {
		struct watched *watched = &workers->watched[i];
		int status;

		if (watched->pid == 0 || waitpid(watched->pid, &status, WNOHANG) != watched->pid)
			continue;
		while (watched->fd >= 0 && watched_receive(watched) > 0)
			;
		watched_died(watched, status);
	}
}

static void
workers_tick(evutil_socket_t fd, short what, void *arg)
{
	struct workers *workers = arg;

	(void)fd, (void)what;
	for (enum worker_kind kind = WORKER_STATES; kind <= WORKER_FIGURES; kind++) {
		struct watched *watched = &workers->watched[kind];

		watched->wants_regular = !watched->runs || watched->urgent; /* else it is on */
		watched_serve(watched);
	}
}

static struct event *
workers_timer(struct workers *workers, short what, event_callback_fn handler, void *arg)
{
	struct event *timer = event_new(workers->base, -1, what, handler, arg);

	if (!timer)
		fatal("libevent refuses a timer");
	return timer;
}

static void
workers_set_interval(struct workers *workers)
{
	struct timeval interval = {.tv_sec = workers->config->interval_ms / 1000,
				   .tv_usec = workers->config->interval_ms % 1000 * 1000};

	event_add(workers->tick, &interval);
}

struct workers *
workers_new(struct event_base *base, const struct options *options, const struct config *config,
	    struct facts *facts, const struct workers_handlers *handlers)
{
	struct workers *workers = mem_alloc(sizeof(*workers));

	*workers = (struct workers){.base = base,
				    .options = options,
				    .config = config,
				    .facts = facts,
				    .handlers = *handlers};
	workers->tick = workers_timer(workers, EV_PERSIST, workers_tick, workers);
	workers->look = workers_timer(workers, 0, look_rested, workers);
	for (size_t i = 0; i < WORKER_COUNT; i++) {
		struct watched *watched = &workers->watched[i];

		*watched = (struct watched){.kind = (enum worker_kind)i,
					    .workers = workers,
					    .fd = -1,
					    .wants_regular = i != WORKER_WATCH};
		watched->late = workers_timer(workers, 0, pass_late, watched);
		watched->restart = workers_timer(workers, 0, watched_restart, watched);
		watched_start(watched);
	}
	workers_set_interval(workers);
	return workers;
}

void
workers_configure(struct workers *workers, const struct config *config)
{
	const struct config *old = workers->config;
	bool same = old->hypervisor == config->hypervisor &&
		    strcmp(old->sim_socket, config->sim_socket) == 0 &&
		    old->pools_count == config->pools_count;

	for (size_t i = 0; same && i < config->pools_count; i++)
		same = strcmp(old->pools[i], config->pools[i]) == 0;
	workers->config = config;
	workers_set_interval(workers);
	if (!same)
		workers->pools_out = 0;
	for (size_t i = 0; !same && i < WORKER_COUNT; i++)
		watched_renew(&workers->watched[i]);
}

/* At the end of the process: leaves no zombie, unless the kernel holds the worker. */
static void
watched_collect(const struct watched *watched)
{
	for (int i = 0; i < COLLECT_TURNS && waitpid(watched->pid, NULL, WNOHANG) == 0; i++)
		usleep(COLLECT_TURN_US);
}

void
workers_free(struct workers *workers)
{
	for (size_t i = 0; i < WORKER_COUNT; i++) {
		struct watched *watched = &workers->watched[i];

		watched_kill(watched);
		if (watched->pid > 0)
			watched_collect(watched);
		event_free(watched->late);
		event_free(watched->restart);
	}
	event_free(workers->tick);
	event_free(workers->look);
	free(workers);
}
