/* SPDX-License-Identifier: BSD-3-Clause */
/* The class of the smallest function, see count.c. */
#ifndef SLUICE_VNF_COUNT_CLASS_H
#define SLUICE_VNF_COUNT_CLASS_H

#include "runtime/nf.h"

extern const struct nf_class count_class;

#endif
