/*
 * The hypervisor process as a whole, on a fake driver: this program plays parent and engine, and is
 * run again as the process (--child) and as its helpers (--action).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "base/channel.h"
#include "base/process.h"
#include "hypervisor/verbs.h"
#include "fake_hv.h"

#define VMS 40 /* configured: vm0 ... */
#define JOURNAL 77
#define PATIENCE_MS 10000

static struct {
	char dir[64], conf[96];
	struct fake *fake;
	struct event_base *base;
	struct channel *control, *engine;
	pid_t pid;
	uint64_t next_id;
	/* what came */
	struct fact_domain domains[FAKE_DOMAINS];
	bool known[FAKE_DOMAINS];
	unsigned rows[100]; /* messages by type, since the last forget_news() */
	struct fact_pool pools[10];
	unsigned gone, ok[3], bad[3], urgent;
	struct fact_sample last[3];
	struct outcome outcomes[FAKE_IDS];
	unsigned started[FAKE_IDS], told[FAKE_IDS];
} t;

static void
take_sample(const struct fact_sample *sample)
{
	t.last[sample->kind] = *sample;
	if (sample->ok)
		t.ok[sample->kind]++;
	else
		t.bad[sample->kind]++;
	t.urgent += sample->urgent;
}

static void
take_pool(const struct fact_pool *pool)
{
	assert_in_range(pool->index, 1, 9);
	t.pools[pool->index] = *pool;
}

static void
take_outcome(unsigned *counts, const struct outcome *outcome)
{
	assert_int_equal(outcome->journal, JOURNAL);
	counts[outcome->id % FAKE_IDS]++;
	t.outcomes[outcome->id % FAKE_IDS] = *outcome;
}

static void
received(void *arg, const struct message *message, int fd)
{
	const struct fact_domain *domain = (const struct fact_domain *)message->body;

	(void)arg, (void)fd;
	if (message->type < 100)
		t.rows[message->type]++;
	t.gone += message->type < MSG_SAMPLE && message->detail == FACT_GONE;
	if (message->type == MSG_DOMAIN) {
		t.domains[domain->domid] = *domain;
		t.known[domain->domid] = message->detail != FACT_GONE;
	} else if (message->type == MSG_POOL) {
		take_pool((const struct fact_pool *)message->body);
	} else if (message->type == MSG_SAMPLE) {
		take_sample((const struct fact_sample *)message->body);
	} else if (message->type == MSG_STARTED) {
		take_outcome(t.started, (const struct outcome *)message->body);
	} else if (message->type == MSG_OUTCOME) {
		take_outcome(t.told, (const struct outcome *)message->body);
	}
}

static void
forget_news(void)
{
	memset(t.rows, 0, sizeof(t.rows));
	memset(t.ok, 0, sizeof(t.ok));
	memset(t.bad, 0, sizeof(t.bad));
	t.gone = t.urgent = 0;
}

static void
serve(int64_t ms)
{
	bool never = false;

	channel_wait(t.engine, clock_mono_ms() + ms, &never);
}

/* Serves the engine's channel until the condition holds. */
#define WAIT(condition)                                                                            \
	do {                                                                                       \
		int64_t until_ms_ = clock_mono_ms() + PATIENCE_MS;                                 \
		while (!(condition) && clock_mono_ms() < until_ms_)                                \
			serve(2);                                                                  \
		if (!(condition))                                                                  \
			fail_msg("in vain: %s", #condition);                                       \
	} while (0)

static void
write_config(const char *storage, const char *extra)
{
	FILE *to;

	unlink(t.conf); /* who has the old one keeps it */
	to = fopen(t.conf, "w");
	assert_non_null(to);
	fprintf(to,
		"agent {\n run-dir = \"%s/run\"\n state-dir = \"%s\"\n save-dir = \"%s\"\n}\n"
		"hypervisor {\n driver = sim\n sim-socket = \"%s/fake\"\n interval = 200ms\n"
		" silence = 500ms\n action-timeout = 5s\n shutdown-timeout = 1s\n"
		" storage = {\"/\", \"%s\"}\n}\n%s",
		t.dir, t.dir, t.dir, t.dir, storage, extra);
	for (int i = 0; i < VMS; i++)
		fprintf(to, "vm \"vm%d\" {\n file = \"%s/vm%d.xl\"\n%s}\n", i, t.dir, i,
			i == 1	 ? " shutdown-escalation = destroy\n"
			: i == 2 ? " shutdown-timeout = 1200ms\n"
				 : "");
	fclose(to);
}

static void
reload_config(void)
{
	int fd = open(t.conf, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	channel_send_fd(t.control, MSG_RELOAD, 0, fd);
	close(fd);
}

/* A new engine, as the parent would pass its descriptor. */
static void
attach_engine(void)
{
	static const struct channel_handlers handlers = {.received = received};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	if (!t.engine)
		t.engine = channel_new(t.base, "hypervisor", &handlers, NULL);
	channel_attach(t.engine, pair[0]);
	channel_send_fd(t.control, MSG_PEER, ROLE_ENGINE, pair[1]);
	close(pair[1]);
}

static void
become_child(int fd)
{
	int config = open(t.conf, O_RDONLY | O_CLOEXEC);

	fd = fcntl(fd, F_DUPFD_CLOEXEC, PROCESS_CONFIG_FD + 1);
	config = fcntl(config, F_DUPFD_CLOEXEC, PROCESS_CONFIG_FD + 1);
	dup2(fd, PROCESS_CONTROL_FD);
	dup2(config, PROCESS_CONFIG_FD);
	execl("/proc/self/exe", "test", "--child", "hypervisor", (char *)NULL);
	_exit(127);
}

static void
start_process(void)
{
	static const struct channel_handlers handlers = {.received = received};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	t.pid = fork();
	if (t.pid == 0)
		become_child(pair[1]);
	close(pair[1]);
	if (!t.control)
		t.control = channel_new(t.base, "child", &handlers, NULL);
	channel_attach(t.control, pair[0]);
	attach_engine();
}

static void
end_process(int signal)
{
	int status;

	kill(t.pid, signal);
	assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
	if (signal == SIGTERM)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int
setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	strcpy(t.dir, "/tmp/lauxen-hv-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.conf, sizeof(t.conf), "%s/conf", t.dir);
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/run", t.dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/fake", t.dir);
	t.fake = fake_map(path);
	fake_begin(t.fake);
	t.next_id = 1;
	t.base = event_base_new();
	write_config("/nowhere/at/all", "");
	start_process();
	WAIT(t.ok[SAMPLE_STATES] > 0 && t.ok[SAMPLE_FIGURES] > 0);
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	end_process(SIGTERM);
	channel_free(t.engine);
	channel_free(t.control);
	event_base_free(t.base);
	munmap(t.fake, sizeof(*t.fake));
	snprintf(command, sizeof(command), "rm -rf %s", t.dir);
	return system(command);
}

static struct action
action_for(uint32_t verb, const char *name, uint32_t domid)
{
	struct action action = {
	    .id = t.next_id++, .journal = JOURNAL, .verb = verb, .domid = domid};

	TEXT_SET(action.name, name);
	if (domid)
		memcpy(action.uuid, t.fake->domains[domid].fact.uuid, UUID_SIZE);
	return action;
}

static void
send_action(const struct action *action)
{
	channel_send(t.engine, MSG_ACTION, 0, action, sizeof(*action));
}

static uint64_t
act(uint32_t verb, const char *name, uint32_t domid)
{
	struct action action = action_for(verb, name, domid);

	send_action(&action);
	return action.id;
}

static uint64_t
act_number(uint32_t verb, const char *name, uint32_t domid, uint32_t number)
{
	struct action action = action_for(verb, name, domid);

	action.number = number;
	send_action(&action);
	return action.id;
}

static uint32_t
state_of(uint64_t id)
{
	return t.told[id % FAKE_IDS] ? t.outcomes[id % FAKE_IDS].state : 0;
}

static void
expect(uint64_t id, uint32_t state, const char *error)
{
	WAIT(t.told[id] > 0);
	if (state_of(id) != state || !strstr(t.outcomes[id].error, error))
		fail_msg("action %lu is %s: %s", (unsigned long)id,
			 name_of(request_state_names, (int)state_of(id)), t.outcomes[id].error);
}

static unsigned
records(void)
{
	char path[PATH_MAX];
	struct dirent *entry;
	unsigned count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/run/actions", t.dir);
	dir = opendir(path);
	while ((entry = readdir(dir)))
		count += strchr(entry->d_name, '-') != NULL;
	closedir(dir);
	return count;
}

static void
samples(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm0", NULL);

	(void)state;
	WAIT(t.known[domid] && t.rows[MSG_FIGURES] && t.rows[MSG_NET] && t.rows[MSG_DISK]);
	assert_true(t.rows[MSG_HOST] >= 1 && t.rows[MSG_POOL] >= 2);
	fake_remove(t.fake, domid);
	WAIT(!t.known[domid] && t.gone >= 4);
}

static int
compare_ms(const void *a, const void *b)
{
	return (int)(*(const int64_t *)a - *(const int64_t *)b);
}

/* A death is told at once, and with it no row whose times alone moved. */
static void
urgent_news(void **state)
{
	uint32_t domids[20];
	int64_t begin_ms, took_ms[20];

	(void)state;
	for (int i = 0; i < 20; i++)
		domids[i] = fake_add(t.fake, "x", NULL);
	WAIT(t.known[domids[19]]);
	for (int i = 0; i < 20; i++) {
		struct fact_domain *fact = &t.fake->domains[domids[i]].fact;

		serve(37);
		forget_news();
		begin_ms = clock_mono_ms();
		fact->reason = REASON_CRASH;
		fact->flags |= DOMAIN_SHUTDOWN;
		atomic_fetch_add(&t.fake->changes, 1);
		WAIT(t.domains[domids[i]].reason == REASON_CRASH && t.ok[SAMPLE_STATES] > 0);
		took_ms[i] = clock_mono_ms() - begin_ms;
		if (t.urgent == t.ok[SAMPLE_STATES])
			assert_int_equal(t.rows[MSG_DOMAIN], 1);
	}
	qsort(took_ms, 20, sizeof(took_ms[0]), compare_ms);
	print_message("# a death was told within %d ms (median), %d ms (worst)\n", (int)took_ms[10],
		      (int)took_ms[19]);
	assert_true(took_ms[10] < 100);
}

static void
hung_states(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm0", NULL);

	(void)state;
	WAIT(t.known[domid]);
	atomic_store(&t.fake->states_fault, FAKE_HANGS);
	WAIT(t.bad[SAMPLE_STATES] > 1);
	assert_non_null(strstr(t.last[SAMPLE_STATES].error, "did not answer within 0.5 s"));
	forget_news();
	WAIT(t.ok[SAMPLE_FIGURES] > 0); /* the other goes on */
	atomic_store(&t.fake->states_fault, FAKE_WELL);
	WAIT(t.ok[SAMPLE_STATES] > 0);
	assert_true(t.known[domid]);
	assert_int_equal(t.gone, 0);
}

static void
hung_figures(void **state)
{
	(void)state;
	atomic_store(&t.fake->figures_fault, FAKE_HANGS);
	WAIT(t.bad[SAMPLE_FIGURES] > 0);
	forget_news();
	WAIT(t.ok[SAMPLE_STATES] > 3);
	atomic_store(&t.fake->figures_fault, FAKE_WELL);
	WAIT(t.ok[SAMPLE_FIGURES] > 1);
	assert_int_equal(t.gone, 0);
}

static void
hung_storage(void **state)
{
	(void)state;
	assert_true(t.pools[1].known && t.pools[1].size_mib > 0 && !t.pools[2].known);
	write_config("/hangs", "");
	reload_config();
	WAIT(strcmp(t.pools[2].path, "/hangs") == 0);
	assert_false(t.pools[2].known);
	forget_news();
	WAIT(t.ok[SAMPLE_FIGURES] > 5); /* over and over, without it */
	assert_int_equal(t.bad[SAMPLE_FIGURES], 0);
	assert_true(t.pools[1].known);
}

static void
failing_states(void **state)
{
	static const unsigned faults[] = {FAKE_FAILS, FAKE_LACKS_DOMAIN0, FAKE_DIES};
	uint32_t domid = fake_add(t.fake, "vm0", NULL);

	(void)state;
	WAIT(t.known[domid]);
	for (size_t i = 0; i < 3; i++) {
		forget_news();
		atomic_store(&t.fake->states_fault, faults[i]);
		WAIT(t.bad[SAMPLE_STATES] > 1);
		assert_true(*t.last[SAMPLE_STATES].error);
		atomic_store(&t.fake->states_fault, FAKE_WELL);
		forget_news();
		WAIT(t.ok[SAMPLE_STATES] > 1);
		assert_true(t.known[domid] && t.known[0]);
		assert_int_equal(t.gone, 0);
	}
}

static void
watch_comes_back(void **state)
{
	unsigned watches = atomic_load(&t.fake->watches);

	(void)state;
	atomic_store(&t.fake->watch_fault, FAKE_DIES);
	serve(50);
	atomic_store(&t.fake->watch_fault, FAKE_WELL);
	WAIT(atomic_load(&t.fake->watches) > watches);
	forget_news();
	atomic_store(&t.fake->watch_fault, FAKE_FAILS);
	WAIT(atomic_load(&t.fake->watches) > watches + 1);
	atomic_store(&t.fake->watch_fault, FAKE_WELL);
	WAIT(t.urgent > 0); /* a look follows the new watch */
}

static void
action_once(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm0", NULL);
	struct action action = action_for(VERB_PAUSE, "vm0", domid);
	struct outcome forget = {.id = action.id, .journal = JOURNAL};

	(void)state;
	send_action(&action);
	send_action(&action);
	expect(action.id, REQUEST_SUCCEEDED, "");
	assert_true(t.started[action.id] > 0);
	assert_true(t.fake->domains[domid].fact.flags & DOMAIN_PAUSED);
	t.told[action.id] = 0;
	send_action(&action);
	expect(action.id, REQUEST_SUCCEEDED, "");
	assert_int_equal(atomic_load(&t.fake->acts[action.id]), 1);
	assert_int_equal(records(), 1);
	channel_send(t.engine, MSG_FORGET, 0, &forget, sizeof(forget));
	WAIT(records() == 0);
}

static void
refused(void **state)
{
	uint32_t domid = fake_add(t.fake, "stranger", NULL);
	struct action action = action_for(VERB_PAUSE, "x", 0);
	uint64_t memory;

	(void)state;
	memset(action.name, 'x', sizeof(action.name));
	send_action(&action);
	expect(action.id, REQUEST_FAILED, "no name");
	expect(act(99, "vm0", 0), REQUEST_FAILED, "99 is no verb");
	expect(act(VERB_NONE, "vm0", 0), REQUEST_FAILED, "no verb");
	expect(act(VERB_START, "stranger", 0), REQUEST_FAILED, "not in the configuration");
	expect(act(VERB_PAUSE, "", 0), REQUEST_FAILED, "names no VM");
	memory = act(VERB_MEMORY, "stranger", domid);
	expect(memory, REQUEST_FAILED, "16 to");
	expect(act(VERB_PAUSE, "vm3", 0), REQUEST_FAILED, "not there");
	expect(act(VERB_PAUSE, "Domain-0", 0), REQUEST_FAILED, "not there");
	expect(act(ACTION_REAP, "stranger", domid), REQUEST_FAILED, "lives");
	assert_int_equal(t.fake->domains[domid].there, 1);
	fake_remove(t.fake, domid);
	expect(act(VERB_PAUSE, "stranger", domid), REQUEST_FAILED, "no more");
}

static void
deadline(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm0", NULL);
	struct action action = action_for(VERB_PAUSE, "vm0", domid);
	uint64_t next;

	(void)state;
	action.deadline_ms = 700;
	atomic_store(&t.fake->act_fault, FAKE_HANGS);
	send_action(&action);
	next = act(VERB_MEMORY, "vm0", domid); /* number 0: refused at once, though one waits */
	expect(next, REQUEST_FAILED, "16 to");
	next = act(VERB_UNPAUSE, "vm0", domid);
	expect(action.id, REQUEST_UNDECIDED, "took more than 0.7 s");
	atomic_store(&t.fake->act_fault, FAKE_WELL);
	expect(next, REQUEST_SUCCEEDED, "");
	assert_int_equal(atomic_load(&t.fake->mends), 1);
	assert_int_equal(t.told[action.id], 1);
}

static void
helper_dies(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm0", NULL);
	uint64_t id;

	(void)state;
	atomic_store(&t.fake->act_fault, FAKE_DIES);
	id = act(VERB_PAUSE, "vm0", domid);
	expect(id, REQUEST_UNDECIDED, "killed by signal 9");
	WAIT(atomic_load(&t.fake->mends) == 1);
	atomic_store(&t.fake->act_fault, FAKE_FAILS);
	expect(act(VERB_PAUSE, "vm0", domid), REQUEST_FAILED, "told to fail");
	assert_int_equal(atomic_load(&t.fake->acts[id]), 1);
}

static void
one_a_vm(void **state)
{
	uint32_t domids[VMS];
	uint64_t ids[VMS * 3];
	int count = 0;

	(void)state;
	atomic_store(&t.fake->act_ms, 30);
	for (int i = 0; i < VMS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "vm%d", i);
		domids[i] = fake_add(t.fake, name, NULL);
		ids[count++] = act(VERB_PAUSE, name, domids[i]);
		ids[count++] = act(VERB_UNPAUSE, "", domids[i]); /* the same VM by UUID alone */
		ids[count++] = act(VERB_PAUSE, name, domids[i]);
	}
	for (int i = 0; i < count; i++)
		expect(ids[i], REQUEST_SUCCEEDED, "");
	for (int i = 0; i < VMS; i++)
		assert_true(t.fake->domains[domids[i]].fact.flags & DOMAIN_PAUSED);
	assert_int_equal(atomic_load(&t.fake->clashes), 0);
	assert_in_range(atomic_load(&t.fake->most_at_work), 2, 16);
	print_message("# at most %u at a time\n", atomic_load(&t.fake->most_at_work));
}

static void
cancelled(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm0", NULL);
	struct action first = action_for(VERB_PAUSE, "vm0", domid);
	struct action second = action_for(VERB_UNPAUSE, "vm0", domid);
	struct action never = action_for(VERB_UNPAUSE, "vm0", domid);

	(void)state;
	atomic_store(&t.fake->act_ms, 300);
	send_action(&first);
	send_action(&second);
	WAIT(t.started[first.id]);
	channel_send(t.engine, MSG_CANCEL, 0, &second, sizeof(second));
	channel_send(t.engine, MSG_CANCEL, 0, &first, sizeof(first));
	channel_send(t.engine, MSG_CANCEL, 0, &never, sizeof(never));
	expect(second.id, REQUEST_CANCELLED, "");
	expect(never.id, REQUEST_CANCELLED, "");
	send_action(&never);
	expect(first.id, REQUEST_SUCCEEDED, "");
	serve(50);
	assert_int_equal(state_of(never.id), REQUEST_CANCELLED);
	assert_int_equal(atomic_load(&t.fake->acts[never.id] + 0), 0);
	assert_int_equal(atomic_load(&t.fake->acts[second.id] + 0), 0);
}

static void
sequences(void **state)
{
	uint64_t id = act(VERB_START, "vm0", 0);
	uint32_t domid, next;

	(void)state;
	expect(id, REQUEST_SUCCEEDED, "");
	domid = t.outcomes[id].domid;
	assert_string_equal(t.fake->domains[domid].name, "vm0");
	expect(act(VERB_START, "vm0", 0), REQUEST_FAILED, "lives already");
	atomic_store(&t.fake->guest_ms, 100);
	id = act(VERB_REBOOT, "vm0", domid);
	expect(id, REQUEST_SUCCEEDED, "");
	next = t.outcomes[id].domid;
	assert_true(next != domid && t.fake->domains[next].there && !t.fake->domains[domid].there);
	t.fake->domains[next].monitored = 1;
	id = act(VERB_REBOOT, "vm0", next);
	expect(id, REQUEST_SUCCEEDED, "");
	domid = t.outcomes[id].domid;
	assert_true(next != domid && t.fake->domains[domid].there && !t.fake->domains[next].there);
	atomic_store(&t.fake->guest_deaf, true);
	expect(act(VERB_SHUTDOWN, "vm0", domid), REQUEST_FAILED, "did not end within 1 s");
	expect(act(VERB_PAUSE, "vm0", domid), REQUEST_SUCCEEDED, "");
	expect(act(VERB_SHUTDOWN, "vm0", domid), REQUEST_FAILED, "unpause it first");
	expect(act(VERB_UNPAUSE, "vm0", domid), REQUEST_SUCCEEDED, "");
	atomic_store(&t.fake->guest_deaf, false);
	expect(act(VERB_SHUTDOWN, "vm0", domid), REQUEST_SUCCEEDED, "");
	assert_false(t.fake->domains[domid].there);
}

/* What a VM's own configuration says of its shutdown goes before that of all. */
static void
shutdown_own(void **state)
{
	uint32_t vm1 = fake_add(t.fake, "vm1", NULL), vm2 = fake_add(t.fake, "vm2", NULL);
	uint64_t id;

	(void)state;
	atomic_store(&t.fake->guest_deaf, true);
	id = act(VERB_SHUTDOWN, "vm1", vm1);
	expect(act(VERB_SHUTDOWN, "vm2", vm2), REQUEST_FAILED, "did not end within 1.2 s");
	expect(id, REQUEST_SUCCEEDED, "");
	assert_false(t.fake->domains[vm1].there);
	assert_true(t.fake->domains[vm2].there);
	atomic_store(&t.fake->guest_deaf, false);
	expect(act(VERB_DESTROY, "vm2", vm2), REQUEST_SUCCEEDED, "");
}

/* By supervision: the guest has its time, then it goes in any case. */
static void
restarts(void **state)
{
	uint64_t id = act(VERB_START, "vm0", 0);
	uint32_t domid, next;

	(void)state;
	expect(id, REQUEST_SUCCEEDED, "");
	domid = t.outcomes[id].domid;
	atomic_store(&t.fake->guest_ms, 100);
	for (int i = 0; i < 3; i++) {
		atomic_store(&t.fake->guest_deaf, i == 1);
		if (i == 2) /* it cannot hear */
			expect(act(VERB_PAUSE, "vm0", domid), REQUEST_SUCCEEDED, "");
		id = act(ACTION_RESTART, "vm0", domid);
		expect(id, REQUEST_SUCCEEDED, "");
		next = t.outcomes[id].domid;
		assert_true(next != domid && t.fake->domains[next].there);
		assert_false(t.fake->domains[domid].there);
		domid = next;
	}
	t.fake->domains[domid].fact.flags |= DOMAIN_SHUTDOWN;
	t.fake->domains[domid].fact.reason = REASON_SUSPEND;
	expect(act(ACTION_RESTART, "vm0", domid), REQUEST_FAILED, "being saved");
	t.fake->domains[domid].fact.reason = REASON_CRASH;
	id = act(ACTION_RESTART, "vm0", domid);
	expect(id, REQUEST_SUCCEEDED, "");
	domid = t.outcomes[id].domid;
	expect(act(VERB_DESTROY, "vm0", domid), REQUEST_SUCCEEDED, "");
	expect(act(ACTION_RESTART, "vm0", 0), REQUEST_SUCCEEDED, "");
}

static void
the_dead(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm1", NULL);
	uint64_t id;

	(void)state;
	t.fake->domains[domid].fact.flags |= DOMAIN_SHUTDOWN;
	t.fake->domains[domid].fact.reason = REASON_CRASH;
	expect(act(VERB_PAUSE, "vm1", domid), REQUEST_FAILED, "shut down already");
	expect(act(VERB_START, "vm1", 0), REQUEST_FAILED, "destroy it first");
	id = act(ACTION_REPLACE, "vm1", domid);
	expect(id, REQUEST_SUCCEEDED, "");
	assert_false(t.fake->domains[domid].there);
	domid = t.outcomes[id].domid;
	assert_true(t.fake->domains[domid].there);
	t.fake->domains[domid].fact.flags |= DOMAIN_SHUTDOWN;
	t.fake->domains[domid].fact.reason = REASON_SUSPEND;
	expect(act(ACTION_REAP, "vm1", domid), REQUEST_FAILED, "being saved");
	t.fake->domains[domid].fact.reason = REASON_POWEROFF;
	t.fake->domains[domid].monitored = 1;
	expect(act(ACTION_REAP, "vm1", domid), REQUEST_FAILED, "monitor of its own");
	expect(act(ACTION_REPLACE, "vm1", domid), REQUEST_FAILED, "monitor of its own");
	t.fake->domains[domid].monitored = 0;
	expect(act(ACTION_REAP, "vm1", domid), REQUEST_SUCCEEDED, "");
	expect(act(ACTION_REAP, "vm1", domid), REQUEST_SUCCEEDED, "");
}

/* A domain that went while it was saved has no state for that. */
static void
saves(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm1", NULL);

	(void)state;
	t.fake->domains[domid].fact.flags |= DOMAIN_PAUSED;
	expect(act(VERB_SAVE, "vm1", domid), REQUEST_FAILED, "unpause it first");
	fake_remove(t.fake, domid);
	expect(act(VERB_SAVE, "vm1", fake_add(t.fake, "vm1", NULL)), REQUEST_SUCCEEDED, "");
	atomic_store(&t.fake->save_fails, true);
	expect(act(VERB_SAVE, "vm1", fake_add(t.fake, "vm1", NULL)), REQUEST_FAILED,
	       "no state is left");
	atomic_store(&t.fake->save_fails, false);
}

/* What on_crash asks for beside a destroy; a dump that fails stops nothing, and is told. */
static void
burials(void **state)
{
	uint32_t domid = fake_dead(t.fake, "vm2"), next;
	uint64_t id;

	(void)state;
	expect(act_number(ACTION_REAP, "vm2", domid, ON_COREDUMP_DESTROY), REQUEST_SUCCEEDED, "");
	assert_int_equal(atomic_load(&t.fake->dumps), 1);
	assert_false(t.fake->domains[domid].there);

	domid = fake_dead(t.fake, "vm2");
	id = act_number(ACTION_REPLACE, "vm2", domid, ON_RENAME_RESTART);
	expect(id, REQUEST_SUCCEEDED, "");
	next = t.outcomes[id].domid;
	assert_true(t.fake->domains[domid].there && t.fake->domains[next].there);
	assert_string_not_equal(t.fake->domains[domid].name, "vm2");
	assert_string_equal(t.fake->domains[next].name, "vm2");

	t.fake->domains[next].fact.flags |= DOMAIN_SHUTDOWN;
	t.fake->domains[next].fact.reason = REASON_CRASH;
	atomic_store(&t.fake->dump_fails, true);
	id = act_number(ACTION_REPLACE, "vm2", next, ON_COREDUMP_RESTART);
	expect(id, REQUEST_SUCCEEDED, "no core dump: the disk is full");
	assert_false(t.fake->domains[next].there);
	assert_true(t.fake->domains[t.outcomes[id].domid].there);
	assert_int_equal(atomic_load(&t.fake->dumps), 1);
}

static void
new_engine(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm0", NULL);
	uint64_t done = act(VERB_PAUSE, "vm0", domid), running, queued, refused;

	(void)state;
	expect(done, REQUEST_SUCCEEDED, "");
	atomic_store(&t.fake->act_ms, 500);
	running = act(VERB_UNPAUSE, "vm0", domid);
	WAIT(t.started[running] && t.known[domid]);
	queued = act(VERB_PAUSE, "vm0", domid);
	refused = act(VERB_NONE, "vm0", domid); /* once that is told the other was taken too */
	WAIT(t.told[refused]);
	memset(t.known, 0, sizeof(t.known));
	memset(t.told, 0, sizeof(t.told));
	memset(t.started, 0, sizeof(t.started));
	attach_engine();
	WAIT(t.known[0] && t.known[domid] && t.told[done] && t.started[running] &&
	     t.started[queued]);
	assert_int_equal(t.outcomes[running].state, REQUEST_RUNNING);
	assert_int_equal(t.outcomes[running].verb, VERB_UNPAUSE);
	assert_int_equal(t.outcomes[running].action_domid, domid);
	assert_memory_equal(t.outcomes[running].uuid, t.fake->domains[domid].fact.uuid, UUID_SIZE);
	assert_int_equal(t.outcomes[queued].state, REQUEST_QUEUED);
	assert_int_equal(t.outcomes[done].verb, VERB_PAUSE);
	expect(running, REQUEST_SUCCEEDED, "");
	expect(queued, REQUEST_SUCCEEDED, "");
}

/* Without a sleep between: the engine sends what it has no outcome of to each new process. */
static void
killed_process(void **state)
{
	struct action actions[200];
	uint32_t domids[8];
	unsigned seed = (unsigned)clock_wall_ms(), in_flight = 0;
	int count = 0;

	(void)state;
	print_message("# seed %u\n", seed);
	for (int i = 0; i < 8; i++) {
		char name[8];

		snprintf(name, sizeof(name), "vm%d", i);
		domids[i] = fake_add(t.fake, name, NULL);
	}
	atomic_store(&t.fake->act_ms, 60);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 8; i++) {
			actions[count] = action_for(round % 2 ? VERB_UNPAUSE : VERB_PAUSE,
						    t.fake->domains[domids[i]].name, domids[i]);
			send_action(&actions[count++]);
		}
		if (round % 2)
			WAIT(atomic_load(&t.fake->at_work) > 0);
		serve(rand_r(&seed) % 50);
		in_flight += atomic_load(&t.fake->at_work) > 0;
		end_process(SIGKILL);
		start_process();
		for (int i = 0; i < count; i++)
			if (t.told[actions[i].id] == 0)
				send_action(&actions[i]);
	}
	for (int i = 0; i < count; i++) {
		expect(actions[i].id, REQUEST_SUCCEEDED, "");
		assert_int_equal(atomic_load(&t.fake->acts[actions[i].id]), 1);
	}
	assert_int_equal(atomic_load(&t.fake->clashes), 0);
	assert_int_equal(atomic_load(&t.fake->mends), 0);
	print_message("# 20 kills, %u with an action in the driver's hands\n", in_flight);
	assert_true(in_flight > 5);
}

/* Process and helper both die: unknown, and put right, by the next process. */
static void
killed_all(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm0", NULL);
	uint64_t id;

	(void)state;
	atomic_store(&t.fake->act_fault, FAKE_HANGS);
	id = act(VERB_PAUSE, "vm0", domid);
	WAIT(atomic_load(&t.fake->acts[id]) == 1);
	end_process(SIGKILL);
	atomic_store(&t.fake->act_fault, FAKE_DIES);
	start_process();
	expect(id, REQUEST_UNDECIDED, "");
	WAIT(atomic_load(&t.fake->mends) == 1);
	assert_int_equal(atomic_load(&t.fake->acts[id]), 1);
}

/* A clean end of the process: its workers go, its helper does what it began. */
static void
ended_process(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm0", NULL);
	uint64_t id;

	(void)state;
	atomic_store(&t.fake->act_ms, 400);
	id = act(VERB_PAUSE, "vm0", domid);
	WAIT(atomic_load(&t.fake->acts[id]) == 1);
	end_process(SIGTERM);
	WAIT(t.fake->domains[domid].fact.flags & DOMAIN_PAUSED);
	start_process();
	expect(id, REQUEST_SUCCEEDED, "");
	assert_int_equal(atomic_load(&t.fake->acts[id]), 1);
}

/* An adopted helper's deadline goes on. */
static void
adopted_deadline(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm0", NULL);
	struct action action = action_for(VERB_PAUSE, "vm0", domid);

	(void)state;
	action.deadline_ms = 1500;
	atomic_store(&t.fake->act_fault, FAKE_HANGS);
	send_action(&action);
	WAIT(atomic_load(&t.fake->acts[action.id]) == 1);
	end_process(SIGKILL);
	start_process();
	expect(action.id, REQUEST_UNDECIDED, "took more than 1.5 s");
	atomic_store(&t.fake->act_fault, FAKE_WELL);
	WAIT(atomic_load(&t.fake->mends) == 1);
}

static int
by_hand(const char *words, char *output)
{
	char command[512], own[256] = {0};
	FILE *from;
	size_t size;
	int status;

	assert_true(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
	snprintf(command, sizeof(command), "%s --action %s -f %s 2>&1", own, words, t.conf);
	from = popen(command, "r");
	size = fread(output, 1, 4095, from);
	output[size] = '\0';
	status = pclose(from);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
person(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm2", NULL);
	char output[4096];
	uint64_t id;

	(void)state;
	assert_int_equal(by_hand("pause vm2", output), 0);
	assert_true(t.fake->domains[domid].fact.flags & DOMAIN_PAUSED);
	assert_non_null(strstr(output, "VM vm2: pause"));
	assert_int_equal(by_hand("unpause vm2", output), 0);
	assert_int_equal(by_hand("memory vm2 64", output), 0);
	assert_int_equal(by_hand("memory vm2", output), 2);
	assert_int_equal(by_hand("memory vm2 -3", output), 2);
	assert_int_equal(by_hand("memory vm2 4", output), 1);
	assert_non_null(strstr(output, "16 to"));
	assert_int_equal(by_hand("leap vm2", output), 2);
	assert_non_null(strstr(output, "shutdown"));
	assert_int_equal(by_hand("help", output), 0);
	assert_int_equal(by_hand("pause nobody", output), 1);
	assert_non_null(strstr(output, "VM nobody: pause failed: the VM is not there"));
	/* The agent's action waits for the person's. */
	atomic_store(&t.fake->act_ms, 400);
	id = act(VERB_PAUSE, "vm2", domid);
	WAIT(atomic_load(&t.fake->acts[id]) == 1);
	assert_int_equal(by_hand("unpause vm2", output), 0);
	expect(id, REQUEST_SUCCEEDED, "");
	assert_int_equal(atomic_load(&t.fake->clashes), 0);
}

static void
reloads(void **state)
{
	uint32_t domid = fake_add(t.fake, "vm0", NULL);

	(void)state;
	write_config("/tmp", "nonsense = 3\n");
	reload_config();
	serve(100);
	expect(act(VERB_PAUSE, "vm0", domid), REQUEST_SUCCEEDED, "");
	write_config("/tmp", "vm \"fresh\" { file = \"/x\" }\n");
	reload_config();
	serve(100);
	expect(act(VERB_START, "fresh", 0), REQUEST_SUCCEEDED, "");
	forget_news();
	WAIT(t.ok[SAMPLE_STATES] > 1 && t.ok[SAMPLE_FIGURES] > 1);
}

/* CPU of this process' children that were waited for, and of t.pid, in ms. */
static long
cpu_ms(pid_t pid)
{
	char path[64], text[1024];
	unsigned long user, system;
	FILE *from;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	from = fopen(path, "r");
	if (!from || !fgets(text, sizeof(text), from))
		fail_msg("%s", path);
	fclose(from);
	sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
	       &system);
	return (long)((user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

static long
family_cpu_ms(void)
{
	char path[64];
	long total = cpu_ms(t.pid);
	FILE *from;
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)t.pid, (int)t.pid);
	from = fopen(path, "r");
	while (from && fscanf(from, "%d", &pid) == 1)
		total += cpu_ms(pid);
	if (from)
		fclose(from);
	return total;
}

static void
thousand(void **state)
{
	long process_ms, all_ms;
	int64_t begin_ms;
	uint64_t id;

	(void)state;
	for (int i = 0; i < 1000; i++)
		fake_add(t.fake, i == 0 ? "vm0" : "many", NULL);
	WAIT(t.known[1000]);
	WAIT(t.rows[MSG_DISK] >= 1000);
	forget_news();
	process_ms = cpu_ms(t.pid);
	all_ms = family_cpu_ms();
	WAIT(t.ok[SAMPLE_FIGURES] >= 10);
	print_message(
	    "# 1,000 domains: %.1f ms of CPU a sample in the process, %.1f with workers\n",
	    (double)(cpu_ms(t.pid) - process_ms) / t.ok[SAMPLE_FIGURES],
	    (double)(family_cpu_ms() - all_ms) / t.ok[SAMPLE_FIGURES]);
	begin_ms = clock_mono_ms();
	id = act(VERB_PAUSE, "vm0", 1);
	expect(id, REQUEST_SUCCEEDED, "");
	print_message("# an action meanwhile: %d ms\n", (int)(clock_mono_ms() - begin_ms));
}

static int
main_of_child(void)
{
	struct options options = {.foreground = true, .verbose = getenv("HV_TEST_VERBOSE") != NULL};

	return hypervisor_main(&options);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Else whoever has the engine could have one VM restored from another's memory. */
static void
uuid_of_another(void **state)
{
	struct config_vm vms[2] = {{.provider.name = "www"}, {.provider.name = "db", .uuid = {2}}};
	struct config config = {.vms = vms, .vms_count = 2};
	struct action action = {.verb = VERB_RESTORE, .name = "www", .uuid = {2}};
	char error[TEXT_SIZE];

	(void)state;
	assert_false(action_check(&config, &action, error));
	assert_non_null(strstr(error, "of db"));
	action.uuid[0] = 3;
	assert_true(action_check(&config, &action, error));
	action = (struct action){.verb = VERB_RESTORE, .name = "db", .uuid = {2}};
	assert_true(action_check(&config, &action, error));
}

int
main(int argc, char **argv)
{
	/* clang-format off */
	const struct CMUnitTest tests[] = {
	    TEST(samples), TEST(urgent_news), TEST(hung_states), TEST(hung_figures),
	    TEST(hung_storage), TEST(failing_states), TEST(watch_comes_back), TEST(action_once),
	    TEST(refused), TEST(deadline), TEST(helper_dies), TEST(one_a_vm), TEST(cancelled),
	    TEST(sequences), TEST(shutdown_own), TEST(restarts), TEST(the_dead), TEST(saves), TEST(burials),
	    TEST(new_engine), TEST(killed_process),
	    TEST(killed_all), TEST(ended_process), TEST(adopted_deadline), TEST(person),
	    TEST(reloads), TEST(thousand), cmocka_unit_test(uuid_of_another),
	};
	/* clang-format on */

	if (argc == 3 && strcmp(argv[1], "--child") == 0)
		return main_of_child();
	if (argc > 2 && strcmp(argv[1], "--action") == 0)
		return action_main(argc - 1, argv + 1, NULL);
	if (argc == 2)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
