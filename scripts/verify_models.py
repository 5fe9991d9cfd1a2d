#!/usr/bin/env python3
"""Are the models in the Hugging Face cache what the manifest pins, byte for byte?

The proof of `reconcile models verify`, for machines that have no reconcile:

    python3 scripts/verify_models.py               # the models of manifest.yaml
    python3 scripts/verify_models.py --all         # every snapshot in the cache
    python3 scripts/verify_models.py --cache ~/.cache/huggingface/hub ORG/NAME

It needs Python 3.8 and its standard library alone. With PyYAML it reads from
manifest.yaml which models there must be; without it, it looks at every snapshot in the
cache. It reads every byte, uses no network, writes nothing and remembers nothing.

The cache is --cache, else $HF_HUB_CACHE, else MODELS_DIR of scripts/paths.py.

Exit status: 0 if all models are intact, 2 if one is damaged, partial or absent, 1 for an
error, 130 if it was interrupted.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import stat
import sys
import threading
import time

if sys.version_info < (3, 8):
    sys.exit("verify_models.py needs Python 3.8 or newer, this is " + sys.version.split()[0])

HEADER_LIMIT = 100_000_000  # bytes; the longest header that safetensors allow
JSON_LIMIT = 32 << 20  # bytes of an index or a list of files
MAX_FILES, MAX_DEPTH, MAX_SHARDS = 100_000, 16, 10_000
CHUNK = 1 << 20  # bytes hashed at a time
HEARTBEAT = 10  # seconds between two lines where no terminal watches

# What is wrong, in a phrase that goes on from the name of the file, and whether it is a
# lack that a download mends. The same words as in internal/facts/model.go.
FAULTS = {
    "missing": ("is not there", True),
    "weights": ("no file of weights is there", True),
    "unfinished": ("a download did not end", True),
    "dangling": ("is a link to nothing", False),
    "outside": ("leads out of the cache", False),
    "odd": ("is neither a file nor a link to one", False),
    "unreadable": ("cannot be read", False),
    "header": ("does not begin as safetensors do", False),
    "size": ("has the wrong size", False),
    "index": ("does not fit the files that it lists", False),
    "blob": ("leads to another content than the revision has", False),
    "content": ("has another content than its digest says", False),
    "unknown": ("has no digest to compare with", False),
    "changed": ("was written while it was read", False),
}
AGAIN = "download the model again, which fetches only what is not there"

SHARD = re.compile(r"^(.*)-([0-9]{5})-of-([0-9]{5})(\.[^./]*)$", re.S)
UNFINISHED = re.compile(r"^([0-9a-f]{64}|[0-9a-f]{40})(\.[0-9a-f]{8})?\.incomplete$")
COMMIT = re.compile(r"^[0-9a-f]{40}$")


class Wrong(Exception):
    """A file that is not as its format asks."""

    def __init__(self, what, detail):
        super().__init__(what, detail)
        self.what, self.detail = what, detail


class Fault:
    """One thing that is wrong with a model."""

    def __init__(self, what, name="", blob="", detail=""):
        self.what, self.name, self.blob, self.detail = what, name, blob, detail

    @property
    def partial(self):
        return FAULTS[self.what][1]

    def words(self):
        words = FAULTS[self.what][0] + (" (%s)" % self.detail if self.detail else "")
        return ("%s %s" % (self.name or self.blob, words)).strip()


class File:
    """One file of a snapshot. size is None where there is no content."""

    def __init__(self, name, path):
        self.name, self.path = name, path
        self.blob = ""  # name of the content in blobs, "" for a real file
        self.size = None
        self.stamp = None
        self.want = None  # (git, digits), None if nothing says
        self.broken = False  # has a fault already
        self.verified = False


def is_digest(name):
    """Return what a blob is named by: (git, digits), or None."""
    if re.match(r"^[0-9a-f]{64}$", name):
        return False, name
    if re.match(r"^[0-9a-f]{40}$", name):
        return True, name
    return None


def short(digest):
    return "%s %s…" % ("git sha1" if digest[0] else "sha256", digest[1][:12])


def matches(pattern, name):
    """fnmatch as huggingface_hub uses it: * matches a slash too; a/ means all below."""
    if pattern.endswith("/"):
        pattern += "*"
    parts = {"*": ".*", "?": "."}
    return re.match("(?s)^" + "".join(parts.get(c, re.escape(c)) for c in pattern) + r"\Z", name) is not None


def is_safe(name):
    return bool(name) and not name.startswith("/") and os.path.normpath(name) == name and name != ".." and not name.startswith("../") and "\0" not in name


def weights_of(name):
    """Return the format of weights that a name stands for, "" for another file."""
    ext = os.path.splitext(name)[1]
    if ext == ".safetensors":
        return "safetensors"
    if ext in (".bin", ".pt", ".pth"):
        base = os.path.basename(name)
        return "" if base == "training_args.bin" or base.startswith(("optimizer", "scheduler", "rng_state")) else "bin"
    return "gguf" if ext == ".gguf" else ""


def siblings(name):
    """Return all shards of the set that a numbered one belongs to."""
    found = SHARD.match(name)
    if not found or not weights_of(name):
        return []
    front, number, total, ext = found.groups()
    if not 1 <= int(number) <= int(total) <= MAX_SHARDS:
        return []
    return ["%s-%05d-of-%s%s" % (front, i, total, ext) for i in range(1, int(total) + 1)]


def open_regular(path):
    """Open a regular file, through no link and never one that blocks."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        os.close(fd)
        raise OSError(0, "not a regular file")
    return os.fdopen(fd, "rb", buffering=0), info


def stamp_of(info):
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def read_json(path, what):
    """Return the JSON of a small file, which must be an object."""
    file, info = open_regular(path)
    with file:
        if info.st_size > JSON_LIMIT:
            raise Wrong("index", "%d bytes, more than %d" % (info.st_size, JSON_LIMIT))
        try:
            doc = json.loads(file.read().decode("utf-8"))
        except (ValueError, RecursionError):
            raise Wrong("index", "no JSON of %s" % what) from None
    if not isinstance(doc, dict):
        raise Wrong("index", "no JSON of %s" % what)
    return doc


def check_header(path):
    """Return the names of the tensors of a safetensors file, or raise Wrong.

    The format: 8 bytes with the length N of the header, little-endian; N bytes of JSON
    that begin with {; then the data, without holes, to which the offsets refer.
    """
    file, info = open_regular(path)
    with file:
        size = info.st_size
        if size < 8:
            raise Wrong("size", "%d bytes, too short for a header" % size)
        length = int.from_bytes(file.read(8), "little")
        if length > HEADER_LIMIT:
            raise Wrong("header", "a header of %d bytes, more than %d" % (length, HEADER_LIMIT))
        if length > size - 8:
            raise Wrong("size", "%d bytes, too short for its header of %d" % (size, length))
        header = b""
        while len(header) < length:
            part = file.read(length - len(header))
            if not part:
                break
            header += part
    if not header.startswith(b"{"):
        raise Wrong("header", "does not begin with {")
    try:
        tensors = json.loads(header.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Wrong("header", "its header is no JSON of tensors") from None
    tensors.pop("__metadata__", None)
    data = total = 0
    for name, tensor in tensors.items():
        if not isinstance(tensor, dict):
            raise Wrong("header", "its header is no JSON of tensors")
        place = tensor.get("data_offsets")
        if not isinstance(place, list) or len(place) != 2 or not all(type(n) is int for n in place) or not 0 <= place[0] <= place[1]:
            raise Wrong("header", "tensor %s has no place" % json.dumps(name[:80]))
        total += place[1] - place[0]
        data = max(data, place[1])
    if total != data:
        raise Wrong("header", "tensors of %d bytes in %d bytes of data" % (total, data))
    if 8 + length + data != size:
        raise Wrong("size", "%d bytes, %d by its header" % (size, 8 + length + data))
    return set(tensors)


class Snapshot:
    """One revision of a model as it lies in a cache; nothing is hashed yet."""

    def __init__(self, cache, repo, revision, exclude):
        """exclude is None where nobody told which files are needed."""
        self.repo, self.revision, self.exclude, self.any = repo, revision, exclude or [], exclude is None
        self.dir = os.path.join(cache, "models--" + repo.replace("/", "--"))
        self.files, self.faults, self.others, self.unfinished = [], [], [], []
        self.tree, self.there, self.weights = None, False, ""
        self.shards = self.needed = 0
        root = os.path.join(self.dir, "snapshots", revision)
        if self.check_inside(root):
            return
        self.read_others()
        self.read_unfinished()
        self.list(root, "", 0)
        if not self.there:
            return
        self.files.sort(key=lambda f: f.name)
        self.by_name = {f.name: f for f in self.files}
        self.read_tree()
        self.compare_tree()
        self.check_weights()
        if not self.listed:
            for name, leftover in self.unfinished:
                if not leftover:
                    self.fault("unfinished", "", name)

    @property
    def listed(self):
        """Whether the list of the revision says what must be there."""
        return self.tree is not None and not self.any

    def fault(self, what, name="", blob="", detail=""):
        self.faults.append(Fault(what, name, blob, detail))

    def excluded(self, name):
        return any(matches(pattern, name) for pattern in self.exclude)

    def check_inside(self, root):
        """Report folders of the model that are links to other places."""
        for place in (os.path.join(self.dir, "blobs"), os.path.join(self.dir, "snapshots"), root):
            try:
                info = os.lstat(place)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if not stat.S_ISDIR(info.st_mode):
                self.there = True
                self.fault("outside", os.path.relpath(place, self.dir), "", "not a directory of the cache")
        return bool(self.faults)

    def read_others(self):
        for entry in scan(os.path.join(self.dir, "snapshots")):
            if COMMIT.match(entry.name) and entry.name != self.revision and entry.is_dir(follow_symlinks=False):
                self.others.append(entry.name)
        self.others.sort()

    def read_unfinished(self):
        blobs = os.path.join(self.dir, "blobs")
        for entry in scan(blobs):
            found = UNFINISHED.match(entry.name)
            if found and entry.is_file(follow_symlinks=False):
                self.unfinished.append((entry.name, os.path.lexists(os.path.join(blobs, found.group(1)))))
        self.unfinished.sort()

    def list(self, folder, prefix, depth):
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            if prefix == "":
                return
            raise
        self.there = True
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                if depth == MAX_DEPTH:
                    raise OSError(0, "folders more than %d deep in %s" % (MAX_DEPTH, folder))
                self.list(entry.path, name + "/", depth + 1)
                continue
            if len(self.files) == MAX_FILES:
                raise OSError(0, "more than %d files in %s" % (MAX_FILES, folder))
            before = len(self.faults)
            file = File(name, entry.path)
            if entry.is_symlink():
                self.follow(file)
            if len(self.faults) == before:
                self.stat(file)
            file.broken = len(self.faults) > before
            if self.excluded(name):  # what is wrong with it is nobody's concern
                del self.faults[before:]
            else:
                self.files.append(file)

    def follow(self, file):
        """Find the blob that a link leads to."""
        target = os.readlink(file.path)
        to = os.path.normpath(os.path.join(os.path.dirname(file.path), target))
        blobs = os.path.join(self.dir, "blobs")
        folder, blob = os.path.split(to)
        try:
            inside = folder == os.path.normpath(blobs) or os.path.samestat(os.lstat(folder), os.lstat(blobs))
        except OSError:
            inside = False
        if not inside:
            self.fault("outside", file.name, "", "to " + target[:80])
            return
        file.blob, file.path, file.want = blob, os.path.join(blobs, blob), is_digest(blob)

    def stat(self, file):
        try:
            info = os.lstat(file.path)
        except FileNotFoundError:
            self.fault("dangling", file.name, file.blob)
            return
        except OSError as err:
            self.fault("unreadable", file.name, file.blob, reason(err))
            return
        if stat.S_ISLNK(info.st_mode):
            self.fault("outside", file.name, file.blob, "its blob is a link")
        elif not stat.S_ISREG(info.st_mode):
            self.fault("odd", file.name, file.blob)
        else:
            file.size, file.stamp = info.st_size, stamp_of(info)

    def read_tree(self):
        """Read the list of the revision's files, which hub writes since 1.22."""
        try:
            doc = read_json(os.path.join(self.dir, "trees", self.revision + ".json"), "a list of files")
        except (OSError, Wrong):
            return
        listed = doc.get("files")
        if doc.get("format_version") != 1 or not isinstance(listed, dict) or len(listed) > MAX_FILES:
            return
        tree = {}
        for name, info in listed.items():
            if not isinstance(info, dict):
                return
            sha256 = info.get("lfs_sha256")
            digest = is_digest(str(sha256 or info.get("blob_id")))
            size = info.get("lfs_size") if sha256 else info.get("size")
            if not is_safe(name) or digest is None or type(size) is not int or size < 0:
                return
            tree[name] = (digest, size)
        self.tree = tree

    def compare_tree(self):
        if self.tree is None:
            return
        for file in self.files:
            if file.name not in self.tree or file.broken:
                continue
            digest, size = self.tree[file.name]
            if file.blob and file.blob != digest[1]:
                self.spoil(file, Wrong("blob", digest[1] + " by the list of the revision"))
            elif file.size != size:
                self.spoil(file, Wrong("size", "%d bytes, %d by the list of the revision" % (file.size, size)))
            else:
                file.want = digest
        for name in sorted(self.tree):
            if self.listed and not self.excluded(name) and name not in self.by_name:
                self.fault("missing", name, self.tree[name][0][1])

    def spoil(self, file, err):
        file.broken = True
        if isinstance(err, Wrong):
            self.fault(err.what, file.name, file.blob, err.detail)
        else:
            self.fault("unreadable", file.name, file.blob, reason(err))

    def check_weights(self):
        """Compare the weights with their indexes, numbers and headers."""
        wanted, needed = {}, set()
        parts = "model_index.json" in self.by_name
        for file in self.files:
            if weights_of(file.name) and (parts or "/" not in file.name):
                needed.add(file.name)
                needed.update(siblings(file.name))
            if file.name.endswith(".index.json") and weights_of(file.name[: -len(".index.json")]) and not file.broken:
                self.read_index(file, wanted, needed)
        for file in self.files:
            if not file.name.endswith(".safetensors") or file.broken:
                continue
            try:
                tensors = check_header(file.path)
            except (OSError, Wrong) as err:
                self.spoil(file, err)
                continue
            lost = sorted(wanted.get(file.name, set()) - tensors)
            if lost:
                more = ", nor are %d more" % (len(lost) - 1) if len(lost) > 1 else ""
                self.fault("index", file.name, file.blob, "tensor %s is not in it%s" % (json.dumps(lost[0][:80]), more))
        self.count(needed)

    def read_index(self, file, wanted, needed):
        try:
            shards = read_json(file.path, "an index").get("weight_map")
            if not isinstance(shards, dict) or not shards:
                raise Wrong("index", "it lists no tensors")
            for shard in shards.values():
                if not isinstance(shard, str):
                    raise Wrong("index", "no JSON of an index")
                if not is_safe(shard):
                    raise Wrong("index", "it names " + json.dumps(shard[:80]))
        except (OSError, Wrong) as err:
            self.spoil(file, err)
            return
        for tensor, shard in shards.items():
            name = os.path.normpath(os.path.join(os.path.dirname(file.name), shard))
            if not self.excluded(name):
                needed.add(name)
                wanted.setdefault(name, set()).add(tensor)

    def count(self, needed):
        listed = self.tree if self.listed else {}
        needed = needed | {name for name in listed if weights_of(name)}
        formats = set()
        for name in sorted(name for name in needed if not self.excluded(name)):
            self.needed += 1
            file = self.by_name.get(name)
            if file:
                formats.add(weights_of(name))
                self.shards += not file.broken
            elif name not in listed:
                self.fault("missing", name)
        for name in ("gguf", "bin", "safetensors"):
            if name in formats:
                self.weights = name
        if not self.listed and not self.weights:
            self.fault("weights")
        transformer = any(weights_of(f.name) and f.name.startswith(("model", "pytorch_model")) for f in self.files)
        if not self.listed and transformer and "config.json" not in self.by_name and not self.excluded("config.json"):
            self.fault("missing", "config.json")

    def judge(self, hashed):
        """Compare what was hashed: path to (digest, stamp) or to a Fault."""
        for file in self.files:
            if file.size is None:
                continue
            got = hashed.get(file.path)
            if file.want and not isinstance(got, Fault) and got and got[0] == file.want:
                file.verified = True
            elif file.broken:
                pass  # what is wrong with it was said
            elif not file.want:
                self.fault("unknown", file.name, file.blob, "the name of its blob is none" if file.blob else "a real file, where a link to a blob belongs")
            elif isinstance(got, Fault):
                self.fault(got.what, file.name, file.blob, got.detail)
            else:
                self.fault("content", file.name, file.blob, "%s instead of %s" % (short(got[0]), short(file.want)))
        self.faults.sort(key=lambda f: f.name)

    @property
    def size(self):
        return sum(f.size or 0 for f in self.files)

    @property
    def state(self):
        going = any(not leftover for _, leftover in self.unfinished)
        if any(not f.partial for f in self.faults):
            return "damaged"
        if not self.there:
            return "partial" if going and not self.others else "absent"
        return "partial" if self.faults or not self.files else "complete"

    @property
    def intact(self):
        return self.state == "complete" and all(f.verified for f in self.files)

    def summary(self):
        if self.intact:
            text = "intact, %s in %s" % (human(self.size), count(len(self.files), "file"))
            return text + ("; its weights are pickles (.bin), which run code when they are loaded" if self.weights == "bin" else "")
        if self.state == "damaged":
            return "damaged; %d of %s verified" % (sum(f.verified for f in self.files), count(len(self.files), "file"))
        if self.state == "partial":
            if self.listed:
                all_files = sum(not self.excluded(name) for name in self.tree)
                return "partial: %d of %s, %s" % (len(self.files), count(all_files, "file"), human(self.size))
            if self.needed > 1:
                return "partial: %d of %s, %s" % (self.shards, count(self.needed, "shard"), human(self.size))
            return "partial: %s" % human(self.size)
        others = len(self.others)
        return "absent" + ("" if not others else "; another revision is there" if others == 1 else "; %d other revisions are there" % others)

    def remedy(self, fault):
        """Say what mends a fault; nothing is deleted here."""
        link = os.path.join(self.dir, "snapshots", self.revision, fault.name)
        blob = os.path.join(self.dir, "blobs", fault.blob)
        place = blob if fault.blob else link
        if fault.what in ("missing", "weights", "dangling"):
            return AGAIN
        if fault.what == "unfinished":
            return AGAIN + "; if that ends and this file stays, nothing needs it: rm " + shlex.quote(blob)
        if fault.what == "unreadable":
            return "make it readable for this user: chmod u+r " + shlex.quote(place)
        if fault.what == "changed":
            return "wait until nothing writes to it, and verify again"
        if fault.what == "outside" and fault.name in ("blobs", "snapshots", "snapshots/" + self.revision):
            folder = os.path.join(self.dir, fault.name)
            return "move it away and download the model again: mv %s %s" % (shlex.quote(folder), shlex.quote(folder + ".old"))
        if fault.what in ("outside", "odd", "unknown", "blob"):
            return "rm %s, then %s" % (shlex.quote(blob if fault.what == "odd" and fault.blob else link), AGAIN)
        if any(f.name == fault.name and f.verified for f in self.files):
            return "the revision itself is so, since its digest holds: pin another one"
        return "rm %s, then %s" % (shlex.quote(place), AGAIN)


def scan(folder):
    try:
        return list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def reason(err):
    """An error as the other verifier says it: in small letters."""
    text = err.strerror or str(err)
    return text[:1].lower() + text[1:]


def digest_of(path, git, add, stopped):
    """Return (digest, stamp) of a content, or a Fault. One that is written meanwhile is
    hashed once more."""
    buffer = memoryview(bytearray(CHUNK))
    for _ in range(2):
        try:
            file, info = open_regular(path)
            with file:
                state = hashlib.sha1(b"blob %d\0" % info.st_size) if git else hashlib.sha256()
                while not stopped.is_set():
                    n = file.readinto(buffer)
                    if not n:
                        break
                    state.update(buffer[:n])
                    add(n)
                after = os.fstat(file.fileno())
        except OSError as err:
            return Fault("unreadable", "", "", reason(err))
        if stamp_of(info) == stamp_of(after):
            return (git, state.hexdigest()), stamp_of(info)
    return Fault("changed")


class Meter:
    """Shows bytes, rate and time left: a live line on a terminal, a line now and then
    elsewhere."""

    def __init__(self, total, quiet):
        self.total, self.quiet, self.done = total, quiet, 0
        self.start = self.told = time.monotonic()
        self.live = sys.stderr.isatty()
        self.lock = threading.Lock()

    def add(self, n):
        with self.lock:
            self.done += n
            now = time.monotonic()
            if self.quiet or now - self.told < (0.2 if self.live else HEARTBEAT):
                return
            self.told = now
            rate = self.done / max(now - self.start, 1e-9)
            text = "hashing, %s of %s (%d %%), %s/s, %d s left" % (
                human(self.done), human(self.total), 100 * self.done / max(self.total, 1), human(int(rate)), max(self.total - self.done, 0) / rate)
            sys.stderr.write("\r%-79s" % text if self.live else "still working: %s\n" % text)
            sys.stderr.flush()

    def end(self):
        if self.live and not self.quiet:
            sys.stderr.write("\r%79s\r" % "")


def hash_all(snapshots, jobs, quiet):
    """Hash every content once, the largest first. Return path to result, bytes, seconds."""
    work = {}
    for snapshot in snapshots:
        for file in snapshot.files:
            if file.size is not None and file.want:
                work[file.path] = file
    order = sorted(work.values(), key=lambda f: -f.size)
    meter = Meter(sum(f.size for f in order), quiet)
    stopped, results = threading.Event(), {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(digest_of, f.path, f.want[0], meter.add, stopped): f for f in order}
        try:
            for future in concurrent.futures.as_completed(futures):
                results[futures[future].path] = future.result()
        except KeyboardInterrupt:
            stopped.set()
            for future in futures:
                future.cancel()
            raise
    meter.end()
    return results, meter.done, time.monotonic() - meter.start


def human(n):
    """Bytes as people read them: 16.1 GB, 152 MB, 4.2 kB."""
    value, unit = float(n), "B"
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if value < 999.5 or unit == "PB":
            break
        value /= 1000
    if unit == "B":
        return "%d B" % n
    text = "%.1f" % value if unit in ("GB", "TB", "PB") or value < 9.95 else "%.0f" % value
    return (text[:-2] if text.endswith(".0") else text) + " " + unit


def count(n, noun):
    return "%d %s%s" % (n, noun, "" if n == 1 else "s")


def escape(text):
    """What came from a cache cannot steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() if not "\ud800" <= c <= "\udfff" else "\\x%02x" % (ord(c) & 0xFF) for c in text)


def snapshots_in(cache):
    """Every snapshot in a cache, as pins."""
    for folder in sorted(entry.name for entry in scan(cache)):
        if folder.startswith("models--") and folder != "models--":
            for revision in sorted(entry.name for entry in scan(os.path.join(cache, folder, "snapshots"))):
                if COMMIT.match(revision):
                    yield folder[len("models--"):].replace("--", "/", 1), revision, None


def pinned(manifest):
    """The models of a manifest, or None where there is none or PyYAML is lacking."""
    try:
        import yaml
    except ImportError:
        return None
    if not os.path.exists(manifest):
        return None
    try:
        with open(manifest, encoding="utf-8") as file:
            doc = yaml.safe_load(file) or {}
        return [(m["repo"], m["revision"], m.get("exclude") or []) for m in doc.get("models") or []]
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as err:
        why = "no %s of a model" % err if isinstance(err, KeyError) else " ".join(str(err).split())
        sys.exit(escape("the models of %s cannot be read: %s" % (manifest, why)))


def models_dir():
    """The cache of this project."""
    if os.environ.get("HF_HUB_CACHE"):
        return os.environ["HF_HUB_CACHE"]
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.dont_write_bytecode = True
    try:
        from paths import MODELS_DIR
    except ImportError:
        sys.exit("there is no paths.py beside this script: name the cache with --cache")
    return str(MODELS_DIR)


def choose(options, cache):
    """List what to verify."""
    pins = pinned(options.manifest)
    if pins is None and not options.all and os.path.exists(options.manifest):
        print("PyYAML is not installed, so manifest.yaml is not read: every snapshot in the cache is verified", file=sys.stderr)
    if options.all or pins is None:
        excludes = {(repo, revision): exclude for repo, revision, exclude in pins or []}
        pins = [(repo, revision, excludes.get((repo, revision))) for repo, revision, _ in snapshots_in(cache)]
    unknown = [repo for repo in options.repo if repo not in [pin[0] for pin in pins]]
    if unknown:
        sys.exit("there is no model %s; there are: %s" % (", ".join(map(escape, unknown)), ", ".join(sorted({pin[0] for pin in pins})) or "none"))
    return [pin for pin in pins if not options.repo or pin[0] in options.repo]


def main():
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repo", nargs="*", metavar="REPO", help="only these models, such as mistralai/Mistral-7B-Instruct-v0.3")
    parser.add_argument("--cache", help="the Hugging Face cache")
    parser.add_argument("--manifest", default=os.path.join(here, "manifest.yaml"), help="default: that of this project")
    parser.add_argument("--all", action="store_true", help="every snapshot in the cache")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, help="files to hash at once (default: one a core)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")
    cache = os.path.abspath(options.cache or models_dir())
    try:
        snapshots = [Snapshot(cache, *pin) for pin in choose(options, cache)]
        results, hashed, seconds = hash_all(snapshots, max(options.jobs, 1), options.quiet)
    except OSError as err:
        sys.exit("the models in %s cannot be looked at: %s" % (escape(cache), err))
    for snapshot in snapshots:
        snapshot.judge(results)
        print("  %s%s at %s: %s" % ("ok    " if snapshot.intact else "fail  ", escape(snapshot.repo), snapshot.revision[:12], escape(snapshot.summary())))
        for fault in snapshot.faults:
            print("        %s\n          to mend: %s" % (escape(fault.words()), escape(snapshot.remedy(fault))))
        if snapshot.state == "absent":
            print("          to mend: download this revision with HF_HUB_CACHE=" + escape(shlex.quote(cache)))
    wrong = sum(not snapshot.intact for snapshot in snapshots)
    verdict = "%d of %s not intact" % (wrong, count(len(snapshots), "model"))
    if len(snapshots) <= 1:
        verdict = ("The model is not intact" if wrong else "The model is intact") if snapshots else "No model to verify"
    elif not wrong:
        verdict = "All %s are intact" % count(len(snapshots), "model")
    if snapshots:
        verdict = "\n%s; %s hashed in %.1f s" % (verdict, human(hashed), seconds)
    print(verdict + ".")
    lacking = not snapshots and pinned(options.manifest) is None  # there may be models that should be there
    return 2 if wrong or lacking else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        sys.exit(130)
