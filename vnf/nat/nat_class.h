/* SPDX-License-Identifier: BSD-3-Clause */
/* The class of the NAT. */
#ifndef SLUICE_VNF_NAT_CLASS_H
#define SLUICE_VNF_NAT_CLASS_H

#include "runtime/nf.h"

extern const struct nf_class nat_class;

#endif
