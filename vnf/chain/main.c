/* SPDX-License-Identifier: BSD-3-Clause */
/* sluice-chain: the service process, which has every class. */
#include "count/count_class.h"
#include "firewall/firewall_class.h"
#include "lb/lb_class.h"
#include "nat/nat_class.h"
#include "runtime/process/main.h"

int main(int argc, char **argv)
{
	static const struct nf_class *const classes[] = { &firewall_class, &nat_class, &lb_class,
		                                          &count_class, NULL };

	return vnf_main(argc, argv, "sluice-chain", classes);
}
