/* Random runs: scenarios made from a seed, checked, and made small where they fail. */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

int random_main(int count, char **words);
int random_seed_main(int count, char **words);
int random_prove_main(int count, char **words);

#endif
