"""Runs reports/measure_kernels.py on a GPU whose kernels obey the equations of sim/kernels/kernel_model.h exactly."""

import sys

sys.path.insert(0, sys.argv[1] + "/reports")
import measure_kernels as m  # noqa: E402

SMS, RATE, RAMP, PEAK = 132, 800e12, 100, 989.4


class FakeBench:
    def __init__(self, index):
        if index != 0:
            raise m.Failure(f"expected a CUDA GPU number {index}, found 1")

    def about(self, peak):
        return {"name": "Fake-H100", "family": "hopper", "sms": SMS, "boost_mhz": 1980, "bandwidth_bytes_per_s": 3e12,
                "peak_tflops": peak or PEAK, "provenance": "a fake: 1980 MHz, 700 W"}

    def burst(self, what, shape):
        if what == "matmul":
            return m.tiled_flops(*shape, RAMP, SMS, "hopper") / RATE
        keys = shape["L"] / 2 if shape["causal"] else shape["L"]
        rate = {"flash2": 350e12, "cudnn": 600e12}[shape["kernel"]] * (0.8 if shape["pass"] == "backward" else 1)
        return m.attention_flops(shape) / (rate * keys / (keys + 200))

    def held(self, what, shape, hold_s):
        assert hold_s > 0
        return self.burst(what, shape) / (0.8 if what == "matmul" else 0.85)

    def launch(self):
        return 3e-6

    def memory_kinds(self):
        return ["stream", "norm", "norm_grad"]

    def bytes_per_s(self, kind):
        return {"stream": 2.7e12, "norm": 2.4e12, "norm_grad": 1.2e12}[kind]

    def attention_kernels(self):
        return ["flash2", "cudnn"]

    def neighbour(self):
        return "copy"

    def slowdown(self, what, shape):
        return 1.1 if what == "matmul" else 1.2


sys.exit(m.main(sys.argv[2:], FakeBench))
