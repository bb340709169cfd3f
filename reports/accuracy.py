#!/usr/bin/env python3
"""accuracy.py -- predicted over measured time: reads accuracy.csv, writes accuracy.svg and accuracy.png.

Usage: accuracy.py accuracy.csv DIRECTORY
"""

import csv
import sys

import matplotlib

matplotlib.use("Agg")
from figures import (BLUE, BROWN, FAINT, GREEN, GREY, INK, MUTED, ORANGE, PINK, RED, SKY, VIOLET,  # noqa: E402
                     YELLOW, plt, save)

COLOURS = [BLUE, ORANGE, GREEN, RED, VIOLET, SKY, PINK, BROWN, YELLOW, GREY, INK]
MARKERS = "osD^v"
BAND = 0.18  # the target of the 90th percentile


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["measured_s"]]


def draw_source(axes, rows, colour, marker, name):
    for counts, face in (("1", colour), ("0", "none")):
        some = [r for r in rows if r["counts"] == counts]
        axes.plot([float(r["measured_s"]) for r in some], [float(r["predicted_s"]) for r in some], marker,
                  markersize=3.6, markeredgewidth=0.7, markeredgecolor=colour, markerfacecolor=face, alpha=0.75)
    axes.plot([], [], marker, markersize=4.5, color=colour, label=f"{name}, {len(rows)}")


def draw(rows, directory):
    figure, axes = plt.subplots(figsize=(7.2, 5.4))
    times = [float(r[key]) for r in rows for key in ("measured_s", "predicted_s")]
    ends = [min(times) / 1.5, max(times) * 1.5]
    axes.fill_between(ends, [e * (1 - BAND) for e in ends], [e * (1 + BAND) for e in ends], color=FAINT, alpha=0.6,
                      linewidth=0)
    axes.plot(ends, ends, color=MUTED, linewidth=0.9)
    for number, name in enumerate(sorted({r["source"] for r in rows})):
        draw_source(axes, [r for r in rows if r["source"] == name], COLOURS[number % len(COLOURS)],
                    MARKERS[number // len(COLOURS) % len(MARKERS)], name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_xlabel("measured, s")
    axes.set_ylabel("predicted, s")
    axes.set_title("Time: predicted over measured, ±18 %")
    axes.legend(loc="upper left", frameon=False, fontsize=7.5, handletextpad=0.2)
    save(figure, "accuracy", directory)


if __name__ == "__main__":
    found = read(sys.argv[1])
    if found:
        draw(found, sys.argv[2])
