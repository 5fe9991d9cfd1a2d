#!/bin/sh
# Applies environment `remote` of manifest.yaml: training on a machine with
# an NVIDIA GPU. See ./setup_remote.sh --help.

unset CDPATH # cd would search it and print the folder
case $0 in */*) root=${0%/*} ;; *) root=. ;; esac
root=$(cd -P -- "${root:-/}" && pwd -P) || exit 1
environment=remote
purpose='training on an NVIDIA GPU'

# shellcheck source=scripts/setup.sh
. "$root/scripts/setup.sh"
setup "$@"
