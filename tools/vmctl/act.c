#include "tools/vmctl/act.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

struct act *
acts_add(struct acts *acts, struct vmctl_host *host, const char *name, enum verb verb,
	 uint32_t number)
{
	struct act *act;

	if ((acts->count & (acts->count - 1)) == 0)
		acts->list = mem_resize(acts->list, acts->count * 2 + 1, sizeof(*acts->list));
	act = &acts->list[acts->count++];
	*act = (struct act){.host = host, .request = {.verb = verb, .number = number}};
	TEXT_SET(act->name, name);
	TEXT_SET(act->request.vm, name);
	return act;
}

void
acts_order(struct acts *acts, size_t first, size_t behind)
{
	struct act *act = &acts->list[first];

	act->then = mem_resize(act->then, act->then_count + 1, sizeof(*act->then));
	act->then[act->then_count++] = behind;
	acts->list[behind].waits++;
}

bool
acts_waves(struct acts *acts)
{
	size_t *waits = mem_array(acts->count, sizeof(*waits));
	size_t *queue = mem_array(acts->count, sizeof(*queue)), count = 0;

	for (size_t i = 0; i < acts->count; i++) {
		waits[i] = acts->list[i].waits;
		acts->list[i].wave = 1;
		if (waits[i] == 0)
			queue[count++] = i;
	}
	for (size_t i = 0; i < count; i++) {
		const struct act *act = &acts->list[queue[i]];

		for (size_t j = 0; j < act->then_count; j++) {
			struct act *next = &acts->list[act->then[j]];

			if (next->wave <= act->wave)
				next->wave = act->wave + 1;
			if (--waits[act->then[j]] == 0)
				queue[count++] = act->then[j];
		}
	}
	free(waits);
	free(queue);
	return count == acts->count;
}

/* FNV-1a: short, and the same each time. */
static uint32_t
name_hash(const struct act *act)
{
	uint32_t hash = 0x811c9dc5;

	for (const char *c = act->name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x01000193;
	return hash;
}

void
acts_name(struct acts *acts)
{
	const char *id = acts->context->options.id;

	for (size_t i = 0; i < acts->count; i++) {
		struct act *act = &acts->list[i];

		if (!id)
			vmctl_request_id(act->request.id);
		else if (acts->one)
			TEXT_SET(act->request.id, id);
		else
			TEXT_FORMAT(act->request.id, "%s-%08" PRIx32, id, name_hash(act));
	}
}

void
acts_free(struct acts *acts)
{
	for (size_t i = 0; i < acts->count; i++)
		free(acts->list[i].then);
	free(acts->list);
	vms_free(&acts->vms);
	acts->list = NULL;
	acts->count = 0;
}

/* ---- what is printed ---- */

/* As JSON has it; people read the command's word for what is done. */
static const struct {
	const char *word;
	enum tint tint;
} act_words[] = {
    [ACT_WAITS] = {"waiting", TINT_NONE},     [ACT_OPEN] = {"open", TINT_BUSY},
    [ACT_ACCEPTED] = {"accepted", TINT_GOOD}, [ACT_DONE] = {"done", TINT_GOOD},
    [ACT_ALREADY] = {"already", TINT_GOOD},   [ACT_FAILED] = {"failed", TINT_BAD},
    [ACT_UNKNOWN] = {"unknown", TINT_BUSY},   [ACT_BLOCKED] = {"blocked", TINT_BAD},
};

static bool
prints_lines(const struct acts *acts)
{
	return acts->context->options.format == OUTPUT_TEXT;
}

/* On a terminal a last line tells what is waited for. */
static bool
has_status(const struct acts *acts)
{
	return prints_lines(acts) && isatty(STDERR_FILENO) && !acts->context->options.no_wait;
}

static void
status_clear(const struct acts *acts)
{
	if (has_status(acts))
		fprintf(stderr, "\r\033[K");
}

static void
status_print(const struct acts *acts)
{
	size_t named = 0;

	if (!has_status(acts) || acts->over == acts->count)
		return;
	fprintf(stderr, "\r\033[K%zu of %zu, waiting for", acts->over, acts->count);
	for (size_t i = 0; i < acts->count && named < 4; i++) {
		const struct act *act = &acts->list[i];

		if (act->state == ACT_OPEN && named++ < 3)
			fprintf(stderr, "%s %s (%s%s%s)", named > 1 ? "," : "", act->name,
				name_of(request_state_names, (int)act->request_state),
				*act->text ? ": " : "", act->text);
	}
	fprintf(stderr, named > 3 ? " ..." : "");
}

static void
act_print(const struct acts *acts, const struct act *act)
{
	const struct context *context = acts->context;
	const char *word = act->state == ACT_DONE ? acts->done : act_words[act->state].word;
	enum tint tint = act_words[act->state].tint;

	if (!prints_lines(acts))
		return;
	status_clear(acts);
	printf("%s on %s: %s%s%s%s%s\n", act->name, vmctl_host_name(act->host),
	       tint_on(context, tint), word, tint_off(context, tint), *act->text ? ": " : "",
	       act->text);
	fflush(stdout);
}

static void
value_name(const struct context *context, const struct item *item, struct value *value)
{
	(void)context;
	value_text(value, ((const struct act *)item->own)->name);
}

static void
value_id(const struct context *context, const struct item *item, struct value *value)
{
	(void)context;
	value_text(value, ((const struct act *)item->own)->request.id);
}

static void
value_verb(const struct context *context, const struct item *item, struct value *value)
{
	(void)context;
	value_text(value, name_of(verb_names, (int)((const struct act *)item->own)->request.verb));
}

static void
value_outcome(const struct context *context, const struct item *item, struct value *value)
{
	(void)context;
	value_text(value, act_words[((const struct act *)item->own)->state].word);
}

static void
value_act_text(const struct context *context, const struct item *item, struct value *value)
{
	(void)context;
	value_text(value, ((const struct act *)item->own)->text);
}

static const struct own_field act_fields[] = {{"name", "NAME", false, value_name},
					      {"verb", "VERB", false, value_verb},
					      {"outcome", "OUTCOME", false, value_outcome},
					      {"text", "TEXT", false, value_act_text},
					      {"id", "ID", false, value_id},
					      {NULL, NULL, false, NULL}};

static void
acts_print(const struct acts *acts)
{
	static const enum mib_kind none[] = {0};
	struct fields fields;
	struct output *output;

	if (!fields_choose(acts->context, "name,host,verb,outcome,text,id", none, act_fields,
			   &fields))
		return;
	output = output_begin(acts->context, "results", &fields);
	for (size_t i = 0; i < acts->count; i++) {
		struct item item = {.host = acts->list[i].host, .own = &acts->list[i]};

		output_item(output, &item);
	}
	output_end(output);
	fields_free(&fields);
}

/* ---- doing ---- */

static void act_begin(struct acts *acts, struct act *act);

static bool
act_is_good(enum act_state state)
{
	return state == ACT_DONE || state == ACT_ALREADY || state == ACT_ACCEPTED;
}

/* Whoever waits for it may begin now, or never. */
static void
act_release(struct acts *acts, struct act *act)
{
	bool succeeded = act_is_good(act->state);

	act->released = true;
	for (size_t i = 0; i < act->then_count; i++) {
		struct act *next = &acts->list[act->then[i]];
		char text[VMCTL_ERROR_SIZE];

		if (next->state != ACT_WAITS)
			continue;
		if (!succeeded) {
			TEXT_FORMAT(text, "%s on %s comes before it, and %s", act->name,
				    vmctl_host_name(act->host),
				    act->state == ACT_BLOCKED  ? "is blocked"
				    : act->state == ACT_FAILED ? "failed"
							       : "is not known to be done");
			act_end(acts, next, ACT_BLOCKED, text);
		} else if (--next->waits == 0) {
			act_begin(acts, next);
		}
	}
}

void
act_end(struct acts *acts, struct act *act, enum act_state state, const char *text)
{
	act->state = state;
	TEXT_SET(act->text, text);
	acts->over++;
	act_print(acts, act);
	if (acts->running)
		act_release(acts, act);
}

void
act_end_twice(struct acts *acts, struct act *act, const struct vmctl_host *other)
{
	char text[VMCTL_ERROR_SIZE];

	TEXT_FORMAT(text, "it is on %s as well; say which is meant, as %s@%s",
		    vmctl_host_name(other), act->name, vmctl_host_name(act->host));
	act_end(acts, act, ACT_FAILED, text);
}

static void
act_changed(void *arg, struct vmctl_host *host, const struct vmctl_request *request,
	    const struct vmctl_outcome *outcome)
{
	struct acts *acts = arg;
	struct act *act = NULL;

	/* Under --id VMs of the same name have the same id, each on its host. */
	for (size_t i = 0; i < acts->count && !act; i++)
		if (acts->list[i].state == ACT_OPEN && acts->list[i].host == host &&
		    strcmp(acts->list[i].request.id, request->id) == 0)
			act = &acts->list[i];
	if (!act)
		return;
	act->request_state = outcome->state;
	TEXT_SET(act->text, outcome->error);
	if (!outcome->over) {
		status_print(acts);
		return;
	}
	if (outcome->state == REQUEST_QUEUED)
		act_end(acts, act, ACT_ACCEPTED, act->request.id);
	else if (outcome->state == REQUEST_SUCCEEDED)
		act_end(acts, act, ACT_DONE, outcome->error);
	else
		act_end(acts, act, outcome->unknown ? ACT_UNKNOWN : ACT_FAILED,
			*outcome->error ? outcome->error
					: name_of(request_state_names, (int)outcome->state));
	status_print(acts);
}

static void
act_begin(struct acts *acts, struct act *act)
{
	bool ordered = act->then_count > 0;

	if (!host_answers(act->host)) {
		act_end(acts, act, ACT_FAILED, "its host does not answer");
		return;
	}
	act->state = ACT_OPEN;
	/* What others wait for must be waited for. */
	vmctl_request(act->host, &act->request, !acts->context->options.no_wait || ordered,
		      act_changed, acts);
}

static void
interrupted(int fd, short what, void *arg)
{
	struct acts *acts = arg;

	(void)fd, (void)what;
	acts->left = acts->interrupted = true;
	vmctl_stop(acts->context->vmctl);
}

static void
status_tick(int fd, short what, void *arg)
{
	(void)fd, (void)what;
	status_print(arg);
}

/* Says how to look at what goes on. */
static void
say_left(const struct acts *acts)
{
	size_t waiting = 0;

	status_clear(acts);
	fprintf(stderr, "vmctl: nobody waits any more, and the work goes on. Follow it with:\n"
			"  vmctl requests");
	for (size_t i = 0; i < acts->count; i++) {
		if (acts->list[i].state == ACT_OPEN)
			fprintf(stderr, " %s", acts->list[i].request.id);
		waiting += acts->list[i].state == ACT_WAITS;
	}
	fprintf(stderr, "\n");
	if (waiting > 0)
		fprintf(stderr,
			"%zu VMs that come later were not asked for; give the command "
			"again for them\n",
			waiting);
}

/* Where so many are good. */
static int
status_of(const struct acts *acts, size_t good)
{
	if (good == acts->count && !acts->missing)
		return EXIT_ALL;
	return good > 0 ? EXIT_SOME : EXIT_NONE;
}

static int
acts_status(const struct acts *acts)
{
	size_t good = 0;

	for (size_t i = 0; i < acts->count; i++)
		good += act_is_good(acts->list[i].state);
	return acts->interrupted ? EXIT_LEFT : status_of(acts, good);
}

/* Those that wait for nobody, and those behind what had ended before. */
static void
acts_begin(struct acts *acts)
{
	acts->running = true;
	for (size_t i = 0; i < acts->count; i++) {
		struct act *act = &acts->list[i];

		if (act->state == ACT_WAITS && act->waits == 0)
			act_begin(acts, act);
		else if (act->state != ACT_WAITS && act->state != ACT_OPEN && !act->released)
			act_release(acts, act);
	}
}

int
acts_run(struct acts *acts)
{
	struct context *context = acts->context;
	struct event_base *base = vmctl_base(context->vmctl);
	struct event *interrupt = evsignal_new(base, SIGINT, interrupted, acts);
	struct event *tick = event_new(base, -1, EV_PERSIST, status_tick, acts);
	static const struct timeval second = {1, 0};
	int64_t deadline_ms =
	    context->options.wait_s > 0 ? vmctl_mono_ms() + context->options.wait_s * 1000LL : 0;

	event_add(interrupt, NULL);
	event_add(tick, &second);
	acts_begin(acts);
	if (!vmctl_run(context->vmctl, deadline_ms))
		acts->left = true;
	status_clear(acts);
	if (!prints_lines(acts))
		acts_print(acts);
	if (acts->left && acts->over < acts->count)
		say_left(acts);
	event_free(interrupt);
	event_free(tick);
	return acts_status(acts);
}

/* ---- before ---- */

static void
act_show(const struct act *act, size_t step)
{
	if (step > 0)
		printf("%zu. ", step);
	printf("%s on %s: would %s", act->name, vmctl_host_name(act->host),
	       name_of(verb_names, (int)act->request.verb));
	if (act->request.number)
		printf(" %" PRIu32, act->request.number);
	printf("%s\n", act->needed ? ", as others need it" : "");
}

/* Wave by wave; what has ended was said when it did. Where there is one alone, it has no number. */
int
acts_show(struct acts *acts)
{
	size_t first = SIZE_MAX, last = 0, step = 0;

	if (!prints_lines(acts)) {
		acts_print(acts);
		return status_of(acts, acts->count);
	}
	for (size_t i = 0; i < acts->count; i++) {
		const struct act *act = &acts->list[i];

		if (act->state != ACT_WAITS)
			continue;
		first = act->wave < first ? act->wave : first;
		last = act->wave > last ? act->wave : last;
	}
	for (size_t wave = first; wave <= last; wave++) {
		bool any = false;

		for (size_t i = 0; i < acts->count; i++)
			if (acts->list[i].state == ACT_WAITS && acts->list[i].wave == wave) {
				act_show(&acts->list[i], first < last ? step + 1 : 0);
				any = true;
			}
		step += any;
	}
	return status_of(acts, acts->count);
}

bool
acts_confirm(const struct acts *acts, const char *what)
{
	char answer[16] = "";
	size_t count = 0;

	for (size_t i = 0; i < acts->count; i++)
		count += acts->list[i].state == ACT_WAITS;
	if (acts->context->options.yes || count == 0 || !isatty(STDIN_FILENO))
		return true;
	fprintf(stderr, "%s %zu VM%s:", what, count, count == 1 ? "" : "s");
	for (size_t i = 0; i < acts->count && i < 20; i++)
		if (acts->list[i].state == ACT_WAITS)
			fprintf(stderr, " %s@%s", acts->list[i].name,
				vmctl_host_name(acts->list[i].host));
	fprintf(stderr, "%s\nGo on? [y/N] ", acts->count > 20 ? " ..." : "");
	return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}
