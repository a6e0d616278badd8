/* SPDX-License-Identifier: BSD-3-Clause */
/* sluice-firewall: a process with this one function. */
#include "firewall/firewall_class.h"
#include "runtime/process/main.h"

int main(int argc, char **argv)
{
	static const struct nf_class *const classes[] = { &firewall_class, NULL };

	return vnf_main(argc, argv, "sluice-firewall", classes);
}
