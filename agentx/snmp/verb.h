/*
 * What each verb needs of a VM and of its number, for those who check a request before the engine
 * gets it. A new verb is a line of the table.
 */
#ifndef SNMP_VERB_H
#define SNMP_VERB_H

#include "mib/objects.h"

struct verb_need {
	uint32_t states; /* a bit for each enum vm_state in which it makes sense */
	bool number;	 /* it needs one, from min to max */
	uint32_t min, max;
	bool zero; /* or 0: as configured */
	bool many; /* can be asked of several VMs at once */
	bool ours; /* of VMs of the configuration only */
};

extern const struct verb_need verb_needs[VERB_LAST + 1];

bool verb_number_fits(uint32_t verb, uint32_t number);

/* In the state that the VM is in; one that is not known allows all. */
bool verb_makes_sense(const struct mib_vm *vm, uint32_t verb);

#endif
