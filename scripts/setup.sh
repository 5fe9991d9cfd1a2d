# shellcheck shell=sh
# What setup_local.sh and setup_remote.sh have in common; they say where the checkout
# is (root), which environment they are for and what that is for (purpose), and call
# setup.
#
#  1. find the program: bin/reconcile, one on PATH, built with Go, or a release whose
#     sha256 is known
#  2. reconcile apply, which shows its plan first
#  3. the checks and the storage summary, again and always
#  4. is what is installed intact; Python, disk, CUDA and GPU
#  5. the installed packages and the state of everything
#
# It decides nothing about the machine: that is the work of reconcile. It is for every
# sh of POSIX (dash, bash 3.2 of macOS, busybox, zsh), so there is no `local` here and
# no option that GNU or BSD alone has. Names with _ in front belong to one function.

: "${root:?} ${environment:?} ${purpose:?}" # set by whoever sources this
bin=$root/bin/reconcile
releases=$root/scripts/releases.txt
me=setup_$environment.sh
scratch='' # what is removed at the end, whatever the end

# A session that no one types into may have no PATH worth the name.
command -v sed >/dev/null || PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
export PATH

trap 'tidy' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

setup() {
    dry_run=''
    for _word; do
        case $_word in
        -h | --help)
            usage
            return 0
            ;;
        --dry-run) dry_run=yes ;;
        *)
            say "$_word is not an option of $me; --help lists them"
            return 64
            ;;
        esac
    done
    [ -f "$root/manifest.yaml" ] || stop "there is no manifest.yaml in $root: this script belongs at the top of the checkout"
    say "environment $environment of $root/manifest.yaml: $purpose"
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER-}" ]; then
        say "note: started by sudo, so all that is made belongs to root; nothing here needs root"
    fi
    find_reconcile
    if [ -n "$dry_run" ]; then
        ours plan -v
        return
    fi
    converge && verify
}

usage() {
    cat <<EOF
Usage: ./$me [--dry-run]

Brings this machine to environment $environment of manifest.yaml ($purpose):
folders, files, a pinned Python environment. Then it shows the storage summary, checks
Python, the disk and what is installed (and CUDA and the GPU where the environment asks
for them), and lists the installed packages. Safe to run again: what is there already is
left alone. It never installs drivers or programs of the system.

  --dry-run   show what would be done, and do nothing
  --help      this text

The program reconcile is taken from bin/, from PATH, built with Go, or fetched as a
release whose sha256 is known (scripts/releases.txt).

  GO=PATH                     build with this Go
  RECONCILE_RELEASE_URL       fetch the program from here, whatever else there is,
  RECONCILE_RELEASE_SHA256    and take it only if it has this sha256

Exit status: that of \`reconcile apply\` (0 done or nothing to do, 1 an error, 3 a check
failed and nothing was changed, 4 applied in part, 5 another run holds the lock), or of
\`reconcile plan\` with --dry-run. Where that is 0, the first of what the verification
finds (2 what is installed is damaged, 3 a finding of \`reconcile doctor\`). 64 for a wrong
option, 130 if interrupted.
EOF
}

# converge applies, and says how to go on where that does not end well.
converge() {
    heading "Plan and apply"
    ours apply -y
    _code=$?
    case $_code in
    0) return 0 ;;
    3) say "environment $environment is not set up: what stands above after \"error:\" has to be put right first, and \"hint:\" says how. Then run ./$me again; \`$shown doctor --env $environment\` looks closer" ;;
    4) say "done in part; mend what is named above and run ./$me again" ;;
    130) say "interrupted; what was done stays done, and ./$me goes on from there" ;;
    *) say "environment $environment is not set up: the reason is above" ;;
    esac
    return "$_code"
}

# verify shows what there is now. The first thing that is not in order decides the
# exit status; the others are shown all the same.
verify() {
    worst=0
    heading "Checks and storage"
    also ours plan -v
    heading "Verification: the files of the environment"
    also ours verify
    heading "Verification: this machine"
    also ours doctor --offline # what is installed needs no network
    heading "Status and installed packages"
    also ours status
    echo
    if [ "$worst" = 0 ]; then
        say "environment $environment is ready: \`$shown run -- COMMAND\` runs something in it"
    else
        say "environment $environment is there, but not all is in order: see above"
    fi
    return "$worst"
}

also() {
    "$@"
    _code=$?
    [ "$_code" != 130 ] || exit 130
    [ "$worst" != 0 ] || worst=$_code
}

# ours runs the program for this checkout and its environment.
ours() {
    "$program" -C "$root" --env "$environment" "$@"
}

# --- the program ---------------------------------------------------------------------

# find_reconcile sets program, or says what is missing and ends.
find_reconcile() {
    program=''
    stale=''
    if [ -n "${RECONCILE_RELEASE_URL-}${RECONCILE_RELEASE_SHA256-}" ]; then
        fetch "${RECONCILE_RELEASE_URL-}" "${RECONCILE_RELEASE_SHA256-}"
    else
        take_built || take_installed || build || fetch_pinned || take_stale || lacking
    fi
    shown=$program
    case $program in "$root"/*) shown=${program#"$root"/} ;; esac
    say "using $shown: $("$program" version)"
}

take_built() {
    [ -x "$bin" ] || return 1
    if ! runs "$bin"; then
        say "bin/reconcile does not run here: it may be for another system"
        return 1
    fi
    stale=$(newer_source)
    [ -z "$stale" ] || return 1
    program=$bin
}

# newer_source prints a source that bin/reconcile does not know yet.
newer_source() {
    for _place in cmd internal pkg embed.go go.mod go.sum; do
        [ ! -e "$root/$_place" ] || find "$root/$_place" -type f ! -name '*_test.go' -newer "$bin" 2>/dev/null
    done | sed -e "1!d" -e "s|.*/||"
}

# take_installed takes one of PATH if it is ours and reads this manifest.
take_installed() {
    _found=$(command -v reconcile 2>/dev/null)
    case $_found in /*) ;; *) return 1 ;; esac
    runs "$_found" || return 1
    if ! "$_found" -C "$root" validate >/dev/null 2>&1; then
        say "$_found is not used: \`$_found validate\` does not accept this manifest.yaml"
        return 1
    fi
    program=$_found
}

runs() {
    case $("$1" version 2>/dev/null </dev/null) in "reconcile "*) return 0 ;; esac
    return 1
}

# build builds bin/reconcile where there are sources and a Go that can. Go's own rule
# holds: from 1.21 on it fetches the toolchain of go.mod itself, unless GOTOOLCHAIN says
# that it must not.
build() {
    [ -f "$root/go.mod" ] || return 1
    go=$(find_go) || return 1
    _version=$(cd / && GOTOOLCHAIN=local "$go" version 2>/dev/null)
    _version=${_version#go version go}
    _version=${_version%% *}
    case $_version in
    1.[0-9] | 1.[0-9].* | 1.1[0-9] | 1.1[0-9].* | 1.20 | 1.20.*)
        say "Go $_version at $go is too old: Go $(wanted_go) is needed, which Go fetches itself from 1.21 on"
        return 1
        ;;
    esac
    room
    say "building the program with $go (Go $_version)"
    if (
        cd -P -- "$root" || exit 1
        unset GOOS GOARCH
        [ "$(platform)" != macos-arm64 ] || export GOARCH=arm64 # even from a shell under Rosetta
        if [ -z "${HOME-}${GOCACHE-}${XDG_CACHE_HOME-}" ]; then # Go has nowhere to keep anything
            export GOCACHE="$scratch/go/build" GOMODCACHE="$scratch/go/mod" GOPATH="$scratch/go" GOFLAGS="-modcacherw ${GOFLAGS-}"
        fi
        # A git that does not trust the owner of the checkout would stop the build.
        git rev-parse --git-dir >/dev/null 2>&1 || set -- -buildvcs=false
        CGO_ENABLED=0 "$go" build -trimpath "$@" -o "$new" ./cmd/reconcile >&2
    ) && runs "$new"; then
        place
        return
    fi
    say "the build with $go failed; the reason is above"
    return 1
}

# find_go prints a Go: $GO alone if that is set, else one of PATH or of the places where
# installers put it, which a session of ssh may not have on its PATH.
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

# wanted_go prints the version that go.mod names.
wanted_go() {
    sed -n 's/^go \([0-9][0-9.]*\).*/\1/p' "$root/go.mod" 2>/dev/null
}

# fetch_pinned fetches the release that scripts/releases.txt names for this platform.
fetch_pinned() {
    _line=$(awk -v platform="$(platform)" '$1 == platform && NF == 3 {print $2, $3; exit}' "$releases" 2>/dev/null)
    [ -n "$_line" ] || return 1
    fetch "${_line% *}" "${_line#* }"
}

# fetch gets the program from an address, and takes it only with the right sha256:
# beside its place, compared, renamed. What is not right leaves nothing behind.
fetch() {
    _address=$(without_secrets "$1")
    case $1 in
    http://* | https://*) ;;
    *) stop "RECONCILE_RELEASE_URL has to be an address of http or https, and is \"$_address\"" ;;
    esac
    _sum=$(printf %s "$2" | tr ABCDEF abcdef)
    case $_sum in *[!0-9a-f]*) _sum='' ;; esac
    [ ${#_sum} = 64 ] || stop "a release is fetched only with its sha256, 64 hexadecimal digits, in RECONCILE_RELEASE_SHA256; it is \"$2\""
    if [ -x "$bin" ] && [ "$(sha256 "$bin")" = "$_sum" ]; then
        program=$bin
        return
    fi
    room
    say "fetching $_address"
    if command -v curl >/dev/null; then
        curl -fsSL --proto '=http,https' --connect-timeout 20 --speed-limit 1 --speed-time 60 -o "$new" "$1" >&2
    elif command -v wget >/dev/null; then
        case $(wget --version 2>/dev/null) in GNU*) _patience='-T 60 -t 2' ;; *) _patience='' ;; esac
        # shellcheck disable=SC2086 # words, or none: that of busybox has other options
        wget -q $_patience -O "$new" "$1" >&2
    else
        stop "there is neither curl nor wget to fetch the program with: $(install_hint curl)"
    fi || stop "$_address could not be fetched; nothing was changed. Is there a network, and is the address right?"
    _got=$(sha256 "$new")
    [ "$_got" = "$_sum" ] || stop "what $_address gave has another sha256, and was thrown away: expected $_sum, found ${_got:-none that could be computed}"
    chmod 755 "$new"
    runs "$new" || stop "what $_address gave does not run here: this machine is $(platform)"
    place
}

# without_secrets prints an address as others may see it: a name and password can stand in
# it, and the key of a store in its query.
without_secrets() {
    printf '%s\n' "$1" | sed -e 's|[?#].*||' -e 's|//[^/]*@|//|'
}

# sha256 prints the digest of a file, by whatever this system has.
sha256() {
    if command -v sha256sum >/dev/null; then
        sha256sum <"$1"
    elif command -v shasum >/dev/null; then
        shasum -a 256 <"$1"
    elif command -v openssl >/dev/null; then
        openssl dgst -sha256 -r <"$1"
    fi 2>/dev/null | cut -d ' ' -f 1
}

# room makes the place for a new program, and sets new: beside bin/reconcile, or for a
# dry run in a folder that goes away with this script.
room() {
    [ -z "$scratch" ] || return 0
    if [ -n "$dry_run" ]; then
        scratch=$(mktemp -d "${TMPDIR:-/tmp}/reconcile.XXXXXX") || stop "there is no folder for temporary files: set TMPDIR"
    else
        scratch=$root/bin/.new-$$
        mkdir -p "$scratch" 2>/dev/null || stop "$root/bin cannot be written by $(id -un), and reconcile keeps all that it makes in the checkout: clone it where you may write"
    fi
    new=$scratch/reconcile
}

# tidy removes what was only for this run.
tidy() {
    [ -n "$scratch" ] || return 0
    rm -rf -- "$scratch"
    rmdir -- "$root/bin" 2>/dev/null # where nothing came of it
}

# place makes the new program bin/reconcile by one rename.
place() {
    chmod 755 "$new"
    program=$new
    [ -z "$dry_run" ] || return 0
    mv -f "$new" "$bin" || stop "$bin could not be written"
    program=$bin
}

# take_stale is better than nothing.
take_stale() {
    [ -n "$stale" ] || return 1
    say "warning: bin/reconcile is older than $stale, and there is no Go to build it anew"
    program=$bin
}

# lacking says what is missing, and how to get it on this system.
lacking() {
    _wanted=$(wanted_go)
    _here=$(platform)
    case $_here in
    macos-arm64) _target='darwin arm64' ;;
    macos-x86_64) _target='darwin amd64' ;;
    linux-aarch64) _target='linux arm64' ;;
    linux-x86_64) _target='linux amd64' ;;
    *) stop "reconcile is for macOS and Linux on arm64 and x86_64, and this is $(uname -s) on $(uname -m)" ;;
    esac
    say "error: the program reconcile is missing: there is none in bin/ or on PATH, no Go to build it with${_wanted:+ (Go $_wanted, or 1.21 and later, which fetches it)}, and no release for $_here in scripts/releases.txt"
    case $_here in
    macos-*) say "get Go, then run ./$me again:
  brew install go
or the package for $_here from https://go.dev/dl/" ;;
    *)
        _archive=go${_wanted:-VERSION}.${_target% *}-${_target#* }.tar.gz
        say "get Go, then run ./$me again; it looks in ~/.local/go and /usr/local/go too (the sha256 of the archive is on https://go.dev/dl/):"
        command -v curl >/dev/null || say "  $(install_hint curl ca-certificates)"
        say "  curl -fLO https://go.dev/dl/$_archive
  mkdir -p ~/.local && tar -C ~/.local -xzf $_archive"
        ;;
    esac
    say "or build it where there is Go, and copy bin/reconcile here: GOOS=${_target% *} GOARCH=${_target#* } make build"
    exit 1
}

# platform prints the name of this system as manifest.yaml has it. A shell under
# Rosetta says x86_64 on a Mac with Apple silicon.
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

# install_hint prints how this system installs packages of those names.
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

# --- words ---------------------------------------------------------------------------

# say prints to standard error, and does nothing else to the terminal: names of folders
# come from outside.
say() {
    printf '%s\n' "$*" | LC_ALL=C tr -d '\000-\010\013-\037\177' >&2
}

stop() {
    say "error: $*"
    exit 1
}

heading() {
    printf '\n=== %s\n\n' "$*"
}
