/* The foundation: rowsets, channels, text, UUIDs. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/messages.h"
#include "base/rowset.h"
#include "base/uuid.h"

struct item {
	uint32_t key, value;
};

static int
item_compare(const void *a, const void *b)
{
	const struct item *left = a, *right = b;

	return (left->key > right->key) - (left->key < right->key);
}

static bool
put(struct rowset *set, uint32_t key, uint32_t value)
{
	struct item item = {key, value};

	return rowset_put(set, &item);
}

static void
test_rowset_sorts_and_replaces(void **state)
{
	static const uint32_t keys[] = {5, 1, 9, 3, 7, 3};
	struct rowset set;
	struct item key = {.key = 4};

	(void)state;
	rowset_init(&set, sizeof(struct item), item_compare, false);
	for (size_t i = 0; i < 6; i++)
		put(&set, keys[i], (uint32_t)i);
	assert_int_equal(set.count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(((struct item *)rowset_at(&set, i))->key, 2 * i + 1);
	assert_int_equal(rowset_seek(&set, &key), 2);
	assert_null(rowset_find(&set, &key));
	key.key = 3;
	assert_int_equal(((struct item *)rowset_find(&set, &key))->value, 5);
	assert_null(rowset_at(&set, 5));
	rowset_dispose(&set);
}

static void
test_rowset_hands_on_changes(void **state)
{
	struct rowset set;
	struct item item, key = {.key = 2};
	bool gone;

	(void)state;
	rowset_init(&set, sizeof(struct item), item_compare, true);
	put(&set, 1, 10);
	put(&set, 2, 20);
	assert_true(put(&set, 1, 11)); /* the newer takes the older's place */
	assert_false(put(&set, 1, 11));
	assert_true(rowset_take(&set, &item, &gone));
	assert_int_equal(item.value, 11);
	assert_false(gone);
	assert_true(rowset_remove(&set, &key)); /* before it was taken: a tombstone */
	assert_true(rowset_take(&set, &item, &gone));
	assert_int_equal(item.key, 2);
	assert_true(gone);
	assert_false(rowset_take(&set, &item, &gone));
	assert_false(rowset_remove(&set, &key));
	rowset_dispose(&set);
}

static void
test_rowset_gone_and_back(void **state)
{
	struct rowset set;
	struct item item, key = {.key = 1};
	bool gone;

	(void)state;
	rowset_init(&set, sizeof(struct item), item_compare, true);
	put(&set, 1, 10);
	rowset_remove(&set, &key);
	put(&set, 1, 30);
	assert_true(rowset_take(&set, &item, &gone));
	assert_true(gone);
	assert_true(rowset_take(&set, &item, &gone)); /* in this order, or it would be lost */
	assert_false(gone);
	assert_int_equal(item.value, 30);
	rowset_remove(&set, &key);
	put(&set, 1, 40);
	assert_true(rowset_take_one(&set, &key)); /* ahead of the others, and of its own end */
	assert_false(rowset_waits(&set));
	rowset_remove(&set, &key);
	rowset_resend(&set);
	assert_false(rowset_waits(&set)); /* a new listener never had it */
	rowset_dispose(&set);
}

/* Nobody reads them any more: nobody waits, and what was lost is said. */
static void
test_log_waits_for_nobody(void **state)
{
	static char text[1 << 20];
	int ends[2], before = dup(STDERR_FILENO);
	ssize_t length = 0, more;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(ends[1], text, 4096) > 0)
		;
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0); /* it would block */
	fflush(stderr);
	dup2(ends[1], STDERR_FILENO);
	alarm(20);
	for (int i = 0; i < 3; i++)
		log_info("into a full pipe");
	alarm(0);
	while ((more = read(ends[0], text, sizeof(text))) > 0)
		;
	log_info("read again");
	dup2(before, STDERR_FILENO);
	while ((more = read(ends[0], text + length, sizeof(text) - 1 - (size_t)length)) > 0)
		length += more;
	text[length] = '\0';
	assert_non_null(strstr(text, "3 lines before are lost"));
	assert_non_null(strstr(text, "read again"));
	close(before);
	close(ends[0]);
	close(ends[1]);
}

static void
test_rowset_snapshot(void **state)
{
	struct rowset set;
	struct item item;
	bool gone;

	(void)state;
	rowset_init(&set, sizeof(struct item), item_compare, true);
	for (uint32_t i = 0; i < 100; i++)
		put(&set, i, i);
	while (rowset_take(&set, &item, &gone))
		;
	rowset_begin(&set);
	for (uint32_t i = 0; i < 100; i += 2)
		put(&set, i, i);
	rowset_end(&set);
	assert_int_equal(set.count, 50);
	for (int i = 0; i < 50; i++) {
		assert_true(rowset_take(&set, &item, &gone));
		assert_true(gone);
		assert_int_equal(item.key % 2, 1);
	}
	assert_false(rowset_waits(&set));
	rowset_dispose(&set);
}

/* ---- channels ---- */

struct side {
	struct channel *channel;
	uint32_t received, last, rows, closed;
	uint32_t to_pull; /* rows that are left to give */
	int fd;
	bool flag;
};

static void
side_received(void *arg, const struct message *message, int fd)
{
	struct side *side = arg;

	if (message->type == MSG_ROW)
		side->rows++;
	else
		side->received++;
	side->last = message->detail;
	side->fd = fd;
	if (message->type == MSG_HELD)
		side->flag = true;
}

static bool
side_pull(void *arg, struct message *message)
{
	struct side *side = arg;

	if (side->to_pull == 0)
		return false;
	side->to_pull--;
	message->type = MSG_ROW;
	message->detail = 0;
	message->size = 1000;
	memset(message->body, 0, 1000);
	return true;
}

static void
side_closed(void *arg)
{
	((struct side *)arg)->closed++;
}

static const struct channel_handlers handlers = {side_received, side_pull, side_closed};

struct two {
	struct event_base *base;
	struct side a, b;
};

static void
join(struct two *two)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	channel_attach(two->a.channel, pair[0]);
	channel_attach(two->b.channel, pair[1]);
}

static int
setup(void **state)
{
	struct two *two = mem_alloc(sizeof(*two));

	two->base = event_base_new();
	two->a.channel = channel_new(two->base, "a", &handlers, &two->a);
	two->b.channel = channel_new(two->base, "b", &handlers, &two->b);
	join(two);
	*state = two;
	return 0;
}

static int
teardown(void **state)
{
	struct two *two = *state;

	channel_free(two->a.channel);
	channel_free(two->b.channel);
	event_base_free(two->base);
	free(two);
	return 0;
}

static void
turn(struct two *two)
{
	for (int i = 0; i < 2000; i++)
		event_base_loop(two->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
test_channel_never_drops_or_reorders(void **state)
{
	struct two *two = *state;
	char body[1000] = {0};

	for (uint32_t i = 1; i <= 3000; i++) /* far more than the socket takes */
		channel_send(two->a.channel, MSG_ACTION, i, body, sizeof(body));
	turn(two);
	assert_int_equal(two->b.received, 3000);
	assert_int_equal(two->b.last, 3000);
}

static void
test_channel_pulls_rows_behind_messages(void **state)
{
	struct two *two = *state;

	two->a.to_pull = 5000;
	channel_offer(two->a.channel);
	event_base_loop(two->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	channel_send(two->a.channel, MSG_HELD, 1, NULL, 0);
	for (int i = 0; i < 20 && !two->b.flag; i++)
		event_base_loop(two->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_true(two->b.flag); /* long before the rows are through */
	assert_true(two->b.rows < 1000);
	turn(two);
	assert_int_equal(two->b.rows, 5000);
}

static void
test_channel_passes_descriptors(void **state)
{
	struct two *two = *state;
	int ends[2];
	char c = 0;

	assert_int_equal(pipe(ends), 0);
	channel_send_fd(two->a.channel, MSG_PEER, ROLE_ENGINE, ends[0]);
	close(ends[0]);
	turn(two);
	assert_true(two->b.fd >= 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(read(two->b.fd, &c, 1), 1);
	assert_int_equal(c, 'x');
	close(ends[1]);
	close(two->b.fd);
}

/* Sends a message with two descriptors past the channel. */
static void
send_two_fds(int to, int type, uint32_t detail, const int *fds)
{
	struct message message = {.type = (uint16_t)type, .detail = detail};
	struct iovec part = {&message, MESSAGE_HEAD};
	union {
		char room[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.room,
				.msg_controllen = sizeof(control.room)};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&header);

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(rights), fds, 2 * sizeof(int));
	assert_true(sendmsg(to, &header, 0) > 0);
}

static int
lowest_free_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void
test_channel_keeps_no_descriptor_that_nobody_takes(void **state)
{
	struct two *two = *state;
	int pair[2], ends[2], before;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	channel_attach(two->a.channel, pair[0]);
	turn(two);
	before = lowest_free_fd();
	send_two_fds(pair[1], MSG_HELLO, MESSAGES_VERSION, ends);
	send_two_fds(pair[1], MSG_HELLO, MESSAGES_VERSION, ends);
	turn(two);
	assert_int_equal(lowest_free_fd(), before);
	two->a.fd = -1;
	send_two_fds(pair[1], MSG_ACTION, 1, ends);
	turn(two);
	assert_true(two->a.fd >= 0);
	close(two->a.fd);
	assert_int_equal(lowest_free_fd(), before);
	assert_true(channel_attached(two->a.channel));
	close(pair[1]);
	close(ends[0]);
	close(ends[1]);
}

static void
test_channel_waits_for_one_answer(void **state)
{
	struct two *two = *state;
	int64_t start_ms = clock_mono_ms();

	turn(two);
	assert_false(channel_wait(two->b.channel, start_ms + 30, &two->b.flag));
	assert_true(clock_mono_ms() - start_ms >= 30);
	channel_send(two->a.channel, MSG_HELD, 7, NULL, 0);
	assert_true(channel_wait(two->b.channel, clock_mono_ms() + 1000, &two->b.flag));
}

static void
test_channel_outlives_its_peer(void **state)
{
	struct two *two = *state;

	turn(two);
	channel_free(two->b.channel);
	two->b.channel = channel_new(two->base, "b", &handlers, &two->b);
	turn(two);
	assert_int_equal(two->a.closed, 1);
	assert_false(channel_attached(two->a.channel));
	channel_send(two->a.channel, MSG_ACTION, 1, NULL, 0); /* to nobody */
	two->b.received = 0;
	join(two);
	channel_send(two->a.channel, MSG_ACTION, 2, NULL, 0);
	turn(two);
	assert_int_equal(two->b.received, 1);
	assert_int_equal(two->b.last, 2);
}

static void
test_channel_refuses_strangers(void **state)
{
	struct two *two = *state;
	struct message message = {.type = MSG_ACTION, .size = 0};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	channel_attach(two->a.channel, pair[0]);
	assert_true(send(pair[1], &message, MESSAGE_HEAD, 0) > 0); /* no hello */
	turn(two);
	assert_int_equal(two->a.closed, 1);
	assert_int_equal(two->a.received, 0);
	close(pair[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	channel_attach(two->a.channel, pair[0]);
	message = (struct message){.type = MSG_HELLO, .detail = MESSAGES_VERSION + 1};
	assert_true(send(pair[1], &message, MESSAGE_HEAD, 0) > 0); /* another version */
	turn(two);
	assert_int_equal(two->a.closed, 2);
	close(pair[1]);
}

/* ---- text and UUIDs ---- */

static void
test_text_is_made_harmless(void **state)
{
	static const struct {
		const char *from, *to;
	} texts[] = {
	    {"plain", "plain"},
	    {"two\nlines\x7f", "two?lines?"},
	    {"gr\xc3\xbcn", "gr\xc3\xbcn"},
	    {"bad \xff\xc3", "bad ??"},
	    {"1234567890123456789", "123456789012345"},
	    {"12345678901234\xc3\xbc", "12345678901234"}, /* never half a character */
	    {"", ""},
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		memset(text, 'x', sizeof(text));
		TEXT_SET(text, texts[i].from);
		assert_string_equal(text, texts[i].to);
		assert_int_equal(text[sizeof(text) - 1], 0); /* the rest is zeroed */
	}
}

/* RFC 3629, section 4, and the control characters U+0080 to U+009F, which terminals obey. */
static void
test_text_sequences(void **state)
{
	static const struct {
		const char *from, *to;
	} texts[] = {
	    {"\xc2\x80", "??"},
	    {"a\xc2\x9b"
	     "31m",
	     "a??31m"}, /* CSI */
	    {"\xc2\x9f", "??"},
	    {"\xc2\xa0", "\xc2\xa0"},
	    {"\xc3\x80", "\xc3\x80"},
	    {"\xc0\xaf", "??"}, /* '/' in two octets */
	    {"\xc1\xbf", "??"},
	    {"\xdf\xbf", "\xdf\xbf"},
	    {"\xe0\x80\xaf", "???"},
	    {"\xe0\x9f\xbf", "???"},
	    {"\xe0\xa0\x80", "\xe0\xa0\x80"},
	    {"\xe1\x80\x80", "\xe1\x80\x80"},
	    {"\xe2\x82\xac", "\xe2\x82\xac"},
	    {"\xe2\x82", "??"},
	    {"\xed\x9f\xbf", "\xed\x9f\xbf"},
	    {"\xed\xa0\x80", "???"}, /* surrogates */
	    {"\xed\xbf\xbf", "???"},
	    {"\xee\x80\x80", "\xee\x80\x80"},
	    {"\xef\xbf\xbd", "\xef\xbf\xbd"},
	    {"\xf0\x80\x80\xaf", "????"},
	    {"\xf0\x8f\xbf\xbf", "????"},
	    {"\xf0\x90\x80\x80", "\xf0\x90\x80\x80"},
	    {"\xf1\x80\x80\x80", "\xf1\x80\x80\x80"},
	    {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
	    {"\xf4\x90\x80\x80", "????"}, /* behind U+10FFFF */
	    {"\xf5\x80\x80\x80", "????"},
	    {"\x80\xbf", "??"},
	    {"\xf0\x9f\x98", "???"},
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		TEXT_SET(text, texts[i].from);
		assert_string_equal(text, texts[i].to);
	}
}

static void
test_uuid_round_trip(void **state)
{
	static const char *const bad[] = {"",
					  "80fe28f8",
					  "80fe28f8-3e74-5193-aac3-282641f9dfd",
					  "80fe28f8-3e74-5193-aac3-282641f9dfd88",
					  "80fe28f8+3e74-5193-aac3-282641f9dfd8",
					  "80fe28g8-3e74-5193-aac3-282641f9dfd8"};
	uint8_t uuid[UUID_SIZE], other[UUID_SIZE];
	char text[UUID_TEXT_SIZE];

	(void)state;
	assert_true(uuid_parse("80FE28F8-3e74-5193-aac3-282641f9dfd8", uuid));
	uuid_text(uuid, text);
	assert_string_equal(text, "80fe28f8-3e74-5193-aac3-282641f9dfd8");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(uuid_parse(bad[i], uuid));
	uuid_random(uuid);
	uuid_random(other);
	assert_false(uuid_equal(uuid, other));
	assert_false(uuid_is_zero(uuid));
}

static void
test_uuid_derived(void **state)
{
	uint8_t uuid[UUID_SIZE], other[UUID_SIZE];

	(void)state;
	uuid_derive(uuid, 1, 2);
	uuid_derive(other, 1, 2);
	assert_true(uuid_equal(uuid, other));
	assert_int_equal(uuid[6] >> 4, 8);
	assert_int_equal(uuid[8] >> 6, 2);
	uuid_derive(other, 1, 3);
	assert_false(uuid_equal(uuid, other));
	uuid_derive(other, 2, 1);
	assert_false(uuid_equal(uuid, other));
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(name_of(vm_state_names, VM_PAUSED), "paused");
	assert_string_equal(name_of(vm_state_names, 99), "?");
	assert_int_equal(name_value(verb_names, "destroy"), VERB_DESTROY);
	assert_int_equal(name_value(verb_names, "Destroy"), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rowset_sorts_and_replaces),
	    cmocka_unit_test(test_rowset_hands_on_changes),
	    cmocka_unit_test(test_rowset_gone_and_back),
	    cmocka_unit_test(test_rowset_snapshot),
	    cmocka_unit_test(test_log_waits_for_nobody),
	    TEST(test_channel_never_drops_or_reorders),
	    TEST(test_channel_pulls_rows_behind_messages),
	    TEST(test_channel_passes_descriptors),
	    TEST(test_channel_keeps_no_descriptor_that_nobody_takes),
	    TEST(test_channel_waits_for_one_answer),
	    TEST(test_channel_outlives_its_peer),
	    TEST(test_channel_refuses_strangers),
	    cmocka_unit_test(test_text_is_made_harmless),
	    cmocka_unit_test(test_text_sequences),
	    cmocka_unit_test(test_uuid_round_trip),
	    cmocka_unit_test(test_uuid_derived),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
