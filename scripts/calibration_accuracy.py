#!/usr/bin/env python3
"""How well `ithaca run --cluster` predicts this machine: calibrates it, runs every strategy on 2, 4 and 8 thread ranks,
prints predicted beside measured step time.  Nothing is fitted to these runs.

    scripts/calibration_accuracy.py [--ithaca build/release/ithaca] [--cluster FILE] [--layers 5]
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

# Strategy and the mesh it has on n ranks.
STRATEGIES = [
    ("tp", lambda n: {"t": n}),
    ("tp_sp", lambda n: {"t": n}),
    ("ulysses_zero3", lambda n: {"u": n}),
    ("ring_zero3", lambda n: {"r": n}),
    ("ring_zigzag_zero3", lambda n: {"r": n}),
    ("ring_homing_zero3", lambda n: {"r": n}),
    ("kv_gather_zero3", lambda n: {"c": n}),
    ("usp_zero3", lambda n: {"r": 2, "u": n // 2} if n > 2 else None),
    ("odysseus_zero3", lambda n: {"t": n}),
    ("ulysses_ddp", lambda n: {"u": n}),
    ("ulysses_zero3(u) * tp_sp(t)", lambda n: {"u": 2, "t": n // 2} if n > 2 else None),
]
# Layer, tokens and precision; every one takes milliseconds.
TWINS = [
    ("small", {"d": 256, "i": 704, "k": 8, "g": 1, "e": 32, "norm": "rms", "act": "swiglu"}, 512, "f64"),
    ("wide", {"d": 768, "i": 2048, "k": 8, "g": 2, "e": 48, "norm": "rms", "act": "swiglu"}, 512, "f32"),
    ("long", {"d": 256, "i": 704, "k": 8, "g": 1, "e": 32, "norm": "layer", "act": "gelu"}, 2048, "f32"),
]
WITHOUT = ["fused_qkv", "qkv_bias", "o_bias", "mlp_bias", "qk_norm", "post_norms", "parallel_residual"]


def plan(strategy, mesh, layer, seq, ranks):
    """plan.yaml; YAML reads JSON."""
    layer = {**layer, "rope": True, "rope_theta": 10000, **{key: False for key in WITHOUT}}
    return "\n".join(f"{key}: {json.dumps(value)}" for key, value in {
        "schema": "ithaca/1", "kind": "plan", "model": "twin", "layers": 1, "layer": layer, "batch": 1, "seq": seq,
        "cluster": "dgx-a100-80g", "gpus": ranks, "mesh": mesh, "strategy": strategy, "recompute": "none",
        "schedule": "blocking", "predicted": {"step": "1 s", "peak": "1 B", "sent": "1 B"}}.items()) + "\n"


def ithaca(arguments, **kw):
    done = subprocess.run(arguments, capture_output=True, text=True, **kw)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ithaca", default="build/release/ithaca")
    parser.add_argument("--cluster", help="a calibrated file; else this machine is calibrated first")
    parser.add_argument("--layers", type=int, default=5, help="runs of the layer, of which the median counts (5)")
    parser.add_argument("--keep", help="folder for run.json files")
    o = parser.parse_args()
    folder = pathlib.Path(o.keep or tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    cluster = o.cluster or str(folder / "this-machine.yaml")
    if not o.cluster:
        ithaca([o.ithaca, "calibrate", "--ranks", "8", "-o", cluster])
    errors = {}
    print(f"{'twin':<6} {'strategy':<28} {'ranks':>5} {'predicted ms':>13} {'measured ms':>12} {'error':>8}")
    for twin, layer, seq, dtype in TWINS:
        for strategy, mesh_of in STRATEGIES:
            for ranks in (2, 4, 8):
                mesh = mesh_of(ranks)
                if mesh is None:
                    continue
                name = folder / f"{twin}-{strategy.translate(str.maketrans('()* |', '_____'))}-{ranks}"
                name.with_suffix(".yaml").write_text(plan(strategy, mesh, layer, seq, ranks))
                out = ithaca([o.ithaca, "run", name.with_suffix(".yaml"), "--dtype", dtype, "--layers", str(o.layers),
                              "--cluster", cluster, "--json"])
                name.with_suffix(".json").write_text(out)
                time = json.loads(out)["time"]
                error = time["predicted_layer_s"] / time["layer_s"] - 1
                errors[twin, strategy, ranks] = error
                print(f"{twin:<6} {strategy:<28} {ranks:>5} {1e3 * time['predicted_layer_s']:>13.2f} "
                      f"{1e3 * time['layer_s']:>12.2f} {100 * error:>+7.1f}%", flush=True)

    def say(what, chosen):
        sizes = sorted(abs(e) for e in chosen)
        if sizes:
            print(f"{what:<36} n {len(sizes):>3}   median |error| {100 * statistics.median(sizes):5.1f}%   "
                  f"p90 {100 * sizes[int(0.9 * (len(sizes) - 1))]:5.1f}%   bias {100 * statistics.mean(chosen):+5.1f}%")
    print()
    for ranks in (2, 4, 8):
        say(f"{ranks} ranks", [e for key, e in errors.items() if key[2] == ranks])
    for twin in TWINS:
        say(twin[0], [e for key, e in errors.items() if key[0] == twin[0]])
    say("all", list(errors.values()))


if __name__ == "__main__":
    main()
