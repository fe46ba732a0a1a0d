/*
 * The parent and the engine played, for the real agentx process: it is started as lauxend starts
 * it, gets rows and events by commands, and what it says to the engine is printed.
 *
 * usage: fake_engine FILE   (the configuration; agentx-socket and notify-rate are used)
 *
 * Commands, one a line on stdin; each is answered by "done COMMAND" when it was carried out:
 *   vms N              VMs 1..N (vm1 ...), running; of fewer than 100, 2 lacks lxVmMemoryUsed
 *   vm INDEX STATE     one VM, with a state's number
 *   gone INDEX         a VM's row goes
 *   requests N         N finished requests (old1 ...) and no others
 *   request ID INDEX VERB NUMBER STATE
 *   events N           N more state changes, numbered on
 *   hold ok | late | refuse VERB    what becomes of holds from now on
 *   rows               done when all rows were sent
 *   kill               kills the agentx process and starts another
 *   engine             a new engine, which has the same rows
 *   dies               the engine goes and none comes
 *   reload             as after SIGHUP
 * Printed: "hold N id=... verb=... vm=... number=... text=...", "release N", "drop N", "handed S";
 * N counts the holds.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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
#include "base/process.h"
#include "mib/table.h"
#include "tests/system/rows.h"

#define WINDOW 32
#define HOLDS_MAX 10000

static struct {
	const char *config; /* the file that stands for the parent's text */
	struct event_base *base;
	struct channel *control, *agentx;
	pid_t child;
	struct mib_rows rows;
	bool rows_asked;
	bool ready_due; /* MSG_ROWS_READY is still to be sent */
	enum { HOLD_OK, HOLD_LATE, HOLD_REFUSE } policy;
	int refused_verb;
	uint32_t tokens[HOLDS_MAX];
	char ids[HOLDS_MAX][REQUEST_ID_SIZE];
	uint32_t holds;
	uint32_t made, sent, handed; /* events, by sequence number */
	int64_t epoch_ms;
	bool small; /* a few VMs: one of them lacks a value */
} fake;

static bool
pull(void *arg, struct message *message)
{
	(void)arg;
	for (int kind = 1; kind < KIND_COUNT; kind++) {
		struct rowset *set = &fake.rows.sets[kind];
		bool gone;

		if (!rowset_take(set, message->body, &gone))
			continue;
		message->type = gone ? MSG_ROW_GONE : MSG_ROW;
		message->detail = (uint32_t)kind;
		message->size = (uint16_t)set->row_size;
		return true;
	}
	if (!fake.ready_due) {
		if (fake.rows_asked)
			printf("done rows\n");
		fake.rows_asked = false;
		return false;
	}
	fake.ready_due = false;
	message->type = MSG_ROWS_READY;
	message->detail = message->size = 0;
	return true;
}

static void
make_event(uint32_t sequence, struct mib_event *event)
{
	*event = (struct mib_event){.sequence = sequence,
				    .time = fake.epoch_ms + sequence,
				    .type = EVENT_VM_STATE_CHANGED,
				    .vm_index = sequence % 9 + 1,
				    .state = VM_PAUSED,
				    .previous = VM_RUNNING};
	memset(event->vm_uuid, 0x11, UUID_SIZE);
	TEXT_FORMAT(event->vm_name, "vm%u", event->vm_index);
	TEXT_FORMAT(event->text, "event-%u", sequence);
	MIB_ABSENT(mib_event, event, request, true);
	MIB_ABSENT(mib_event, event, verb, true);
	MIB_ABSENT(mib_event, event, outcome, true);
}

static void
send_events(void)
{
	while (channel_attached(fake.agentx) && fake.sent < fake.made &&
	       fake.sent - fake.handed < WINDOW) {
		struct mib_event event;

		make_event(++fake.sent, &event);
		channel_send(fake.agentx, MSG_NOTIFY, 0, &event, sizeof(event));
	}
}

static uint32_t
hold_number(uint32_t token)
{
	for (uint32_t i = fake.holds; i > 0; i--)
		if (fake.tokens[i % HOLDS_MAX] == token)
			return i;
	return 0;
}

/* The request's row goes ahead of the answer, as the engine sends it. */
static void
accept_hold(const struct hold *hold)
{
	struct mib_request row = {.verb = (int32_t)hold->verb,
				  .number = hold->number,
				  .vm_index = hold->vm,
				  .accepted = clock_wall_ms(),
				  .state = REQUEST_QUEUED,
				  .status = ROW_ACTIVE};
	struct mib_vm key = {.index = hold->vm}, *vm = rowset_find(&fake.rows.sets[KIND_VM], &key);

	TEXT_SET(row.id, fake.ids[fake.holds % HOLDS_MAX]);
	if (hold->verb == VERB_NONE) {
		if (rowset_remove(&fake.rows.sets[KIND_REQUEST], &row))
			channel_send(fake.agentx, MSG_ROW_GONE, KIND_REQUEST, &row, sizeof(row));
		return;
	}
	TEXT_SET(row.vm, hold->vm_text[0] ? hold->vm_text : vm ? vm->name : "?");
	rowset_put(&fake.rows.sets[KIND_REQUEST], &row);
	rowset_take_one(&fake.rows.sets[KIND_REQUEST], &row);
	channel_send(fake.agentx, MSG_ROW, KIND_REQUEST, &row, sizeof(row));
	if (!vm)
		return;
	if (hold->verb == VERB_MEMORY)
		vm->memory_target_mib = hold->number;
	else
		vm->request = (int32_t)hold->verb;
	channel_send(fake.agentx, MSG_ROW, KIND_VM, vm, sizeof(*vm));
}

static void
on_hold(const struct message *message)
{
	struct hold hold = *(const struct hold *)message->body;
	struct hold_answer answer = {.ok = 1};

	fake.tokens[++fake.holds % HOLDS_MAX] = message->detail;
	TEXT_SET(fake.ids[fake.holds % HOLDS_MAX], hold.id);
	if (!hold.id[0])
		TEXT_FORMAT(fake.ids[fake.holds % HOLDS_MAX], "auto-%u", fake.holds);
	printf("hold %u id=%s verb=%s vm=%u number=%u text=%s\n", fake.holds, hold.id,
	       name_of(verb_names, (int)hold.verb), hold.vm, hold.number, hold.vm_text);
	if (fake.policy == HOLD_LATE)
		return;
	if (fake.policy == HOLD_REFUSE && (int)hold.verb == fake.refused_verb) {
		answer.ok = 0;
		TEXT_SET(answer.error, "told to refuse");
	} else {
		accept_hold(&hold);
	}
	channel_send(fake.agentx, MSG_HELD, message->detail, &answer, sizeof(answer));
}

static void
on_drop(uint32_t number)
{
	struct mib_request row = {0};

	TEXT_SET(row.id, fake.ids[number % HOLDS_MAX]);
	rowset_remove(&fake.rows.sets[KIND_REQUEST], &row);
	channel_offer(fake.agentx);
}

static void
agentx_received(void *arg, const struct message *message, int fd)
{
	uint32_t number = hold_number(message->detail);

	(void)arg, (void)fd;
	switch (message->type) {
	case MSG_HOLD:
		on_hold(message);
		break;
	case MSG_RELEASE:
		printf("release %u\n", number);
		break;
	case MSG_DROP:
		printf("drop %u\n", number);
		on_drop(number);
		break;
	case MSG_HANDED:
		printf("handed %u\n", message->detail);
		if (message->detail > fake.handed)
			fake.handed = message->detail;
		send_events();
		break;
	default:
		printf("unknown message %d\n", message->type);
	}
}

static void
give_engine(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		fatal("no socket pair");
	channel_attach(fake.agentx, pair[0]);
	channel_send_fd(fake.control, MSG_PEER, ROLE_ENGINE, pair[1]);
	close(pair[1]);
	channel_send(fake.agentx, MSG_ROWS_CLEAR, 0, NULL, 0);
	for (int kind = 1; kind < KIND_COUNT; kind++)
		rowset_resend(&fake.rows.sets[kind]);
	fake.ready_due = true;
	channel_offer(fake.agentx);
	fake.sent = fake.handed;
	send_events();
}

static int
open_config(void)
{
	int fd = open(fake.config, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fatal("%s cannot be opened", fake.config);
	return fd;
}

/* Before the loop's descriptors exist, or with all of them closed on the way to the new image. */
static void
start_agentx(void)
{
	int pair[2], config = open_config();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		fatal("no socket pair");
	fake.child = fork();
	if (fake.child == 0) {
		int control = fcntl(pair[1], F_DUPFD_CLOEXEC, PROCESS_CONFIG_FD + 1);

		config = fcntl(config, F_DUPFD_CLOEXEC, PROCESS_CONFIG_FD + 1);
		dup2(control, PROCESS_CONTROL_FD);
		dup2(config, PROCESS_CONFIG_FD);
		execl("/proc/self/exe", "fake_engine", "--child", (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	close(config);
	channel_attach(fake.control, pair[0]);
	give_engine();
}

static void
put_vm(uint32_t index, int state)
{
	struct mib_vm vm;

	make_vm(index, state, fake.epoch_ms, &vm);
	MIB_ABSENT(mib_vm, &vm, memory_used_mib, index == 2 && fake.small);
	rowset_put(&fake.rows.sets[KIND_VM], &vm);
}

static void
put_scalars(void)
{
	struct mib_host host = {.hv_state = HV_ANSWERING, .cpus = 4, .vms = 9};
	struct mib_agent agent = {.store_health = STORE_OK, .start = clock_mono_ms()};

	TEXT_SET(host.name, "fake");
	TEXT_SET(host.software, "simxen");
	TEXT_SET(host.version, "0");
	TEXT_SET(agent.version, "0.1.0");
	rowset_put(&fake.rows.sets[KIND_HOST], &host);
	rowset_put(&fake.rows.sets[KIND_AGENT], &agent);
}

static void
put_request(const char *id, uint32_t vm, int verb, uint32_t number, int state)
{
	struct mib_request row = {
	    .vm_index = vm, .verb = verb, .number = number, .state = state, .status = ROW_ACTIVE};

	TEXT_SET(row.id, id);
	TEXT_FORMAT(row.vm, "vm%u", vm);
	rowset_put(&fake.rows.sets[KIND_REQUEST], &row);
}

static void
do_vms(char *words)
{
	uint32_t count = (uint32_t)strtoul(words, NULL, 10);

	fake.small = count < 100;
	for (uint32_t i = 1; i <= count; i++)
		put_vm(i, VM_RUNNING);
}

static void
do_vm(char *words)
{
	uint32_t index = (uint32_t)strtoul(words, &words, 10);

	put_vm(index, (int)strtol(words, NULL, 10));
}

static void
do_gone(char *words)
{
	struct mib_vm key = {.index = (uint32_t)strtoul(words, NULL, 10)};

	rowset_remove(&fake.rows.sets[KIND_VM], &key);
}

static void
do_requests(char *words)
{
	rowset_clear(&fake.rows.sets[KIND_REQUEST]);
	for (uint32_t i = 1; i <= strtoul(words, NULL, 10); i++) {
		char id[REQUEST_ID_SIZE];

		TEXT_FORMAT(id, "old%u", i);
		put_request(id, 9, VERB_START, 0, REQUEST_SUCCEEDED);
	}
}

static void
do_request(char *words)
{
	char id[REQUEST_ID_SIZE];
	unsigned vm, number;
	int verb, state;

	if (sscanf(words, "%32s %u %d %u %d", id, &vm, &verb, &number, &state) == 5)
		put_request(id, vm, verb, number, state);
}

static void
do_events(char *words)
{
	fake.made += (uint32_t)strtoul(words, NULL, 10);
	send_events();
}

static void
do_hold(char *words)
{
	char verb[32] = "";

	fake.policy = strcmp(words, "ok") == 0 ? HOLD_OK : HOLD_LATE;
	if (sscanf(words, "refuse %31s", verb) != 1)
		return;
	fake.policy = HOLD_REFUSE;
	fake.refused_verb = name_value(verb_names, verb);
}

/* Said to be done by pull(). */
static void
do_rows(char *words)
{
	(void)words;
	fake.rows_asked = true;
}

static void
do_kill(char *words)
{
	(void)words;
	kill(fake.child, SIGKILL);
	waitpid(fake.child, NULL, 0);
	start_agentx();
}

static void
do_engine(char *words)
{
	(void)words;
	give_engine();
}

static void
do_dies(char *words)
{
	(void)words;
	channel_free(fake.agentx);
	fake.agentx = NULL;
}

static void
do_reload(char *words)
{
	int fd = open_config();

	(void)words;
	channel_send_fd(fake.control, MSG_RELOAD, 0, fd);
	close(fd);
}

static void
command(char *line)
{
	static const struct {
		const char *name;
		void (*run)(char *words);
	} commands[] = {
	    {"vms", do_vms},	       {"vm", do_vm},		{"gone", do_gone},
	    {"requests", do_requests}, {"request", do_request}, {"events", do_events},
	    {"hold", do_hold},	       {"rows", do_rows},	{"kill", do_kill},
	    {"engine", do_engine},     {"dies", do_dies},	{"reload", do_reload},
	};
	char *words = strchr(line, ' ');
	char name[32];

	if (words)
		*words++ = 0;
	TEXT_SET(name, line);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			commands[i].run(words ? words : line + strlen(line));
	if (fake.agentx)
		channel_offer(fake.agentx);
	if (!fake.rows_asked)
		printf("done %s\n", name);
}

static void
on_stdin(int fd, short what, void *arg)
{
	static char buffer[4096];
	static size_t used;
	ssize_t length = read(fd, buffer + used, sizeof(buffer) - 1 - used);
	char *end;

	(void)what, (void)arg;
	if (length <= 0) {
		kill(fake.child, SIGTERM);
		waitpid(fake.child, NULL, 0);
		event_base_loopbreak(fake.base);
		return;
	}
	used += (size_t)length;
	buffer[used] = 0;
	while ((end = strchr(buffer, '\n'))) {
		char line[4096];

		*end = 0;
		memcpy(line, buffer, (size_t)(end - buffer) + 1);
		used -= (size_t)(end + 1 - buffer);
		memmove(buffer, end + 1, used + 1);
		command(line);
	}
}

static void
control_received(void *arg, const struct message *message, int fd)
{
	(void)arg, (void)message, (void)fd;
}

int
main(int argc, char **argv)
{
	static const struct channel_handlers control = {.received = control_received};
	static const struct channel_handlers agentx = {.received = agentx_received, .pull = pull};
	struct event *commands;

	if (argc == 2 && strcmp(argv[1], "--child") == 0)
		return agentx_main(&(struct options){.foreground = true,
						     .verbose = getenv("FAKE_VERBOSE") ? 1 : 0});
	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	setlinebuf(stdout);
	signal(SIGPIPE, SIG_IGN);
	log_open("fake", true, 0);
	fake.config = argv[1];
	fake.epoch_ms = INT64_C(1790000000000);
	fake.base = event_base_new();
	mib_rows_init(&fake.rows, true);
	fake.control = channel_new(fake.base, "control", &control, NULL);
	fake.agentx = channel_new(fake.base, "agentx", &agentx, NULL);
	put_scalars();
	start_agentx();
	commands = event_new(fake.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin, NULL);
	event_add(commands, NULL);
	event_base_dispatch(fake.base);
	event_free(commands);
	channel_free(fake.agentx);
	channel_free(fake.control);
	mib_rows_dispose(&fake.rows);
	event_base_free(fake.base);
	return 0;
}
