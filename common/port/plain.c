/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that need no care: NICs by PCI address, capture files, and nothing at all. Control side. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "port/port.h"

bool port_open_pci(struct port *port, const struct port_options *options, const char *rest,
                   struct errors *errors)
{
	return port_ethdev(port, options, rest, NULL, options->queues, errors);
}

bool port_open_pcap(struct port *port, const struct port_options *options, const char *rest,
                    struct errors *errors)
{
	size_t length = strcspn(rest, ",");
	char device[PORT_NAME_MAX], arguments[2 * PORT_URL_MAX + 32], rx[PORT_URL_MAX];

	snprintf(rx, sizeof(rx), "%.*s", (int)length, rest);
	if (access(rx, R_OK) < 0) {
		port_error(errors, options, "no-file", "cannot read the capture \"%s\": %m", rx);
		return false;
	}
	snprintf(device, sizeof(device), "net_pcap%u", options->number);
	if (rest[length] == ',')
		snprintf(arguments, sizeof(arguments), "rx_pcap=%s,tx_pcap=%s", rx, rest + length + 1);
	else
		snprintf(arguments, sizeof(arguments), "rx_pcap=%s,tx_pcap=/dev/null", rx);
	return port_ethdev(port, options, device, arguments, 1, errors);
}

bool port_open_null(struct port *port, const struct port_options *options, const char *rest,
                    struct errors *errors)
{
	char device[PORT_NAME_MAX], arguments[64];

	snprintf(device, sizeof(device), "net_null%u", options->number);
	snprintf(arguments, sizeof(arguments), "size=%u,copy=0%s", port_option(rest, "size", 64),
	         port_option(rest, "receive", 1) ? "" : ",no-rx=1");
	return port_ethdev(port, options, device, arguments, options->queues, errors);
}
