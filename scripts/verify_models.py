#!/usr/bin/env python3
"""Verify the models in a Hugging Face cache on a machine without reconcile.

    python3 scripts/verify_models.py          # the models pinned in manifest.yaml
    python3 scripts/verify_models.py --all    # every snapshot in the cache

Checks that no file is missing, the size and the sha256 or git digest of each, and that the
headers and indexes of safetensors agree with them. Prints one line per problem. Reads only.
Needs Python 3.8, and PyYAML to read manifest.yaml: without it, every snapshot is verified.

The cache is --cache, else $HF_HUB_CACHE, else MODELS_DIR of scripts/paths.py.
Exit status: 0 all models are intact, 2 a problem was found, 1 error, 130 interrupted.
"""

import argparse
import concurrent.futures
import fnmatch
import hashlib
import json
import os
import re
import stat
import sys
from pathlib import Path

DIGEST = re.compile(r"([0-9a-f]{64}|[0-9a-f]{40})\Z")
UNFINISHED = re.compile(r"([0-9a-f]{64}|[0-9a-f]{40})(\.[0-9a-f]{8})?\.incomplete\Z")
SHARD = re.compile(r"(.*-)[0-9]{5}-of-([0-9]{5})(\.[^./]*)\Z", re.S)
WEIGHTS = re.compile(r"(.*/)?(?!training_args\.bin|optimizer|scheduler|rng_state)[^/]*\.(safetensors|bin|pth?|gguf)\Z", re.S)
MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


def open_regular(path, flags=0):
    """Open a regular file without blocking on a pipe."""
    file = open(path, "rb", opener=lambda name, mode: os.open(name, mode | os.O_NONBLOCK | flags))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError("not a regular file")
    return file


def read_json(path):
    with open_regular(path) as file:
        return json.loads(file.read(32 << 20).decode("utf-8"))


def read_tensors(file, size):
    """Return the tensors of a safetensors file: 8 bytes with the length of the header, the header, data without holes."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, 100_000_000):
        raise ValueError("shorter than its safetensors header, or not safetensors")
    try:
        header, end = json.loads(file.read(length).decode("utf-8")), 0
        header.pop("__metadata__", None)
        for first, last in sorted(tensor["data_offsets"] for tensor in header.values()):
            end = last if first == end and last >= first else size  # an overlap or a hole
    except MALFORMED:
        raise ValueError("malformed safetensors header") from None
    if 8 + length + end != size:
        raise ValueError("the safetensors header describes another size than %d bytes" % size)
    return set(header)


def shared(blob):
    """Return the file in the store of the cache that a blob is a link to, since huggingface_hub 1.32; else the blob."""
    if os.path.islink(blob):
        store = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(blob))), "blobs")
        target = os.path.normpath(os.path.join(os.path.dirname(blob), os.readlink(blob)))
        folder, name = os.path.split(target)
        if re.match(r"[0-9a-f]{64}\Z", name) and folder == os.path.join(store, name[:2]) and not os.path.islink(store) and not os.path.islink(folder):
            return target
    return blob


def check_file(name, path, blobs, listed):
    """Return (bytes, tensors, problem) of one file of a snapshot."""
    try:
        digest, size = listed or ("", None)
        if os.path.islink(path):
            folder, blob = os.path.split(os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path))))
            if not os.path.samefile(folder, blobs):
                raise ValueError("a link to a file outside of the cache")
            if listed and blob != digest:
                raise ValueError("a link to blob %s, expected %s" % (blob, digest))
            path, digest = shared(os.path.join(blobs, blob)), blob
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise ValueError("not a regular file")
        with open_regular(path, os.O_NOFOLLOW) as file:
            before = os.fstat(file.fileno())
            if size not in (None, before.st_size):
                raise ValueError("%d bytes, expected %d" % (before.st_size, size))
            if not DIGEST.match(digest):
                raise ValueError("no digest to compare with")
            tensors = read_tensors(file, before.st_size) if name.endswith(".safetensors") else None
            file.seek(0)
            state = hashlib.sha256() if len(digest) == 64 else hashlib.sha1(b"blob %d\0" % before.st_size)
            for part in iter(lambda: file.read(1 << 20), b""):
                state.update(part)
            after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (after.st_size, after.st_mtime_ns, after.st_ctime_ns):
            raise ValueError("modified while it was read")
        if state.hexdigest() != digest:
            raise ValueError("digest %s, expected %s" % (state.hexdigest(), digest))
        return before.st_size, tensors, ""
    except (OSError,) + MALFORMED as err:
        return 0, None, getattr(err, "strerror", None) or str(err)


def verify(pool, cache, repo, revision, exclude):
    """Return the problems of a model as [(file, problem)], and its bytes. exclude is None for a model without a pin, of
    which not every file of the revision is needed."""
    folder = Path(cache, "models--" + repo.replace("/", "--"))
    blobs, root = folder / "blobs", folder / "snapshots" / revision
    for place in (blobs, root.parent, root):
        if place.is_symlink():
            return [(place.relative_to(folder).as_posix(), "a link, expected a directory")], 0
    if not root.is_dir():
        return [("", "not in the cache")], 0
    excluded = lambda name: any(fnmatch.fnmatchcase(name, p + "*" if p.endswith("/") else p) for p in exclude or [])
    files = {p.relative_to(root).as_posix(): str(p) for p in sorted(root.rglob("*")) if p.is_symlink() or not p.is_dir()}
    files = {name: path for name, path in files.items() if not excluded(name)}
    try:  # huggingface_hub 1.22 and later keeps the list of the files of a revision
        doc = read_json(folder / "trees" / (revision + ".json"))
        tree = {n: (f["lfs_sha256"], f["lfs_size"]) if f.get("lfs_sha256") else (f["blob_id"], f["size"]) for n, f in doc["files"].items()}
        if doc["format_version"] != 1:
            tree = None
    except (OSError,) + MALFORMED:
        tree = None
    results = dict(zip(files, pool.map(lambda file: check_file(*file, blobs, (tree or {}).get(file[0])), files.items())))
    found = [(name, problem) for name, (_, _, problem) in results.items() if problem]

    complete = tree is not None and exclude is not None  # tree lists the files that are needed
    needed = set(tree) if complete else set()
    for name in files:
        shard = SHARD.match(name) if WEIGHTS.match(name) and ("/" not in name or "model_index.json" in files) else None
        if shard:
            needed.update("%s%05d-of-%s%s" % (shard[1], i + 1, shard[2], shard[3]) for i in range(min(int(shard[2]), 10_000)))
        if not complete and WEIGHTS.match(name) and name.startswith(("model", "pytorch_model")):
            needed.add("config.json")
        if results[name][2] or not name.endswith(".index.json") or not WEIGHTS.match(name[:-11]):
            continue
        try:
            for tensor, shard in read_json(files[name])["weight_map"].items():
                shard = os.path.normpath(os.path.join(os.path.dirname(name), shard))
                if shard.startswith(("/", "../")):
                    raise ValueError("shard %s is outside of the snapshot" % shard)
                needed.add(shard)
                if shard in results and results[shard][1] is not None and tensor not in results[shard][1]:
                    found.append((shard, "no tensor %s, which the index expects" % tensor))
        except (OSError,) + MALFORMED as err:
            found.append((name, "malformed index: %s" % err))
    found += [(name, "missing") for name in sorted(needed) if name not in files and not excluded(name)]
    if not complete:
        found += [] if any(map(WEIGHTS.match, files)) else [("", "no weights")]
        unfinished = [UNFINISHED.match(p.name) for p in (blobs.iterdir() if blobs.is_dir() else [])]
        found += [(m[0], "unfinished download") for m in unfinished if m and not (blobs / m[1]).exists()]
    return found, sum(result[0] for result in results.values())


def pinned(manifest):
    """Return [(repo, revision, exclude)] of a manifest; None without one or without PyYAML."""
    try:
        import yaml

        with open(manifest, encoding="utf-8") as file:
            return [(m["repo"], m["revision"], m.get("exclude") or []) for m in (yaml.safe_load(file) or {}).get("models") or []]
    except (ImportError, FileNotFoundError):
        return None
    except Exception as err:
        sys.exit("the models of %s cannot be read: %s" % (manifest, " ".join(repr(err).split())))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", help="the Hugging Face cache", default=os.environ.get("HF_HUB_CACHE"))
    parser.add_argument("--manifest", default=os.path.join(os.path.dirname(here), "manifest.yaml"))
    parser.add_argument("--all", action="store_true", help="every snapshot in the cache")
    options = parser.parse_args()
    if not options.cache:
        sys.path.insert(0, here)
        try:
            from paths import MODELS_DIR
        except ImportError:
            sys.exit("scripts/paths.py is missing: name the cache with --cache")
        options.cache = str(MODELS_DIR)
    cache, pins = os.path.abspath(options.cache), pinned(options.manifest)
    unpinned = pins is None
    if options.all or unpinned:
        excludes = {pin[:2]: pin[2] for pin in pins or []}
        found = [(p.parts[-3][8:].replace("--", "/", 1), p.name) for p in sorted(Path(cache).glob("models--*/snapshots/*"))]
        pins = [(*snapshot, excludes.get(snapshot)) for snapshot in found]
    pool, damaged = concurrent.futures.ThreadPoolExecutor(), 0
    for repo, revision, exclude in pins:
        problems, size = verify(pool, cache, repo, revision, exclude)
        for name, problem in problems:
            print(("%s at %s: %s: %s" % (repo, revision[:12], name or "model", problem)).encode("unicode_escape").decode())
        if not problems:
            print("%s at %s: intact, %.1f GB" % (repo, revision[:12], size / 1e9), flush=True)
        damaged += bool(problems)
    print("%d of %d models are intact" % (len(pins) - damaged, len(pins)))
    return 2 if damaged or unpinned and not pins else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        os._exit(130)  # without waiting for the files that are being hashed
