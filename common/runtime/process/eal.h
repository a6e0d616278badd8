/* SPDX-License-Identifier: BSD-3-Clause */
/* Bringing DPDK's environment up: with hugepages or without, chosen by itself. Main thread, once a process. */
#ifndef SLUICE_RUNTIME_EAL_H
#define SLUICE_RUNTIME_EAL_H

#include <stdbool.h>

#include "util/errors.h"

enum eal_hugepages { EAL_HUGEPAGES_AUTO, EAL_HUGEPAGES_ALWAYS, EAL_HUGEPAGES_NEVER };

struct eal_options {
	const char *name;   /* for the file prefix */
	const char *cpus;   /* where the control thread may run: "0" or "0-3"; NULL: where it may now */
	unsigned memory_mb; /* packet and table memory; 0: 128 */
	enum eal_hugepages hugepages;
	bool pci; /* a pci: port is configured */
};

/* False with errors that name the reason and the way out. */
bool eal_start(const struct eal_options *options, struct errors *errors);
void eal_stop(void);

#endif
