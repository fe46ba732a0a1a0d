/*
 * ---- 8. Automatic memory ----
 *
 * A VM that uses more than its high mark of what it has is given a step more, if the host has that
 * free beside a reserve; one that uses less than its low mark gives a step back, but is left what
 * it uses and enough to stay under the high mark. Figures of the guest that are old say nothing,
 * and a change must show in them before the next. What a person has set stays for a while.
 */
#include "engine/internal.h"

#include <inttypes.h>

#include "base/mem.h"

#define FRESH_MS 60000	     /* figures that are older say nothing */
#define HOST_RESERVE_MIB 256 /* that the host keeps free */
#define GUEST_RESERVE_MIB 32 /* beside what the guest uses */

static uint32_t
chosen(uint32_t set, uint32_t configured)
{
	return set ? set : configured;
}

struct memory_marks
memory_marks(const struct vm *vm)
{
	const struct store_vm *kept = &vm->kept;

	if (!vm->config)
		return (struct memory_marks){0};
	return (struct memory_marks){
	    .min_mib = chosen(kept->memory_min_mib, vm->config->memory_min_mib),
	    .max_mib = chosen(kept->memory_max_mib, vm->config->memory_max_mib),
	    .high = chosen(kept->memory_high, vm->config->policy.memory_high_percent),
	    .low = chosen(kept->memory_low, vm->config->policy.memory_low_percent)};
}

/*
 * The guest's word, where it is of now and the toolstack says what memory it was given; used counts
 * in MiB, rounded up.
 */
static bool
memory_used(const struct engine *engine, const struct vm *vm, uint32_t *used_mib, uint32_t *percent)
{
	const struct fact_figures *figures = &vm->domain->figures;
	uint64_t used_kib = figures->inside_total_kib - figures->inside_free_kib;

	if (!engine->figures_ok || !vm->domain->named || figures->inside_total_kib == 0 ||
	    figures->memory_target_kib == 0 ||
	    figures->inside_free_kib > figures->inside_total_kib ||
	    engine->now.mono_ms - figures->inside_mono_ms > FRESH_MS ||
	    figures->inside_mono_ms <= vm->policy.memory_ms)
		return false;
	*used_mib = (uint32_t)((used_kib + 1023) / 1024);
	*percent = (uint32_t)(used_kib * 100 / figures->inside_total_kib);
	return true;
}

static uint32_t
memory_more(const struct engine *engine, const struct vm *vm, uint32_t target_mib,
	    const struct memory_marks *marks)
{
	uint32_t most_mib = (uint32_t)(vm->domain->figures.memory_max_kib / 1024);
	uint32_t step_mib = vm->config->policy.memory_step_mib;
	uint64_t free_mib = engine->host.memory_free_kib / 1024;

	if (marks->max_mib < most_mib || most_mib == 0)
		most_mib = marks->max_mib;
	if (target_mib >= most_mib)
		return target_mib;
	if (step_mib > most_mib - target_mib)
		step_mib = most_mib - target_mib;
	if (free_mib < engine->promised_mib + HOST_RESERVE_MIB + step_mib)
		return target_mib;
	return target_mib + step_mib;
}

static uint32_t
memory_less(const struct vm *vm, uint32_t target_mib, uint32_t used_mib,
	    const struct memory_marks *marks)
{
	uint32_t step_mib = vm->config->policy.memory_step_mib;
	uint64_t least_mib = (uint64_t)used_mib * 100 / marks->high + 1;

	if (least_mib < used_mib + GUEST_RESERVE_MIB)
		least_mib = used_mib + GUEST_RESERVE_MIB;
	if (least_mib < marks->min_mib)
		least_mib = marks->min_mib;
	if (least_mib < MEMORY_FLOOR_MIB)
		least_mib = MEMORY_FLOOR_MIB;
	if (target_mib <= least_mib)
		return target_mib;
	return target_mib - least_mib < step_mib ? (uint32_t)least_mib : target_mib - step_mib;
}

bool
rule_memory(struct engine *engine, struct vm *vm)
{
	struct memory_marks marks = memory_marks(vm);
	uint32_t used_mib, percent, target_mib, wanted_mib;
	struct mib_event *event;

	if (marks.max_mib == 0 || marks.high == 0 || vm->presence != PRESENCE_RUNS ||
	    engine->now.mono_ms < vm->policy.memory_rest_ms ||
	    engine->now.mono_ms < vm->policy.memory_next_ms ||
	    !memory_used(engine, vm, &used_mib, &percent))
		return false;
	target_mib = (uint32_t)(vm->domain->figures.memory_target_kib / 1024);
	wanted_mib = target_mib;
	if (percent > marks.high || target_mib < marks.min_mib)
		wanted_mib = memory_more(engine, vm, target_mib, &marks);
	else if (percent < marks.low || target_mib > marks.max_mib)
		wanted_mib = memory_less(vm, target_mib, used_mib, &marks);
	if (wanted_mib == target_mib)
		return false;
	if (wanted_mib > target_mib) {
		engine->promised_mib += wanted_mib - target_mib;
		engine->promised_ms = engine->now.mono_ms;
	}
	vm->policy.memory_ms = engine->now.mono_ms;
	vm->policy.memory_next_ms = engine->now.mono_ms + vm->config->policy.memory_interval_ms;
	request_internal(engine, vm, VERB_MEMORY, wanted_mib);
	event = engine_event(engine, EVENT_MEMORY_ADJUSTED, vm);
	TEXT_FORMAT(event->text,
		    "%.50s: memory %" PRIu32 " to %" PRIu32 " MiB: %" PRIu32 " %% used inside",
		    vm->kept.name, target_mib, wanted_mib, percent);
	return true;
}
