#!/bin/sh
# Brings this machine to environment `remote` of manifest.yaml: training on a machine with
# an NVIDIA GPU. ./setup_remote.sh --help says more.

unset CDPATH # cd would print where it went, and go elsewhere
case $0 in */*) root=${0%/*} ;; *) root=. ;; esac
root=$(cd -P -- "${root:-/}" && pwd -P) || exit 1
environment=remote
purpose='training on an NVIDIA GPU'

# shellcheck source=scripts/setup.sh
. "$root/scripts/setup.sh"
setup "$@"
