"""Creates a conda channel from the Python that runs this script: python3.10 channel.py DIR

The package python contains the interpreter, a link, and a file with the path of the
environment; small packages depend on it. Archives are .tar.bz2, the older of the two
formats, which the standard library can write.
"""

import hashlib
import io
import json
import os
import platform
import sys
import tarfile

channel = sys.argv[1]
prefix = sys.base_prefix
line = "%d.%d" % sys.version_info[:2]
subdir = {"Linux-x86_64": "linux-64", "Linux-aarch64": "linux-aarch64", "Darwin-arm64": "osx-arm64", "Darwin-x86_64": "osx-64"}[
    "%s-%s" % (platform.system(), platform.machine())
]
PLACE = "/opt/placeholder_" + "p" * 200  # as long as conda's own, for the path of the environment
repodata = {subdir: {}, "noarch": {}}


def package(where, name, version, build, files, depends=(), noarch=None, entry_points=()):
    """files: path -> bytes, or a path to copy, or ("link", target)."""
    index = {
        "name": name, "version": version, "build": build, "build_number": 0, "depends": list(depends), "subdir": where, "license": "none",
    }
    if noarch:
        index["noarch"] = noarch
    folder = os.path.join(channel, where)
    os.makedirs(folder, exist_ok=True)
    file = os.path.join(folder, "%s-%s-%s.tar.bz2" % (name, version, build))
    paths = []
    with tarfile.open(file, "w:bz2", compresslevel=1) as archive:

        def add(path, text, mode=0o644):
            info = tarfile.TarInfo(path)
            info.size, info.mode, info.mtime = len(text), mode, 1700000000
            archive.addfile(info, io.BytesIO(text))

        for path, what in sorted(files.items()):
            if isinstance(what, tuple):
                info = tarfile.TarInfo(path)
                info.type, info.linkname = tarfile.SYMTYPE, what[1]
                archive.addfile(info)
                paths.append({"_path": path, "path_type": "softlink", "sha256": hashlib.sha256(b"").hexdigest(), "size_in_bytes": 0})
                continue
            text, mode = what, 0o644
            if isinstance(what, str):
                with open(what, "rb") as f:
                    text, mode = f.read(), os.stat(what).st_mode & 0o777
            if text.startswith(b"#!"):
                mode = 0o755
            entry = {"_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(text).hexdigest(), "size_in_bytes": len(text)}
            if PLACE.encode() in text:
                entry.update(prefix_placeholder=PLACE, file_mode="text")
            add(path, text, mode)
            paths.append(entry)
        add("info/index.json", json.dumps(index).encode())
        add("info/files", "".join(p + "\n" for p in sorted(files)).encode())
        add("info/paths.json", json.dumps({"paths": paths, "paths_version": 1}).encode())
        if noarch == "python":
            link = {"noarch": {"type": "python", "entry_points": list(entry_points)}, "package_metadata_version": 1}
            add("info/link.json", json.dumps(link).encode())
    with open(file, "rb") as f:
        data = f.read()
    index.update(size=len(data), sha256=hashlib.sha256(data).hexdigest(), md5=hashlib.md5(data).hexdigest())
    repodata[where][os.path.basename(file)] = index


def interpreter():
    files = {}
    unneeded = {"__pycache__", "test", "tests", "site-packages", "idlelib", "ensurepip", "lib2to3", "tkinter", "turtledemo", "pydoc_data"}
    for top in ("bin", "lib", "include"):
        for root, folders, names in os.walk(os.path.join(prefix, top)):
            folders[:] = [f for f in folders if f not in unneeded and not f.startswith("config-")]
            if top == "lib" and root == os.path.join(prefix, "lib"):
                folders[:] = ["python" + line]
            for name in names:
                full = os.path.join(root, name)
                path = os.path.relpath(full, prefix)
                if path.endswith(".a") or top == "bin" and name not in ("python3", "python" + line) or top == "lib" and path.count("/") == 1 and "python" not in name:
                    continue
                files[path] = ("link", os.readlink(full)) if os.path.islink(full) else full
    files["bin/python"] = ("link", "python" + line)
    files["lib/python3.1"] = ("link", "python" + line)  # as conda-forge's has it
    files["bin/hello"] = ("#!%s/bin/python\nimport sys\nprint('hello from', sys.prefix)\n" % PLACE).encode()
    return files


def dist(name, version, installer="conda"):
    info = "site-packages/%s-%s.dist-info/" % (name, version)
    return {
        "site-packages/%s/__init__.py" % name: b"def main():\n    print('%s %s')\n" % (name.encode(), version.encode()),
        info + "METADATA": b"Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name.encode(), version.encode()),
        info + "INSTALLER": installer.encode(),
        info + "RECORD": b"%s/__init__.py,sha256=of-the-machine-that-built-it,1\n" % name.encode(),
    }


package(subdir, "python", platform.python_version(), "h0_0_cpython", interpreter(), ["zones"])
package("noarch", "zones", "2024a", "h0_0", {"share/zoneinfo/UTC": b"TZif"}, noarch="generic")
for version in ("1.0", "1.1"):
    package("noarch", "tiny", version, "pyh0_0", dist("tiny", version), ["python >=3.8"], "python", ["tiny = tiny:main"])
package("noarch", "six", "1.16.0", "pyh0_0", dist("six", "1.16.0"), ["python"], "python")
package(subdir, "kernels", "1.0", "cuda12_0", {"share/kernels": b"for GPUs"}, ["__cuda >=12.0"])
package(subdir, "sets", "1.0", "h0_0", {"etc/conda/activate.d/sets.sh": b"export SETS=yes\n"})
for where, packages in repodata.items():
    with open(os.path.join(channel, where, "repodata.json"), "w") as f:
        json.dump({"info": {"subdir": where}, "packages": packages, "packages.conda": {}, "repodata_version": 1}, f)
