/* Recordings: bounded, for their owner alone, whole; that they can be played is
 * tests/system/record.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/effect.h"
#include "engine/record.h"

#define CLOSE_MS 10000

static const struct instant now = {1000000, 1700000000000};

struct place {
	char dir[64], path[128], second[128];
	struct engine *engine;
	struct record *record;
};

static int
setup(void **state)
{
	static const struct store_content content = {
	    .journal = 7, .next_sequence = 1, .next_request = 1};
	struct place *place = mem_alloc(sizeof(*place));

	strcpy(place->dir, "/tmp/lauxen-record.XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->path, sizeof(place->path), "%s/recording", place->dir);
	snprintf(place->second, sizeof(place->second), "%s/recording.1", place->dir);
	place->engine = engine_new(&content, now);
	*state = place;
	return 0;
}

static int
teardown(void **state)
{
	struct place *place = *state;

	engine_free(place->engine);
	unlink(place->path);
	unlink(place->second);
	rmdir(place->dir);
	free(place);
	return 0;
}

static void
begin(struct place *place, uint64_t size_max)
{
	static const struct store_content content = {
	    .journal = 7, .next_sequence = 1, .next_request = 1};

	place->record = record_open(place->path, size_max);
	assert_non_null(place->record);
	record_begin(place->record, place->engine, &content, now);
}

static void
note(struct place *place, int times)
{
	struct effect effect;

	for (int i = 0; i < times; i++) {
		engine_note(place->engine, now, EVENT_CONFIG_REFUSED, "number %d", i);
		while (engine_next_effect(place->engine, &effect))
			;
	}
}

/* Entries of each type, and the text of the last one. */
static size_t
count_entries(const char *path, size_t counts[RECORD_END + 1], char last[64])
{
	FILE *from = fopen(path, "re");
	struct record_header header;
	struct record_entry entry;
	size_t all = 0;

	assert_non_null(from);
	assert_int_equal(fread(&header, sizeof(header), 1, from), 1);
	assert_int_equal(header.magic, RECORD_MAGIC);
	assert_int_equal(header.shape, record_shape());
	memset(counts, 0, (RECORD_END + 1) * sizeof(*counts));
	while (fread(&entry, sizeof(entry), 1, from) == 1) {
		char body[4096];
		size_t size = (entry.size + 7) & ~7u;

		assert_true(entry.type <= RECORD_END && size <= sizeof(body));
		assert_int_equal(fread(body, 1, size, from), size);
		counts[entry.type]++;
		all++;
		if (entry.type == RECORD_END)
			text_set(last, 64, body);
	}
	fclose(from);
	return all;
}

static void
test_all_that_was_told_is_there(void **state)
{
	struct place *place = *state;
	size_t counts[RECORD_END + 1];
	char last[64] = "";
	struct stat stat_of;

	begin(place, RECORD_SIZE_MAX);
	note(place, 20000);
	record_close(place->record, CLOSE_MS);
	count_entries(place->path, counts, last);
	assert_int_equal(counts[RECORD_CONTENT], 1);
	assert_int_equal(counts[CALL_NOTE], 20000);
	assert_int_equal(counts[RECORD_EFFECTS], 20000);
	assert_int_equal(counts[RECORD_END], 1);
	assert_string_equal(last, "closed");
	assert_int_equal(stat(place->path, &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 0777, 0600);
}

static void
test_it_grows_no_larger_than_it_may(void **state)
{
	struct place *place = *state;
	size_t counts[RECORD_END + 1];
	char last[64] = "";
	struct stat stat_of;

	begin(place, 16384);
	note(place, 5000);
	record_close(place->record, CLOSE_MS);
	count_entries(place->path, counts, last);
	assert_true(counts[CALL_NOTE] > 50 && counts[CALL_NOTE] < 5000);
	assert_string_equal(last, "it is as large as it may be");
	assert_int_equal(stat(place->path, &stat_of), 0);
	assert_true(stat_of.st_size <= 16384 && stat_of.st_size > 15000);
}

static void
test_none_is_written_over(void **state)
{
	struct place *place = *state;
	size_t counts[RECORD_END + 1];
	char last[64] = "";

	begin(place, RECORD_SIZE_MAX);
	note(place, 3);
	record_close(place->record, CLOSE_MS);
	begin(place, RECORD_SIZE_MAX);
	note(place, 5);
	record_close(place->record, CLOSE_MS);
	count_entries(place->path, counts, last);
	assert_int_equal(counts[CALL_NOTE], 3);
	count_entries(place->second, counts, last);
	assert_int_equal(counts[CALL_NOTE], 5);
}

static void
test_none_where_there_is_no_folder(void **state)
{
	(void)state;
	assert_null(record_open("/nowhere/at/all", RECORD_SIZE_MAX));
	record_close(NULL, CLOSE_MS);
}

/* Every field counts, and what lies between the fields does not. */
static void
test_digests(void **state)
{
	struct effect effect = {.type = EFFECT_ACTION}, other = {.type = EFFECT_ACTION};

	(void)state;
	assert_int_equal(effect_digest(DIGEST_BEGIN, &effect), effect_digest(DIGEST_BEGIN, &other));
	other.action.deadline_ms = 1;
	assert_int_not_equal(effect_digest(DIGEST_BEGIN, &effect),
			     effect_digest(DIGEST_BEGIN, &other));
	other = (struct effect){.type = EFFECT_CANCEL};
	assert_int_not_equal(effect_digest(DIGEST_BEGIN, &effect),
			     effect_digest(DIGEST_BEGIN, &other));
	effect.type = other.type = EFFECT_PUT_VM;
	TEXT_SET(other.vm.human_reason, "x");
	assert_int_not_equal(effect_digest(DIGEST_BEGIN, &effect),
			     effect_digest(DIGEST_BEGIN, &other));
}

static void
test_effects_as_text(void **state)
{
	struct effect effect = {.type = EFFECT_ACTION};
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	effect.action.id = 3;
	effect.action.verb = VERB_PAUSE;
	TEXT_SET(effect.action.name, "www");
	effect_print(&effect, to);
	fclose(to);
	assert_string_equal(text, "action id=3 verb=5 name=\"www\"");
	free(text);
	for (int type = 0; type < EFFECT_COUNT; type++)
		assert_non_null(effect_name((enum effect_type)type));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_all_that_was_told_is_there),
	    TEST(test_it_grows_no_larger_than_it_may),
	    TEST(test_none_is_written_over),
	    cmocka_unit_test(test_none_where_there_is_no_folder),
	    cmocka_unit_test(test_digests),
	    cmocka_unit_test(test_effects_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
