"""Checks that the installed libraries accept the values of configs/, and trains a tiny model.

Usage: config_libraries.py CHECKOUT ENVIRONMENT

ENVIRONMENT is remote, remote-current or none; the versions must be those of its pins, which none
does not have. A name or a value that a library refuses is an error. The parameters of the
libraries must be those of config_parameters.json beside this file; --update writes them there.
Without a GPU the training uses the CPU, because TrainingArguments checks whether the machine
supports bfloat16.
"""

import json
import os
import platform
import re
import sys
import tempfile
from importlib import metadata
from pathlib import Path

checkout, environment = Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(checkout / "scripts"))

import torch
import trl
from config import arguments, load, parameters_of
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, PreTrainedTokenizerFast, TrainingArguments
from trl import SFTConfig, SFTTrainer

# --- versions

file = {"remote": "environment-remote.yml", "remote-current": "requirements-remote-current.txt"}.get(environment)
versions = {name: metadata.version(name) for name in ("accelerate", "bitsandbytes", "peft", "torch", "transformers", "trl")}
for line in (checkout / file).read_text().splitlines() if file else []:
    pin = re.match(r"(?: *- )?([a-z]+)==([^ ;]+)(?: ;.*platform_machine == '(\w+)')?$", line)
    if pin and pin.group(1) in versions and pin.group(3) in (None, platform.machine()):
        name, version = pin.group(1), pin.group(2)
        assert versions[name] == version, "%s is %s, and %s is pinned" % (name, versions[name], version)
print("versions:", " ".join("%s %s" % pin for pin in versions.items()))

# --- parameters

record = Path(__file__).with_name("config_parameters.json")
recorded = json.loads(record.read_text()) if record.exists() else {}
libraries = "trl %s, transformers %s" % (versions["trl"], versions["transformers"])
found = {function.__name__: " ".join(sorted(parameters_of(function))) for function in (TrainingArguments, SFTConfig, SFTTrainer)}
if "--update" in sys.argv:
    recorded[libraries] = found
    record.write_text(json.dumps(dict(sorted(recorded.items())), indent=2) + "\n")
assert recorded.get(libraries) == found, "the parameters of %s are not those of %s: run with --update" % (libraries, record)

# --- values

training = load("training", "local" if environment == "none" else environment)

lora = LoraConfig(**training["lora"])
assert (lora.r, lora.lora_alpha, lora.peft_type.value, lora.task_type) == (16, 32, "LORA", "CAUSAL_LM"), lora
print("LoraConfig:", lora.r, lora.lora_alpha, lora.lora_dropout, lora.bias, sorted(lora.target_modules))

bits = BitsAndBytesConfig(**dict(training["quantization"], load_in_4bit=True))
assert bits.load_in_4bit and bits.quantization_method() == "nf4", bits
assert bits.bnb_4bit_use_double_quant and bits.bnb_4bit_compute_dtype is torch.bfloat16, bits
unused = set(training["quantization"]) - set(bits.to_dict())
assert not unused, unused  # it takes what it does not know, and only logs it
print("BitsAndBytesConfig:", bits.quantization_method(), bits.bnb_4bit_compute_dtype, "double" if bits.bnb_4bit_use_double_quant else "single")

with tempfile.TemporaryDirectory() as folder:
    values = arguments(SFTConfig, dict(training["trainer"], output_dir=folder))
    if not torch.cuda.is_available():
        values["use_cpu"] = True
    config = SFTConfig(**values)
    assert isinstance(config, TrainingArguments)
    for key, value in values.items():
        got = getattr(config, key)
        got = getattr(got, "value", got)
        assert got == value or key == "report_to" and got == [], (key, got, value)
    assert config.get_warmup_steps(1000) == 30, config.get_warmup_steps(1000)
    print("SFTConfig:", config.learning_rate, config.lr_scheduler_type.value, config.optim.value, "bf16" if config.bf16 else "", "use_cpu" if config.use_cpu else "cuda")

# --- training

os.environ.pop("ACCELERATE_MIXED_PRECISION", None)  # transformers 4 set it above for bf16
conversation = "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
special = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", training["tokenizer"]["pad_token"]]
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
bytes_only = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
bytes_only.pre_tokenizer, bytes_only.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
bytes_only.add_special_tokens(special)
bos = bytes_only.token_to_id(special[0])
bytes_only.post_processor = processors.TemplateProcessing(single="%s $A" % special[0], special_tokens=[(special[0], bos)])
tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_only, bos_token=special[0], eos_token=special[1], chat_template=conversation)
for name, value in training["tokenizer"].items():
    setattr(tokenizer, name, value)
assert tokenizer.pad_token_id not in (None, tokenizer.eos_token_id)

answers = ["Yes.", "It never rains here."]
data = Dataset.from_list([
    {"id": str(i), "messages": [{"role": "user", "content": "Rain?" + "!" * i}, {"role": "assistant", "content": answers[i % 2]}]} for i in range(16)
])
extra = {}
if hasattr(trl, "DataCollatorForCompletionOnlyLM"):
    extra["data_collator"] = trl.DataCollatorForCompletionOnlyLM(tokenizer=tokenizer, **training["collator"])
else:
    data = data.map(lambda e: {"prompt": e["messages"][:-1], "completion": e["messages"][-1:]}, remove_columns=data.column_names)

with tempfile.TemporaryDirectory() as folder:
    tiny = LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1)
    create = AutoModelForCausalLM.from_config
    model = create(tiny, **arguments(create, {"attn_implementation": training["model"]["attn_implementation"], "torch_dtype": torch.float32}))
    values = dict(load("training", "local")["trainer"], output_dir=folder, max_steps=2, dataset_num_proc=1, per_device_train_batch_size=4)
    trainer = SFTTrainer(**arguments(SFTTrainer, dict(
        extra, model=model, tokenizer=tokenizer, args=SFTConfig(**arguments(SFTConfig, values)), peft_config=lora, train_dataset=data, eval_dataset=data,
    )))
    batch = next(iter(trainer.get_train_dataloader()))
    for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist()):
        assert ids.count(bos) == 1, tokenizer.decode(ids)
        learned = tokenizer.decode([label for label in labels if label != -100])
        assert learned in [answer + "<|eot_id|>" for answer in answers], learned
    assert tokenizer.pad_token_id in batch["input_ids"], "no example of the batch is padded"
    result = trainer.train()
    assert result.global_step == 2 and result.training_loss > 0, result
    adapted = {name.split(".lora_A")[0].rsplit(".", 1)[1] for name, _ in trainer.model.named_parameters() if ".lora_A" in name}
    assert adapted == set(training["lora"]["target_modules"]), adapted
    assert list(Path(folder).glob("checkpoint-2/adapter_model.safetensors")), list(Path(folder).iterdir())
    print("SFTTrainer: 2 steps, loss %.2f on answers only, adapters on %s" % (result.training_loss, " ".join(sorted(adapted))))
