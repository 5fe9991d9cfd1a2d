"""The folders of this project, the same on every machine.

Written by `reconcile apply` from manifest.yaml: change `directories` there.

    from paths import DATA_PROCESSED
    with open(DATA_PROCESSED / "train.jsonl") as lines: ...

A machine that keeps a folder elsewhere (`directories` of a host or an environment in
manifest.yaml) has a link to it at the path below. Environment variables are not read, so
that one project does not affect another.
"""

from pathlib import Path

# Independent of the working directory and of links to this file.
PROJECT_ROOT = Path(__file__).resolve().parents[1]

# original downloads (Gutenberg texts, Reddit CSVs)
DATA_RAW = PROJECT_ROOT / "data/raw"

# cleaned, deduplicated JSONL
DATA_PROCESSED = PROJECT_ROOT / "data/processed"

# generated tool-use examples
DATA_SYNTHETIC = PROJECT_ROOT / "data/synthetic"

# base models (Hugging Face cache)
MODELS_DIR = PROJECT_ROOT / "models"

# LoRA weights and training checkpoints
ADAPTERS_DIR = PROJECT_ROOT / "adapters"

# Python training and processing scripts
SCRIPTS_DIR = PROJECT_ROOT / "scripts"

# YAML and JSON configuration
CONFIGS_DIR = PROJECT_ROOT / "configs"
