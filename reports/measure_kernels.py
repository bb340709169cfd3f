#!/usr/bin/env python3
"""measure_kernels.py -- measures the kernels of the GPU it finds into a kernel file (form: sim/kernels/rates.h).

Usage: measure_kernels.py OUT.yaml [--quick] [--gpu INDEX] [--peak TFLOPS]

Needs PyTorch with CUDA.  Takes under 8 minutes, with --quick under 1.  In a GPU's file of cluster_specs/gpus name it by
`kernels: PATH`.  Measures products of transformer layers in short bursts and at thermal steady state, attention forward
and backward at 1K-512K tokens, element-wise and norm kernels, the time of an empty kernel, and how much a concurrent
collective (one GPU: a copy) slows products and attention.  Everything measured stands under `measured`, for people.
"""

import argparse
import datetime
import math
import os
import statistics
import subprocess
import sys
import time

# Datasheet bf16 peaks, TFLOP/s; others are computed from SMs and clock.
PEAKS = {"A100": 312, "A800": 312, "H100 PCIe": 756, "H100": 989.4, "H200": 989.4, "H800": 989.4, "H20": 148,
         "B200": 2250, "GB200": 2500, "L20": 119.5, "L40S": 362}
# Datasheet memory bandwidths, GB/s; others are computed from bus and clock.
BANDWIDTHS = {"A100": 2039, "A100-SXM4-40GB": 1555, "A100-PCIE-40GB": 1555, "A800": 2039, "H100": 3352,
              "H100 PCIe": 2039, "H200": 4800, "H800": 3352, "H20": 4000, "B200": 7700, "GB200": 8000, "L20": 864,
              "L40S": 864}
FAMILIES = {8: "ampere", 9: "hopper", 10: "blackwell"}  # by compute capability; 8.9 is ada
FLOPS_PER_SM_CLOCK = {"ampere": 2048, "ada": 1024, "hopper": 4096, "blackwell": 8192}
UNITS = {"blackwell": 2}
TILES = {"blackwell": [(256, 256), (256, 128), (128, 256), (128, 128)]}
USUAL_TILES = [(256, 128), (128, 256), (128, 128)]
SMALL_TILE = 0.9
NORM_BYTES = 1 << 28  # of a tensor, far beyond any L2


class Failure(Exception):
    """What the user is told in one line."""


def looked_up(table, name):
    """The value of the longest key in the name, or None."""
    return next((table[key] for key in sorted(table, key=len, reverse=True) if key in name), None)


def shapes(quick):
    """m, n, k of transformer layers: projections of 7B to 70B models on 2K to 32K tokens, whole and cut by 8."""
    if quick:
        return [(8192, 8192, 8192), (4096, 4096, 1024), (16384, 1280, 8192)]
    tokens, widths = (2048, 8192, 32768), ((4096, 4096), (12288, 4096), (4096, 14336), (8192, 8192), (7168, 8192),
                                           (8192, 3584), (1280, 8192), (8192, 1024))
    return [(8192, 8192, 8192)] + [(m, n, k) for m in tokens for n, k in widths]


def attention_shapes(quick):
    """L, batch, heads: 16K tokens of hidden 2048 for the curves, then few heads at long lengths."""
    curve = [(1024, 16, 16), (4096, 4, 16), (16384, 1, 16)]
    long = [(32768, 1, 8), (65536, 1, 4), (131072, 1, 4), (262144, 1, 4), (524288, 1, 4)]
    return curve + ([] if quick else long)


# ---- Fits: the equations of sim/kernels/kernel_model.h ----------------------------------------------------------


def tiled_flops(m, n, k, ramp, sms, family):
    """FLOPs' worth of time at the full rate that the best tile takes."""
    units = max(1, sms // UNITS.get(family, 1))
    best = math.inf
    for tm, tn in TILES.get(family, USUAL_TILES):
        waves = math.ceil(math.ceil(m / tm) * math.ceil(n / tn) / units)
        share = SMALL_TILE if tm * tn < 256 * 128 else 1
        best = min(best, 2 * waves * units * tm * tn * (k + ramp) / share)
    return best


def fit_matmul(rows, sms, family):
    """(rate in FLOP/s, ramp) that make the logarithms of the errors smallest in absolute sum."""
    def rates(ramp):
        return [tiled_flops(*row["shape"], ramp, sms, family) / row["burst_s"] for row in rows]

    def spread(ramp):
        middle = statistics.median(rates(ramp))
        return sum(abs(math.log(rate / middle)) for rate in rates(ramp))
    ramp = min(range(0, 513, 4), key=spread)
    return statistics.median(rates(ramp)), ramp


def fit_curve(short, long):
    """(rate, overhead) of rate keys / (keys + overhead) through two points (keys, FLOP/s)."""
    (keys1, rate1), (keys2, rate2) = short, long
    if rate2 <= rate1:
        return max(rate1, rate2), 0.0
    overhead = (rate2 - rate1) / (rate1 / keys1 - rate2 / keys2)
    return rate1 * (1 + overhead / keys1), overhead


def curves_of(rows):
    groups = {}
    for row in rows:
        if row["L"] in (1024, 16384) and row["heads"] * row["batch"] * row["L"] == 16 * 16384:
            key = (row["kernel"], row["head_dim"], row["pass"], row["causal"])
            keys = row["L"] / 2 if row["causal"] else row["L"]
            groups.setdefault(key, {})[row["L"]] = (keys, attention_flops(row) / row["burst_s"])
    return {key: fit_curve(points[1024], points[16384]) for key, points in groups.items() if len(points) == 2}


def attention_flops(row):
    per_pair = 10 if row["pass"] == "backward" else 4
    pairs = row["L"] ** 2 / (2 if row["causal"] else 1)
    return per_pair * row["head_dim"] * row["heads"] * row["batch"] * pairs


# ---- The file ---------------------------------------------------------------------------------------------------


def share(value):
    return f"{min(1.0, value):.3f}"


def flow(row):
    def word(value):
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float):
            return f"{value:.6g}"
        return "[" + ", ".join(map(word, value)) + "]" if isinstance(value, (list, tuple)) else str(value)
    return "{" + ", ".join(f"{key}: {word(value)}" for key, value in row.items()) + "}"


def kernel_file(about, found):
    """The text of the file: provenance, then every section the measurements give."""
    rate, ramp = fit_matmul(found["matmul"], about["sms"], about["family"])
    peak = about["peak_tflops"]
    curves = curves_of(found["attention"])
    lines = [f"# {about['provenance']}", f"name: {about['name']}", f"family: {about['family']}",
             f'source: "{about["provenance"]}"', f"peak: {peak:g} TFLOP/s", f"sms: {about['sms']}",
             f"boost_mhz: {about['boost_mhz']:g}",
             f"sustained: {{matmul: {share(found['sustained']['matmul'])}, "
             f"attention: {share(found['sustained']['attention'])}}}",
             "matmul:", f"  rate: {min(rate / 1e12, peak):.1f} TFLOP/s", '  rate_source: "measured"', f"  ramp: {ramp}"]
    memory = {kind: value / about["bandwidth_bytes_per_s"] for kind, value in found["memory"].items()}
    lines += ["memory:"] + [f"  {kind}: {share(value)}" for kind, value in memory.items()] + ['  source: "measured"']
    lines += [f"launch: {found['launch_s'] * 1e6:.2f} us"]
    if curves:
        lines += ["attention:", '  source: "measured"', "  curves:"]
        for (kernel, head_dim, which, causal), (flops_per_s, overhead) in sorted(curves.items()):
            mask = "causal" if causal else "full"
            lines.append(f"    - {{kernel: {kernel}, head_dim: {head_dim}, pass: {which}, mask: {mask}, "
                         f"rate: {min(flops_per_s / 1e12, peak):.1f} TFLOP/s, overhead: {overhead:.0f}}}")
    lines.append("measured:")
    for section in ("matmul", "attention", "slowdown"):
        lines += [f"  {section}:"] + [f"    - {flow(row)}" for row in found[section]]
    return "\n".join(lines) + "\n"


def write(path, text):
    written = f"{path}.{os.getpid()}.tmp"
    with open(written, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(written, path)


# ---- The measurements -------------------------------------------------------------------------------------------


def measure(bench, quick, clock=time.monotonic, budget_s=360):
    """Everything, in the order of worth; what does not fit the budget is left out."""
    end = clock() + (50 if quick else budget_s)
    found = {"matmul": [], "attention": [], "slowdown": [], "memory": {}}
    found["launch_s"] = bench.launch()
    found["memory"] = {kind: bench.bytes_per_s(kind) for kind in bench.memory_kinds()}
    for shape in shapes(quick):
        if found["matmul"] and clock() > end - 0.6 * budget_s * (not quick):
            break
        found["matmul"].append({"shape": shape, "burst_s": bench.burst("matmul", shape)})
    for L, batch, heads in attention_shapes(quick):
        for kernel in bench.attention_kernels():
            for causal in (True, False):
                for which in ("forward", "backward"):
                    if clock() > end or (not causal and L > 16384):
                        continue
                    row = {"kernel": kernel, "L": L, "batch": batch, "heads": heads, "head_dim": 128,
                           "pass": which, "causal": causal}
                    row["burst_s"] = bench.burst("attention", row)
                    row["tflops"] = attention_flops(row) / row["burst_s"] / 1e12
                    found["attention"].append(row)
    hold_s = 2 if quick else 20
    big = (8192, 8192, 8192)
    found["sustained"] = {"matmul": bench.burst("matmul", big) / bench.held("matmul", big, hold_s), "attention": 1.0}
    kernels = bench.attention_kernels()
    if kernels:
        row = {"kernel": kernels[0], "L": 16384, "batch": 1, "heads": 16, "head_dim": 128, "pass": "forward",
               "causal": True}
        found["sustained"]["attention"] = bench.burst("attention", row) / bench.held("attention", row, hold_s)
        found["slowdown"].append({"kernel": kernels[0], "beside": bench.neighbour(),
                                  "times": bench.slowdown("attention", row)})
    found["slowdown"].append({"kernel": "matmul", "beside": bench.neighbour(), "times": bench.slowdown("matmul", big)})
    return found


class TorchBench:
    """Times kernels on one GPU with CUDA events."""

    def __init__(self, index):
        try:
            import torch
        except ImportError as error:
            raise Failure("expected PyTorch with CUDA, it is not installed") from error
        if not torch.cuda.is_available() or torch.cuda.device_count() <= index:
            raise Failure(f"expected a CUDA GPU number {index}, found {torch.cuda.device_count()}")
        torch.cuda.set_device(index)
        self.torch, self.index = torch, index
        self.kernels = []

    def about(self, peak_tflops):
        props = self.torch.cuda.get_device_properties(self.index)
        query = "clocks.max.sm,clocks.max.mem,power.limit,driver_version"
        out = subprocess.run(["nvidia-smi", "-i", str(self.index), f"--query-gpu={query}", "--format=csv,noheader,nounits"],
                             capture_output=True, text=True, check=False).stdout.strip().split(", ")
        if len(out) != 4:
            raise Failure("expected nvidia-smi to give clocks, power limit and driver, it did not")
        family = "ada" if (props.major, props.minor) in ((8, 6), (8, 9), (12, 0)) else FAMILIES.get(props.major)
        if family is None:
            raise Failure(f"expected compute capability 8 to 10 or 12, got {props.major}.{props.minor}")
        boost_mhz = float(out[0])
        computed = props.multi_processor_count * FLOPS_PER_SM_CLOCK[family] * boost_mhz * 1e6 / 1e12
        by_bus = 2 * float(out[1]) * 1e6 * getattr(props, "memory_bus_width", 0) / 8
        bandwidth = looked_up(BANDWIDTHS, props.name)
        if not bandwidth and not by_bus:
            raise Failure(f"expected a GPU whose memory bandwidth is known, got {props.name}")
        return {"name": props.name.replace("NVIDIA ", "").replace(" ", "-"), "family": family,
                "sms": props.multi_processor_count, "boost_mhz": boost_mhz, "bandwidth_bytes_per_s": bandwidth * 1e9 if bandwidth else by_bus,
                "peak_tflops": peak_tflops or looked_up(PEAKS, props.name) or computed,
                "provenance": f"{props.name}, {out[0]} MHz, {out[2]} W, driver {out[3]}, torch {self.torch.__version__}, "
                              f"CUDA {self.torch.version.cuda}, cuDNN {self.torch.backends.cudnn.version()}, "
                              f"measured {datetime.date.today()} by reports/measure_kernels.py"}

    def seconds(self, run, repeats):
        begin, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) * 1e-3 / repeats

    def random(self, *size):
        """Random numbers: zeros take less power and run faster."""
        return self.torch.randn(*size, device="cuda", dtype=self.torch.bfloat16)

    def attention_kernels(self):
        if not self.kernels:
            for kernel in ("flash3", "flash2", "cudnn"):
                try:
                    self.attend(kernel, *(self.random(1, 1, 256, 128) for _ in range(3)), True)
                    self.kernels.append(kernel)
                except (ImportError, RuntimeError):
                    pass  # not installed, or not for this GPU
        return self.kernels

    def attend(self, kernel, q, k, v, causal):
        if kernel == "flash3":
            import flash_attn_interface
            out = flash_attn_interface.flash_attn_func(*(x.transpose(1, 2) for x in (q, k, v)), causal=causal)
            return out[0] if isinstance(out, tuple) else out
        from torch.nn.attention import SDPBackend, sdpa_kernel
        backend = SDPBackend.FLASH_ATTENTION if kernel == "flash2" else SDPBackend.CUDNN_ATTENTION
        with sdpa_kernel(backend):
            return self.torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)

    def job(self, what, shape):
        """A function that runs the kernel once."""
        if what == "matmul":
            m, n, k = shape
            a, b = self.random(m, k), self.random(k, n)
            out = self.torch.empty(m, n, device="cuda", dtype=self.torch.bfloat16)
            return lambda: self.torch.mm(a, b, out=out)
        size = (shape["batch"], shape["heads"], shape["L"], shape["head_dim"])
        q, k, v = (self.random(*size).requires_grad_(shape["pass"] == "backward") for _ in range(3))
        if shape["pass"] == "forward":
            def forward():
                with self.torch.no_grad():
                    self.attend(shape["kernel"], q, k, v, shape["causal"])
            return forward
        out = self.attend(shape["kernel"], q, k, v, shape["causal"])
        cotangent = self.torch.randn_like(out)
        return lambda: self.torch.autograd.grad(out, (q, k, v), cotangent, retain_graph=True)

    def burst(self, what, shape):
        """The median of short runs from a cool GPU, each of at most 5 ms: the boost clock."""
        run = self.job(what, shape)
        once_s = max(self.seconds(run, 2), 1e-6)
        repeats = max(1, int(5e-3 / once_s))
        times = []
        for _ in range(5):
            time.sleep(0.05)
            times.append(self.seconds(run, repeats))
        return statistics.median(times)

    def held(self, what, shape, hold_s):
        """After hold_s of nothing else: the clock at the power limit."""
        run = self.job(what, shape)
        repeats = max(1, int(0.5 / max(self.seconds(run, 3), 1e-6)))
        end = time.monotonic() + hold_s
        last_s = self.seconds(run, repeats)
        while time.monotonic() < end:
            last_s = self.seconds(run, repeats)
        return last_s

    def launch(self):
        """Of a graph of empty kernels: what the GPU takes, not what Python does."""
        x, graph = self.torch.zeros(1, device="cuda"), self.torch.cuda.CUDAGraph()
        x.add_(1)
        with self.torch.cuda.graph(graph):
            for _ in range(1000):
                x.add_(1)
        self.seconds(graph.replay, 2)
        return self.seconds(graph.replay, 10) / 1000

    def memory_kinds(self):
        return ["stream", "norm", "norm_grad"]

    def bytes_per_s(self, kind):
        torch, elements = self.torch, NORM_BYTES // 2
        if kind == "stream":
            x, y = self.random(elements), self.random(elements)
            self.seconds(lambda: torch.add(x, y, out=x), 5)
            return 3 * NORM_BYTES / self.seconds(lambda: torch.add(x, y, out=x), 20)
        x = self.random(elements // 8192, 8192).requires_grad_(kind == "norm_grad")
        gain = torch.ones(8192, device="cuda", dtype=torch.bfloat16, requires_grad=kind == "norm_grad")
        out = torch.nn.functional.layer_norm(x, (8192,), gain)
        if kind == "norm":
            def norm():
                with torch.no_grad():
                    torch.nn.functional.layer_norm(x, (8192,), gain)
            self.seconds(norm, 5)
            return 2 * NORM_BYTES / self.seconds(norm, 20)
        cotangent = torch.randn_like(out)
        def grad():
            torch.autograd.grad(out, (x, gain), cotangent, retain_graph=True)
        self.seconds(grad, 5)
        return 3 * NORM_BYTES / self.seconds(grad, 20)

    def neighbour(self):
        return "all_reduce" if self.torch.cuda.device_count() > 1 else "copy"

    def slowdown(self, what, shape):
        """Time beside a collective over all GPUs, or a copy, over time alone."""
        torch, run = self.torch, self.job(what, shape)
        repeats = max(1, int(0.2 / max(self.seconds(run, 3), 1e-6)))
        alone_s = self.seconds(run, repeats)
        side = torch.cuda.Stream()
        if self.neighbour() == "all_reduce":
            parts = [torch.zeros(1 << 26, device=f"cuda:{i}") for i in range(torch.cuda.device_count())]
            other = lambda: torch.cuda.nccl.all_reduce(parts, streams=[side if p.device.index == self.index else None for p in parts])  # noqa: E731,E501
        else:
            source, target = torch.zeros(1 << 28, device="cuda"), torch.empty(1 << 28, device="cuda")
            def other():
                with torch.cuda.stream(side):
                    target.copy_(source)
        torch.cuda.synchronize()
        times, end = [], time.monotonic() + 2
        while time.monotonic() < end:
            for _ in range(64):
                other()
            times.append(self.seconds(run, max(1, repeats // 8)))
            torch.cuda.synchronize()
        return statistics.median(times) / alone_s


def arguments(argv):
    parser = argparse.ArgumentParser(prog="measure_kernels.py", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("out", metavar="OUT.yaml")
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer shapes, shorter holds")
    parser.add_argument("--gpu", type=int, default=0, help="its number, 0")
    parser.add_argument("--peak", type=float, help="datasheet bf16 peak, TFLOP/s")
    options = parser.parse_args(argv)
    if not options.out.endswith(".yaml"):
        parser.error(f'OUT.yaml: expected a name that ends in .yaml, got "{options.out}"')
    return options


def main(argv, make_bench=TorchBench):
    options = arguments(argv)
    try:
        folder = os.path.dirname(os.path.abspath(options.out))
        if not os.path.isdir(folder):
            raise Failure(f"expected a folder {folder}, there is none")
        bench = make_bench(options.gpu)
        about = bench.about(options.peak)
        write(options.out, kernel_file(about, measure(bench, options.quick)))
    except Failure as failure:
        print(f"measure_kernels.py: {failure}", file=sys.stderr)
        return 5
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
