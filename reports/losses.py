#!/usr/bin/env python3
"""losses.py -- the picture of a training: reads loss.csv, writes one SVG or PNG.

Usage: losses.py loss.csv PICTURE.svg|PICTURE.png
"""

import csv
import os
import sys

import matplotlib

matplotlib.use("Agg")
from figures import BLUE, plt  # noqa: E402


def main():
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    figure, axes = plt.subplots(figsize=(5.2, 3.0))
    axes.plot([int(row["step"]) for row in rows], [float(row["loss"]) for row in rows], color=BLUE,
              marker="o" if len(rows) < 2 else None)
    axes.set_xlabel("step")
    axes.set_ylabel("loss per token, nats")
    axes.set_title("Loss")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y")
    picture = sys.argv[2]
    written = f"{picture}.{os.getpid()}.tmp"
    figure.savefig(written, format=picture.rsplit(".", 1)[1], bbox_inches="tight")
    os.replace(written, picture)


if __name__ == "__main__":
    main()
