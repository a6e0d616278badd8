/* SPDX-License-Identifier: BSD-3-Clause */
/* The main function of every datapath process: an engine, its REST server and its command line. */
#ifndef SLUICE_RUNTIME_MAIN_H
#define SLUICE_RUNTIME_MAIN_H

#include "runtime/nf.h"

/* Runs a process that offers the given classes (NULL-terminated, static); answers the exit status: 0 done, 1 failed, 2 usage, 7 invalid. */
int vnf_main(int argc, char **argv, const char *program, const struct nf_class *const *classes);

#endif
