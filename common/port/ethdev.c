/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that are DPDK devices: attached live, as many queues as they have, no offloads. Control side, but for rx and tx. */
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "port/port.h"

enum { FRAME_OVERHEAD = RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN };

/* Toeplitz with a period of 16 bits: source and destination may change places. As long as the longest that devices have. */
static const uint8_t symmetric_key[] = {
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
	0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a,
};

#define ADDRESSES                                                                                       \
	(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 | \
	 RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER)

/* A frame of several segments is one that no single mbuf could hold. */
static uint16_t drop_oversize(struct port *port, struct rte_mbuf **m, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (m[i]->nb_segs == 1) {
			m[kept++] = m[i];
			continue;
		}
		port_count_oversize(port);
		rte_pktmbuf_free(m[i]);
	}
	return kept;
}

static uint16_t ethdev_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	uint16_t got = rte_eth_rx_burst(port->device, (uint16_t)queue, m, n), segments = 1;

	for (uint16_t i = 0; i < got; i++)
		segments |= m[i]->nb_segs;
	return likely(segments == 1) ? got : drop_oversize(port, m, got);
}

static uint16_t send_frames(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	return rte_eth_tx_burst(port->device, (uint16_t)queue, m, n);
}

/* No offload is asked for, and so none for several segments. */
static uint16_t ethdev_tx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	return port_send_fit(port, queue, m, n, 0, send_frames);
}

static bool ethdev_up(struct port *port)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(port->device, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

static void ethdev_close(struct port *port)
{
	struct rte_eth_dev_info info;
	bool known = rte_eth_dev_info_get(port->device, &info) == 0;

	rte_eth_dev_stop(port->device);
	rte_eth_dev_close(port->device);
	if (known)
		rte_dev_remove(info.device);
}

static uint64_t ethdev_missed(struct port *port)
{
	struct rte_eth_stats stats;

	return rte_eth_stats_get(port->device, &stats) == 0 ? stats.imissed + stats.rx_nombuf : 0;
}

static bool ethdev_show_link(struct port *port, bool up)
{
	return (up ? rte_eth_dev_set_link_up(port->device) : rte_eth_dev_set_link_down(port->device)) == 0;
}

static const struct port_ops ethdev_ops = { ethdev_rx,     ethdev_tx, ethdev_up,       ethdev_close,
	                                    ethdev_missed, NULL,      ethdev_show_link };

static uint16_t at_most(uint16_t wanted, uint16_t limit)
{
	return limit && wanted > limit ? limit : wanted;
}

static int set_up_queues(struct port *port, const struct rte_eth_dev_info *info)
{
	uint16_t rx = PORT_RING_SIZE, tx = PORT_RING_SIZE;
	int failed = rte_eth_dev_adjust_nb_rx_tx_desc(port->device, &rx, &tx);

	(void)info;
	for (uint16_t q = 0; !failed && q < port->rx_queues; q++)
		failed = rte_eth_rx_queue_setup(port->device, q, rx, SOCKET_ID_ANY, NULL, port->pool);
	for (uint16_t q = 0; !failed && q < port->tx_queues; q++)
		failed = rte_eth_tx_queue_setup(port->device, q, tx, SOCKET_ID_ANY, NULL);
	return failed;
}

static uint32_t mtu_for(const struct port *port, const struct rte_eth_dev_info *info, uint16_t wanted)
{
	uint32_t room = rte_pktmbuf_data_room_size(port->pool) - RTE_PKTMBUF_HEADROOM - FRAME_OVERHEAD;

	return wanted > RTE_ETHER_MTU ? RTE_MIN((uint32_t)wanted, RTE_MIN(room, (uint32_t)info->max_mtu)) : 0;
}

/* Several queues: by a hash of the addresses alone, whose key is the same word again and again, so that both directions of a flow, its fragments and
 * its ICMP errors between the same hosts come by one queue. What a device cannot hash comes by its first queue. */
static void spread(struct rte_eth_conf *configuration, const struct rte_eth_dev_info *info)
{
	configuration->rx_adv_conf.rss_conf.rss_hf = ADDRESSES & info->flow_type_rss_offloads;
	if (!configuration->rx_adv_conf.rss_conf.rss_hf)
		return;
	configuration->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	if (info->hash_key_size && info->hash_key_size <= sizeof(symmetric_key)) {
		configuration->rx_adv_conf.rss_conf.rss_key = (uint8_t *)(uintptr_t)symmetric_key;
		configuration->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size;
	}
}

static int configure(struct port *port, uint16_t queues, uint16_t mtu)
{
	struct rte_eth_conf configuration = { 0 };
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	int failed = rte_eth_dev_info_get(port->device, &info);

	if (failed)
		return failed;
	port->rx_queues = at_most(queues, info.max_rx_queues);
	port->tx_queues = at_most(queues, info.max_tx_queues);
	/* Devices with a peer that may come and go tell so by interrupt only if asked to. */
	configuration.intr_conf.lsc = (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
	configuration.rxmode.mtu = mtu_for(port, &info, mtu);
	if (port->rx_queues > 1)
		spread(&configuration, &info);
	failed = rte_eth_dev_configure(port->device, port->rx_queues, port->tx_queues, &configuration);
	if (failed)
		return failed;
	failed = set_up_queues(port, &info);
	if (failed)
		return failed;
	failed = rte_eth_dev_start(port->device);
	if (failed)
		return failed;
	rte_eth_promiscuous_enable(port->device);
	if (rte_eth_macaddr_get(port->device, &mac) == 0)
		memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
	return 0;
}

bool port_ethdev(struct port *port, const struct port_options *options, const char *device,
                 const char *arguments, uint16_t queues, struct errors *errors)
{
	int failed = arguments ? rte_eal_hotplug_add("vdev", device, arguments)
	                       : rte_eal_hotplug_add("pci", device, "");

	if (failed && failed != -EEXIST) {
		port_error(errors, options, "no-device", "the device could not be attached: %s",
		           rte_strerror(-failed));
		return false;
	}
	failed = rte_eth_dev_get_port_by_name(device, &port->device);
	snprintf(port->device_name, sizeof(port->device_name), "%s", device);
	if (!failed)
		failed = configure(port, queues, options->mtu);
	if (failed) {
		port_error(errors, options, "no-device", "the device could not be set up: %s",
		           rte_strerror(failed < 0 ? -failed : failed));
		rte_eal_hotplug_remove(arguments ? "vdev" : "pci", device);
		return false;
	}
	port->ops = &ethdev_ops;
	return true;
}
