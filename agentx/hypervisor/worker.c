#include "hypervisor/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hypervisor/hv.h"

struct worker {
	enum worker_kind kind;
	int fd;
	const struct config *config;
	const struct hv_driver *driver;
	struct hv *hv;		/* NULL: not open */
	struct message message; /* rows that were not sent yet */
};

/* Blocks: the process reads when it can. Without the process there is nothing left to do. */
static void
worker_send(struct worker *worker)
{
	size_t size = MESSAGE_HEAD + worker->message.size;

	if (send(worker->fd, &worker->message, size, MSG_NOSIGNAL) < 0)
		_exit(0);
	worker->message.size = 0;
}

static void
worker_put(void *arg, enum message_type type, const void *fact, size_t size)
{
	struct worker *worker = arg;
	struct message *message = &worker->message;

	if (message->size > 0 && (message->type != type || message->size + size > MESSAGE_BODY_MAX))
		worker_send(worker);
	message->type = (uint16_t)type;
	message->detail = 0;
	memcpy(message->body + message->size, fact, size);
	message->size = (uint16_t)(message->size + size);
}

static void
worker_say(struct worker *worker, int type, uint32_t detail, const void *body, size_t size)
{
	if (worker->message.size > 0)
		worker_send(worker);
	worker->message.type = (uint16_t)type;
	worker->message.detail = detail;
	worker->message.size = (uint16_t)size;
	if (size > 0)
		memcpy(worker->message.body, body, size);
	worker_send(worker);
}

static void
put_pool(struct worker *worker, size_t i, bool left_out)
{
	const char *path = worker->config->pools[i];
	struct fact_pool pool = {.index = (uint32_t)i + 1};
	struct statvfs fs;

	TEXT_SET(pool.path, path);
	if (!left_out && statvfs(path, &fs) == 0) {
		pool.known = 1;
		pool.size_mib = (uint64_t)fs.f_blocks * fs.f_frsize >> 20;
		pool.free_mib = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
	}
	worker_put(worker, MSG_POOL, &pool, sizeof(pool));
}

/* The host's storage paths. One that cannot be read is known 0, and no failure of the pass; which
 * one is asked is said before, as a network's may never answer. */
static void
put_pools(struct worker *worker, uint64_t left_out)
{
	for (size_t i = 0; i < worker->config->pools_count && i < WORKER_POOLS; i++) {
		bool out = left_out >> i & 1;

		if (!out)
			worker_say(worker, WORKER_POOL, (uint32_t)i, NULL, 0);
		put_pool(worker, i, out);
	}
}

static bool
worker_open(struct worker *worker, char *error)
{
	if (!worker->hv)
		worker->hv = worker->driver->open(worker->config, error);
	return worker->hv != NULL;
}

static bool
worker_pass(struct worker *worker, const struct worker_go *go, char *error)
{
	struct hv_sink sink = {worker_put, worker};
	int rc;

	if (!worker_open(worker, error))
		return false;
	if (worker->kind == WORKER_STATES)
		rc = worker->driver->states(worker->hv, &sink, error);
	else
		rc = worker->driver->figures(worker->hv, &sink, error);
	if (rc != 0) {
		worker->driver->close(worker->hv);
		worker->hv = NULL;
	} else if (worker->kind == WORKER_FIGURES) {
		put_pools(worker, go->pools_left_out);
	}
	return rc == 0;
}

static void
worker_sample(struct worker *worker, const struct worker_go *go)
{
	struct fact_sample sample = {.urgent = go->urgent,
				     .kind = worker->kind == WORKER_STATES ? SAMPLE_STATES
									   : SAMPLE_FIGURES};
	int64_t begin_us = clock_mono_us();

	sample.ok = worker_pass(worker, go, sample.error);
	sample.duration_us = (uint32_t)(clock_mono_us() - begin_us);
	sample.mono_ms = clock_mono_ms();
	worker_say(worker, MSG_SAMPLE, 0, &sample, sizeof(sample));
}

static void
sample_loop(struct worker *worker)
{
	struct message message;
	struct worker_go go;

	while (recv(worker->fd, &message, sizeof(message), 0) > 0) {
		if (message.type != WORKER_GO || message.size != sizeof(go))
			continue;
		memcpy(&go, message.body, sizeof(go));
		worker_sample(worker, &go);
	}
}

static void
watch_loop(struct worker *worker)
{
	char error[TEXT_SIZE] = "";

	if (worker_open(worker, error))
		while (worker->driver->watch(worker->hv, error) == 0)
			worker_say(worker, WORKER_CHANGED, 0, NULL, 0);
	worker_say(worker, WORKER_ERROR, 0, error, sizeof(error));
}

static const struct {
	const char *title, *role;
} worker_names[WORKER_COUNT] = {
    [WORKER_STATES] = {"lauxend-states", "hypervisor states"},
    [WORKER_FIGURES] = {"lauxend-figures", "hypervisor figures"},
    [WORKER_WATCH] = {"lauxend-watch", "hypervisor watch"},
};

void
worker_main(enum worker_kind kind, int fd, const struct config *config,
	    const struct options *options)
{
	struct worker worker = {.kind = kind, .fd = fd, .config = config};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	process_fork_begin(options, worker_names[kind].title, worker_names[kind].role, fd);
	worker.driver = hv_driver(config);
	if (kind == WORKER_WATCH)
		watch_loop(&worker);
	else
		sample_loop(&worker);
	_exit(0);
}
