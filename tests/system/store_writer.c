/*
 * Uses a store as the engine does, to be killed while it does.
 *
 *   store_writer write DIR        writes for ever; a line to stdout for each acknowledged write
 *   store_writer check DIR FILE   opens the store that a kill left; FILE has all lines so far
 *   store_writer latency DIR N    N single appends to an idle store, then N at once; prints figures
 *
 * Lines: "e SEQUENCE", and "r NUMBER PHASE" for the first and the second state of a request.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store.h"

#define JOURNAL 20000
#define WINDOW 300 /* writes that wait for their acknowledgement */
#define KEPT 100   /* requests; older ones are dropped */
#define VMS 50	   /* VM sequence % VMS counts in restarts up to sequence */

struct writer {
	struct event_base *base;
	struct store *store;
	struct store_content content;
	uint32_t sequence;
	uint64_t number;
	int waiting;
	bool ok;
};

static void
told_health(void *arg, bool ok, const char *error)
{
	struct writer *w = arg;

	w->ok = ok;
	if (!ok)
		fprintf(stderr, "store_writer: degraded: %s\n", error);
}

static const struct store_handlers handlers = {.health = told_health};

static void
open_store(struct writer *w, const char *dir)
{
	w->base = event_base_new();
	w->store = store_open(w->base, dir, JOURNAL, &handlers, w, &w->content);
	w->sequence = w->content.next_sequence;
	w->number = w->content.next_request;
	if (!w->ok || w->content.rescued)
		fatal("the store is not as it should be: ok %d, rescued %d", w->ok,
		      w->content.rescued);
}

static void
close_store(struct writer *w)
{
	store_close(w->store, clock_mono_ms() + 10000);
	event_base_free(w->base);
	free(w->content.vms);
	free(w->content.requests);
	free(w->content.events);
	free(w->content.services);
}

/* One write(2) a line: a kill leaves whole lines. */
static void
acknowledge(const char *format, uint64_t number, int phase)
{
	char line[64];
	int length = snprintf(line, sizeof(line), format, number, phase);

	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		exit(1);
}

static void
event_done(void *arg, uint64_t tag, bool durable)
{
	struct writer *w = arg;

	w->waiting--;
	if (durable)
		acknowledge("e %" PRIu64 "\n", tag, 0);
}

static void
request_done(void *arg, uint64_t tag, bool durable)
{
	struct writer *w = arg;

	w->waiting--;
	if (durable)
		acknowledge("r %" PRIu64 " %d\n", tag / 2, 1 + (int)(tag & 1));
}

static void
write_event(struct writer *w)
{
	struct mib_event event = {.sequence = w->sequence, .time = clock_wall_ms()};
	struct store_vm vm = {.index = w->sequence % VMS + 1, .restarts = w->sequence};

	vm.uuid[0] = (uint8_t)vm.index;
	store_put_vm(w->store, &vm);
	TEXT_FORMAT(event.text, "event %" PRIu32, w->sequence);
	store_append_event(w->store, &event, event_done, w, w->sequence++);
	w->waiting++;
}

static void
write_request(struct writer *w, uint64_t number, int phase)
{
	struct store_request request = {.number = number};

	request.row.state = phase == 1 ? REQUEST_QUEUED : REQUEST_SUCCEEDED;
	store_put_request(w->store, &request, request_done, w, 2 * number + (phase == 2));
	w->waiting++;
	if (phase == 1 && number > KEPT)
		store_drop_request(w->store, number - KEPT);
}

static void
write_turn(evutil_socket_t fd, short what, void *arg)
{
	struct writer *w = arg;
	struct timeval soon = {.tv_usec = 500};

	(void)fd, (void)what;
	while (w->waiting < WINDOW) {
		write_event(w);
		if (w->sequence % 4 == 0)
			write_request(w, w->number++, 1);
		if (w->sequence % 4 == 2 && w->number > w->content.next_request)
			write_request(w, w->number - 1, 2);
		if (w->sequence % 16 == 0)
			store_put_handed(w->store, w->sequence / 2);
	}
	event_base_once(w->base, -1, EV_TIMEOUT, write_turn, w, &soon);
}

static int
run_write(const char *dir)
{
	struct writer w = {0};

	open_store(&w, dir);
	write_turn(-1, 0, &w);
	event_base_dispatch(w.base);
	return 0;
}

/* Stored events have no gap, and the numbers go on after them. */
static int
check_events(const struct store_content *content)
{
	int wrong = 0;

	for (size_t i = 0; i < content->events_count; i++) {
		const struct mib_event *event = &content->events[i];
		char text[TEXT_SIZE];

		snprintf(text, sizeof(text), "event %" PRIu32, event->sequence);
		wrong += strcmp(text, event->text) != 0 ||
			 (i > 0 && event->sequence != event[-1].sequence + 1);
	}
	if (content->events_count > 0)
		wrong += content->events[content->events_count - 1].sequence + 1 !=
			 content->next_sequence;
	return wrong;
}

static int
check_event(const struct store_content *content, uint32_t sequence)
{
	uint32_t first = content->next_sequence - (uint32_t)content->events_count;

	for (size_t i = 0; i < content->vms_count; i++)
		if (content->vms[i].index == sequence % VMS + 1)
			return sequence >= content->next_sequence ||
			       content->vms[i].restarts < sequence ||
			       (sequence < first && content->events_count < JOURNAL);
	return 1;
}

static int
check_request(const struct store_content *content, uint64_t number, int phase)
{
	if (number >= content->next_request)
		return 1;
	for (size_t i = 0; i < content->requests_count; i++)
		if (content->requests[i].number == number)
			return phase == 2 && content->requests[i].row.state != REQUEST_SUCCEEDED;
	return content->next_request <= number + KEPT; /* else it was dropped */
}

/* FILE's lines are all there, and no number was acknowledged twice. */
static int
check_lines(const struct store_content *content, FILE *file, unsigned long *lines)
{
	uint64_t last_event = 0, last_request = 0, number;
	int wrong = 0, phase;
	char line[64];

	while (fgets(line, sizeof(line), file)) {
		++*lines;
		if (sscanf(line, "e %" SCNu64, &number) == 1) {
			wrong += number <= last_event || check_event(content, (uint32_t)number);
			last_event = number;
		} else if (sscanf(line, "r %" SCNu64 " %d", &number, &phase) == 2) {
			wrong += 2 * number + (uint64_t)phase <= last_request ||
				 check_request(content, number, phase);
			last_request = 2 * number + (uint64_t)phase;
		} else {
			wrong++;
		}
	}
	return wrong;
}

static int
run_check(const char *dir, const char *path)
{
	FILE *file = fopen(path, "r");
	struct writer w = {0};
	unsigned long lines = 0;
	int lost, wrong;

	if (!file)
		fatal("%s cannot be read", path);
	open_store(&w, dir);
	wrong = check_events(&w.content);
	lost = check_lines(&w.content, file, &lines);
	fclose(file);
	printf("%lu lines, lost or twice %d, gaps %d, next event %" PRIu32 ", next request %" PRIu64
	       "\n",
	       lines, lost, wrong, w.content.next_sequence, w.content.next_request);
	fflush(stdout);
	_exit(lost || wrong ? 1 : 0); /* no clean end: the next one finds what the kill left */
}

static void
latency_done(void *arg, uint64_t tag, bool durable)
{
	struct writer *w = arg;

	(void)tag;
	w->waiting--;
	if (!durable)
		fatal("the disk does not write");
	if (w->waiting == 0)
		event_base_loopbreak(w->base);
}

static void
latency_append(struct writer *w)
{
	struct mib_event event = {.sequence = w->sequence, .time = clock_wall_ms()};

	w->waiting++;
	store_append_event(w->store, &event, latency_done, w, w->sequence++);
}

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int
double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int
run_latency(const char *dir, size_t count)
{
	double *each = mem_array(count, sizeof(*each)), began;
	struct writer w = {0};

	open_store(&w, dir);
	for (size_t i = 0; i < count; i++) {
		began = now_ms();
		latency_append(&w);
		event_base_dispatch(w.base);
		each[i] = now_ms() - began;
	}
	qsort(each, count, sizeof(*each), double_compare);
	printf("one append, idle: median %.2f ms, 99th percentile %.2f ms, longest %.2f ms\n",
	       each[count / 2], each[count * 99 / 100], each[count - 1]);
	began = now_ms();
	for (size_t i = 0; i < count; i++)
		latency_append(&w);
	printf("%zu appends at once: calls %.2f ms", count, now_ms() - began);
	event_base_dispatch(w.base);
	printf(", all on disk after %.2f ms\n", now_ms() - began);
	free(each);
	close_store(&w);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "write") == 0)
		return run_write(argv[2]);
	if (argc == 4 && strcmp(argv[1], "check") == 0)
		return run_check(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "latency") == 0 && atoi(argv[3]) > 0)
		return run_latency(argv[2], (size_t)atoi(argv[3]));
	fprintf(stderr, "usage: store_writer write DIR | check DIR FILE | latency DIR N\n");
	return 2;
}
