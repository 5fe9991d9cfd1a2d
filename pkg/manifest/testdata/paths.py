"""Where things lie in this project, the same on every machine.

Written by `reconcile apply` from manifest.yaml: change `directories` there.

    from paths import DATA_PROCESSED
    with open(DATA_PROCESSED / "train.jsonl") as lines: ...
"""

from pathlib import Path

# The project is found from this file, so that it works from any folder.
PROJECT_ROOT = Path(__file__).resolve().parent.parent

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
