#!/bin/sh
# Brings this machine to environment `local` of manifest.yaml: data processing on a
# Mac, or on any machine without a GPU. ./setup_local.sh --help says more.

unset CDPATH # cd would print where it went, and go elsewhere
case $0 in */*) root=${0%/*} ;; *) root=. ;; esac
root=$(cd -P -- "${root:-/}" && pwd -P) || exit 1
environment=local
purpose='data processing on the CPU'

# shellcheck source=scripts/setup.sh
. "$root/scripts/setup.sh"
setup "$@"
