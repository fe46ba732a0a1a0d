/* `simxen ctl`: sends one command to a running simxen and prints what it says. */
#ifndef SIMXEN_CTL_H
#define SIMXEN_CTL_H

/*
 * argv[0] is "ctl". Exit status: 0 done, 1 the command failed or simxen cannot be reached, 2 usage,
 * 3 `wait` waited in vain.
 */
int ctl_main(int argc, char **argv);

#endif
