#!/bin/sh
# Applies environment `local` of manifest.yaml: data processing on a
# Mac, or on any machine without a GPU. See ./setup_local.sh --help.

unset CDPATH # cd would search it and print the folder
case $0 in */*) root=${0%/*} ;; *) root=. ;; esac
root=$(cd -P -- "${root:-/}" && pwd -P) || exit 1
environment=local
purpose='data processing on the CPU'

# shellcheck source=scripts/setup.sh
. "$root/scripts/setup.sh"
setup "$@"
