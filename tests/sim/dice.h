/* Chance that a seed decides. */
#ifndef SIM_DICE_H
#define SIM_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

uint64_t dice_roll(struct dice *dice);
int dice_pick(struct dice *dice, int least, int most); /* both may come */
bool dice_once_in(struct dice *dice, int times);
const char *dice_one_of(struct dice *dice, const char *const *words, size_t count);
#define ONE_OF(dice, ...)                                                                          \
	dice_one_of(dice, (const char *const[]){__VA_ARGS__},                                      \
		    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

#endif
