# Solves and installs conda packages with py-rattler, for reconcile.
#
#     python -I -B rattler.py REQUEST.json
#
# The request, a JSON object, is documented in rattler.go. py-rattler is imported from its
# pinned wheel, whose digest is checked, and which is unpacked for this run only into a
# new folder next to the request.
import asyncio
import base64
import errno
import fcntl
import hashlib
import io
import json
import os
import shutil
import sys
import time
import urllib.parse
import urllib.request
import zipfile

MARK = "\x1ereconcile-rattler "


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        request = json.load(f)
    unpacked = os.path.join(os.path.dirname(os.path.abspath(sys.argv[1])), "conda.rattler")
    try:
        unpack(request, unpacked)
        sys.path.insert(0, unpacked)
        if request.get("specs"):
            print(MARK + json.dumps(asyncio.run(solve(request))), flush=True)
        else:
            asyncio.run(install(request))
            print("installed %d packages" % len(request["packages"]), flush=True)
    except Refused as error:
        sys.exit(str(error))
    except Exception as error:  # of rattler
        sys.exit("%s: %s" % (type(error).__name__, error))
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


class Refused(Exception):
    pass


def unpack(request, folder):
    with open(request["wheel"], "rb") as f:
        data = f.read()
    digest = hashlib.sha256(data).hexdigest()
    if digest != request["wheel_sha256"]:
        raise Refused("%s is not the pinned wheel: sha256 %s, not %s" % (request["wheel"], digest, request["wheel_sha256"]))
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder, 0o700)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)


def alias():
    """The base URL of channels on this machine without user and password, its host, and
    the header for user and password. URLs are written to conda-meta."""
    url = urllib.parse.urlsplit(os.environ.get("RECONCILE_CONDA_ALIAS", ""))
    user, _, host = url.netloc.rpartition("@")
    secret = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
    return urllib.parse.urlunsplit(url._replace(netloc=host, path=url.path.rstrip("/") + "/")), host, user and "Basic " + secret


def client():
    """A client with three attempts and the password of the alias, without keyring and
    netrc."""
    from rattler.networking import Client
    from rattler.networking.middleware import AddHeadersMiddleware, RetryMiddleware

    _, alias_host, secret = alias()

    def headers(host, path):
        return {"Authorization": secret} if secret and host == urllib.parse.urlsplit("//" + alias_host).hostname else None

    return Client([RetryMiddleware(3), AddHeadersMiddleware(headers)], user_agent="reconcile", timeout=60)


def channels(request):
    """The channels by their names in the manifest."""
    from rattler import Channel, ChannelConfig

    config = ChannelConfig(alias()[0]) if os.environ.get("RECONCILE_CONDA_ALIAS") else ChannelConfig()
    return {name: Channel(name, config) for name in request["channels"]}


async def solve(request):
    import rattler

    known = channels(request)
    gateway = rattler.repo_data.Gateway(cache_dir=os.path.join(request["cache"], "repodata"), client=client())
    virtual = [rattler.GenericVirtualPackage(rattler.PackageName(n), rattler.Version(v), rattler.BuildString(b)) for n, v, b in request["virtual"]]
    kept = [p for p in request.get("locked") or [] if p["channel"] in known]
    records = await rattler.solve(
        sources=list(known.values()), specs=request["specs"], gateway=gateway, virtual_packages=virtual,
        platforms=[request["subdir"], "noarch"], channel_priority=rattler.ChannelPriority.Strict,
        locked_packages=[record(rattler, p, known[p["channel"]].base_url.rstrip("/")) for p in kept],
    )
    by_url = {channel.base_url.rstrip("/"): name for name, channel in known.items()}
    return [describe(r, by_url) for r in sorted(records, key=lambda r: r.name.normalized)]


def describe(r, by_url):
    return {
        "name": r.name.normalized, "version": str(r.version), "build": str(r.build), "build_number": r.build_number,
        "channel": by_url[r.channel.rstrip("/")], "subdir": r.subdir, "noarch": noarch(r), "file": r.file_name,
        "size": r.size or 0, "sha256": r.sha256.hex() if r.sha256 else "", "md5": r.md5.hex() if r.md5 else "",
        "depends": list(r.depends), "constrains": list(r.constrains), "license": r.license or "",
        "site_packages": r.python_site_packages_path or "",
    }


def noarch(r):
    if r.noarch.python:
        return "python"
    return "generic" if r.noarch.generic else ""


async def install(request):
    import rattler

    known = channels(request)
    records = [record(rattler, p, known[p["channel"]].base_url.rstrip("/")) for p in request["packages"]]
    for r in records:
        compare(r)
    cache = Cache(request["cache"], records)
    cache.open()
    # install of 0.28.0 does not unwrap a MatchSpec.
    specs = [rattler.MatchSpec(spec)._match_spec for spec in request.get("requested", [])]
    # Fully validated: a change of a hard-linked file in an environment changes the cache.
    layer = rattler.PackageCacheLayer(cache.packages).with_validation_mode(rattler.ValidationMode.full())
    await rattler.install(
        records, target_prefix=request["prefix"], package_cache=rattler.PackageCache.from_layers([layer]),
        client=client(), requested_specs=specs, execute_link_scripts=False, show_progress=False,
        platform=rattler.Subdir(request["subdir"]), reporter=Reporter(records),
    )
    cache.record()


class Cache:
    """The unpacked packages of all environments, <cache>/pkgs/NAME-VERSION-BUILD.

    rattler compares their files with the digests in info/paths.json of the package itself.
    <cache>/checked/NAME-VERSION-BUILD.json has the digest of the archive from which the
    package was unpacked, and that of its info folder at that time. A package without it, or
    with another one, is removed, so that it is fetched again and its archive is compared with
    the lock.

    Installs hold a shared lock, and a removal an exclusive one: no install loses a package
    that it is about to link.
    """

    def __init__(self, folder, records):
        self.packages, self.checked = os.path.join(folder, "pkgs"), os.path.join(folder, "checked")
        self.records = {r.file_name.removesuffix(".conda").removesuffix(".tar.bz2"): r.sha256.hex() for r in records}
        os.makedirs(self.packages, mode=0o700, exist_ok=True)
        os.makedirs(self.checked, mode=0o700, exist_ok=True)

    def open(self):
        self.lock = os.open(os.path.join(self.checked, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        while True:
            self.acquire(fcntl.LOCK_SH)
            if not self.unknown():
                self.absent = [s for s in self.records if not os.path.lexists(os.path.join(self.packages, s))]
                return
            self.acquire(fcntl.LOCK_EX)
            for stem in self.unknown():  # another install may have recorded one
                shutil.rmtree(os.path.join(self.packages, stem))

    def acquire(self, operation):
        try:
            fcntl.flock(self.lock, operation)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise

    def unknown(self):
        """The packages that are in the cache and were not unpacked from the locked archive."""
        return [s for s, sha256 in self.records.items() if os.path.lexists(os.path.join(self.packages, s)) and self.recorded(s) != self.describe(s, sha256)]

    def file(self, stem):
        return os.path.join(self.checked, stem + ".json")

    def recorded(self, stem):
        try:
            with open(self.file(stem), encoding="utf-8") as f:
                return json.load(f)
        except (OSError, ValueError):
            return None

    def describe(self, stem, sha256):
        """The archive and the digest of the info folder; "" without digests of all files."""
        folder = os.path.join(self.packages, stem, "info")
        digest = hashlib.sha256()
        try:
            with open(os.path.join(folder, "paths.json"), "rb") as f:
                paths = json.load(f)["paths"]
            if not all(p.get("sha256") or p.get("path_type") in ("softlink", "directory") for p in paths):
                return ""
            for name in sorted(os.listdir(folder)):
                full = os.path.join(folder, name)
                if os.path.islink(full):
                    content = b"link " + os.fsencode(os.readlink(full))
                elif os.path.isfile(full):
                    with open(full, "rb") as f:
                        content = b"file " + hashlib.sha256(f.read()).digest()
                else:
                    continue
                digest.update(os.fsencode(name) + b"\0" + content + b"\0")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return ""
        return {"sha256": sha256, "info": digest.hexdigest()}

    def record(self):
        """Records the packages that rattler unpacked: it compared their archives with the lock."""
        for stem in self.absent:
            now = self.describe(stem, self.records[stem])
            if not now:
                continue
            temporary = "%s.%d.tmp" % (self.file(stem), os.getpid())
            with open(temporary, "w", encoding="utf-8") as f:
                json.dump(now, f)
            os.replace(temporary, self.file(stem))


def record(rattler, p, base):
    package = rattler.PackageRecord(
        p["name"], p["version"], rattler.BuildString(p["build"]), p["build_number"], p["subdir"], noarch=p.get("noarch") or None,
        depends=p.get("depends") or [], constrains=p.get("constrains") or [],
        sha256=bytes.fromhex(p["sha256"]), md5=bytes.fromhex(p["md5"]) if p.get("md5") else None,
        size=p.get("size") or None, license=p.get("license") or None,
        python_site_packages_path=p.get("site_packages") or None,
    )
    return rattler.RepoDataRecord(package, p["file"], "%s/%s/%s" % (base, p["subdir"], p["file"]), base + "/")


def compare(r):
    """rattler checks the digest of a download, but not of a local file."""
    if not r.url.startswith("file:"):
        return
    name = urllib.request.url2pathname(urllib.parse.urlsplit(r.url).path)
    with open(name, "rb") as f:
        digest = hashlib.sha256(f.read()).digest()
    if digest != r.sha256:
        raise Refused("hash mismatch: %s has sha256 %s, the lock has %s" % (name, digest.hex(), r.sha256.hex()))


class Reporter:
    """Prints the progress of downloads, at most twice a second."""

    def __init__(self, records):
        self.total = sum(r.size or 0 for r in records)
        self.done, self.printed = {}, 0.0

    def on_download_start(self, entry):
        return entry

    def on_download_progress(self, index, progress, total):
        self.done[index] = progress
        if time.monotonic() - self.printed >= 0.5:
            self.printed = time.monotonic()
            print("fetched %d of %d bytes" % (sum(self.done.values()), self.total), flush=True)

    def __getattr__(self, name):  # other callbacks
        if name.startswith("on_"):
            return lambda *arguments: 0
        raise AttributeError(name)


main()
