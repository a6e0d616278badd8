/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Typed values of checked nodes, for compilers: each reads one scalar node by the same rule that
 * schema_check() used. Answers false, and leaves the result alone, for NULL (an absent member) or a value of
 * another kind. Any thread.
 */
#ifndef SLUICE_CONFIG_VALUES_H
#define SLUICE_CONFIG_VALUES_H

#include "config/conf.h"
#include "util/net.h"

bool conf_as_address(const struct conf *value, struct ip_addr *address);
bool conf_as_prefix(const struct conf *value, struct ip_prefix *prefix);
bool conf_as_interface(const struct conf *value, struct ip_prefix *interface);
bool conf_as_mac(const struct conf *value, struct mac_addr *mac);
/* Ports in host order; the value may be an integer or a text ("80", "1000-2000"). */
bool conf_as_ports(const struct conf *value, uint16_t *first, uint16_t *last);

#endif
