#!/usr/bin/env python3
"""The values of configs/, as they hold in this environment.

    from config import load
    training = load("training")        # configs/training.yaml
    training["lora"]["r"]
    data = load("data")                # configs/data.json

    python scripts/config.py training              # what a script would get, as JSON
    python scripts/config.py data --env remote

Over the file lies what configs/<environment>.yaml says under its name: mappings are
merged, everything else is replaced. A name that the file does not have is an error, and
so is a value of another sort.

The environment is the one whose Python runs this: reconcile builds each below
.reconcile/<machine>/envs/<environment>. Else it is what the caller says, or what
CONFIG_ENVIRONMENT says. A script that has none is told so.

${NAME} in a text is a constant of paths.py: ${DATA_RAW}/gutenberg. Of the keys
_comment nothing is left. Needs PyYAML, which both environments have.
"""

import argparse
import difflib
import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent


class ConfigError(Exception):
    """A file of configs/ that cannot be used; the text says where and what to do."""


def load(name, environment=None, folder=None):
    """Return configs/<name> with what the environment lays over it, as a dict.

    `environment` goes before what is found out; `folder` is where the files lie, by
    itself CONFIGS_DIR. Raises ConfigError.
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
                raise ConfigError("%s: %s: there is no file of that name to be changed%s" % (overrides, key, nearest(key, files)))
        layer = layers.get(name)
        values = merge(values, {} if layer is None else layer, overrides, name)
    return resolve(values, constants, name)


def files_of(folder):
    """Return the files of a folder by name without the ending."""
    files = {}
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.suffix not in (".yaml", ".json") or path.name.startswith("."):
                continue
            if path.stem in files:
                raise ConfigError("%s and %s have one name: remove one" % (files[path.stem], path))
            files[path.stem] = path
    return files


def overrides_of(folder, environment):
    """Return the file of the environment, None where that has none of its own."""
    named = environment or os.environ.get("CONFIG_ENVIRONMENT")
    found = environment or environment_of(sys.prefix) or named
    if not found:
        raise ConfigError(
            "which environment? This Python (%s) is of none that reconcile made:"
            " start it with `reconcile run -- python ...`, or say it with --env or CONFIG_ENVIRONMENT (local, remote)" % sys.prefix
        )
    path = folder / (found + ".yaml")
    if path.is_file():
        return path
    if found == named:
        names = [p.stem for p in folder.glob("*.yaml")]
        raise ConfigError("there is no %s%s" % (path, nearest(found, names)))
    return None


def environment_of(prefix):
    """Return the environment that a Python prefix belongs to, or None."""
    parts = Path(prefix).resolve().parts
    for i in range(len(parts) - 4):
        if parts[i] == ".reconcile" and parts[i + 2] == "envs":
            return parts[i + 3]
    return None


# --- reading


class StrictLoader(yaml.SafeLoader):
    """YAML in which a key may stand once; the library keeps the last one in silence."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.constructor.ConstructorError(None, None, "%r stands here twice" % key.value, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def read(path):
    """Return a file as a dict without its comments."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            value = json.loads(text, object_pairs_hook=once)
        else:
            value = yaml.load(text, StrictLoader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError("%s: %s" % (path, " ".join(str(error).split()))) from error
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ConfigError("%s: names and values are expected, and there is %s" % (path, sort_of(value)))
    return checked(value, path, "")


def once(pairs):
    """Build an object of JSON in which a key may stand once."""
    seen = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError("%r stands here twice" % key)
        seen[key] = value
    return seen


# A number to people and text to YAML 1.1, which wants a point and a sign.
LOOKS_LIKE_A_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")


def checked(value, path, where):
    """Return the value without comments; refuse numbers that were read as text."""
    if isinstance(value, dict):
        return {key: checked(item, path, join(where, key)) for key, item in value.items() if key != "_comment"}
    if isinstance(value, list):
        return [checked(item, path, where) for item in value]
    if isinstance(value, str) and LOOKS_LIKE_A_NUMBER.fullmatch(value):
        raise ConfigError("%s: %s: %s is text to YAML; write it with a point and a sign, like 2.0e-4" % (path, where, value))
    return value


# --- merging


def merge(base, layer, path, where):
    """Return base with layer over it."""
    if not isinstance(layer, dict):
        raise ConfigError("%s: %s: names and values are expected, and there is %s" % (path, where, sort_of(layer)))
    merged = dict(base)
    for key, value in layer.items():
        here = join(where, key)
        if key not in base:
            raise ConfigError("%s: %s: there is no such parameter%s" % (path, here, nearest(key, base)))
        if isinstance(base[key], dict):
            merged[key] = merge(base[key], value, path, here)
            continue
        if not fits(base[key], value):
            raise ConfigError("%s: %s: %s is expected, and there is %s" % (path, here, sort_of(base[key]), sort_of(value)))
        merged[key] = value
    return merged


def fits(old, new):
    """Report whether a value may take the place of another: null always may, and a list
    and a text stand for each other, since libraries take "all-linear" for a list."""
    loose = {"a list": "a text"}
    sorts = [loose.get(sort_of(value), sort_of(value)) for value in (old, new)]
    return "null" in sorts and "names and values" not in sorts or sorts[0] == sorts[1]


def sort_of(value):
    """Return what sort of value this is, in words."""
    if value is None:
        return "null"
    for kind, word in ((bool, "true or false"), ((int, float), "a number"), (str, "a text"), (list, "a list"), (dict, "names and values")):
        if isinstance(value, kind):
            return word
    return type(value).__name__


# --- paths


def path_constants():
    """Return the constants of paths.py beside this file, wherever this runs from."""
    spec = importlib.util.spec_from_file_location("paths", HERE / "paths.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: str(value) for name, value in vars(module).items() if name.isupper() and isinstance(value, Path)}


def resolve(value, constants, where):
    """Return the value with paths in the place of ${NAME}."""
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


# --- words


def join(where, key):
    return "%s.%s" % (where, key) if where else str(key)


def nearest(name, names):
    """Return what may have been meant, to be put behind a sentence."""
    close = difflib.get_close_matches(str(name), [str(n) for n in names], 1)
    if close:
        return "; did you mean %s?" % close[0]
    return "; there are: %s" % ", ".join(sorted(str(n) for n in names)) if names else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="training or data")
    parser.add_argument("--env", metavar="NAME", help="environment, whatever Python runs this")
    options = parser.parse_args()
    try:
        print(json.dumps(load(options.name, options.env), indent=2, ensure_ascii=False))
    except ConfigError as error:
        print("error: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
