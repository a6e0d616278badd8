/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that need no care: NICs by PCI address, capture files, and nothing at all. Control side. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/port.h"

bool port_open_pci(struct port *port, const struct port_options *options, const char *rest,
                   struct errors *errors)
{
	return port_ethdev(port, options, rest, NULL, options->queues, errors);
}

/* Whether a file begins as a capture does: pcap of micro- or nanoseconds, in either byte order. */
static bool is_capture(int fd)
{
	uint32_t magic = 0;

	if (read(fd, &magic, sizeof(magic)) != (ssize_t)sizeof(magic))
		return false;
	return magic == 0xa1b2c3d4 || magic == 0xd4c3b2a1 || magic == 0xa1b23c4d || magic == 0x4d3cb2a1;
}

/* The file that is written loses what it had: that may be nothing or another capture, for whoever configures a port is not to empty any file. */
static bool may_write(const struct port_options *options, const char *path, struct errors *errors)
{
	struct stat file;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool fine;

	if (fd < 0 && errno == ENOENT)
		return true;
	fine = fd >= 0 && fstat(fd, &file) == 0 &&
	       (S_ISCHR(file.st_mode) || (S_ISREG(file.st_mode) && (file.st_size == 0 || is_capture(fd))));
	if (fd >= 0)
		close(fd);
	if (!fine)
		port_error(errors, options, "no-capture",
		           "\"%s\" is there and no capture: it is not written over", path);
	return fine;
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
	if (rest[length] == ',' && !may_write(options, rest + length + 1, errors))
		return false;
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
