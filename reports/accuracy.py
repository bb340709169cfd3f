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


def draw_source(axes, rows, style, value):
    colour, marker = style
    for counts, face in (("1", colour), ("0", "none")):
        some = [r for r in rows if r["counts"] == counts]
        axes.plot([float(r["measured_s"]) for r in some], [value(r) for r in some], marker, markersize=3.6,
                  markeredgewidth=0.7, markeredgecolor=colour, markerfacecolor=face, alpha=0.75)


def draw_times(axes, ends):
    axes.fill_between(ends, [e * (1 - BAND) for e in ends], [e * (1 + BAND) for e in ends], color=FAINT, alpha=0.6,
                      linewidth=0)
    axes.plot(ends, ends, color=MUTED, linewidth=0.9)
    axes.set_yscale("log")
    axes.set_ylim(*ends)
    axes.set_ylabel("predicted, s")
    axes.set_title("Time: predicted against measured")
    axes.legend(loc="upper left", frameon=False, fontsize=7.5, handletextpad=0.2)


def draw_ratios(axes, ends):
    axes.axhspan(1 - BAND, 1 + BAND, color=FAINT, alpha=0.6, linewidth=0)
    axes.plot(ends, [1, 1], color=MUTED, linewidth=0.9)
    axes.set_ylim(0, 2)
    axes.set_ylabel("predicted / measured")
    axes.set_xlabel("measured, s   (band: ±18 %; hollow: does not count among all)")


def draw(rows, directory):
    figure, (times, ratios) = plt.subplots(2, 1, sharex=True, figsize=(7.2, 7.6),
                                           gridspec_kw={"height_ratios": [5, 2.4], "hspace": 0.07})
    seconds = [float(r[key]) for r in rows for key in ("measured_s", "predicted_s")]
    ends = [min(seconds) / 1.5, max(seconds) * 1.5]
    for number, name in enumerate(sorted({r["source"] for r in rows})):
        some = [r for r in rows if r["source"] == name]
        style = COLOURS[number % len(COLOURS)], MARKERS[number // len(COLOURS) % len(MARKERS)]
        draw_source(times, some, style, lambda r: float(r["predicted_s"]))
        draw_source(ratios, some, style, lambda r: float(r["predicted_s"]) / float(r["measured_s"]))
        times.plot([], [], style[1], markersize=4.5, color=style[0], label=f"{name}, {len(some)}")
    times.set_xscale("log")
    times.set_xlim(*ends)
    draw_times(times, ends)
    draw_ratios(ratios, ends)
    save(figure, "accuracy", directory)


if __name__ == "__main__":
    found = read(sys.argv[1])
    if found:
        draw(found, sys.argv[2])
