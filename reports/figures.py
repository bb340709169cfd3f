#!/usr/bin/env python3
"""figures.py -- the pictures of a report: reads report.json, writes NAME.svg and NAME.png.

Shows numbers as they are in report.json; only units are scaled.  One colour per strategy, memory role and phase in
all pictures, from the Okabe-Ito palette (safe for colour-blind readers).  Usage: figures.py report.json DIRECTORY
"""

import json
import os
import re
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator  # noqa: E402

INK, MUTED, FAINT = "#1b1b1f", "#6a6a72", "#d4d4da"  # the HTML turns these three with its theme
DARK, LIGHT = "#111112", "#fefefe"  # text on coloured areas, the same in both themes
BLUE, SKY, GREEN, ORANGE, YELLOW, RED, PINK, GREY = (
    "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#F0E442", "#D55E00", "#CC79A7", "#9a9aa2")
VIOLET, BROWN = "#7b5ea7", "#8a6a2f"
GIB = 2.0**30

STRATEGIES = {"tp": BLUE, "tp_sp": SKY, "ulysses": GREEN, "ring": RED, "ring_homing": ORANGE, "double_ring": YELLOW,
              "kv_gather": PINK, "usp": VIOLET, "odysseus": BROWN}
NAMES = {"tp": "TP", "tp_sp": "TP-SP", "ulysses": "Ulysses", "ring": "ring", "ring_homing": "ring, f32 gradients",
         "double_ring": "double ring", "kv_gather": "KV gather", "usp": "USP", "odysseus": "Odysseus"}
FAMILIES = {"TP": BLUE, "ring": RED, "Ulysses": GREEN, "ring + Ulysses": VIOLET, "with TP": SKY, "data": GREY}
FAMILY_NAMES = {"TP": "tensor parallel", "ring": "ring or gathered KV", "Ulysses": "Ulysses",
                "ring + Ulysses": "Ulysses inside a ring", "with TP": "with tensor parallel",
                "data": "data parallel"}
ROLES = {"weights": BLUE, "gradients": SKY, "optimizer": GREEN, "saved": ORANGE, "transient": YELLOW,
         "communication": PINK, "overheads": GREY}
PHASES = {"fwd": BLUE, "recompute": ORANGE, "bwd": GREEN, "update": PINK}
PHASE_NAMES = {"fwd": "forward", "recompute": "recompute", "bwd": "backward", "update": "update"}

plt.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 8.5, "axes.titlesize": 9.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": MUTED,
    "axes.labelcolor": INK, "axes.linewidth": 0.7, "text.color": INK, "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "xtick.major.width": 0.7, "ytick.major.width": 0.7,
    "axes.grid": False, "grid.color": FAINT, "grid.linewidth": 0.6, "axes.axisbelow": True, "lines.linewidth": 1.6,
    "hatch.linewidth": 0.6, "svg.fonttype": "none", "savefig.dpi": 200})


def tokens(n):
    """131072 as 128k and 2097152 as 2M; others, such as 30000, as they are."""
    for unit, size in (("M", 1024**2), ("k", 1024)):
        if n >= size and n % size == 0:
            return f"{n // size}{unit}"
    return str(n)


def nice_bytes(value):
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} B"


def nice_seconds(value):
    number, unit = (value, "s") if value >= 1 else (1e3 * value, "ms")
    return f"{number:#.3g}".rstrip(".") + " " + unit if number < 1000 else f"{number:.0f} {unit}"


def base(strategy):
    return re.sub(r"_(zero3|ddp|zigzag|stripes)", "", strategy)


def title_of(strategy):
    return NAMES.get(base(strategy), strategy)


def save(figure, name, directory):
    """PNG and SVG; ids get the picture's name so that several can stand in one page."""
    plt.rcParams["svg.hashsalt"] = name
    figure.savefig(os.path.join(directory, name + ".png"), bbox_inches="tight", facecolor="white")
    path = os.path.join(directory, name + ".svg")
    figure.savefig(path, bbox_inches="tight", transparent=True, metadata={"Date": None})
    plt.close(figure)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for start in ('id="', "url(#", 'xlink:href="#'):
        text = text.replace(start, start + name + "-")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def spread(values, gap):
    """Positions near `values` (ascending order kept), at least `gap` apart."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    placed = [values[i] for i in order]
    for _ in range(200):
        for i in range(len(placed) - 1):
            short = gap - (placed[i + 1] - placed[i])
            if short > 1e-9:
                placed[i] -= short / 2
                placed[i + 1] += short / 2
    result = [0.0] * len(values)
    for where, i in zip(placed, order):
        result[i] = where
    return result


def groups_of_equal(lines):
    """Strategies that send the same at every length share one line and one label."""
    groups = {}
    for strategy, points in lines.items():
        groups.setdefault(tuple(points), []).append(strategy)
    return [(names, list(points)) for points, names in groups.items()]


def draw_volume(report, directory):
    lines = {}
    for p in report["volume"]:
        lines.setdefault(p["strategy"], []).append((p["seq"], p["sent_bytes"]))
    if not lines or all(y <= 0 for points in lines.values() for _, y in points):
        return
    figure, axes = plt.subplots(figsize=(7.2, 4.0))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    groups = groups_of_equal(lines)
    import math
    ends = [math.log10(points[-1][1]) for _, points in groups]
    low = min(math.log10(y) for _, points in groups for _, y in points)
    high = max(ends)
    labels = spread(ends, (high - low) * 0.052)
    last = max(points[-1][0] for _, points in groups)
    plan = report["plan"]
    axes.axvline(plan["seq"], color=MUTED, linewidth=0.8, dashes=(4, 3))
    axes.annotate(f"this job, {tokens(plan['seq'])}", (plan["seq"], 1), xycoords=("data", "axes fraction"),
                  xytext=(-4, -2), textcoords="offset points", ha="right", va="top", color=MUTED)
    for (names, points), end, label in zip(groups, ends, labels):
        colour = STRATEGIES.get(base(names[0]), INK)
        axes.plot(*zip(*points), color=colour, marker="o", markersize=2.6)
        text = " = ".join(title_of(n) for n in names)
        axes.annotate(text, (points[-1][0], 10**end), xytext=(last * 1.35, 10**label), textcoords="data", color=colour,
                      va="center", annotation_clip=False, fontweight="bold",
                      arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 2})
    axes.set_xlabel("sequence length, tokens")
    axes.set_ylabel("sent per rank and layer")
    axes.set_title(f"What each strategy sends on {plan['gpus']} GPUs, forward and backward", pad=10)
    axes.xaxis.set_major_locator(matplotlib.ticker.FixedLocator(sorted({x for _, p in groups for x, _ in p})))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: tokens(int(round(x)))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(10))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: nice_bytes(y)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y")
    save(figure, "volume", directory)


def tint(colour, amount=0.55):
    rgb = matplotlib.colors.to_rgb(colour)
    return tuple(1 - amount * (1 - c) for c in rgb)


def draw_cell(axes, cell, x, y):
    if cell["state"] != "fits":
        memory = cell["state"] == "out_of_memory"
        axes.add_patch(plt.Rectangle((x, y), 1, 1, facecolor="none", edgecolor=FAINT, linewidth=0,
                                     hatch="////" if memory else "...."))
        return
    axes.add_patch(plt.Rectangle((x + 0.015, y + 0.015), 0.97, 0.97, facecolor=tint(FAMILIES[cell["family"]]),
                                 edgecolor="none"))
    lines = "\n".join(cell["terms"])
    axes.text(x + 0.5, y + 0.60, lines, ha="center", va="center", fontsize=6.2, color=DARK, linespacing=1.15)
    again = " ↻" if cell["recompute"] == "full" else ""
    axes.text(x + 0.5, y + 0.13, nice_seconds(cell["step_s"]) + again, ha="center", va="center", fontsize=6.6,
              fontweight="bold", color=DARK)


def draw_best(report, directory):
    cells = report["best"]
    lengths = sorted({c["seq"] for c in cells})
    numbers = sorted({c["gpus"] for c in cells})
    figure, axes = plt.subplots(figsize=(max(4.5, 0.86 * len(lengths)), 0.74 * len(numbers) + 0.9))
    for cell in cells:
        draw_cell(axes, cell, lengths.index(cell["seq"]), numbers.index(cell["gpus"]))
    plan = report["plan"]
    if plan["gpus"] in numbers and plan["seq"] in lengths:
        axes.add_patch(plt.Rectangle((lengths.index(plan["seq"]), numbers.index(plan["gpus"])), 1, 1, facecolor="none",
                                     edgecolor=INK, linewidth=1.8, zorder=5))
    axes.set_xlim(0, len(lengths))
    axes.set_ylim(0, len(numbers))
    axes.set_xticks([i + 0.5 for i in range(len(lengths))], [tokens(n) for n in lengths])
    axes.set_yticks([i + 0.5 for i in range(len(numbers))], [str(n) for n in numbers])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xlabel("sequence length, tokens")
    axes.set_ylabel("GPUs")
    axes.set_title("Fastest strategy that fits, with its step time", pad=24)
    seen = {c["family"] for c in cells if c["state"] == "fits"}
    handles = [plt.Rectangle((0, 0), 1, 1, facecolor=tint(FAMILIES[f]), label=FAMILY_NAMES[f])
               for f in FAMILIES if f in seen]
    if any(c["state"] == "out_of_memory" for c in cells):
        handles.append(plt.Rectangle((0, 0), 1, 1, facecolor="none", edgecolor=MUTED, linewidth=0, hatch="//////",
                                     label="out of memory"))
    if any(c["state"] == "impossible" for c in cells):
        handles.append(plt.Rectangle((0, 0), 1, 1, facecolor="none", edgecolor=MUTED, linewidth=0, hatch="....",
                                     label="does not divide"))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncol=6, frameon=False, fontsize=7.2,
                handlelength=1.1, handleheight=1.1, columnspacing=1.1, handletextpad=0.5, borderaxespad=0.2)
    save(figure, "best", directory)


def bar_label(bar):
    if bar["rank_in_plan"]:
        degrees = " × ".join(bar["terms"])
        whole = ", whole weights" if "_ddp" in bar["strategy"] else ""
        return f"{bar['rank_in_plan']}.  {degrees}{whole}"
    return title_of(bar["strategy"])


def bar_rows(bars):
    """Vertical place of each bar: a gap between strategies, none between a strategy without and with recompute."""
    rows, at, before = [], 0.0, None
    for bar in bars:
        key = (bar["rank_in_plan"], bar["strategy"])
        if before is not None:
            at += 1.0 if before == key else (1.9 if bool(before[0]) != bool(key[0]) else 1.35)
        rows.append(at)
        before = key
    return rows


def draw_memory(report, directory):
    bars = report["memory"]
    rows = bar_rows(bars)
    figure, axes = plt.subplots(figsize=(7.2, 0.205 * rows[-1] + 1.1))
    capacity = report["plan"]["capacity_bytes"] / GIB
    longest = max(b["peak_bytes"] for b in bars) / GIB
    limit = min(max(capacity * 1.75, capacity * 1.05), max(longest * 1.12, capacity * 1.3))
    for bar, row in zip(bars, rows):
        left = 0.0
        parts = dict(bar["by_role"], overheads=sum(bar["overheads"].values()))
        for role, colour in ROLES.items():
            width = parts[role] / GIB
            axes.barh(row, min(width, max(0.0, limit - left)), left=left, height=0.86, color=colour, linewidth=0)
            left += width
        fits = left <= capacity
        where = min(left, limit)
        inside = where > 0.9 * limit
        again = " ↻" if bar["recompute"] == "full" else ""
        axes.annotate(f"{left:.1f}{again}" + (" ▸" if left > limit else ""), (where, row),
                      xytext=(-4 if inside else 4, 0), textcoords="offset points", va="center",
                      ha="right" if inside else "left", fontsize=7.2, color=DARK if inside else (INK if fits else RED),
                      fontweight="bold" if fits else "normal")
    centres = {}
    for bar, row in zip(bars, rows):
        centres.setdefault((bar["rank_in_plan"], bar_label(bar)), []).append(row)
    axes.set_yticks([sum(r) / len(r) for r in centres.values()], [label for _, label in centres])
    axes.axvline(capacity, color=INK, linewidth=1.2)
    axes.annotate(f"{report['plan']['gpu']}\n{capacity:.0f} GiB", (capacity, rows[0] - 0.4), xytext=(5, 0),
                  textcoords="offset points", va="top", fontsize=7.2)
    axes.set_ylim(rows[-1] + 0.9, -0.8)
    axes.set_xlim(0, limit)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("device memory of one rank at its peak, GiB   (↻ with recompute)")
    axes.set_title("Where the memory goes", pad=22)
    handles = [plt.Rectangle((0, 0), 1, 1, color=c, label=r) for r, c in ROLES.items()]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncol=7, frameon=False, fontsize=7.2,
                handlelength=1.0, handleheight=1.0, columnspacing=1.0, handletextpad=0.4, borderaxespad=0.2)
    save(figure, "memory", directory)


def phase_legend(axes, phases):
    x = 0.0
    for phase in reversed(PHASES):
        if phase in phases:
            text = axes.annotate("■ " + PHASE_NAMES[phase], (1, 1), xycoords="axes fraction", xytext=(-x, 6),
                                 textcoords="offset points", ha="right", va="bottom", fontsize=8, color=PHASES[phase],
                                 fontweight="bold")
            text.figure.canvas.draw()
            x += text.get_window_extent().width * 72 / text.figure.dpi + 9


def lanes_of(spans):
    names = sorted({s["lane"] for s in spans})
    return (["compute"] if "compute" in names else []) + [n for n in names if n != "compute"]


def draw_lane(axes, spans, row, thinnest):
    """Spans too short to be seen are drawn `thinnest` seconds long."""
    for phase, colour in PHASES.items():
        bars = [(s["begin_s"], max(s["end_s"] - s["begin_s"], thinnest)) for s in spans if s["phase"] == phase]
        if bars:
            axes.broken_barh(bars, (row - 0.41, 0.82), facecolors=colour, edgecolors="none", linewidth=0)
    for s in spans:
        if s["end_s"] - s["begin_s"] > 12 * thinnest:
            axes.plot([s["begin_s"]] * 2, [row - 0.41, row + 0.41], color=LIGHT, linewidth=0.4)


def time_axis(axes, end):
    scale, unit = (1.0, "s") if end >= 2 else (1e3, "ms") if end >= 2e-3 else (1e6, "µs")
    axes.set_xlim(0, end)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x * scale:g}"))
    axes.set_xlabel(f"time, {unit}")


def draw_timeline(spans, title, name, directory):
    if not spans:
        return
    start = min(s["begin_s"] for s in spans)
    spans = [dict(s, begin_s=s["begin_s"] - start, end_s=s["end_s"] - start) for s in spans]
    end = max(s["end_s"] for s in spans)
    ranks = sorted({s["rank"] for s in spans})
    lanes = lanes_of(spans)
    rows, labels, at = {}, [], 0.0
    for rank in ranks:
        for lane in lanes:
            rows[rank, lane] = at
            plain = lane if lane == "compute" else f"axis {lane}" if not lane.startswith("lane") else lane
            if len(ranks) == 1:
                labels.append((at, plain))
            at += 1.0
        if len(ranks) > 1:
            labels.append((at - (len(lanes) + 1) / 2, f"rank {rank}"))
        at += 0.45
    step = 0.42 if len(ranks) == 1 else 0.17
    figure, axes = plt.subplots(figsize=(7.2, step * at + 0.8))
    for (rank, lane), row in rows.items():
        draw_lane(axes, [s for s in spans if s["rank"] == rank and s["lane"] == lane], row, 1e-3 * end)
    if len(ranks) == 1:
        for s in spans:
            if s["lane"] == "compute" and s["name"].startswith("attend") and s["end_s"] - s["begin_s"] > 0.1 * end:
                axes.text((s["begin_s"] + s["end_s"]) / 2, rows[s["rank"], "compute"], "attention", ha="center",
                          va="center", fontsize=7.2, color=LIGHT, fontweight="bold")
    axes.set_yticks([r for r, _ in labels], [t for _, t in labels])
    axes.set_ylim(at - 0.95, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    time_axis(axes, end)
    axes.set_title(title, pad=10)
    phase_legend(axes, {s["phase"] for s in spans})
    save(figure, name, directory)


def first_and_last(spans):
    ranks = sorted({s["rank"] for s in spans})
    return [s for s in spans if s["rank"] in (ranks[0], ranks[-1])] if len(ranks) > 4 else spans


def draw_bytes(axes, collectives):
    rows = range(len(collectives))
    for row, c in zip(rows, collectives):
        axes.barh(row, c["predicted_bytes"], height=0.66, color=tint(PHASES.get(c["phase"], GREY), 0.5), linewidth=0)
        equal = c["predicted_bytes"] == c["measured_bytes"]
        if row == 0 or c["phase"] != collectives[row - 1]["phase"]:
            axes.annotate(PHASE_NAMES.get(c["phase"], c["phase"]), (1, row), xycoords=("axes fraction", "data"),
                          ha="right", va="center", fontsize=8, color=PHASES.get(c["phase"], GREY), fontweight="bold")
        axes.plot(c["measured_bytes"], row, "|", color=INK if equal else RED, markersize=8, markeredgewidth=1.8)
    axes.set_yticks(list(rows), [f"{c['kind'].replace('_', '-')}  {c['tensor']}" for c in collectives], fontsize=7)
    axes.set_ylim(len(collectives) - 0.4, -0.6)
    axes.set_xlim(0, 1.2 * max([c["predicted_bytes"] for c in collectives] + [c["measured_bytes"] for c in collectives]
                                + [1]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: nice_bytes(x) if x else "0"))
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("sent per rank:  bar predicted,  | measured")
    axes.set_title("Bytes of each collective")


def draw_errors(axes, run):
    errors = run["max_relative_error"]
    floor = 1e-17
    for row, (_, value) in enumerate(errors.items()):
        good = run["tolerance"] is None or value <= run["tolerance"]
        axes.plot([floor, max(value, floor)], [row, row], color=FAINT, linewidth=0.8, zorder=0)
        axes.plot(max(value, floor), row, "o", color=BLUE if good else RED, markersize=4,
                  markerfacecolor=BLUE if good and value > 0 else LIGHT if value == 0 else RED, clip_on=False)
    axes.set_xscale("log")
    axes.set_yticks(range(len(errors)), list(errors), fontsize=7)
    axes.set_ylim(len(errors) - 0.4, -0.6)
    top = max([v for v in errors.values()] + [floor * 10])
    if run["tolerance"] is not None:
        top = max(top, run["tolerance"])
        axes.axvline(run["tolerance"], color=RED, linewidth=1.0, dashes=(4, 3))
        axes.annotate("tolerance", (run["tolerance"], len(errors) - 0.5), xytext=(-3, 1), textcoords="offset points",
                      ha="right", va="bottom", fontsize=7.2, color=RED)
    axes.set_xlim(floor, top * 5)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("relative error" + (",  ○ zero" if 0 in errors.values() else ""))
    axes.set_title("Outputs and gradients, against one rank")


def draw_measured(run, name, directory):
    rows = max(len(run["collectives"]), len(run["max_relative_error"]), 4)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 0.185 * rows + 1.1),
                                         gridspec_kw={"width_ratios": [1.25, 1], "wspace": 0.38})
    if run["collectives"]:
        draw_bytes(left, run["collectives"])
    else:
        left.axis("off")
        left.text(0, 0.5, "one rank sends nothing", color=MUTED)
    draw_errors(right, run)
    save(figure, name, directory)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    directory = sys.argv[2]
    if report.get("plan"):
        draw_volume(report, directory)
        draw_best(report, directory)
        draw_memory(report, directory)
        draw_timeline(first_and_last(report["timeline"]), "Predicted: one layer on one rank"
                      if len({s["rank"] for s in report["timeline"]}) == 1 else "Predicted: one layer", "timeline",
                      directory)
    for number, run in enumerate(report["runs"], 1):
        draw_measured(run, f"measured_{number}", directory)
        draw_timeline(run["spans"], "Measured on this machine", f"timeline_run_{number}", directory)


if __name__ == "__main__":
    main()
