/* SPDX-License-Identifier: BSD-3-Clause */
/* What functions hold for sessions: ports, mappings, places at backends; 0 when none has any. By their snapshots; while no worker runs. */
#ifndef SLUICE_FUZZ_IMPORT_HOLDS_H
#define SLUICE_FUZZ_IMPORT_HOLDS_H

unsigned import_nat_holds(const void *snapshot);
unsigned import_lb_holds(const void *snapshot);
/* The identity of their first pool of addresses and ports. */
unsigned import_nat_pool(const void *snapshot);
unsigned import_lb_pool(const void *snapshot);

#endif
