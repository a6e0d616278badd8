# SPDX-License-Identifier: BSD-3-Clause
"""A laboratory for what stands in the wire: client -- lan [edge] wan -- server, in one subnet."""
from lab import Lab, Line, run


class Bump(Lab):
    CLIENT4, CLIENT6, SERVER4, SERVER6 = "192.0.2.10", "2001:db8:1::10", "192.0.2.20", "2001:db8:1::20"
    CLIENT_MAC, SERVER_MAC = "02:00:00:00:0c:01", "02:00:00:00:05:01"

    def __init__(self, hosts=True):
        """hosts: with addresses; else both ends are silent, and have room for two VLAN tags."""
        super().__init__()
        self.client, self.edge, self.server = self.space("client"), self.space("edge"), self.space("server")
        self.veth(self.client, "eth0", self.edge, "lan0")
        self.veth(self.server, "eth0", self.edge, "wan0")
        for name in ("lan0", "wan0") if not hosts else ():
            run("ip", "-n", self.edge, "link", "set", name, "mtu", 1508)
        for space, addresses, mac in ((self.client, [f"{self.CLIENT4}/24", f"{self.CLIENT6}/64"], self.CLIENT_MAC), (self.server, [f"{self.SERVER4}/24", f"{self.SERVER6}/64"], self.SERVER_MAC)):
            run("ip", "-n", space, "link", "set", "eth0", "address", mac)
            if not hosts:
                run("ip", "netns", "exec", space, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
                run("ip", "-n", space, "link", "set", "eth0", "mtu", 1508)
            self.host(space, "eth0", addresses if hosts else [])

    def ports(self):
        return [{"name": "lan", "device": "af_packet:lan0", "netns": self.edge, "pair": "wan"}, {"name": "wan", "device": "af_packet:wan0", "netns": self.edge}]

    ping, _ping, web, fetch = Line.ping, Line._ping, Line.web, Line.fetch
