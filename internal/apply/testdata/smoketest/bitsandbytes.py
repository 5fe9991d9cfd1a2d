"""A fake bitsandbytes with one 4-bit layer."""
import torch

__version__ = "0.43.3+fake"
torch.at("bitsandbytes")


class nn:
    class Linear4bit:
        def __init__(self, inputs, outputs, bias, compute_dtype, compress_statistics, quant_type):
            assert (bias, compute_dtype, compress_statistics, quant_type) == (False, "bfloat16", True, "nf4")
            self.weight = torch.randn(outputs, inputs)

        def to(self, where):
            torch.at("quantise")
            return self

        def __call__(self, x):
            torch.at("layer")
            less = 1 - torch.case.get("loss", 0.1)  # the loss of 4 bits
            return x @ torch.Tensor([[w * less for w in row] for row in self.weight.rows]).t()
