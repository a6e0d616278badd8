/* SPDX-License-Identifier: BSD-3-Clause */
/* sluice-lb: a process with this one function. */
#include "lb/lb_class.h"
#include "runtime/process/main.h"

int main(int argc, char **argv)
{
	static const struct nf_class *const classes[] = { &lb_class, NULL };

	return vnf_main(argc, argv, "sluice-lb", classes);
}
