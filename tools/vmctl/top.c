/*
 * top: the VMs of all hosts on a screen that is drawn anew while they change. Each host is asked in
 * turns of its own, so one that does not answer delays no other; its last rows stay, marked.
 */
#include <ctype.h>
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <event2/event.h>

#include "tools/vmctl/vmctl.h"

#define INTERVAL_S 2
#define DRAW_MS 200 /* between two drawings at least */
#define FILTER_SIZE 32

#define COLUMNS                                                                                    \
	"name,host,state,health,cpuUsed=CPU,memory=MEM,memoryUsed=USED,group,lastChange=CHANGED"

/* A VM, with what it can be sorted by. */
struct line {
	struct vmctl_host *host;
	uint32_t position;
	char name[VM_NAME_SIZE];
	int64_t key;
};

struct top;

/* A host's turn. */
struct turn {
	struct top *top;
	struct vmctl_host *host;
	struct event *timer;
};

struct top {
	struct context *context;
	struct targets *targets;
	struct fields fields;
	struct vmctl_want wants[2];
	struct turn *turns;
	struct timeval interval;
	struct line *lines;
	size_t count, room, first; /* first: of those that are shown */
	const struct sort *sort;
	bool reverse, typing, dirty;
	char filter[FILTER_SIZE];
	struct event *input, *draw, *resize, *end;
};

/* ---- order ---- */

static int64_t
key_none(const struct mib_vm *vm)
{
	(void)vm;
	return 0;
}

static int64_t
key_cpu(const struct mib_vm *vm)
{
	return vm->absent >> mib_vm_BIT_cpu_used & 1 ? 1 : -(int64_t)vm->cpu_used;
}

static int64_t
key_memory(const struct mib_vm *vm)
{
	return vm->absent >> mib_vm_BIT_memory_mib & 1 ? 1 : -(int64_t)vm->memory_mib;
}

static int64_t
key_used(const struct mib_vm *vm)
{
	return vm->absent >> mib_vm_BIT_memory_used_mib & 1 ? 1 : -(int64_t)vm->memory_used_mib;
}

static int64_t
key_state(const struct mib_vm *vm)
{
	return vm->health == HEALTH_FAILED ? -100 : vm->state;
}

static const struct sort {
	int letter;
	const char *name;
	int64_t (*key)(const struct mib_vm *vm);
	bool by_host;
} sorts[] = {{'n', "name", key_none, false},	 {'c', "cpu", key_cpu, false},
	     {'m', "memory", key_memory, false}, {'u', "used", key_used, false},
	     {'s', "state", key_state, false},	 {'h', "host", key_none, true}};

static const struct top *sorting; /* qsort() hands nothing of ours on */

static int
line_compare(const void *a, const void *b)
{
	const struct line *left = a, *right = b;
	int order = (left->key > right->key) - (left->key < right->key);

	if (order == 0 && sorting->sort->by_host)
		order = strcmp(vmctl_host_name(left->host), vmctl_host_name(right->host));
	if (order == 0)
		order = strcmp(left->name, right->name);
	if (order == 0)
		order = strcmp(vmctl_host_name(left->host), vmctl_host_name(right->host));
	return sorting->reverse ? -order : order;
}

static bool
filter_fits(const struct top *top, const struct vmctl_host *host, const struct mib_vm *vm)
{
	return !*top->filter || strcasestr(vm->name, top->filter) ||
	       strcasestr(vmctl_host_name(host), top->filter) ||
	       strcasestr(vm->group, top->filter) ||
	       strcasestr(name_of(vm_state_names, vm->state), top->filter);
}

static void
lines_make(struct top *top)
{
	struct mib_vm vm;

	top->count = 0;
	for (size_t i = 0; i < top->context->hosts_count; i++) {
		struct vmctl_host *host = top->context->hosts[i];

		for (size_t j = 0; vmctl_row(host, KIND_VM, j, &vm); j++) {
			struct line *line;

			if (!targets_match(top->targets, host, &vm) || !filter_fits(top, host, &vm))
				continue;
			if (top->count == top->room) {
				top->room = top->room * 2 + 64;
				top->lines = mem_resize(top->lines, top->room, sizeof(*top->lines));
			}
			line = &top->lines[top->count++];
			*line = (struct line){host, (uint32_t)j, "", top->sort->key(&vm)};
			memcpy(line->name, vm.name, sizeof(line->name));
		}
	}
	sorting = top;
	if (top->count > 0)
		qsort(top->lines, top->count, sizeof(*top->lines), line_compare);
}

/* ---- drawing ---- */

enum { PAIR_GOOD = 1, PAIR_BUSY, PAIR_BAD };

static int
tint_attribute(enum tint tint)
{
	static const int attributes[] = {[TINT_NONE] = 0, [TINT_DIM] = A_DIM};

	if (tint == TINT_NONE || tint == TINT_DIM)
		return attributes[tint];
	return has_colors()	  ? COLOR_PAIR(tint == TINT_GOOD   ? PAIR_GOOD
					       : tint == TINT_BUSY ? PAIR_BUSY
								   : PAIR_BAD)
	       : tint == TINT_BAD ? A_BOLD
				  : 0;
}

/* "4 hosts, 1 of them silent: dom0-c (5m)" */
static void
draw_hosts(const struct top *top)
{
	size_t silent = 0, waiting = 0;

	for (size_t i = 0; i < top->context->hosts_count; i++) {
		enum vmctl_status status = vmctl_host_status(top->context->hosts[i]);

		waiting += status == VMCTL_UNASKED || status == VMCTL_ASKING;
		silent +=
		    status != VMCTL_UNASKED && status != VMCTL_ASKING && status != VMCTL_ANSWERS;
	}
	printw("vmctl top   %zu VMs on %zu hosts", top->count, top->context->hosts_count);
	if (waiting > 0)
		printw(", %zu not heard yet", waiting);
	printw("   sorted by %s%s", top->sort->name, top->reverse ? ", reversed" : "");
	if (*top->filter || top->typing)
		printw("   filter: %s%s", top->filter, top->typing ? "_" : "");
	move(1, 0);
	if (silent == 0)
		return;
	attron(A_BOLD | tint_attribute(TINT_BAD));
	printw("%zu silent:", silent);
	for (size_t i = 0; i < top->context->hosts_count; i++) {
		struct vmctl_host *host = top->context->hosts[i];
		enum vmctl_status status = vmctl_host_status(host);
		int64_t age_ms = vmctl_rows_age_ms(host, KIND_VM);
		char age[32];

		if (status == VMCTL_UNASKED || status == VMCTL_ASKING || status == VMCTL_ANSWERS)
			continue;
		duration_text(age_ms, age, sizeof(age));
		printw(" %s (%s%s)", vmctl_host_name(host),
		       age_ms < 0 ? name_of(vmctl_status_names, (int)status) : "last heard ",
		       age_ms < 0 ? "" : age);
	}
	attroff(A_BOLD | tint_attribute(TINT_BAD));
}

/* Memory and CPU of the hosts that answer, together. */
static void
draw_sums(const struct top *top)
{
	uint64_t cpu = 0, cpus = 0, memory = 0, unused = 0;
	struct mib_host row;

	for (size_t i = 0; i < top->context->hosts_count; i++) {
		if (!host_answers(top->context->hosts[i]) ||
		    !vmctl_row(top->context->hosts[i], KIND_HOST, 0, &row))
			continue;
		cpu += row.cpu_used;
		cpus += row.cpus;
		memory += row.memory_mib;
		unused += row.memory_free_mib;
	}
	mvprintw(2, 0, "CPU %llu.%llu%% of %llu   memory %llu of %llu MiB free",
		 (unsigned long long)cpu / 100, (unsigned long long)cpu / 10 % 10,
		 (unsigned long long)cpus, (unsigned long long)unused, (unsigned long long)memory);
}

/* Widths of the fields on this screen: those of the titles and of what is shown. */
static void
draw_cell(const struct field *field, int *x, int y, int width, const char *text, int attribute)
{
	int left = COLS - *x;

	if (left <= 0)
		return;
	attron(attribute);
	if (field->right)
		mvprintw(y, *x, "%*.*s", width < left ? width : left, left, text);
	else
		mvprintw(y, *x, "%.*s", left, text);
	attroff(attribute);
	*x += width + 2;
}

static void
line_values(const struct top *top, const struct line *line, struct value *values)
{
	struct mib_vm vm;
	struct item item = {.host = line->host, .rows = {[KIND_VM] = &vm}};

	vmctl_row(line->host, KIND_VM, line->position, &vm);
	item.stale = vmctl_rows_stale(line->host, KIND_VM);
	for (size_t i = 0; i < top->fields.count; i++) {
		field_value(top->context, &top->fields.list[i], &item, &values[i]);
		if (item.stale)
			values[i].tint = TINT_DIM;
	}
}

static void
draw_lines(struct top *top)
{
	size_t columns = top->fields.count, shown = LINES > 5 ? (size_t)LINES - 5 : 0;
	struct value *values = mem_array((shown + 1) * columns, sizeof(*values));
	int widths[32] = {0}, x;

	if (top->first >= top->count)
		top->first = top->count > 0 ? top->count - 1 : 0;
	if (shown > top->count - top->first)
		shown = top->count - top->first;
	for (size_t i = 0; i < columns; i++)
		widths[i] = (int)strlen(top->fields.list[i].title);
	for (size_t row = 0; row < shown; row++) {
		line_values(top, &top->lines[top->first + row], &values[row * columns]);
		for (size_t i = 0; i < columns; i++) {
			int width = (int)strlen(value_human(&values[row * columns + i]));

			if (width > widths[i])
				widths[i] = width;
		}
	}
	x = 0;
	for (size_t i = 0; i < columns; i++)
		draw_cell(&top->fields.list[i], &x, 4, widths[i], top->fields.list[i].title,
			  A_REVERSE);
	for (size_t row = 0; row < shown; row++) {
		x = 0;
		for (size_t i = 0; i < columns; i++) {
			struct value *value = &values[row * columns + i];

			draw_cell(&top->fields.list[i], &x, (int)row + 5, widths[i],
				  value_human(value), tint_attribute(value->tint));
		}
	}
	free(values);
}

static void
draw_keys(void)
{
	attron(tint_attribute(TINT_DIM));
	move(3, 0);
	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++)
		printw("%c %s  ", sorts[i].letter, sorts[i].name);
	addstr(" r reverse  / filter  q quit");
	attroff(tint_attribute(TINT_DIM));
}

static void
draw(int fd, short what, void *arg)
{
	static const struct timeval pause = {0, DRAW_MS * 1000};
	struct top *top = arg;

	(void)fd, (void)what;
	event_add(top->draw, &pause);
	if (!top->dirty)
		return;
	top->dirty = false;
	lines_make(top);
	erase();
	move(0, 0);
	draw_hosts(top);
	draw_sums(top);
	draw_keys();
	draw_lines(top);
	refresh();
}

/* ---- asking ---- */

static void
turn_fetched(void *arg, struct vmctl_host *host)
{
	struct turn *turn = arg;

	(void)host;
	turn->top->dirty = true;
	event_add(turn->timer, &turn->top->interval);
}

static void
turn_begin(int fd, short what, void *arg)
{
	struct turn *turn = arg;

	(void)fd, (void)what;
	vmctl_fetch(turn->host, turn->top->wants, 2, turn_fetched, turn);
}

/* ---- keys ---- */

static void
top_end(struct top *top)
{
	event_base_loopbreak(vmctl_base(top->context->vmctl));
}

static void
key_filter(struct top *top, int key)
{
	size_t length = strlen(top->filter);

	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		top->typing = false;
	} else if (key == 27) {
		top->typing = false;
		top->filter[0] = 0;
	} else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && length > 0) {
		top->filter[length - 1] = 0;
	} else if (key < 256 && isprint(key) && length + 1 < FILTER_SIZE) {
		top->filter[length] = (char)key;
		top->filter[length + 1] = 0;
	}
}

static void
scroll_by(struct top *top, int by)
{
	if (by < 0)
		top->first = top->first > (size_t)-by ? top->first - (size_t)-by : 0;
	else if (top->first + (size_t)by < top->count)
		top->first += (size_t)by;
}

static void
key_command(struct top *top, int key)
{
	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++)
		if (sorts[i].letter == key)
			top->sort = &sorts[i];
	switch (key) {
	case 'q':
		top_end(top);
		break;
	case 'r':
		top->reverse = !top->reverse;
		break;
	case '/':
		top->typing = true;
		top->filter[0] = 0;
		break;
	case ' ':
		for (size_t i = 0; i < top->context->hosts_count; i++)
			if (event_pending(top->turns[i].timer, EV_TIMEOUT, NULL))
				event_active(top->turns[i].timer, EV_TIMEOUT, 0);
		break;
	case KEY_DOWN:
	case 'j':
		scroll_by(top, 1);
		break;
	case KEY_UP:
	case 'k':
		scroll_by(top, -1);
		break;
	case KEY_NPAGE:
		scroll_by(top, LINES - 6);
		break;
	case KEY_PPAGE:
		scroll_by(top, -(LINES - 6));
		break;
	case KEY_HOME:
		top->first = 0;
		break;
	default:
		break;
	}
}

static void
on_input(int fd, short what, void *arg)
{
	struct top *top = arg;
	int key;

	(void)fd, (void)what;
	while ((key = getch()) != ERR) {
		if (top->typing)
			key_filter(top, key);
		else
			key_command(top, key);
		top->dirty = true;
	}
}

static void
on_resize(int fd, short what, void *arg)
{
	struct top *top = arg;

	(void)fd, (void)what;
	endwin();
	refresh();
	top->dirty = true;
}

static void
on_end(int fd, short what, void *arg)
{
	(void)fd, (void)what;
	top_end(arg);
}

/* ---- all of it ---- */

static void
screen_begin(void)
{
	setlocale(LC_ALL, "");
	initscr();
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	if (has_colors()) {
		start_color();
		use_default_colors();
		init_pair(PAIR_GOOD, COLOR_GREEN, -1);
		init_pair(PAIR_BUSY, COLOR_YELLOW, -1);
		init_pair(PAIR_BAD, COLOR_RED, -1);
	}
}

static void
top_run(struct top *top)
{
	struct event_base *base = vmctl_base(top->context->vmctl);
	const struct timeval now = {0, 0};

	top->turns = mem_array(top->context->hosts_count, sizeof(*top->turns));
	for (size_t i = 0; i < top->context->hosts_count; i++) {
		top->turns[i] = (struct turn){top, top->context->hosts[i], NULL};
		top->turns[i].timer = evtimer_new(base, turn_begin, &top->turns[i]);
		turn_begin(-1, 0, &top->turns[i]);
	}
	screen_begin();
	top->input = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, top);
	top->draw = evtimer_new(base, draw, top);
	top->resize = evsignal_new(base, SIGWINCH, on_resize, top);
	top->end = evsignal_new(base, SIGINT, on_end, top);
	event_add(top->input, NULL);
	event_add(top->draw, &now);
	event_add(top->resize, NULL);
	event_add(top->end, NULL);
	event_base_dispatch(base);
	endwin();
	event_free(top->input);
	event_free(top->draw);
	event_free(top->resize);
	event_free(top->end);
	for (size_t i = 0; i < top->context->hosts_count; i++)
		event_free(top->turns[i].timer);
	free(top->turns);
}

/* One screen, as a list. */
static int
top_once(struct top *top)
{
	struct output *output;

	fleet_fetch(top->context, top->wants, 2);
	lines_make(top);
	output = output_begin(top->context, "vms", &top->fields);
	for (size_t i = 0; i < top->count; i++) {
		struct mib_vm vm;
		struct item item = {.host = top->lines[i].host, .rows = {[KIND_VM] = &vm}};

		vmctl_row(item.host, KIND_VM, top->lines[i].position, &vm);
		item.stale = vmctl_rows_stale(item.host, KIND_VM);
		output_item(output, &item);
	}
	output_end(output);
	return fleet_report(top->context);
}

static bool
top_options(struct top *top)
{
	const struct options *options = &top->context->options;
	const char *wanted = options->sort ? options->sort : "name";
	char *end = NULL;
	double seconds = options->interval ? strtod(options->interval, &end) : INTERVAL_S;

	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++)
		if (strcmp(sorts[i].name, wanted) == 0)
			top->sort = &sorts[i];
	if (!top->sort)
		usage_error(top->context, "--sort is name, cpu, memory, used, state or host");
	else if ((end && (end == options->interval || *end)) ||
		 !(seconds >= 0.1 && seconds <= 3600))
		usage_error(top->context, "--interval %s: seconds, from 0.1 to 3600",
			    options->interval);
	else {
		top->interval.tv_sec = (time_t)seconds;
		top->interval.tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6);
		return true;
	}
	return false;
}

int
cmd_top(struct context *context)
{
	static const enum mib_kind kinds[] = {KIND_VM, 0};
	struct top top = {.context = context, .dirty = true};
	const char *columns = context->options.columns ? context->options.columns : COLUMNS;
	int status = EXIT_ALL;

	if (!top_options(&top) || !fields_choose(context, columns, kinds, NULL, &top.fields))
		return EXIT_USAGE;
	if (top.fields.count > 32)
		return usage_error(context, "more columns than any screen has");
	top.targets = targets_new(context, context->words, context->words_count,
				  context->options.all || context->words_count == 0);
	if (!top.targets || !fleet_choose(context))
		return EXIT_USAGE;
	fleet_narrow(context, top.targets);
	top.wants[0] = (struct vmctl_want){
	    KIND_VM,
	    VM_BASIC | fields_bits(&top.fields, KIND_VM) | VMCTL_FIELD(mib_vm, cpu_used) |
		VMCTL_FIELD(mib_vm, memory_mib) | VMCTL_FIELD(mib_vm, memory_used_mib),
	    NULL};
	top.wants[1] = (struct vmctl_want){KIND_HOST, 0, NULL};
	if (context->options.once)
		status = top_once(&top);
	else if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		status = usage_error(context, "it needs a terminal; --once prints one screen");
	else
		top_run(&top);
	fields_free(&top.fields);
	targets_free(top.targets);
	free(top.lines);
	return status;
}
