# SPDX-License-Identifier: BSD-3-Clause
"""Events of a process, followed by a client that is cut off again and again, and by one that was away for too long."""
import http.client
import json
import threading
import unittest

from lab import Lab, _Unix, until

RING = 4096  # events that a process keeps


class Follower(threading.Thread):
    """Reads server-sent events; begins anew behind the last id whenever it has read `patience` of them."""

    def __init__(self, socket, patience, last="0"):
        super().__init__(daemon=True)
        self.socket, self.patience, self.last = socket, patience, last
        self.events, self.connections, self.stopping = [], 0, False

    def read_one(self, answer):
        fields = {}
        while True:
            line = answer.readline().decode()
            if not line:
                return None
            if line == "\n" and "data" in fields:
                return fields
            if line == "\n":
                fields = {}
            elif not line.startswith(":"):
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value

    def follow(self):
        connection = _Unix(self.socket, 30)
        self.connections += 1
        try:
            connection.request("GET", "/v1/events", headers={"Accept": "text/event-stream", "Last-Event-ID": self.last})
            with connection.getresponse() as answer:
                for _ in range(self.patience):
                    event = self.read_one(answer)
                    if not event or self.stopping:
                        return
                    self.events.append((event["event"], int(event["id"]), json.loads(event["data"])))
                    self.last = event["id"]
        finally:
            connection.close()

    def run(self):
        while not self.stopping:
            try:
                self.follow()
            except (OSError, http.client.HTTPException):
                pass

    def ids(self):
        return [number for _, number, _ in self.events]


class Events(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.document = {"edge": {"ports": [{"name": "lan", "device": "null:?receive=0"}, {"name": "wan", "device": "null:?receive=0"}]},
                         "functions": [{"name": "c", "kind": "count"}], "paths": [{"name": "all", "path": ["lan", "c", "wan"]}]}
        self.engine = self.lab.engine("e", self.document).ready()

    def happen(self, times):
        """Each change of the configuration is an event."""
        connection = _Unix(self.engine.socket, 60)
        self.addCleanup(connection.close)
        for i in range(times):
            self.document["paths"][0]["priority"] = 1 - self.document["paths"][0].get("priority", 0)
            connection.request("PUT", "/v1/config", json.dumps(self.document), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
            self.assertEqual(answer.status, 200, body)

    def kept(self):
        return self.engine.rest("GET", f"/v1/events?last=0&limit={RING}", headers={"Accept": "application/json"}).json()

    def follower(self, *arguments):
        made = Follower(self.engine.socket, *arguments)
        made.start()
        self.addCleanup(setattr, made, "stopping", True)
        return made

    def test_cut_off_again_and_again(self):
        follower = self.follower(7)
        self.happen(300)
        last = self.kept()[-1]["id"]
        self.assertGreater(last, 300)
        until("all were read", lambda: follower.last == str(last), 60)
        self.assertEqual(follower.ids(), list(range(1, last + 1)), "each once, in order, whatever happened between")
        self.assertGreater(follower.connections, last // 7)
        self.assertEqual([data["id"] for _, _, data in follower.events], follower.ids())

    def test_away_for_too_long(self):
        early = self.follower(3)
        until("it has begun", lambda: len(early.events) == 1)
        early.stopping = True
        away = int(early.last)
        self.happen(RING + 100)
        kept = self.kept()
        self.assertEqual(len(kept), RING)
        first, last = kept[0]["id"], kept[-1]["id"]
        self.assertGreater(first, away + 1)
        late = self.follower(1 << 20, str(away))
        until("it has read all", lambda: late.last == str(last), 60)
        kind, number, data = late.events[0]
        self.assertEqual((kind, number, data), ("gap", first - 1, {"kind": "gap", "lost": first - 1 - away}), "how many are gone is said, and where it goes on")
        self.assertEqual(late.ids()[1:], list(range(first, last + 1)))
        self.assertNotIn("gap", [kind for kind, _, _ in late.events[1:]])
        resumed = self.follower(1 << 20, str(first + 10))
        until("it has read the rest", lambda: resumed.last == str(last), 60)
        self.assertEqual(resumed.ids(), list(range(first + 11, last + 1)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
