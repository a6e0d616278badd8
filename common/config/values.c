/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network values of configuration nodes. Holds no data; any thread.
 */
#include "config/values.h"

static bool is_text(const struct conf *value)
{
	return value && value->type == CONF_STRING;
}

bool conf_as_address(const struct conf *value, struct ip_addr *address)
{
	struct ip_addr found;

	if (!is_text(value) || !ip_addr_parse(value->string, &found))
		return false;
	*address = found;
	return true;
}

bool conf_as_prefix(const struct conf *value, struct ip_prefix *prefix)
{
	struct ip_prefix found;

	if (!is_text(value) || !ip_prefix_parse(value->string, &found))
		return false;
	*prefix = found;
	return true;
}

bool conf_as_interface(const struct conf *value, struct ip_prefix *interface)
{
	struct ip_prefix found;

	if (!is_text(value) || !ip_interface_parse(value->string, &found))
		return false;
	*interface = found;
	return true;
}

bool conf_as_mac(const struct conf *value, struct mac_addr *mac)
{
	struct mac_addr found;

	if (!is_text(value) || !mac_parse(value->string, &found))
		return false;
	*mac = found;
	return true;
}

bool conf_as_ports(const struct conf *value, uint16_t *first, uint16_t *last)
{
	uint16_t low, high;

	if (value && value->type == CONF_INT && value->integer >= 0 && value->integer <= UINT16_MAX) {
		*first = *last = (uint16_t)value->integer;
		return true;
	}
	if (!is_text(value) || !port_range_parse(value->string, &low, &high))
		return false;
	*first = low;
	*last = high;
	return true;
}
