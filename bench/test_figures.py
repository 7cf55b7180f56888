"""The benchmark's own arithmetic: what is read from logs, and what follows from it. Needs no server."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "demo")]

import load  # noqa: E402
import server_log  # noqa: E402
import summary  # noqa: E402
from load import Transaction  # noqa: E402

LOG = """\
2026-11-28 00:00:01.000 UTC [7] curlew LOG:  duration: 100.000 ms  statement: ALTER TABLE public.t ADD COLUMN phone_number text
2026-11-28 00:00:02.000 UTC [7] curlew LOG:  duration: 500.000 ms  statement: UPDATE ONLY public.t AS t SET
\tphone_number = 'x' WHERE t.ctid >= '(0,0)'::tid
2026-11-28 00:00:02.100 UTC [8] curlew LOG:  duration: 5.000 ms  execute <unnamed>: UPDATE curlew.walk SET t = 1
2026-11-28 00:00:03.000 UTC [8] curlew LOG:  duration: 700.000 ms  execute <unnamed>: UPDATE ONLY public.t_3 AS t SET phone_number = $1
2026-11-28 00:00:03.500 UTC [8] curlew LOG:  duration: 50.000 ms  statement: ANALYZE public.t
2026-11-28 00:00:04.000 UTC [8] curlew LOG:  duration: 250.000 ms  statement: SELECT count(*) FROM ONLY public.t AS t WHERE true
2026-11-28 00:00:04.100 UTC [8] curlew LOG:  duration: 2.000 ms  statement: SELECT 1 FROM public.tenants
2026-11-28 00:00:05.000 UTC [8] curlew LOG:  duration: 90.000 ms  statement: ALTER TABLE public.t VALIDATE CONSTRAINT c
2026-11-28 00:00:06.000 UTC [8] curlew LOG:  duration: 90.000 ms  statement: SELECT count(*) FROM public.t
"""


def run(way: str, **figures) -> dict:
    return {"table": "narrow", "rows": 1_000_000, "load": False, "way": way, "repeat": 0} | figures


class Figures(unittest.TestCase):

    def test_a_backfill_lasts_from_its_first_batch_to_its_last_and_is_then_verified(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
            log.write(LOG)
            log.flush()
            found = server_log.phases(server_log.statements(Path(log.name), 0))
        self.assertEqual(len(found.batches), 2)
        self.assertAlmostEqual(server_log.span(found.batches), 1.5, 3)
        self.assertAlmostEqual(server_log.span(found.verification), 0.25, 3)
        self.assertAlmostEqual(server_log.span(found.maintenance), 0.05, 3)

    def test_a_log_without_batches_is_an_error(self) -> None:
        with self.assertRaises(RuntimeError):
            server_log.phases([])

    def test_a_stall_lasts_while_one_is_due_and_none_is_finished(self) -> None:
        quiet = [Transaction(1.0, 1.1), Transaction(5.0, 5.2)]
        self.assertAlmostEqual(load.longest_stall(quiet), 0.2)
        blocked_beside_others = [Transaction(1.5, 1.6), Transaction(2.0, 2.1), Transaction(1.0, 3.0)]
        self.assertAlmostEqual(load.longest_stall(blocked_beside_others), 0.9)

    def test_latencies_count_from_when_a_transaction_was_due(self) -> None:
        done = [Transaction(float(i), i + 0.001) for i in range(99)] + [Transaction(90.0, 99.5)]
        found = load.latencies(done)
        self.assertAlmostEqual(found["p50_ms"], 1.0, 3)
        self.assertAlmostEqual(found["max_ms"], 9500.0, 3)
        self.assertEqual(load.timeline(done, 90.0, 91.0)[0], [0.0, 9500.0])

    def test_only_transactions_of_the_time_at_work_count(self) -> None:
        done = [Transaction(1.0, 1.5), Transaction(1.0, 2.5), Transaction(2.2, 9.0), Transaction(8.0, 9.5)]
        self.assertEqual(load.during(done, 2.0, 3.0), done[1:3])

    def test_goals_take_the_median_of_repetitions_and_say_what_was_not_measured(self) -> None:
        runs = [run("update", rows_per_second=100.0), *(run("curlew-2", rows_per_second=speed, seconds=1.0,
                                                            verification_seconds=0.3) for speed in (90.0, 170.0, 180.0))]
        goals = {goal["name"]: goal for goal in summary.goals(summary.medians(runs))}
        speed = goals["narrow 1M: speed of 2 workers / one UPDATE"]
        self.assertEqual((speed["value"], speed["met"]), (1.7, True))
        self.assertIs(goals["narrow 1M: time of verification / backfill, the worst"]["met"], False)
        self.assertIsNone(goals["narrow 1M: speed of 1 worker / one UPDATE"]["met"])


if __name__ == "__main__":
    unittest.main()
