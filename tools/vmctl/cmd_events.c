/*
 * events: the journals of all hosts as one. Each host's journal has an id and numbers that ascend;
 * who keeps both misses nothing, however often the agent was started anew, and sees when the
 * journal is another one.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/uuid.h"
#include "tools/vmctl/vmctl.h"

#define LAST 50	       /* events of each host, without --since */
#define FOLLOW_MS 1000 /* between two looks */

/* Where a host's journal was read to. */
struct place {
	char journal[20]; /* "": not known */
	uint32_t sequence;
	bool silent; /* it was said */
};

struct follower {
	struct context *context;
	struct fields fields;
	struct output *output;
	struct place *places; /* by host */
	char *others;	      /* of the state file: lines of hosts that are not asked now */
	size_t others_size;
	bool going; /* the first round is over, and what follows can be printed */
	int status; /* EXIT_NONE: no word means anything; EXIT_SOME: one does not, or the state file
		       could not be written */
};

/* ---- places on disk ---- */

static size_t
host_number(const struct context *context, const char *name)
{
	size_t i = 0;

	while (i < context->hosts_count && strcmp(vmctl_host_name(context->hosts[i]), name) != 0)
		i++;
	return i;
}

static void
others_keep(struct follower *follower, const char *line)
{
	size_t size = strlen(line);

	follower->others = mem_resize(follower->others, follower->others_size + size + 1, 1);
	memcpy(follower->others + follower->others_size, line, size + 1);
	follower->others_size += size;
}

/* "NAME JOURNAL SEQUENCE"; a host's name may have blanks. False: it is no such line. */
static bool
place_read(struct follower *follower, const char *line)
{
	const char *sequence = strrchr(line, ' ');
	const char *journal = sequence ? memrchr(line, ' ', (size_t)(sequence - line)) : NULL;
	size_t at, length = journal ? (size_t)(journal - line) : 0;
	struct place place = {.silent = false};
	char name[VMCTL_NAME_SIZE], end;

	if (length == 0 || length >= sizeof(name) ||
	    sscanf(journal, "%19s %" SCNu32 "%c", place.journal, &place.sequence, &end) != 3 ||
	    end != '\n')
		return false;
	memcpy(name, line, length);
	name[length] = 0;
	at = host_number(follower->context, name);
	if (at < follower->context->hosts_count)
		follower->places[at] = place;
	else
		others_keep(follower, line);
	return true;
}

/* A line a host. A file that is not there yet has none; one of something else is not written over.
 */
static bool
places_read(struct follower *follower)
{
	const char *path = follower->context->options.state_file;
	FILE *file = path ? fopen(path, "re") : NULL;
	char line[256];
	bool ok = true;

	if (path && !file && errno != ENOENT) {
		usage_error(follower->context, "%s: %s", path, strerror(errno));
		return false;
	}
	while (ok && file && fgets(line, sizeof(line), file))
		ok = place_read(follower, line);
	if (!ok)
		usage_error(follower->context,
			    "%s: it is none that events wrote; give one, or a new one", path);
	if (file)
		fclose(file);
	return ok;
}

/* Written after the events were, and whole: who dies in between prints some twice, and misses none.
 */
static void
places_write(struct follower *follower)
{
	const struct context *context = follower->context;
	const char *path = context->options.state_file;
	char new[4096];
	FILE *file;
	bool ok;

	if (!path)
		return;
	snprintf(new, sizeof(new), "%s.new", path);
	file = fopen(new, "we");
	for (size_t i = 0; file && i < context->hosts_count; i++)
		if (*follower->places[i].journal)
			fprintf(file, "%s %s %" PRIu32 "\n", vmctl_host_name(context->hosts[i]),
				follower->places[i].journal, follower->places[i].sequence);
	if (file && follower->others)
		fputs(follower->others, file);
	ok = file && fflush(file) == 0 && !ferror(file);
	if ((file && fclose(file) != 0) || !ok || rename(new, path) != 0) {
		fprintf(stderr, "vmctl events: %s: %s\n", path, strerror(errno));
		follower->status = EXIT_SOME;
	}
}

/* ---- looking ---- */

/* How far the host's journal goes; false: it does not say, or not what a state file could have. */
static bool
journal_of(const struct vmctl_host *host, struct mib_agent *agent)
{
	return host_answers(host) && vmctl_row(host, KIND_AGENT, 0, agent) && *agent->journal &&
	       !strpbrk(agent->journal, " \t") &&
	       !(agent->absent >> mib_agent_BIT_journal_last & 1);
}

/* From where to read: behind what was read, or where the user says, or the last few. */
static void
place_begin(const struct follower *follower, const struct vmctl_host *host, struct place *place,
	    const struct mib_agent *agent)
{
	const struct options *options = &follower->context->options;
	uint32_t last = options->last > 0 ? (uint32_t)options->last : LAST;
	uint32_t first = agent->journal_first > 0 ? agent->journal_first - 1 : 0;

	if (*place->journal && strcmp(place->journal, agent->journal) != 0) {
		fprintf(stderr,
			"vmctl: %s: its journal is another one (%s, was %s): the agent's store was "
			"lost; all of the new one follows\n",
			vmctl_host_name(host), agent->journal, place->journal);
		place->sequence = 0;
	} else if (!*place->journal && options->since >= 0) {
		place->sequence = (uint32_t)options->since;
	} else if (!*place->journal) {
		place->sequence = agent->journal_last > last ? agent->journal_last - last : 0;
		if (place->sequence < first)
			place->sequence = first;
	}
	TEXT_SET(place->journal, agent->journal);
	if (place->sequence < first) {
		fprintf(stderr, "vmctl: %s: events %" PRIu32 " to %" PRIu32 " are kept no more\n",
			vmctl_host_name(host), place->sequence + 1, first);
		place->sequence = first;
	}
}

/* ---- printing ---- */

struct event_ref {
	struct vmctl_host *host;
	uint32_t position;
	int64_t time; /* never before that of the host's event before */
};

static int
event_compare(const void *a, const void *b)
{
	const struct event_ref *left = a, *right = b;
	int order;

	if (left->time != right->time)
		return left->time > right->time ? 1 : -1;
	order = strcmp(vmctl_host_name(left->host), vmctl_host_name(right->host));
	return order != 0 ? order
			  : (left->position > right->position) - (left->position < right->position);
}

/* The VM that the event is about, as it is now; of one that is gone, or none, nothing is known. */
static void
event_vm(const struct vmctl_host *host, const struct mib_event *event, struct mib_vm *vm)
{
	size_t from = 0, to = vmctl_rows_count(host, KIND_VM);

	while (from < to && !(event->absent >> mib_event_BIT_vm_index & 1)) {
		size_t middle = from + (to - from) / 2;

		vmctl_row(host, KIND_VM, middle, vm);
		if (vm->index == event->vm_index && uuid_equal(vm->uuid, event->vm_uuid))
			return;
		if (vm->index < event->vm_index)
			from = middle + 1;
		else
			to = middle;
	}
	*vm = (struct mib_vm){.absent = 0};
}

/* The event's own name of the VM counts, as it is what is printed. */
static bool
event_wanted(const struct context *context, const struct vmctl_host *host,
	     const struct mib_event *event)
{
	struct mib_vm vm;

	if (!context->options.targets)
		return true;
	event_vm(host, event, &vm);
	memcpy(vm.name, event->vm_name, sizeof(vm.name));
	memcpy(vm.uuid, event->vm_uuid, sizeof(vm.uuid));
	return targets_match(context->options.targets, host, &vm);
}

/* Words that neither a VM nor an event was meant by are said. */
static void
words_check(struct follower *follower, size_t events)
{
	const struct context *context = follower->context;
	bool missing = false;
	struct vm_list vms;
	size_t known;

	if (!context->options.targets)
		return;
	for (size_t i = 0; i < context->hosts_count; i++)
		missing |= !host_answers(context->hosts[i]);
	vms_collect(context, context->options.targets, &vms);
	known = vms.count + events;
	vms_free(&vms);
	if (targets_complain(context->options.targets, missing, false) == 0)
		return;
	follower->status = known > 0 ? EXIT_SOME : EXIT_NONE;
	follower->going &= known > 0 || missing;
}

/* The events that came of a host, behind its place; the place moves on. */
static void
events_add(struct follower *follower, size_t number, struct event_ref **list, size_t *count)
{
	struct vmctl_host *host = follower->context->hosts[number];
	struct place *place = &follower->places[number];
	struct mib_event event;
	int64_t time = 0;

	for (size_t i = 0; vmctl_row(host, KIND_EVENT, i, &event); i++) {
		if (event.sequence <= place->sequence)
			continue;
		place->sequence = event.sequence;
		if (event.time > time)
			time = event.time;
		if (!event_wanted(follower->context, host, &event))
			continue;
		*list = mem_resize(*list, *count + 1, sizeof(**list));
		(*list)[(*count)++] = (struct event_ref){host, (uint32_t)i, time};
	}
}

static void
events_print(struct follower *follower, struct event_ref *list, size_t count)
{
	if (count > 0)
		qsort(list, count, sizeof(*list), event_compare);
	for (size_t i = 0; i < count; i++) {
		struct mib_event event;
		struct item item = {.host = list[i].host, .rows = {[KIND_EVENT] = &event}};

		if (vmctl_row(item.host, KIND_EVENT, list[i].position, &event))
			output_item(follower->output, &item);
	}
	free(list);
}

/* The places move on, if they are to, when what was printed is out: to the end of it, where no more
 * follows. */
static void
events_out(struct follower *follower, bool keep)
{
	bool out;

	if (follower->context->options.follow) {
		out = output_flush(follower->output);
	} else {
		out = output_end(follower->output);
		follower->output = NULL;
	}
	if (out && keep)
		places_write(follower);
	follower->going &= out;
}

/* ---- a host's turn: its journal, what is new in it, and after a while once more ---- */

struct turn {
	struct follower *follower;
	size_t number; /* of the host */
	struct mib_event after;
	struct event *timer;
};

static void turn_begin(int fd, short what, void *arg);

/* What targets look at: before the first round, as words may mean nothing, and later with events.
 */
static const struct vmctl_want vms_want = {KIND_VM, VM_BASIC, NULL};

static void
turn_end(struct turn *turn, bool fetched)
{
	static const struct timeval delay = {FOLLOW_MS / 1000, FOLLOW_MS % 1000 * 1000};
	struct follower *follower = turn->follower;
	struct event_ref *list = NULL;
	size_t count = 0;

	if (!follower->going)
		return;
	if (fetched)
		events_add(follower, turn->number, &list, &count);
	events_print(follower, list, count);
	if (count > 0)
		events_out(follower, true);
	if (follower->going)
		event_add(turn->timer, &delay);
	else
		event_base_loopbreak(vmctl_base(follower->context->vmctl));
}

static void
turn_fetched(void *arg, struct vmctl_host *host)
{
	turn_end(arg, host_answers(host));
}

static void
turn_silent(struct turn *turn, struct vmctl_host *host)
{
	struct place *place = &turn->follower->places[turn->number];

	if (!place->silent && turn->follower->context->options.follow)
		fprintf(stderr, "vmctl: %s: %s; its events come when it is back\n",
			vmctl_host_name(host), vmctl_host_error(host));
	place->silent = true;
}

static void
turn_journal(void *arg, struct vmctl_host *host)
{
	struct turn *turn = arg;
	struct place *place = &turn->follower->places[turn->number];
	struct vmctl_want wants[] = {{KIND_EVENT, 0, &turn->after}, vms_want};
	bool targets = turn->follower->context->options.targets;
	struct mib_agent agent;

	if (!journal_of(host, &agent)) {
		turn_silent(turn, host);
		turn_end(turn, false);
		return;
	}
	place->silent = false;
	place_begin(turn->follower, host, place, &agent);
	turn->after.sequence = place->sequence;
	if (place->sequence < agent.journal_last)
		vmctl_fetch(host, wants, targets && turn->follower->going ? 2 : 1, turn_fetched,
			    turn);
	else
		turn_end(turn, false);
}

static void
turn_begin(int fd, short what, void *arg)
{
	struct vmctl_want wants[] = {{KIND_AGENT,
				      VMCTL_FIELD(mib_agent, journal) |
					  VMCTL_FIELD(mib_agent, journal_first) |
					  VMCTL_FIELD(mib_agent, journal_last),
				      NULL},
				     vms_want};
	struct turn *turn = arg;
	struct context *context = turn->follower->context;

	(void)fd, (void)what;
	vmctl_fetch(context->hosts[turn->number], wants,
		    context->options.targets && !turn->follower->going ? 2 : 1, turn_journal, turn);
}

/* The first round is of all hosts together, and sorted; later each host has turns of its own, so
 * that one that does not answer delays none. */
static void
follow(struct follower *follower)
{
	struct context *context = follower->context;
	struct turn *turns = mem_array(context->hosts_count, sizeof(*turns));
	struct event_ref *list = NULL;
	size_t count = 0;

	for (size_t i = 0; i < context->hosts_count; i++) {
		turns[i].follower = follower;
		turns[i].number = i;
		turns[i].timer = evtimer_new(vmctl_base(context->vmctl), turn_begin, &turns[i]);
		turn_begin(-1, 0, &turns[i]);
	}
	vmctl_run(context->vmctl, 0);
	for (size_t i = 0; i < context->hosts_count; i++)
		if (host_answers(context->hosts[i]))
			events_add(follower, i, &list, &count);
	events_print(follower, list, count);
	follower->going = context->options.follow;
	words_check(follower, count);
	events_out(follower, follower->status != EXIT_NONE);
	for (size_t i = 0; follower->going && i < context->hosts_count; i++)
		turn_end(&turns[i], false);
	if (follower->going)
		event_base_dispatch(vmctl_base(context->vmctl)); /* until a signal */
	for (size_t i = 0; i < context->hosts_count; i++)
		event_free(turns[i].timer);
	free(turns);
}

#define COLUMNS "time,host,sequence,type,vmName=VM,state,text"

static int
events(struct follower *follower)
{
	static const enum mib_kind kinds[] = {KIND_EVENT, 0};
	struct context *context = follower->context;
	int status;
	const char *columns = context->options.columns		       ? context->options.columns
			      : context->options.format == OUTPUT_TEXT ? COLUMNS
								       : "all";

	if (!fields_choose(context, columns, kinds, NULL, &follower->fields))
		return EXIT_USAGE;
	if (context->words_count > 0) {
		context->options.targets =
		    targets_new(context, context->words, context->words_count, false);
		if (!context->options.targets)
			return EXIT_USAGE;
	}
	if (!fleet_choose(context))
		return EXIT_USAGE;
	if (context->options.targets)
		fleet_narrow(context, context->options.targets);
	if (context->options.since >= 0 && context->hosts_count > 1)
		return usage_error(context,
				   "numbers are of one host: give -H HOST with --since, or "
				   "--state-file for many");
	follower->places = mem_array(context->hosts_count, sizeof(*follower->places));
	if (!places_read(follower))
		return EXIT_USAGE;
	follower->output = output_begin(context, "events", &follower->fields);
	follow(follower);
	if (follower->output)
		output_end(follower->output);
	status = fleet_report(context);
	return status > follower->status ? status : follower->status;
}

int
cmd_events(struct context *context)
{
	struct follower follower = {.context = context};
	int status = events(&follower);

	fields_free(&follower.fields);
	free(follower.places);
	free(follower.others);
	targets_free(context->options.targets);
	return status;
}
