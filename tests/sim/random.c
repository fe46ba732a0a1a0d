#include "tests/sim/random.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/sim/check.h"
#include "tests/sim/mutation.h"
#include "tests/sim/draft.h"
#include "tests/sim/world.h"

#define TWICE 10	/* every so many seeds run twice, and must come to the same */
#define SHRINK_MS 20000 /* of real time, to make a failing run small */
#define FAILURES_MAX 5	/* then it is enough */
#define PROGRESS_MS 60000

/* What a run came to. */
struct result {
	bool failed;
	char rule[24], text[256];
	int64_t at_ms;
	uint64_t steps, hash;
	size_t ops, vms;
};

struct options {
	uint64_t seed, runs, steps;
	int64_t seconds;
	uint64_t failures; /* so many are looked at, and made small */
	const char *folder;
	int mutation;
};

static struct result
run_draft(const struct draft *draft, int mutation)
{
	struct scenario scenario;
	struct result result = {0};
	struct world *world;

	draft_scenario(draft, &scenario);
	world = world_new(&scenario, NULL, NULL);
	world->mutation = mutation;
	world_run(world);
	result.failed = check_failed(world->check);
	TEXT_SET(result.rule, check_rule(world->check));
	TEXT_SET(result.text, check_text(world->check));
	result.at_ms = world_now(world);
	result.steps = world->steps;
	result.hash = world->hash;
	result.ops = scenario.ops_count;
	result.vms = world->vms_count;
	world_free(world);
	scenario_dispose(&scenario);
	return result;
}

/* ---- making small ---- */

struct shrink {
	struct draft *draft;
	struct result best;
	int mutation;
	int64_t until_ms;
	unsigned runs;
};

/* It is kept that small where the same rule is broken still. */
static bool
still_fails(struct shrink *shrink)
{
	struct result result;

	if (clock_mono_ms() > shrink->until_ms)
		return false;
	shrink->runs++;
	result = run_draft(shrink->draft, shrink->mutation);
	if (!result.failed || strcmp(result.rule, shrink->best.rule) != 0)
		return false;
	shrink->best = result;
	return true;
}

/* Leaves out what comes after the failure. */
static void
shrink_end(struct shrink *shrink)
{
	struct draft *draft = shrink->draft;

	for (size_t i = 0; i < draft->ops_count; i++)
		if (draft->ops[i].at_ms > shrink->best.at_ms)
			draft->ops[i].kept = false;
	draft->end_ms = shrink->best.at_ms + 1;
	if (still_fails(shrink))
		return;
	draft->end_ms = 0;
	for (size_t i = 0; i < draft->ops_count; i++)
		draft->ops[i].kept = true;
}

static void
shrink_vms(struct shrink *shrink)
{
	struct draft *draft = shrink->draft;

	for (int i = draft->vms_count; i-- > 0;) {
		if (!draft->vm_kept[i])
			continue;
		draft->vm_kept[i] = false;
		if (!still_fails(shrink))
			draft->vm_kept[i] = true;
	}
}

/* A block of ops goes, where it fails without. */
static bool
shrink_block(struct shrink *shrink, size_t at, size_t size)
{
	struct draft *draft = shrink->draft;
	bool was[size], any = false;

	for (size_t i = 0; i < size && at + i < draft->ops_count; i++) {
		was[i] = draft->ops[at + i].kept;
		if (was[i] && !draft->ops[at + i].pinned) {
			draft->ops[at + i].kept = false;
			any = true;
		}
	}
	if (any && still_fails(shrink))
		return true;
	for (size_t i = 0; i < size && at + i < draft->ops_count; i++)
		draft->ops[at + i].kept = was[i];
	return false;
}

static void
shrink_ops(struct shrink *shrink)
{
	size_t size = shrink->draft->ops_count;
	bool shrunk = true;

	while (size > 0 || shrunk) {
		if (size == 0)
			size = 1;
		shrunk = false;
		for (size_t at = 0; at < shrink->draft->ops_count; at += size)
			shrunk |= shrink_block(shrink, at, size);
		if (size > 1 || !shrunk)
			size /= 2;
		if (clock_mono_ms() > shrink->until_ms)
			return;
	}
}

static void
shrink_needs(struct shrink *shrink)
{
	struct draft *draft = shrink->draft;

	for (int i = 0; i < draft->vms_count; i++)
		while (draft->vm_kept[i] && draft->vms[i].needs_count > 0) {
			draft->vms[i].needs_count--;
			if (!still_fails(shrink)) {
				draft->vms[i].needs_count++;
				break;
			}
		}
}

static struct result
make_small(struct draft *draft, const struct result *failed, int mutation)
{
	struct shrink shrink = {.draft = draft,
				.best = *failed,
				.mutation = mutation,
				.until_ms = clock_mono_ms() + SHRINK_MS};

	shrink_end(&shrink);
	shrink_vms(&shrink);
	shrink_ops(&shrink);
	shrink_vms(&shrink);
	shrink_needs(&shrink);
	printf("#   made small in %u runs: %zu of %zu ops, %zu of %d VMs\n", shrink.runs,
	       shrink.best.ops, draft->ops_count, shrink.best.vms, draft->vms_count);
	return shrink.best;
}

/* ---- failures ---- */

static void
save(const struct draft *draft, const char *folder)
{
	struct scenario scenario;
	char path[512];
	FILE *to;

	snprintf(path, sizeof(path), "%s/seed-%" PRIu64 ".scn", folder, draft->seed);
	to = fopen(path, "we");
	if (!to) {
		printf("#   %s cannot be written\n", path);
		return;
	}
	draft_scenario(draft, &scenario);
	scenario_write(&scenario, to);
	scenario_dispose(&scenario);
	fclose(to);
	printf("#   written to %s; look at it with: sim log -v %s\n", path, path);
}

static void
tell_failure(struct draft *draft, const struct result *result, const struct options *options)
{
	struct result small;

	printf("not ok - seed %" PRIu64 ": %s: %s\n", draft->seed, result->rule, result->text);
	if (options->failures == 0)
		return;
	printf("#   after %" PRIu64 " steps, at %" PRId64
	       ".%03d s; again with: sim random -s %" PRIu64 " -r 1\n",
	       result->steps, result->at_ms / 1000, (int)(result->at_ms % 1000), draft->seed);
	fflush(stdout);
	small = make_small(draft, result, options->mutation);
	printf("#   %s: %s\n", small.rule, small.text);
	if (options->folder)
		save(draft, options->folder);
	fflush(stdout);
}

/* ---- sim random ---- */

struct tally {
	uint64_t runs, steps, ops, twice;
	unsigned failures;
};

static void
run_seed(uint64_t seed, const struct options *options, struct tally *tally)
{
	struct result result, again;
	struct draft draft;

	draft_make(&draft, seed);
	result = run_draft(&draft, options->mutation);
	tally->runs++;
	tally->steps += result.steps;
	tally->ops += result.ops;
	if (result.failed) {
		tally->failures++;
		tell_failure(&draft, &result, options);
	} else if (seed % TWICE == 0) {
		again = run_draft(&draft, options->mutation);
		tally->twice++;
		tally->steps += again.steps;
		if (again.hash != result.hash || again.steps != result.steps) {
			tally->failures++;
			printf("not ok - seed %" PRIu64 " is not the same when it runs again\n",
			       seed);
		}
	}
	draft_dispose(&draft);
}

static void
tell_pace(const struct tally *tally, int64_t took_ms)
{
	uint64_t ms = (uint64_t)took_ms + 1;

	printf("# %" PRIu64 " steps a second, %" PRIu64 " seeds a second\n",
	       tally->steps * 1000 / ms, tally->runs * 1000 / ms);
}

/* Where it is to last, how far it is. */
static void
tell_progress(const struct options *options, const struct tally *tally, uint64_t seed,
	      int64_t began_ms, int64_t *told_ms)
{
	int64_t now_ms = clock_mono_ms();

	if (options->seconds == 0 || now_ms - *told_ms < PROGRESS_MS)
		return;
	*told_ms = now_ms;
	printf("# after %" PRId64 " s, at seed %" PRIu64 ":\n", (now_ms - began_ms) / 1000, seed);
	tell_pace(tally, now_ms - began_ms);
	fflush(stdout);
}

static bool
is_enough(const struct options *options, const struct tally *tally, int64_t began_ms)
{
	return (options->runs > 0 && tally->runs >= options->runs) ||
	       (options->steps > 0 && tally->steps >= options->steps) ||
	       (options->seconds > 0 && clock_mono_ms() - began_ms > options->seconds * 1000) ||
	       (options->failures > 0 && tally->failures >= options->failures);
}

static bool
read_options(struct options *options, int *count, char ***words)
{
	while (*count >= 2 && (*words)[0][0] == '-') {
		const char *value = (*words)[1];

		switch ((*words)[0][1]) {
		case 's':
			options->seed = strtoull(value, NULL, 10);
			break;
		case 'r':
			options->runs = strtoull(value, NULL, 10);
			break;
		case 'n':
			options->steps = strtoull(value, NULL, 10);
			break;
		case 't':
			options->seconds = atoll(value);
			break;
		case 'f':
			options->failures = strtoull(value, NULL, 10);
			break;
		case 'w':
			options->folder = value;
			break;
		default:
			return false;
		}
		*count -= 2;
		*words += 2;
	}
	return true;
}

int
random_main(int count, char **words)
{
	struct options options = {.seed = 1, .failures = FAILURES_MAX};
	struct tally tally = {0};
	int64_t began_ms = clock_mono_ms(), told_ms = began_ms;
	uint64_t seed;

	if (!read_options(&options, &count, &words) || count > 0)
		fatal("an option is wrong; see sim help");
	if (options.runs == 0 && options.steps == 0 && options.seconds == 0)
		options.steps = 1000000;
	for (seed = options.seed; !is_enough(&options, &tally, began_ms); seed++) {
		run_seed(seed, &options, &tally);
		tell_progress(&options, &tally, seed, began_ms, &told_ms);
	}
	if (tally.failures == 0)
		printf("ok - seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " steps in %" PRIu64
		       " runs, %" PRIu64 " of them twice, %" PRIu64 " things that happened\n",
		       options.seed, seed - 1, tally.steps, tally.runs, tally.twice, tally.ops);
	tell_pace(&tally, clock_mono_ms() - began_ms);
	return tally.failures > 0;
}

int
random_seed_main(int count, char **words)
{
	struct scenario scenario;
	struct draft draft;

	if (count != 1)
		fatal("which seed?");
	draft_make(&draft, strtoull(words[0], NULL, 10));
	draft_scenario(&draft, &scenario);
	scenario_write(&scenario, stdout);
	scenario_dispose(&scenario);
	draft_dispose(&draft);
	return 0;
}

/* ---- sim prove ---- */

/* Seeds until it is found. */
static bool
prove(int number, const struct options *options)
{
	const struct mutation *mutation = &mutations[number];
	uint64_t runs = options->runs ? options->runs : 300;

	for (uint64_t seed = options->seed; seed < options->seed + runs; seed++) {
		struct result result;
		struct draft draft;

		draft_make(&draft, seed);
		result = run_draft(&draft, number);
		draft_dispose(&draft);
		if (!result.failed || strcmp(result.rule, mutation->rule) != 0)
			continue;
		printf("ok - %s is found broken where %s (seed %" PRIu64 ": %s)\n", mutation->rule,
		       mutation->lie, seed, result.text);
		return true;
	}
	printf("not ok - %s is not found broken in %" PRIu64 " runs where %s\n", mutation->rule,
	       runs, mutation->lie);
	return false;
}

int
random_prove_main(int count, char **words)
{
	struct options options = {.seed = 1};
	bool ok = true;

	if (!read_options(&options, &count, &words))
		fatal("an option is wrong; see sim help");
	for (int i = 1; mutations[i].rule; i++)
		if (count == 0 || strcmp(words[0], mutations[i].rule) == 0)
			ok &= prove(i, &options);
	return ok ? 0 : 1;
}
