# SPDX-License-Identifier: BSD-3-Clause
"""Rows of figures, and how they are printed. A row: case, unit, minimum, median, maximum, number of samples, ratio of the median to the null forwarder's."""
import statistics

KEYS = ["case", "unit", "min", "median", "max", "samples", "ratio"]
COLUMNS = "| case | unit | min | median | max | samples | ratio to null |\n|---|---|---:|---:|---:|---:|---:|"


def row(case, unit, values, nulls=None):
    result = {"case": case, "unit": unit, "min": min(values), "median": statistics.median(values), "max": max(values), "samples": len(values), "ratio": None}
    if nulls:
        result["ratio"] = result["median"] / statistics.median(nulls)
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()}


def heading(markdown):
    return COLUMNS if markdown else f"{'case':24} {'unit':16} {'min':>11} {'median':>11} {'max':>11} {'samples':>8} {'ratio':>7}"


def line(r, markdown):
    figures = [f"{r[k]:,.2f}" if abs(r[k]) < 1000 else f"{r[k]:,.0f}" for k in ("min", "median", "max")]
    ratio = f"{r['ratio']:.2f}" if r["ratio"] else "-"
    if markdown:
        return f"| {r['case']} | {r['unit']} | {' | '.join(figures)} | {r['samples']} | {ratio} |"
    return f"{r['case']:24} {r['unit']:16} {figures[0]:>11} {figures[1]:>11} {figures[2]:>11} {r['samples']:8} {ratio:>7}"
