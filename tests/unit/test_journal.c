/* The journal's way to the agentx process: in order, a window at a time, also when it overflows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/mem.h"
#include "engine/journal.h"
#include "mib/table.h"

#define SIZE 50 /* events kept */

/* A store whose writes are settled at once, or kept until the test settles them. */
static struct {
	bool keeps;
	store_done *done;
	void *arg;
} disk;

void
store_append_event(struct store *store, const struct mib_event *event, store_done *done, void *arg,
		   uint64_t tag)
{
	(void)store, (void)event;
	disk.done = done;
	disk.arg = arg;
	if (!disk.keeps)
		done(arg, tag, true);
}

static void
settle(uint32_t first, uint32_t last, bool durable)
{
	for (uint32_t sequence = first; sequence <= last; sequence++)
		disk.done(disk.arg, sequence, durable);
}

void
store_put_handed(struct store *store, uint32_t sequence)
{
	(void)store, (void)sequence;
}

struct world {
	struct event_base *base;
	struct mib_rows rows;
	struct channel *channel;
	struct journal *journal;
	int agentx; /* the other end */
	uint32_t next;
	uint32_t lost_told; /* sum of what journal_take_lost() said, and how often it did */
	unsigned lost_tellings;
};

static void
attach(struct world *world)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	if (world->agentx >= 0)
		close(world->agentx);
	world->agentx = pair[1];
	channel_attach(world->channel, pair[0]);
}

static int
setup(void **state)
{
	static const struct channel_handlers handlers = {0};
	static const struct store_content content;
	struct world *world = mem_alloc(sizeof(*world));

	world->base = event_base_new();
	world->agentx = -1;
	world->next = 1;
	mib_rows_init(&world->rows, true);
	world->channel = channel_new(world->base, "agentx", &handlers, NULL);
	world->journal = journal_new(&world->rows.sets[KIND_EVENT], world->channel, SIZE, &content);
	attach(world);
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;

	disk.keeps = false;
	journal_free(world->journal);
	channel_free(world->channel);
	mib_rows_dispose(&world->rows);
	event_base_free(world->base);
	close(world->agentx);
	free(world);
	return 0;
}

static void
append(struct world *world, enum event_type type)
{
	struct mib_event event = {.sequence = world->next++, .type = (int32_t)type};

	journal_append(world->journal, &event);
}

/* What the engine's process does after each message. */
static void
carry_out(struct world *world)
{
	uint32_t lost = journal_take_lost(world->journal);

	if (lost == 0)
		return;
	world->lost_told += lost;
	world->lost_tellings++;
	append(world, EVENT_EVENTS_LOST);
}

/* The next event that agentx is given, or 0. */
static uint32_t
notified(struct world *world)
{
	struct message message;

	event_base_loop(world->base, EVLOOP_NONBLOCK);
	while (recv(world->agentx, &message, sizeof(message), MSG_DONTWAIT) > 0)
		if (message.type == MSG_NOTIFY)
			return ((const struct mib_event *)message.body)->sequence;
	return 0;
}

static void
hand(struct world *world, uint32_t sequence)
{
	journal_handed(world->journal, sequence);
	carry_out(world);
}

static void
test_in_order_a_window_at_a_time(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 40; i++)
		append(world, EVENT_VM_STATE_CHANGED);
	for (uint32_t i = 1; i <= 32; i++)
		assert_int_equal(notified(world), i);
	assert_int_equal(notified(world), 0);
	hand(world, 1);
	assert_int_equal(notified(world), 33);
}

static void
test_goes_on_after_the_journal_ran_over(void **state)
{
	struct world *world = *state;
	uint32_t sequence, first = 0, last = 0;

	for (int i = 0; i < 200; i++) /* snmpd is away */
		append(world, EVENT_VM_STATE_CHANGED);
	for (uint32_t i = 1; i <= 32; i++)
		assert_int_equal(notified(world), i);
	for (uint32_t i = 1; i <= 32; i++) { /* it is back: what agentx had goes first */
		hand(world, i);
		while ((sequence = notified(world)) != 0) {
			first = first ? first : sequence;
			last = sequence;
		}
	}
	assert_int_equal(first, 151);
	while (last < world->next - 1) {
		hand(world, last);
		sequence = notified(world);
		assert_int_not_equal(sequence, 0);
		last = sequence;
	}
}

static void
test_a_loss_is_told_once_and_makes_no_other(void **state)
{
	struct world *world = *state;
	uint32_t sequence;
	struct mib_agent row = {0};

	for (int i = 0; i < 200; i++) {
		append(world, EVENT_VM_STATE_CHANGED);
		carry_out(world);
	}
	for (int i = 0; i < 1000; i++) /* messages of samples, nothing else happens */
		carry_out(world);
	assert_int_equal(world->next, 201); /* what is left of the history stays */
	while ((sequence = notified(world)) != 0)
		hand(world, sequence);
	assert_int_equal(world->lost_tellings, 1);
	journal_fill_agent(world->journal, &row);
	assert_int_equal(row.waiting, 0);
	assert_int_equal(row.lost, world->lost_told);
	/* Those that agentx had when they left the journal were handed over all the same. */
	assert_int_equal(row.lost, 200 - SIZE - 32);
	assert_int_equal(row.handed, 32 + SIZE + 1);
}

static void
test_what_a_dead_agentx_had_and_the_journal_has_not_is_lost(void **state)
{
	struct world *world = *state;
	struct mib_agent row = {0};

	for (int i = 0; i < 200; i++)
		append(world, EVENT_VM_STATE_CHANGED);
	attach(world);
	journal_restart(world->journal);
	assert_int_equal(notified(world), 151);
	journal_fill_agent(world->journal, &row);
	assert_int_equal(row.lost, 200 - SIZE);
}

/* The store turns to memory, which settles what waits at once, while older events are in the
 * writer's hands: those come back later, or not as they went. */
static void
test_goes_on_after_the_store_settled_out_of_order(void **state)
{
	struct world *world = *state;

	disk.keeps = true;
	for (int i = 0; i < 20; i++)
		append(world, EVENT_VM_STATE_CHANGED);
	assert_int_equal(notified(world), 0);
	settle(11, 20, false);
	settle(1, 10, true);
	for (uint32_t i = 1; i <= 20; i++)
		assert_int_equal(notified(world), i);
	append(world, EVENT_VM_STATE_CHANGED);
	assert_int_equal(notified(world), 0);
	settle(21, 21, true);
	assert_int_equal(notified(world), 21);
	assert_int_equal(world->rows.sets[KIND_EVENT].count, 21);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_in_order_a_window_at_a_time),
	    TEST(test_goes_on_after_the_journal_ran_over),
	    TEST(test_a_loss_is_told_once_and_makes_no_other),
	    TEST(test_goes_on_after_the_store_settled_out_of_order),
	    TEST(test_what_a_dead_agentx_had_and_the_journal_has_not_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
