#!/usr/bin/env python3
"""The parameters of configs/ for an environment.

    from config import load
    training = load("training")        # configs/training.yaml
    training["lora"]["r"]
    data = load("data")                # configs/data.json
    SFTConfig(**arguments(SFTConfig, training["trainer"]))

    python scripts/config.py training              # print the parameters as JSON
    python scripts/config.py data --env remote

configs/<environment>.yaml overrides parameters, below the name of the file: mappings are
merged, other values are replaced. An unknown parameter or a value of another type is an
error.

The environment is that of the running Python, which reconcile builds below
projects/<project>/envs/<environment> of its store; otherwise the argument, otherwise
CONFIG_ENVIRONMENT. Without any of these, load fails.

${NAME} in a text is replaced by a constant of paths.py: ${DATA_RAW}/gutenberg. Keys named
_comment are removed. Needs PyYAML, which all environments have.

training.yaml has the names of trl 0.9 and transformers 4.43, environment remote. arguments()
gives them the names of the installed libraries, by the table RENAMED.
"""

import argparse
import difflib
import importlib.metadata
import importlib.util
import inspect
import json
import os
import re
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent


class ConfigError(Exception):
    """A file of configs/ is not valid; the message has the place and a hint."""

    def __init__(self, message):
        # Keys and values of a file may have control characters.
        super().__init__("".join(c if c.isprintable() else "\\x%02x" % ord(c) for c in message))


def load(name, environment=None, folder=None):
    """Return configs/<name> with the overrides of the environment, as a dict.

    `environment` overrides that of the running Python; `folder` is CONFIGS_DIR by default.
    Raises ConfigError.
    """
    constants = path_constants()
    folder = Path(folder or constants["CONFIGS_DIR"])
    files = files_of(folder)
    if name not in files:
        raise ConfigError("%s has no file %r%s" % (folder, name, nearest(name, files)))
    values = read(files[name])
    overrides = overrides_of(folder, environment)
    if overrides is not None:
        layers = read(overrides)
        for key in layers:
            if key not in files:
                raise ConfigError("%s: %s: there is no file of that name to override%s" % (overrides, key, nearest(key, files)))
        layer = layers.get(name)
        values = merge(values, {} if layer is None else layer, overrides, name)
    return resolve(values, constants, name)


def files_of(folder):
    """Return the files of a folder by name without suffix."""
    files = {}
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.suffix not in (".yaml", ".json") or path.name.startswith("."):
                continue
            if path.stem in files:
                raise ConfigError("%s and %s have the same name: remove one" % (files[path.stem], path))
            files[path.stem] = path
    return files


def overrides_of(folder, environment):
    """Return the overrides file of the environment, or None."""
    named = environment or os.environ.get("CONFIG_ENVIRONMENT")
    found = environment or environment_of(sys.prefix) or named
    if not found:
        raise ConfigError(
            "the environment is unknown: this Python (%s) is in no environment of reconcile;"
            " run it with `reconcile run -- python ...`, or set --env or CONFIG_ENVIRONMENT (local, remote)" % sys.prefix
        )
    path = folder / (found + ".yaml")
    if path.is_file():
        return path
    if found == named:
        names = [p.stem for p in folder.glob("*.yaml")]
        raise ConfigError("there is no %s%s" % (path, nearest(found, names)))
    return None


def environment_of(prefix):
    """Return the environment of a Python prefix, or None."""
    parts = Path(prefix).resolve().parts
    for i in range(len(parts) - 4):
        if parts[i] == "projects" and parts[i + 2] == "envs":
            return parts[i + 3]
    return None


# --- reading


class StrictLoader(yaml.SafeLoader):
    """YAML that refuses duplicate keys; PyYAML silently keeps the last one."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.constructor.ConstructorError(None, None, "duplicate key %r" % key.value, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def read(path):
    """Return a file as a dict without its comments."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            value = json.loads(text, object_pairs_hook=unique)
        else:
            value = yaml.load(text, StrictLoader)
    except RecursionError:
        raise ConfigError("%s: values are nested too deep" % path) from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError("%s: %s" % (path, " ".join(str(error).split()))) from error
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ConfigError("%s: expected a mapping, found %s" % (path, type_of(value)))
    try:
        return checked(value, path, "")
    except RecursionError:  # an alias of a value that contains it
        raise ConfigError("%s: values are nested too deep" % path) from None


def unique(pairs):
    """Build a JSON object; refuse duplicate keys."""
    seen = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError("duplicate key %r" % key)
        seen[key] = value
    return seen


# A number that YAML 1.1 reads as text, because it has no point or no sign.
LOOKS_LIKE_A_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")


def checked(value, path, where):
    """Return the value without comments; refuse numbers that YAML read as text."""
    if isinstance(value, dict):
        return {key: checked(item, path, join(where, key)) for key, item in value.items() if key != "_comment"}
    if isinstance(value, list):
        return [checked(item, path, where) for item in value]
    if isinstance(value, str) and LOOKS_LIKE_A_NUMBER.fullmatch(value):
        raise ConfigError("%s: %s: YAML reads %s as text; write it with a point and a sign, like 2.0e-4" % (path, where, value))
    return value


# --- merging


def merge(base, layer, path, where):
    """Return base overridden by layer."""
    if not isinstance(layer, dict):
        raise ConfigError("%s: %s: expected a mapping, found %s" % (path, where, type_of(layer)))
    merged = dict(base)
    for key, value in layer.items():
        here = join(where, key)
        if key not in base:
            raise ConfigError("%s: %s: unknown parameter%s" % (path, here, nearest(key, base)))
        if isinstance(base[key], dict):
            merged[key] = merge(base[key], value, path, here)
            continue
        if not fits(base[key], value):
            raise ConfigError("%s: %s: expected %s, found %s" % (path, here, type_of(base[key]), type_of(value)))
        merged[key] = value
    return merged


def fits(old, new):
    """Report whether a value may replace another: they have the same type, one is null, or
    one is a list and the other a text, because libraries accept "all-linear" for a list."""
    types = [{"a list": "a text"}.get(type_of(value), type_of(value)) for value in (old, new)]
    return "null" in types and "a mapping" not in types or types[0] == types[1]


def type_of(value):
    """Return the type of a value for messages."""
    if value is None:
        return "null"
    for kind, name in ((bool, "true or false"), ((int, float), "a number"), (str, "a text"), (list, "a list"), (dict, "a mapping")):
        if isinstance(value, kind):
            return name
    return type(value).__name__


# --- paths


def path_constants():
    """Return the constants of paths.py beside this file."""
    spec = importlib.util.spec_from_file_location("paths", HERE / "paths.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: str(value) for name, value in vars(module).items() if name.isupper() and isinstance(value, Path)}


def resolve(value, constants, where):
    """Return the value with ${NAME} replaced by paths."""
    if isinstance(value, dict):
        return {key: resolve(item, constants, join(where, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, constants, where) for item in value]
    if not isinstance(value, str):
        return value

    def constant(match):
        if match.group(1) not in constants:
            raise ConfigError("%s: paths.py has no %s%s" % (where, match.group(1), nearest(match.group(1), constants)))
        return constants[match.group(1)]

    return re.sub(r"\$\{(\w*)\}", constant, value)


# --- names of parameters in other versions of the libraries

# Parameters that a library renamed: the library, the first version with the new name, the old
# and the new name, and the new values for the old ones where they differ. From the source of each
# version. Libraries accept an old name for some versions more; here it is replaced at once.
RENAMED = (
    ("transformers", "4.41", "evaluation_strategy", "eval_strategy", None),
    ("transformers", "4.56", "torch_dtype", "dtype", None),
    ("transformers", "5.0", "warmup_ratio", "warmup_steps", None),  # below 1: a fraction
    ("transformers", "5.2", "group_by_length", "train_sampling_strategy", {True: "group_by_length", False: "random"}),
    ("transformers", "5.23", "gradient_checkpointing", "activation_checkpointing", None),
    ("transformers", "5.23", "gradient_checkpointing_kwargs", "activation_checkpointing_kwargs", None),
    ("trl", "0.12", "tokenizer", "processing_class", None),
    ("trl", "0.16", "max_seq_length", "max_length", None),
)


def arguments(function, values):
    """Return values as keyword arguments of a function or class of an installed library.

    Names of other versions of the library are replaced by those of the installed one. A name
    that the function does not have is a ConfigError.
    """
    known = parameters_of(function)
    renamed = {}
    for name, value in values.items():
        new, new_value = name_here(name, value, known)
        if new in renamed:
            raise ConfigError("%s is given twice, under its old and its new name" % new)
        if known is not None and new not in known:
            raise ConfigError("%s of %s has no parameter %s%s" % (function.__qualname__, version_text(function), new, nearest(new, known)))
        renamed[new] = new_value
    return renamed


def name_here(name, value, known):
    """Return the name and the value of a parameter for the installed libraries."""
    for library, since, old, new, values in RENAMED:
        installed = installed_version(library)
        if installed is None or name not in (old, new):
            continue
        if numbers(installed) >= numbers(since):
            if name == old:
                return new, values.get(value, value) if values else value
        elif name == new and (known is None or name not in known):
            return old, {v: k for k, v in values.items()}.get(value, value) if values else value
    return name, value


def parameters_of(function):
    """Return the names of the parameters of a function, or None if it takes any name."""
    found = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in found):
        return None
    return [p.name for p in found if p.name != "self"]


def installed_version(library):
    """Return the version of an installed library, or None."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def version_text(function):
    """Return the library of a function and its version for messages."""
    library = function.__module__.split(".")[0]
    return " ".join(filter(None, (library, installed_version(library))))


def numbers(version):
    """Return the leading numbers of a version: 5.18.0.dev0 is (5, 18, 0)."""
    return tuple(int(n) for n in re.match(r"[0-9]+(?:\.[0-9]+)*", version).group().split("."))


# --- messages


def join(where, key):
    return "%s.%s" % (where, key) if where else str(key)


def nearest(name, names):
    """Return a suggestion to append to a message."""
    close = difflib.get_close_matches(str(name), [str(n) for n in names], 1)
    if close:
        return "; did you mean %s?" % close[0]
    return "; known: %s" % ", ".join(sorted(str(n) for n in names)) if names else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="training or data")
    parser.add_argument("--env", metavar="NAME", help="the environment, instead of that of the running Python")
    options = parser.parse_args()
    try:
        print(json.dumps(load(options.name, options.env), indent=2, ensure_ascii=False))
    except ConfigError as error:
        print("error: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
