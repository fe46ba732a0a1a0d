/* Plays recordings. */
#ifndef SIM_REPLAY_H
#define SIM_REPLAY_H

int replay_main(int count, char **words);

#endif
