/*
 * The figures of a domain at the model's present time: CPU time, states, memory inside, traffic.
 * Each is computed only when somebody asks, in a few operations, from the domain's key and the
 * guest's clock: nothing is counted while nobody looks. Pure. Counters never go back while the
 * domain lives.
 */
#ifndef SIMXEN_FIGURES_H
#define SIMXEN_FIGURES_H

#include "tools/simxen/model.h"

struct figures_vif { /* as the guest sees it: rx is what it received */
	uint64_t rx_octets, rx_packets, rx_errors, rx_drops;
	uint64_t tx_octets, tx_packets, tx_errors, tx_drops;
};

struct figures_vbd {
	uint64_t read_requests, read_octets, write_requests, write_octets, errors;
};

/* ns of CPU time of vCPU i. */
uint64_t figures_vcpu_ns(const struct domain *d, unsigned i);

/* Whether vCPU i is on a CPU at this moment, as a sample would find it. */
bool figures_vcpu_running(const struct domain *d, unsigned i);

void figures_vif(const struct domain *d, unsigned i, struct figures_vif *vif);
void figures_vbd(const struct domain *d, unsigned i, struct figures_vbd *vbd);

/* Memory used inside, KiB; no more than the domain has. */
uint64_t figures_used_kib(const struct domain *d);

/*
 * data/meminfo_total and data/meminfo_free in xenstore: text that the guest writes, in kB; may be
 * rubbish. False, and empty texts, where it writes none.
 */
bool figures_meminfo(const struct domain *d, char total[static 32], char free[static 32]);

/* Load of each vCPU from now on, percent; -1: the domain's own again. */
void figures_set_load(struct domain *d, int32_t percent);

/* MAC of interface i: the definition's, else one of Xen's range (00:16:3e). */
void figures_mac(const struct domain *d, unsigned i, char mac[static 18]);

/* Number by which Xen knows disk i: 51712 for xvda, as in xen-vbd-interface(7). */
uint32_t figures_vbd_number(const struct domain *d, unsigned i);

#endif
