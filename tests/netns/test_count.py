# SPDX-License-Identifier: BSD-3-Clause
"""The smallest function, vnf/count: it is small, counts what crosses it, and REST and metrics show that without a line of its own."""
import os
import unittest

from lab import SOURCE, Line, rest


class Count(unittest.TestCase):
    def test_it_is_small(self):
        with open(os.path.join(SOURCE, "vnf", "count", "count.c")) as file:
            self.assertLessEqual(len(file.readlines()), 40)

    def test_it_counts(self):
        lab = Line()
        self.addCleanup(lab.close)
        engine = lab.engine("count", lab.document([{"name": "sizes", "kind": "count"}])).ready()
        self.assertEqual(lab.ping(lab.SERVER4, count=1), 1)
        before = engine.get("/v1/vnfs/sizes")["counters"]
        self.assertEqual(lab.ping(lab.SERVER4, count=4, size=56), 4)    # 98 bytes each way
        self.assertEqual(lab.ping(lab.SERVER4, count=3, size=500), 3)   # 542
        self.assertEqual(lab.ping(lab.SERVER6, count=2, size=1200), 2)  # 1262
        now = engine.get("/v1/vnfs/sizes")["counters"]
        self.assertEqual({k: now[k] - before[k] for k in ("medium", "large")}, {"medium": 6, "large": 4})
        self.assertGreaterEqual(now["small"] - before["small"], 8)  # neighbour discovery may cross, too
        metrics = rest(engine.socket, "GET", "/metrics").body
        self.assertIn('event="large"', metrics)
        self.assertIn('sluice_function_packets_total{function="sizes"', metrics)


if __name__ == "__main__":
    unittest.main(verbosity=2)
