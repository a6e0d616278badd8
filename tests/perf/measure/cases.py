# SPDX-License-Identifier: BSD-3-Clause
"""The cases by name, in the order of the table."""
import collections

from . import compute, links, process

Case = collections.namedtuple("Case", "measure rows help")
CASES = {}


def _case(name, measure, text, rows=None):
    CASES[name] = Case(measure, rows or [name], text)


_case("null", compute.null, "receive and send, nothing between")
_case("hop", compute.hop, "one more function that does nothing: the difference of four and none, over four")
for _name in ("firewall-64k", "firewall-1m", "nat-64k", "nat-1m", "lb-64k", "lb-1m"):
    _case(_name, compute.packets, "one function, established sessions")
for _name in ("chain2-64k", "chain2-1m"):
    _case(_name, compute.packets, "firewall and NAT, one session for both")
for _name in ("chain3-64k", "chain3-1m"):
    _case(_name, compute.packets, "firewall, NAT and load balancer, one session for all three")
_case("router-900k", compute.packets, "no function, 900,000 routes, destinations all over them: the next hop is in the session")
for _name in ("chain2-900k", "chain2-900k-1m"):
    _case(_name, compute.packets, "firewall and NAT before 900,000 routes; 64 k and 1 M sessions")
for _name in ("chain3-900k", "chain3-900k-1m"):
    _case(_name, compute.whole, "the three functions before 900,000 routes, clients behind one half of them and 1,000 backends behind the other; and their share of the slowest function alone",
          [_name, _name + "-share"])
for _name in ("acl-1k", "acl-10k"):
    _case(_name, compute.packets, "the classifier alone: what a first packet pays for rules")
_case("sessions-firewall", compute.sessions, "sessions opened by their first packets and closed again, a second")
_case("sessions-firewall-10k", compute.sessions, "the same with 10,000 rules")
_case("sessions-nat", compute.sessions, "the same of a NAT")
_case("sessions-lb", compute.sessions, "the same of a load balancer")
_case("sessions-900k", compute.sessions, "the same of no function, 900,000 routes: each first packet is a lookup")
_case("workers2", compute.workers, "two workers against one: null forwarders, NAT and new sessions, input spread by owner and half of it at the wrong one",
      ["workers2-null", "workers2-spread", "workers2-unspread", "workers2-handed", "workers2-sessions-spread", "workers2-sessions-unspread"])
LINK_ROWS = ["", "-loss", "-p50", "-p99", "-p99.9"]
for _name in ("link-vhost-64", "link-vhost-1500", "link-memif-64", "link-memif-1500"):
    _case(_name, links.link, "a firewall behind two links: rate and loss at full rate, latency at half of it", [_name + r for r in LINK_ROWS])
for _name in ("processes1", "processes2", "processes3"):
    _case(_name, links.processes, "functions local against the same as processes, all on one cpu",
          [_name + r for r in ("-local", "", "-times", "-hop", "-local-p50", "-p50", "-slower")])
_case("processes1-own", links.processes_own, "the same with a cpu of its own for each process and each end of the traffic; of four cpus",
      ["processes1-own" + r for r in ("-local", "", "-times", "-hop", "-local-p50", "-p50", "-slower")])
_case("first-packet", links.first_packet, "latency of single packets to a process that sleeps", ["first-packet", "first-packet-p99"])
_case("idle", process.idle, "share of a core of a process without traffic")
_case("memory", process.memory, "proportional set size of such a process")
_case("session-memory", process.session_memory, "memory of a session, IPv4 and IPv6, alone and with room for slots",
      ["session-memory", "session-memory6", "session-memory-slots", "session-memory6-slots"])
_case("recovery", process.recovery, "longest time without a packet when a service's process is killed under 2,000 packets a second")
_case("upgrade", process.upgrade, "the same when another process takes its place, as in an upgrade, and packets lost", ["upgrade", "upgrade-lost"])
_case("upgrade-hops", process.upgrade, "the same of a service with two functions in processes of their own, all three replaced", ["upgrade-hops", "upgrade-hops-lost"])
HANDOVER_ROWS = [f"-{step}{what}" for step in ("out", "back", "workers2", "workers1") for what in ("", "-change")] + ["-lost", "-kept"]
for _name in ("handover-64k", "handover-1m"):
    _case(_name, process.handover, "a NAT goes to a process of its own and back, workers come and go: longest silence of a flow, time of the whole change", [_name + r for r in HANDOVER_ROWS])

# The table of README.md; docs/PERFORMANCE.md has them all.
README = ["null", "hop", "firewall-64k", "firewall-1m", "nat-64k", "nat-1m", "lb-64k", "lb-1m", "chain2-64k", "chain2-1m", "chain3-64k", "chain3-1m", "chain3-900k",
          "acl-1k", "acl-10k", "sessions-firewall", "sessions-nat", "sessions-lb", "idle", "memory", "recovery"]
