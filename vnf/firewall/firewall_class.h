/* SPDX-License-Identifier: BSD-3-Clause */
/* The class of the firewall. */
#ifndef SLUICE_VNF_FIREWALL_CLASS_H
#define SLUICE_VNF_FIREWALL_CLASS_H

#include "runtime/nf.h"

extern const struct nf_class firewall_class;

#endif
