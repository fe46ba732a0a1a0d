/*
 * The counters of a disk that a QEMU serves (qdisk) are known to that QEMU alone. It is asked by
 * its machine protocol (QMP: one JSON object a line) over the socket that libxl makes for
 * libxenstat. A QEMU may be stopped, slow or in a guest's hands: all are asked at once under one
 * deadline, what comes is limited, and no connection is kept, as QEMU serves one at a time and
 * xentop wants it too.
 */
#include "hypervisor/xen_driver.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define DISKS_MAX 64	     /* of one QEMU */
#define OCTETS_MAX (1 << 18) /* of all that one QEMU says; a disk takes some 1,600 */
#define PIECE 16384

/* Both at once: QEMU takes them in turn. The id marks the answer that counts. */
#define ID "lauxen"
static const char request[] = "{\"execute\":\"qmp_capabilities\"}\n"
			      "{\"execute\":\"query-blockstats\",\"id\":\"" ID "\"}\n";

/* A conversation with one QEMU. */
struct talk {
	int fd; /* -1: over */
	char *text;
	size_t used;  /* octets of text */
	size_t begin; /* of the line that is not complete */
	struct xen_qmp *answer;
};

/* The disk's name, before the last '-' of "xvda-qcow2", as QEMU calls what it opened for it. */
static bool
read_name(const json_t *stats, char *name, size_t size)
{
	const char *text = json_string_value(json_object_get(stats, "node-name"));
	const char *end = text ? strrchr(text, '-') : NULL;

	if (!end || end == text || (size_t)(end - text) >= size)
		return false;
	memcpy(name, text, (size_t)(end - text));
	name[end - text] = '\0';
	return true;
}

/* Adds what stats has under key to *number; false: there is none that can be true. */
static bool
add_number(const json_t *stats, const char *key, uint64_t *number)
{
	const json_t *value = json_object_get(stats, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*number += (uint64_t)json_integer_value(value);
	return true;
}

static bool
read_disk(const json_t *item, struct xen_qmp_disk *disk)
{
	const json_t *stats = json_object_get(item, "stats");

	*disk = (struct xen_qmp_disk){0};
	return read_name(item, disk->name, sizeof(disk->name)) &&
	       add_number(stats, "rd_operations", &disk->reads) &&
	       add_number(stats, "wr_operations", &disk->writes) &&
	       add_number(stats, "rd_bytes", &disk->read_octets) &&
	       add_number(stats, "wr_bytes", &disk->written_octets) &&
	       add_number(stats, "failed_rd_operations", &disk->errors) &&
	       add_number(stats, "failed_wr_operations", &disk->errors) &&
	       add_number(stats, "failed_flush_operations", &disk->errors);
}

static void
take_disks(const json_t *items, struct xen_qmp *answer)
{
	size_t i;
	const json_t *item;

	json_array_foreach(items, i, item)
	{
		struct xen_qmp_disk disk;

		if (answer->count == DISKS_MAX)
			break;
		if (!read_disk(item, &disk) || xen_qmp_disk(answer, disk.name))
			continue;
		answer->list = mem_resize(answer->list, answer->count + 1, sizeof(*answer->list));
		answer->list[answer->count++] = disk;
	}
}

bool
xen_qmp_parse(const char *line, size_t length, struct xen_qmp *answer)
{
	json_t *root = json_loadb(line, length, 0, NULL);
	const char *id = json_string_value(json_object_get(root, "id"));
	bool ours = id && !strcmp(id, ID);

	if (ours)
		take_disks(json_object_get(root, "return"), answer);
	json_decref(root);
	return ours;
}

const struct xen_qmp_disk *
xen_qmp_disk(const struct xen_qmp *answer, const char *name)
{
	for (size_t i = 0; i < answer->count; i++)
		if (!strcmp(answer->list[i].name, name))
			return &answer->list[i];
	return NULL;
}

static void
talk_close(struct talk *talk)
{
	if (talk->fd >= 0)
		close(talk->fd);
	free(talk->text);
	*talk = (struct talk){.fd = -1};
}

static void
talk_open(struct talk *talk, const char *dir, struct xen_qmp *answer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	ssize_t size = sizeof(request) - 1;

	*talk = (struct talk){.answer = answer};
	TEXT_FORMAT(address.sun_path, "%s/qmp-libxenstat-%u", dir, answer->domid);
	talk->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* EAGAIN: others wait for it already */
	if (talk->fd < 0 || connect(talk->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    send(talk->fd, request, (size_t)size, MSG_NOSIGNAL) != size)
		talk_close(talk);
}

/* The complete lines of what has come; true: the answer is among them. */
static bool
talk_lines(struct talk *talk)
{
	char *end;

	while (talk->begin < talk->used &&
	       (end = memchr(talk->text + talk->begin, '\n', talk->used - talk->begin))) {
		const char *line = talk->text + talk->begin;

		talk->begin = (size_t)(end - talk->text) + 1;
		if (xen_qmp_parse(line, (size_t)(end - line), talk->answer))
			return true;
	}
	return false;
}

static void
talk_read(struct talk *talk)
{
	ssize_t r;

	if (talk->used + PIECE > OCTETS_MAX) {
		talk_close(talk);
		return;
	}
	talk->text = mem_resize(talk->text, talk->used + PIECE, 1);
	r = recv(talk->fd, talk->text + talk->used, PIECE, 0);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r > 0)
		talk->used += (size_t)r;
	if (r <= 0 || talk_lines(talk))
		talk_close(talk);
}

/* Waits for whoever still has something to say, and hears it; false: nobody has. */
static bool
talk_all(struct talk *talks, struct pollfd *polled, size_t count, int64_t until_ms)
{
	int64_t left_ms = until_ms - clock_mono_ms();
	bool open = false;

	for (size_t i = 0; i < count; i++) {
		polled[i] = (struct pollfd){.fd = talks[i].fd, .events = POLLIN};
		open |= talks[i].fd >= 0;
	}
	if (!open || left_ms <= 0 || poll(polled, count, (int)left_ms) < 0)
		return open && left_ms > 0 && errno == EINTR;
	for (size_t i = 0; i < count && clock_mono_ms() < until_ms; i++)
		if (talks[i].fd >= 0 && polled[i].revents)
			talk_read(&talks[i]);
	return true;
}

void
xen_qmp_ask(const char *dir, struct xen_qmp *answers, size_t count)
{
	struct talk *talks = mem_array(count + 1, sizeof(*talks));
	struct pollfd *polled = mem_array(count + 1, sizeof(*polled));
	int64_t until_ms = clock_mono_ms() + XEN_QMP_MS;

	for (size_t i = 0; i < count; i++)
		talk_open(&talks[i], dir, &answers[i]);
	while (talk_all(talks, polled, count, until_ms))
		;
	for (size_t i = 0; i < count; i++)
		talk_close(&talks[i]);
	free(talks);
	free(polled);
}

void
xen_qmp_dispose(struct xen_qmp *answers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(answers[i].list);
	free(answers);
}
