/* SPDX-License-Identifier: BSD-3-Clause */
/* sluice-nat: a process with this one function. */
#include "nat/nat_class.h"
#include "runtime/process/main.h"

int main(int argc, char **argv)
{
	static const struct nf_class *const classes[] = { &nat_class, NULL };

	return vnf_main(argc, argv, "sluice-nat", classes);
}
