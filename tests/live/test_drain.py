#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A NAT is taken out of its chain under established connections: these go on through it, new ones go past it, and it goes when the last has ended."""
import os
import signal

import mano
from lab import until
from live import Downloads, Live, Talk

NEVER = 31536000


class Drain(Live):
    engine = {"timeouts": {"tcpClosing": 1, "icmp": 1, "icmpOpening": 1, "udp": 5, "udpOpening": 5}, "drain": NEVER}

    def setUp(self):
        super().setUp()
        self.echo()

    def drains(self):
        return {drain["name"]: drain for drain in self.s.get("/v1/services/edge/state/drains").json}

    def sessions(self, wanted, name="nat"):
        until(f"{wanted} sessions drain", lambda: self.drains().get(name, {}).get("sessions") == wanted, 60)

    def past_it(self):
        """A new connection is not translated."""
        talk = Talk(self.line)
        self.addCleanup(talk.close)
        self.assertEqual(talk.say("new"), f"{self.line.CLIENT4} new", self.drops())
        return talk

    def take_out(self, forget):
        self.descriptor["chains"][0]["path"].remove("nat")
        self.nat = next(v for v in self.descriptor["vnfs"] if v["name"] == "nat")
        if forget:
            self.descriptor["vnfs"].remove(self.nat)
        self.apply()

    def put_in(self, **changes):
        self.descriptor["chains"][0]["path"].insert(2, "nat")
        if self.nat not in self.descriptor["vnfs"]:
            self.descriptor["vnfs"].append(self.nat)
        self.nat.update(changes)
        self.apply()

    def goes_on(self, talks, word):
        for talk in talks:
            self.assertEqual(talk.say(word), f"198.51.100.10 {word}", self.drops())

    def kill(self):
        """The service's process ends as in a crash; its successor runs."""
        pid = self.s.shown()["process"]["pid"]
        os.kill(pid, signal.SIGKILL)
        until("a successor is ready", lambda: self.s.shown()["process"].get("pid") not in (None, pid) and self.s.shown()["state"] == "ready", 60)

    def leave(self, talks):
        """With its last session it is gone, and has given back all of its ports."""
        self.sessions(len(talks))
        while talks:
            talks.pop().close()
        until("nothing drains", lambda: not self.drains(), 60)
        names = [vnf["name"] for vnf in self.s.get("/v1/services/edge/state/paths").json[0]["positions"]]
        self.assertEqual(names, self.descriptor["chains"][0]["path"][1:-1])

    def test_drain(self):
        downloads = Short(self.line)
        talks = [self.talk(), self.talk()]
        self.take_out(forget=True)
        self.goes_on(talks, "left")
        plain = [self.past_it()]
        self.descriptor["vnfs"][0]["config"]["rules"].insert(0, {"name": "other", "action": "drop", "destination": ["203.0.113.7"]})
        self.apply()
        self.goes_on(talks, "after another change")
        whole, cut, wrong = downloads.result()
        self.assertEqual((cut, wrong), ([], []), f"{whole} were whole")
        self.assertGreater(whole, 0)
        # A successor process goes on with it.
        self.kill()
        self.goes_on(talks, "still")
        # Its name comes back while it drains.
        self.put_in()
        self.goes_on(talks, "back")
        self.assertEqual(plain[0].say("back"), f"{self.line.CLIENT4} back")
        self.assertEqual(self.drains(), {})
        talks.append(self.talk())
        self.take_out(forget=False)
        self.goes_on(talks, "left again")
        self.past_it()
        self.leave(talks)
        for pool in self.s.get("/v1/services/edge/vnfs/nat/state/pools").json:
            self.assertEqual([pool["ports"][space]["used"] for space in ("tcp", "udp", "icmp")], [0, 0, 0], pool)
        self.balances()

    def test_process(self):
        """One that ran in a process of its own drains in the service's. Where nothing may drain its connections end, and leave nothing."""
        self.descriptor["vnfs"][1]["placement"] = "process"
        self.apply()
        talks = [self.talk()]
        self.take_out(forget=True)
        self.goes_on(talks, "left")
        self.past_it()
        self.sessions(1)
        self.put_in()
        self.goes_on(talks, "back")
        self.take_out(forget=True)
        self.goes_on(talks, "left again")
        self.descriptor["engine"]["drain"] = 0
        self.apply()
        self.assertEqual(self.drains(), {})
        until("its sessions have ended", lambda: not [s for s in self.s.get("/v1/services/edge/state/sessions").json
                                                      if s["answer"]["destination"] == "198.51.100.10"], 30)
        self.balances()


class Short(Downloads):
    SIZE = 2 << 20


mano.main()
