/* SPDX-License-Identifier: BSD-3-Clause */
/* The class, for those who list classes. */
#ifndef SLUICE_VNF_LB_CLASS_H
#define SLUICE_VNF_LB_CLASS_H

#include "runtime/nf.h"

extern const struct nf_class lb_class;

#endif
