# shellcheck shell=sh
# The common part of setup_local.sh and setup_remote.sh. They set root (the checkout),
# environment and purpose (its description), and call setup, which
#
#  1. finds the program: bin/reconcile, one on PATH, built with Go, or a release with a
#     known sha256
#  2. runs reconcile apply, which shows its plan first
#  3. shows the checks and the storage summary
#  4. verifies the installed files, and checks Python, disk, CUDA and GPU
#  5. shows the status and the installed packages
#
# It works in every POSIX sh (dash, bash 3.2 of macOS, busybox, zsh): there is no `local`
# and no option of GNU or BSD. Names that begin with _ are local to a function.

: "${root:?} ${environment:?} ${purpose:?}" # set by the script that sources this file
bin=$root/bin/reconcile
releases=$root/scripts/releases.txt
script=setup_$environment.sh
scratch='' # temporary folder, removed at exit

# A non-interactive session may have no useful PATH.
command -v sed >/dev/null || PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
export PATH

trap 'cleanup' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

setup() {
    dry_run=''
    named=''
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help)
            usage
            return 0
            ;;
        --dry-run) dry_run=yes ;;
        --store=?*) use_store "${1#--store=}" || return ;;
        --store)
            if [ -z "${2-}" ]; then
                log "--store takes a directory: ./$script --store DIR"
                return 64
            fi
            use_store "$2" || return
            shift
            ;;
        *)
            log "$1 is not an option of $script; --help lists them"
            return 64
            ;;
        esac
        shift
    done
    [ -f "$root/manifest.yaml" ] || die "there is no manifest.yaml in $root: run this script at the top of the checkout"
    log "environment $environment of $root/manifest.yaml: $purpose"
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER-}" ]; then
        log "note: started by sudo, so all files will belong to root; root is not needed"
    fi
    find_reconcile
    propose_store
    if [ -n "$dry_run" ]; then
        run_reconcile plan -v
        return
    fi
    apply && verify
}

usage() {
    cat <<EOF
Usage: ./$script [--dry-run] [--store DIR]

Applies environment $environment of manifest.yaml ($purpose):
folders, files and a Python environment with exact versions. Then shows the
storage summary, checks Python, the disk and the installed files (and CUDA and
the GPU if the environment needs them), and lists the installed packages and
the store, which holds the environments of all projects. A second run changes
nothing. Drivers and system packages are never installed.

  --dry-run     show the plan and change nothing
  --store DIR   keep environments in DIR, as RECONCILE_STORE=DIR does
  --help        show this text

The program reconcile is bin/reconcile, one on PATH, built with Go, or a release with a known
sha256 (scripts/releases.txt).

  GO=PATH                     build with this Go
  RECONCILE_RELEASE_URL       download the program from this address
  RECONCILE_RELEASE_SHA256    and verify it with this sha256

Exit status: that of \`reconcile apply\` (0 done or nothing to do, 1 an error, 3 a check
failed and nothing was changed, 4 applied in part, 5 another run holds the lock), or of
\`reconcile plan\` with --dry-run. After a successful apply, that of the first check that
fails (2 installed files are damaged, 3 \`reconcile doctor\` found a failure). 64 for a wrong
option, 130 if interrupted.
EOF
}

# apply runs reconcile apply, and explains a failure.
apply() {
    heading "Plan and apply"
    run_reconcile apply -y
    _code=$?
    case $_code in
    0) return 0 ;;
    3) log "environment $environment is not set up: fix the errors above as their hints tell, then run ./$script again; \`$shown doctor --env $environment\` shows more" ;;
    4) log "done in part; fix the errors above and run ./$script again" ;;
    130) log "interrupted; ./$script continues where it stopped" ;;
    *) log "environment $environment is not set up: the reason is above" ;;
    esac
    return "$_code"
}

# verify runs all checks. The first one that fails determines the exit status.
verify() {
    worst=0
    heading "Checks and storage"
    check run_reconcile plan -v
    heading "Verification: the files of the environment"
    check run_reconcile verify
    heading "Verification: this machine"
    check run_reconcile doctor --offline # installed packages need no network
    heading "Status and installed packages"
    check run_reconcile status
    heading "Store: the environments of all projects of this user"
    check run_reconcile store
    echo
    if [ "$worst" = 0 ]; then
        log "environment $environment is ready: \`$shown run -- COMMAND\` runs a command in it"
        [ -z "$named" ] || log "in every shell before you run reconcile: export RECONCILE_STORE=$(quote "$RECONCILE_STORE")"
    else
        log "environment $environment is installed, but a check failed: see above"
    fi
    return "$worst"
}

check() {
    "$@"
    _code=$?
    [ "$_code" != 130 ] || exit 130
    [ "$worst" != 0 ] || worst=$_code
}

# run_reconcile runs the program for the environment.
run_reconcile() {
    "$program" -C "$root" --env "$environment" "$@"
}

# --- the store -----------------------------------------------------------------------

# use_store sets the store for the program, as RECONCILE_STORE does: an absolute path.
use_store() {
    case $1 in
    /* | [~]/*) ;;
    "~"*)
        log "--store takes an absolute path: ./$script --store \"\$HOME\"/reconcile"
        return 64
        ;;
    *)
        log "--store takes an absolute path: ./$script --store \"\$PWD\"/$(quote "$1")"
        return 64
        ;;
    esac
    export RECONCILE_STORE="$1"
    named=yes
}

# store_path prints the path of the store, which need not exist.
store_path() {
    run_reconcile facts 2>/dev/null | sed -n 's/^ *"store": "\(.*\)",*$/\1/p' | sed 1q
}

# propose_store proposes a store beside the project if only the project is on a volume, as on
# rented machines whose root file system, with the home directory, is lost at each stop. It
# uses the volume only if the user agrees.
propose_store() {
    [ "$environment" = remote ] && [ -z "${RECONCILE_STORE-}" ] || return 0
    ! grep -q '^ *store *:' "${XDG_CONFIG_HOME:-${HOME-}/.config}/reconcile/config.yaml" 2>/dev/null || return 0
    _store=$(store_path)
    _volume=$(mount_point "$root")
    # A store in the project would be one that a clone can contain.
    case $_store:$_volume in :* | *: | *:/ | *:"$root") return 0 ;; esac
    [ "$(mount_point "$_store")" = / ] || return 0
    _proposed=$_volume/.reconcile-store
    log "note: the project is on the volume $_volume, and the store is on the root file system: $_store"
    log "If this machine keeps only $_volume when it stops, keep the environments there:
  export RECONCILE_STORE=$(quote "$_proposed")"
    [ -z "$dry_run" ] && [ -t 0 ] && [ -t 2 ] || return 0
    printf 'Use %s for this run? [y/N] ' "$_proposed" >&2
    read -r _answer || _answer=''
    case $_answer in [yY] | [yY][eE][sS]) use_store "$_proposed" ;; esac
}

# mount_point prints the mount point of a path, or of its nearest parent that exists.
mount_point() (
    path=$1
    while [ ! -e "$path" ] && [ -n "$path" ]; do path=${path%/*}; done
    df -P "${path:-/}" 2>/dev/null | awk 'NR == 2 && match($0, / [0-9-]+%? +\//) {print substr($0, RSTART + RLENGTH - 1)}'
)

# quote prints a word for a shell.
quote() {
    case $1 in
    *[!A-Za-z0-9/._-]*) printf "'%s'\n" "$(printf %s "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s\n' "$1" ;;
    esac
}

# --- the program ---------------------------------------------------------------------

# find_reconcile sets program and shown, or exits.
find_reconcile() {
    program=''
    stale=''
    if [ -n "${RECONCILE_RELEASE_URL-}${RECONCILE_RELEASE_SHA256-}" ]; then
        fetch "${RECONCILE_RELEASE_URL-}" "${RECONCILE_RELEASE_SHA256-}"
    else
        use_built || use_installed || build || fetch_pinned || use_stale || report_missing
    fi
    shown=$program
    case $program in "$root"/*) shown=${program#"$root"/} ;; esac
    log "using $shown: $("$program" version)"
}

use_built() {
    [ -x "$bin" ] || return 1
    if ! is_reconcile "$bin"; then
        log "bin/reconcile does not run here: it may be built for another system"
        return 1
    fi
    stale=$(newer_source)
    [ -z "$stale" ] || return 1
    program=$bin
}

# newer_source prints the name of a source that is newer than bin/reconcile.
newer_source() {
    for _path in cmd internal pkg embed.go go.mod go.sum; do
        [ ! -e "$root/$_path" ] || find "$root/$_path" -type f ! -name '*_test.go' -newer "$bin" 2>/dev/null
    done | sed -e "1!d" -e "s|.*/||"
}

# use_installed uses the program on PATH if it accepts this manifest.
use_installed() {
    _found=$(command -v reconcile 2>/dev/null)
    case $_found in /*) ;; *) return 1 ;; esac
    is_reconcile "$_found" || return 1
    if ! "$_found" -C "$root" validate >/dev/null 2>&1; then
        log "$_found is not used: \`$_found validate\` does not accept this manifest.yaml"
        return 1
    fi
    program=$_found
}

is_reconcile() {
    case $("$1" version 2>/dev/null </dev/null) in "reconcile "*) return 0 ;; esac
    return 1
}

# build builds bin/reconcile. Go 1.21 and later downloads the toolchain of go.mod, unless
# GOTOOLCHAIN forbids it.
build() {
    [ -f "$root/go.mod" ] || return 1
    go=$(find_go) || return 1
    _version=$(cd / && GOTOOLCHAIN=local "$go" version 2>/dev/null)
    _version=${_version#go version go}
    _version=${_version%% *}
    case $_version in
    1.[0-9] | 1.[0-9].* | 1.1[0-9] | 1.1[0-9].* | 1.20 | 1.20.*)
        log "Go $_version at $go is too old: Go $(required_go) is required; Go 1.21 and later downloads it"
        return 1
        ;;
    esac
    make_scratch
    log "building the program with $go (Go $_version)"
    if (
        cd -P -- "$root" || exit 1
        unset GOOS GOARCH
        [ "$(platform)" != macos-arm64 ] || export GOARCH=arm64 # even from a shell under Rosetta
        if [ -z "${HOME-}${GOCACHE-}${XDG_CACHE_HOME-}" ]; then # Go has no cache folder
            export GOCACHE="$scratch/go/build" GOMODCACHE="$scratch/go/mod" GOPATH="$scratch/go" GOFLAGS="-modcacherw ${GOFLAGS-}"
        fi
        # The build would fail if git does not trust the owner of the checkout.
        git rev-parse --git-dir >/dev/null 2>&1 || set -- -buildvcs=false
        CGO_ENABLED=0 "$go" build -trimpath "$@" -o "$new" ./cmd/reconcile >&2
    ) && is_reconcile "$new"; then
        install_new
        return
    fi
    log "the build with $go failed: see above"
    return 1
}

# find_go prints the path of Go: $GO if it is set, or one on PATH, or one in a folder of an
# installer, which an ssh session may not have on its PATH.
find_go() {
    if [ -n "${GO-}" ]; then
        _go=$(command -v "$GO") || return 1
        case $_go in /*) ;; *) _go=$PWD/$_go ;; esac
        printf '%s\n' "$_go"
        return
    fi
    for _go in go /usr/local/go/bin/go /opt/homebrew/bin/go "${HOME-}/.local/go/bin/go" /usr/lib/go/bin/go /snap/bin/go; do
        command -v "$_go" && return
    done
    return 1
}

# required_go prints the Go version of go.mod.
required_go() {
    sed -n 's/^go \([0-9][0-9.]*\).*/\1/p' "$root/go.mod" 2>/dev/null
}

# fetch_pinned downloads the release of scripts/releases.txt for this platform.
fetch_pinned() {
    _line=$(awk -v platform="$(platform)" '$1 == platform && NF == 3 {print $2, $3; exit}' "$releases" 2>/dev/null)
    [ -n "$_line" ] || return 1
    fetch "${_line% *}" "${_line#* }"
}

# fetch ADDRESS SHA256 downloads the program, verifies it and installs it. A failure leaves
# nothing behind.
fetch() {
    _address=$(redact "$1")
    case $1 in
    http://* | https://*) ;;
    *) die "RECONCILE_RELEASE_URL must be an http or https address, found \"$_address\"" ;;
    esac
    _sum=$(printf %s "$2" | tr ABCDEF abcdef)
    case $_sum in *[!0-9a-f]*) _sum='' ;; esac
    [ ${#_sum} = 64 ] || die "RECONCILE_RELEASE_SHA256 must be the sha256 of the release, 64 hexadecimal digits, found \"$2\""
    if [ -x "$bin" ] && [ "$(sha256 "$bin")" = "$_sum" ]; then
        program=$bin
        return
    fi
    make_scratch
    log "downloading $_address"
    if command -v curl >/dev/null; then
        curl -fsSL --proto '=http,https' --connect-timeout 20 --speed-limit 1 --speed-time 60 -o "$new" "$1" >&2
    elif command -v wget >/dev/null; then
        case $(wget --version 2>/dev/null) in GNU*) _options='-T 60 -t 2' ;; *) _options='' ;; esac
        # shellcheck disable=SC2086 # several options, or none for busybox
        wget -q $_options -O "$new" "$1" >&2
    else
        die "neither curl nor wget is installed to download the program: $(install_hint curl)"
    fi || die "$_address could not be downloaded; nothing was changed. Check the network and the address"
    _got=$(sha256 "$new")
    [ "$_got" = "$_sum" ] || die "the file of $_address has the wrong sha256 and was deleted: expected $_sum, found ${_got:-no program to compute it}"
    chmod 755 "$new"
    is_reconcile "$new" || die "the program of $_address does not run here: this machine is $(platform)"
    install_new
}

# redact prints an address without user, password and query, which may contain secrets.
redact() {
    printf '%s\n' "$1" | sed -e 's|[?#].*||' -e 's|//[^/]*@|//|'
}

# sha256 prints the digest of a file.
sha256() {
    if command -v sha256sum >/dev/null; then
        sha256sum <"$1"
    elif command -v shasum >/dev/null; then
        shasum -a 256 <"$1"
    elif command -v openssl >/dev/null; then
        openssl dgst -sha256 -r <"$1"
    fi 2>/dev/null | cut -d ' ' -f 1
}

# make_scratch creates a temporary folder in bin/, or elsewhere for a dry run, and sets new to
# the path of the new program.
make_scratch() {
    [ -z "$scratch" ] || return 0
    if [ -n "$dry_run" ]; then
        scratch=$(mktemp -d "${TMPDIR:-/tmp}/reconcile.XXXXXX") || die "there is no temporary folder: set TMPDIR"
    else
        scratch=$root/bin/.new-$$
        mkdir -p "$scratch" 2>/dev/null || die "$root/bin cannot be written by $(id -un), and reconcile writes into the checkout: clone it to a folder of your own"
    fi
    new=$scratch/reconcile
}

# cleanup removes the temporary folder.
cleanup() {
    [ -n "$scratch" ] || return 0
    rm -rf -- "$scratch"
    rmdir -- "$root/bin" 2>/dev/null # if it is empty
}

# install_new renames the new program to bin/reconcile, except for a dry run.
install_new() {
    chmod 755 "$new"
    program=$new
    [ -z "$dry_run" ] || return 0
    mv -f "$new" "$bin" || die "$bin could not be written"
    program=$bin
}

# use_stale uses an outdated bin/reconcile, the last choice.
use_stale() {
    [ -n "$stale" ] || return 1
    log "warning: bin/reconcile is older than $stale, and there is no Go to rebuild it"
    program=$bin
}

# report_missing explains how to get the program on this system, and exits.
report_missing() {
    _go=$(required_go)
    _here=$(platform)
    case $_here in
    macos-arm64) _target='darwin arm64' ;;
    macos-x86_64) _target='darwin amd64' ;;
    linux-aarch64) _target='linux arm64' ;;
    linux-x86_64) _target='linux amd64' ;;
    *) die "reconcile supports macOS and Linux on arm64 and x86_64; this is $(uname -s) on $(uname -m)" ;;
    esac
    log "error: the program reconcile is missing: it is not in bin/ or on PATH, there is no Go to build it${_go:+ (Go $_go, or 1.21 and later, which downloads it)}, and no release for $_here in scripts/releases.txt"
    case $_here in
    macos-*) log "install Go, then run ./$script again:
  brew install go
or the package for $_here from https://go.dev/dl/" ;;
    *)
        _archive=go${_go:-VERSION}.${_target% *}-${_target#* }.tar.gz
        log "install Go, then run ./$script again; ~/.local/go and /usr/local/go need not be on PATH (the sha256 of the archive is on https://go.dev/dl/):"
        command -v curl >/dev/null || log "  $(install_hint curl ca-certificates)"
        log "  curl -fLO https://go.dev/dl/$_archive
  mkdir -p ~/.local && tar -C ~/.local -xzf $_archive"
        ;;
    esac
    log "or build it on a machine with Go, and copy bin/reconcile here: GOOS=${_target% *} GOARCH=${_target#* } make build"
    exit 1
}

# platform prints the platform in the form of manifest.yaml. Under Rosetta, uname prints
# x86_64 on a Mac with Apple silicon.
platform() (
    system=$(uname -s)
    machine=$(uname -m)
    if [ "$system" = Darwin ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then
        machine=arm64
    fi
    case $system in
    Darwin) system=macos ;;
    Linux) system=linux ;;
    *) system=unknown ;;
    esac
    case $system-$machine in
    *-amd64) machine=x86_64 ;;
    linux-arm64) machine=aarch64 ;;
    esac
    printf '%s-%s\n' "$system" "$machine"
)

# install_hint prints the command that installs packages on this system.
install_hint() (
    as=''
    [ "$(id -u)" = 0 ] || as='sudo '
    for tool in apt-get dnf apk zypper pacman brew; do
        command -v "$tool" >/dev/null || continue
        case $tool in
        apt-get) echo "${as}apt-get update && ${as}apt-get install -y $*" ;;
        apk) echo "${as}apk add $*" ;;
        pacman) echo "${as}pacman -S $*" ;;
        brew) echo "brew install $*" ;;
        *) echo "$as$tool install -y $*" ;;
        esac
        exit
    done
    echo "install $* with the package manager of this system"
)

# --- output ---------------------------------------------------------------------------

# log prints to standard error without control characters, which file names may contain.
log() {
    printf '%s\n' "$*" | LC_ALL=C tr -d '\000-\010\013-\037\177' >&2
}

die() {
    log "error: $*"
    exit 1
}

heading() {
    printf '\n=== %s\n\n' "$*"
}
