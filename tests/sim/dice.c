#include "tests/sim/dice.h"

#include "tools/simxen/model.h"

uint64_t
dice_roll(struct dice *dice)
{
	return dice->state = model_hash(dice->state, 1);
}

int
dice_pick(struct dice *dice, int least, int most)
{
	return least + (int)(dice_roll(dice) % (uint64_t)(most - least + 1));
}

bool
dice_once_in(struct dice *dice, int times)
{
	return dice_roll(dice) % (uint64_t)times == 0;
}

const char *
dice_one_of(struct dice *dice, const char *const *words, size_t count)
{
	return words[dice_roll(dice) % count];
}
