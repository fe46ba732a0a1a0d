#include "engine/record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/effect.h"

#define BUFFER_MAX (8u << 20) /* octets that wait for the disk */
#define END_ROOM 256	      /* of a file: for the entry that ends it */

struct buffer {
	unsigned char *data;
	size_t used, room;
};

struct record {
	int fd;
	char *path;
	uint64_t size, size_max; /* octets: given to the thread, at most */
	struct record_effects effects;
	uint64_t effects_told; /* of them, in the file */

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, written;
	struct buffer fill; /* under lock; the thread takes it whole */
	bool stop, ended;   /* no more comes; the thread is through */
	bool over;	    /* the recording has ended: nothing is taken any more */
	int error;	    /* errno of a write */
};

uint64_t
record_shape(void)
{
	static const uint64_t sizes[] = {sizeof(struct store_content), sizeof(struct store_vm),
					 sizeof(struct store_request), sizeof(struct store_service),
					 sizeof(struct mib_event),     sizeof(struct message),
					 sizeof(struct fact_domain),   sizeof(struct fact_figures),
					 sizeof(struct probe_report),  MESSAGES_VERSION};

	return digest_add(DIGEST_BEGIN, sizes, sizeof(sizes));
}

/* ---- the thread ---- */

static bool
write_all(struct record *record, const struct buffer *buffer)
{
	for (size_t at = 0; at < buffer->used;) {
		ssize_t length = write(record->fd, buffer->data + at, buffer->used - at);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return false;
		at += (size_t)length;
	}
	return true;
}

static void *
record_run(void *arg)
{
	struct record *record = arg;
	struct buffer taken = {0};
	bool ok = true;

	pthread_mutex_lock(&record->lock);
	while (record->fill.used > 0 || !record->stop) {
		struct buffer empty = taken;

		if (record->fill.used == 0) {
			pthread_cond_wait(&record->wake, &record->lock);
			continue;
		}
		taken = record->fill;
		record->fill = empty;
		record->fill.used = 0;
		pthread_mutex_unlock(&record->lock);
		ok = ok && write_all(record, &taken);
		pthread_mutex_lock(&record->lock);
		if (!ok && record->error == 0)
			record->error = errno;
	}
	record->ended = true;
	pthread_cond_signal(&record->written);
	pthread_mutex_unlock(&record->lock);
	free(taken.data);
	return NULL;
}

/* ---- entries ---- */

/* Caller holds the lock. */
static void
buffer_add(struct buffer *buffer, const void *data, size_t size)
{
	if (buffer->used + size > buffer->room) {
		buffer->room = 2 * (buffer->used + size);
		buffer->data = mem_resize(buffer->data, buffer->room, 1);
	}
	if (size > 0)
		memcpy(buffer->data + buffer->used, data, size);
	buffer->used += size;
}

struct part {
	const void *data;
	size_t size;
};

/* Caller holds the lock. */
static void
add_entry(struct record *record, uint32_t type, struct instant now, const struct part *parts,
	  size_t count)
{
	struct record_entry entry = {.type = type, .mono_ms = now.mono_ms, .wall_ms = now.wall_ms};
	static const unsigned char zero[8];

	for (size_t i = 0; i < count; i++)
		entry.size += (uint32_t)parts[i].size;
	buffer_add(&record->fill, &entry, sizeof(entry));
	for (size_t i = 0; i < count; i++)
		buffer_add(&record->fill, parts[i].data, parts[i].size);
	buffer_add(&record->fill, zero, -entry.size & 7);
	record->size += sizeof(entry) + entry.size + (-entry.size & 7);
}

/* Caller holds the lock. Says to the log why nothing more is recorded. */
static void
record_end(struct record *record, struct instant now, const char *why)
{
	const struct part part = {why, strlen(why) + 1};

	record->over = true;
	if (record->error == 0)
		add_entry(record, RECORD_END, now, &part, 1);
	log_warn("the recording %s ends here: %s", record->path, why);
}

static void
record_put(struct record *record, uint32_t type, struct instant now, const struct part *parts,
	   size_t count)
{
	size_t size = sizeof(struct record_entry) + 8;

	for (size_t i = 0; i < count; i++)
		size += parts[i].size;
	pthread_mutex_lock(&record->lock);
	if (record->over)
		goto out;
	if (record->error != 0)
		record_end(record, now, strerror(record->error));
	else if (record->size + size + END_ROOM > record->size_max)
		record_end(record, now, "it is as large as it may be");
	else if (record->fill.used + size > BUFFER_MAX)
		record_end(record, now, "the disk is slower than what there is to write");
	else
		add_entry(record, type, now, parts, count);
	pthread_cond_signal(&record->wake);
out:
	pthread_mutex_unlock(&record->lock);
}

static void
put_numbers(struct record *record, uint32_t type, struct instant now, struct record_numbers numbers,
	    const char *text)
{
	const struct part parts[] = {{&numbers, sizeof(numbers)},
				     {text, text ? strlen(text) + 1 : 0}};

	record_put(record, type, now, parts, 2);
}

static void
put_call(struct record *record, const struct engine_call *call)
{
	const struct part message = {call->message, call->type == CALL_MESSAGE
							? MESSAGE_HEAD + (size_t)call->message->size
							: 0};
	const struct part report = {call->report, sizeof(*call->report)};

	switch (call->type) {
	case CALL_MESSAGE:
		record_put(record, CALL_MESSAGE, call->now, &message, 1);
		break;
	case CALL_PEER:
		put_numbers(record, CALL_PEER, call->now,
			    (struct record_numbers){{call->peer.role, call->peer.there}}, NULL);
		break;
	case CALL_STORED:
		put_numbers(
		    record, CALL_STORED, call->now,
		    (struct record_numbers){
			{call->stored.number, (uint64_t)call->stored.state, call->stored.durable}},
		    NULL);
		break;
	case CALL_PROBED:
		record_put(record, CALL_PROBED, call->now, &report, 1);
		break;
	case CALL_RELOADED:
		put_numbers(record, CALL_RELOADED, call->now, (struct record_numbers){{0}},
			    call->text);
		break;
	case CALL_NOTE:
		put_numbers(record, CALL_NOTE, call->now,
			    (struct record_numbers){{call->note.type}}, call->note.text);
		break;
	case CALL_LOAD:
	case CALL_TICK:
		record_put(record, call->type, call->now, NULL, 0);
		break;
	case CALL_EFFECT:
		break;
	}
}

static void
put_effects(struct record *record, struct instant now)
{
	const struct part part = {&record->effects, sizeof(record->effects)};

	if (record->effects.count == record->effects_told)
		return;
	record->effects_told = record->effects.count;
	record_put(record, RECORD_EFFECTS, now, &part, 1);
}

static void
record_observe(void *arg, const struct engine_call *call)
{
	struct record *record = arg;

	if (call->type == CALL_EFFECT) {
		record->effects.count++;
		record->effects.digest = effect_digest(record->effects.digest, call->effect);
		return;
	}
	put_effects(record, call->now);
	put_call(record, call);
}

void
record_begin(struct record *record, struct engine *engine, const struct store_content *content,
	     struct instant now)
{
	struct record_content head = {*content};
	const struct part parts[] = {
	    {&head, sizeof(head)},
	    {content->vms, content->vms_count * sizeof(*content->vms)},
	    {content->requests, content->requests_count * sizeof(*content->requests)},
	    {content->services, content->services_count * sizeof(*content->services)},
	    {content->events, content->events_count * sizeof(*content->events)},
	};

	record_put(record, RECORD_CONTENT, now, parts, sizeof(parts) / sizeof(parts[0]));
	engine_observe(engine, record_observe, record);
}

void
record_config(struct record *record, int fd, struct instant now)
{
	struct part part = {0};
	struct stat stat;
	char *text;

	if (fstat(fd, &stat) < 0)
		return;
	text = mem_alloc((size_t)stat.st_size + 1);
	part.data = text;
	part.size = (size_t)stat.st_size + 1;
	if (pread(fd, text, (size_t)stat.st_size, 0) == stat.st_size)
		record_put(record, RECORD_CONFIG, now, &part, 1);
	free(text);
}

/* ---- the file ---- */

static int
open_file(const char *path, char **name)
{
	int fd = -1;

	for (int i = 0; i < RECORD_FILES && fd < 0; i++) {
		free(*name);
		if (asprintf(name, i ? "%s.%d" : "%s", path, i) < 0)
			fatal("there is no memory");
		fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd;
}

static bool
start_thread(struct record *record)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&record->thread, NULL, record_run, record);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r == 0;
}

static void
record_free(struct record *record)
{
	close(record->fd);
	free(record->path);
	free(record->fill.data);
	free(record);
}

struct record *
record_open(const char *path, uint64_t size_max)
{
	struct record_header header = {.magic = RECORD_MAGIC, .shape = record_shape()};
	struct record *record = mem_alloc(sizeof(*record));
	pthread_condattr_t monotonic;

	record->fd = open_file(path, &record->path);
	if (record->fd < 0) {
		log_error("nothing is recorded: %s cannot be made: %s", record->path,
			  strerror(errno));
		free(record->path);
		free(record);
		return NULL;
	}
	record->size_max = size_max;
	record->effects.digest = DIGEST_BEGIN;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&record->lock, NULL);
	pthread_cond_init(&record->wake, NULL);
	pthread_cond_init(&record->written, &monotonic);
	pthread_condattr_destroy(&monotonic);
	TEXT_SET(header.version, VERSION);
	buffer_add(&record->fill, &header, sizeof(header));
	record->size = sizeof(header);
	if (!start_thread(record)) {
		log_error("nothing is recorded: there is no thread");
		record_free(record);
		return NULL;
	}
	log_info("all that the engine is told is recorded in %s", record->path);
	return record;
}

/* Caller holds the lock. */
static void
wait_written(struct record *record, int64_t wait_ms)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += wait_ms % 1000 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!record->ended && r == 0)
		r = pthread_cond_timedwait(&record->written, &record->lock, &until);
}

/* A disk that hangs keeps the thread, which ends with the process. */
void
record_close(struct record *record, int64_t wait_ms)
{
	bool ended;

	if (!record)
		return;
	put_effects(record, (struct instant){0});
	pthread_mutex_lock(&record->lock);
	if (!record->over)
		add_entry(record, RECORD_END, (struct instant){0}, &(struct part){"closed", 7}, 1);
	record->over = record->stop = true;
	pthread_cond_signal(&record->wake);
	wait_written(record, wait_ms);
	ended = record->ended;
	pthread_mutex_unlock(&record->lock);
	if (ended) {
		pthread_join(record->thread, NULL);
		record_free(record);
	} else {
		pthread_detach(record->thread);
	}
}
