"""Checks that the libraries of environment remote accept the values of configs/.

Usage: config_libraries.py CHECKOUT. An unknown key or a refused value is an error.
Without a GPU the training uses the CPU, because TrainingArguments checks whether the
machine supports bfloat16.
"""

import re
import sys
import tempfile
from importlib import metadata
from pathlib import Path

checkout = Path(sys.argv[1])
sys.path.insert(0, str(checkout / "scripts"))

import torch
from config import load
from peft import LoraConfig, get_peft_model
from transformers import BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM, TrainingArguments
from trl import SFTConfig

pins = dict(re.findall(r"- (torch|transformers|peft|trl|accelerate|bitsandbytes)==(\S+)", (checkout / "environment-remote.yml").read_text()))
for name, version in sorted(pins.items()):
    assert metadata.version(name) == version, "%s is %s, and %s is pinned" % (name, metadata.version(name), version)
print("versions:", " ".join("%s %s" % pin for pin in sorted(pins.items())))

training = load("training", "remote")

lora = LoraConfig(**training["lora"])
assert (lora.r, lora.lora_alpha, lora.peft_type.value, lora.task_type) == (16, 32, "LORA", "CAUSAL_LM"), lora
print("LoraConfig:", lora.r, lora.lora_alpha, lora.lora_dropout, lora.bias, sorted(lora.target_modules))

bits = BitsAndBytesConfig(**training["quantization"])
assert bits.load_in_4bit and bits.quantization_method() == "nf4", bits
assert bits.bnb_4bit_use_double_quant and bits.bnb_4bit_compute_dtype is torch.bfloat16, bits
unused = set(training["quantization"]) - set(bits.to_dict())
assert not unused, unused  # it takes what it does not know, and only logs it
print("BitsAndBytesConfig:", bits.quantization_method(), bits.bnb_4bit_compute_dtype, "double" if bits.bnb_4bit_use_double_quant else "single")

assert getattr(torch, training["model"]["torch_dtype"]) is torch.bfloat16

with tempfile.TemporaryDirectory() as folder:
    values = dict(training["trainer"], output_dir=folder)
    if not torch.cuda.is_available():
        values["use_cpu"] = True
    trainer = SFTConfig(**values)
    assert isinstance(trainer, TrainingArguments)
    for key, value in values.items():
        got = getattr(trainer, key)
        got = getattr(got, "value", got)
        assert got == value or key == "report_to" and got == [], (key, got, value)
    print("SFTConfig:", trainer.learning_rate, trainer.lr_scheduler_type.value, trainer.optim.value, "bf16" if trainer.bf16 else "", trainer.max_seq_length, "use_cpu" if trainer.use_cpu else "cuda")
    SFTConfig(**dict(load("training", "local")["trainer"], output_dir=folder))

# The names of target_modules are those of the layers of a real, tiny Llama.
tiny = LlamaForCausalLM(LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, attn_implementation=training["model"]["attn_implementation"]))
adapted = {name.split(".lora_A")[0].rsplit(".", 1)[1] for name, _ in get_peft_model(tiny, lora).named_parameters() if ".lora_A" in name}
assert adapted == set(training["lora"]["target_modules"]), adapted
print("get_peft_model: adapters on", " ".join(sorted(adapted)))
