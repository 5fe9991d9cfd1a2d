"""pip of an environment that reconcile built: it lists packages and changes nothing.

It is started as `pip`, `pip3` and `python -m pip`. It cannot be imported, since the modules of
pip are not installed.
"""

if __name__ != "__main__":
    raise ModuleNotFoundError("No module named 'pip'", name="pip")

import argparse
import json
import os
import re
import shlex
import sys
from importlib import metadata

SEALED = "this environment is built from manifest.yaml and is never changed in place"
VERSION = "0+reconcile"


def normalize(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions():
    """Returns the distributions by normalised name; the first one on sys.path is imported."""
    found = {}
    for dist in metadata.distributions():
        name = dist.metadata["Name"]
        if name:
            found.setdefault(normalize(name), dist)
    return sorted(found.items())


def direct(dist):
    """Returns the content of direct_url.json (PEP 610), {} without one."""
    try:
        return json.loads(dist.read_text("direct_url.json") or "{}")
    except ValueError:
        return {}


def editable(dist):
    url = direct(dist)
    return url.get("url", "") if url.get("dir_info", {}).get("editable") else ""


def frozen(dist):
    """Returns the line of a requirements file for a distribution."""
    name, url = dist.metadata["Name"], direct(dist)
    at = url.get("url", "")
    if not at:
        return "%s==%s" % (name, dist.version)
    if editable(dist):
        return "-e " + re.sub("^file://", "", at)
    vcs = url.get("vcs_info", {})
    if vcs:
        at = "%s+%s@%s" % (vcs.get("vcs", "git"), at, vcs.get("commit_id", ""))
    if url.get("subdirectory"):
        at += "#subdirectory=" + url["subdirectory"]
    return "%s @ %s" % (name, at)


def print_columns(head, rows):
    rows = [head] + rows
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for n, row in enumerate(rows):
        print(" ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if n == 0:
            print(" ".join("-" * width for width in widths))


def list_packages(options):
    excluded = {normalize(name) for name in options.exclude}
    dists = [dist for name, dist in distributions() if name not in excluded and (editable(dist) or not options.editable)]
    if options.format == "freeze":
        for dist in dists:
            print("%s==%s" % (dist.metadata["Name"], dist.version))
    elif options.format == "json":
        print(json.dumps([{"name": dist.metadata["Name"], "version": dist.version} for dist in dists]))
    elif dists:
        print_columns(["Package", "Version"], [[dist.metadata["Name"], dist.version] for dist in dists])
    return 0


def freeze(options):
    excluded = {normalize(name) for name in options.exclude}
    for name, dist in distributions():
        if name not in excluded and not (options.exclude_editable and editable(dist)):
            print(frozen(dist))
    return 0


def requires(dist):
    """Returns the names in Requires-Dist, without those of extras."""
    lines = [line for line in dist.requires or [] if not re.search(r";.*\bextra\b", line)]
    return sorted({re.match(r"[A-Za-z0-9._-]+", line).group() for line in lines}, key=str.lower)


def show(options):
    dists = dict(distributions())
    known = [dists[normalize(name)] for name in options.names if normalize(name) in dists]
    for n, dist in enumerate(known):
        name, data = normalize(dist.metadata["Name"]), dist.metadata
        needed_by = [d.metadata["Name"] for _, d in dists.items() if name in [normalize(r) for r in requires(d)]]
        if n > 0:
            print("---")
        print("Name:", data["Name"])
        print("Version:", dist.version)
        print("Summary:", data.get("Summary") or "")
        print("Home-page:", data.get("Home-page") or "")
        print("Author:", data.get("Author") or "")
        print("Author-email:", data.get("Author-email") or "")
        print("License:", data.get("License-Expression") or (data.get("License") or "").split("\n")[0])
        print("Location:", dist.locate_file(""))
        if editable(dist):
            print("Editable project location:", re.sub("^file://", "", editable(dist)))
        print("Requires:", ", ".join(requires(dist)))
        print("Required-by:", ", ".join(sorted(needed_by, key=str.lower)))
        if options.files:
            print("Files:")
            for file in sorted(map(str, dist.files or [])):
                print("  " + file)
    absent = [name for name in options.names if normalize(name) not in dists]
    if absent:
        print("WARNING: Package(s) not found: " + ", ".join(absent), file=sys.stderr)
    return 0 if known else 1


def refuse(command, words):
    """Reports that a command cannot change the environment, with the command that can."""
    print("error: %s" % SEALED, file=sys.stderr)
    if command == "uninstall":
        verb, names = "remove", [word for word in words if not word.startswith("-")]
    else:
        verb, names = "add", []
        arguments = iter(words)
        for word in arguments:
            if word in ("-e", "--editable"):
                print("  hint: `project: editable` in the environment of manifest.yaml installs the project itself", file=sys.stderr)
                next(arguments, None)
            elif word in ("-r", "--requirement"):
                print("  hint: `requirements: [%s]` in the environment of manifest.yaml installs a requirements file" % next(arguments, "FILE"), file=sys.stderr)
            elif word in ("-c", "--constraint", "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target"):
                next(arguments, None)
            elif not word.startswith("-"):
                names.append(word)
        if not names and len(words) > 0 and any(word in ("-e", "--editable", "-r", "--requirement") for word in words):
            return 1
    print("  hint: reconcile %s %s" % (verb, " ".join(shlex.quote(name) for name in names) or "NAME"), file=sys.stderr)
    return 1


def main(argv):
    if argv[:1] == ["help"]:
        argv = ["--help"]
    while argv and argv[0] in ("--disable-pip-version-check", "--no-input", "-q", "--quiet", "-v", "--verbose", "--isolated", "--no-color", "--require-virtualenv"):
        argv = argv[1:]
    if argv[:1] in (["--version"], ["-V"]):
        print("pip %s from %s (python %d.%d)" % ((VERSION, os.path.abspath(__file__)) + sys.version_info[:2]))
        return 0
    if argv[:1] in (["install"], ["uninstall"]) and not {"-h", "--help"} & set(argv):
        return refuse(argv[0], argv[1:])
    parser = argparse.ArgumentParser(prog="pip", description="Lists the packages of this environment. " + SEALED[0].upper() + SEALED[1:] + ": `reconcile add NAME` and `reconcile remove NAME` change it.")
    parser.add_argument("-V", "--version", action="store_true", help="print the version of this program")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    listing = commands.add_parser("list", help="list the packages")
    listing.add_argument("--format", choices=["columns", "freeze", "json"], default="columns")
    listing.add_argument("-e", "--editable", action="store_true", help="only editable projects")
    listing.set_defaults(run=list_packages)
    freezing = commands.add_parser("freeze", help="list the packages as a requirements file")
    freezing.add_argument("--all", action="store_true", help=argparse.SUPPRESS)
    freezing.add_argument("--exclude-editable", action="store_true")
    freezing.set_defaults(run=freeze)
    showing = commands.add_parser("show", help="print the metadata of packages")
    showing.add_argument("names", nargs="+", metavar="NAME")
    showing.add_argument("-f", "--files", action="store_true", help="list the files too")
    showing.set_defaults(run=show)
    for command in (listing, freezing, showing):
        command.add_argument("-l", "--local", "--disable-pip-version-check", "--no-input", action="store_true", help=argparse.SUPPRESS)
        command.add_argument("-v", "-q", "--verbose", "--quiet", action="count", help=argparse.SUPPRESS)
    for command in (listing, freezing):
        command.add_argument("--exclude", action="append", default=[], metavar="NAME")
    commands.add_parser("install", help="refused: use `reconcile add NAME`")
    commands.add_parser("uninstall", help="refused: use `reconcile remove NAME`")
    if not argv:
        parser.print_help()
        return 0
    if not argv[0].startswith("-") and argv[0] not in commands.choices:
        print("error: pip is not installed in this environment, and `pip %s` needs it" % argv[0], file=sys.stderr)
        print("  hint: reconcile add pip", file=sys.stderr)
        if argv[0] in ("check", "tree"):
            print("  hint: uv pip %s --python %s" % (argv[0], shlex.quote(sys.executable)), file=sys.stderr)
        return 1
    options = parser.parse_args(argv)
    return options.run(options)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
