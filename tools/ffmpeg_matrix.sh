#!/usr/bin/env bash
# Runs the tests with the FFmpeg of other Debian releases.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tools/ffmpeg_matrix.sh [--part] [--make] [--cache FOLDER] [RELEASE…] [-- ARGUMENT…]

Makes a small Debian system (a root) for each release with debootstrap, and runs the tests in it
with the FFmpeg of that release. A root is made once and kept in the cache folder.

RELEASE    bookworm (FFmpeg 5.1), trixie (7.1) or sid (9); default: all three
--part     run the tests that depend on the version of FFmpeg most, in all releases at once
--make     only make the roots that are not made, all at once, and run nothing
--cache    folder for the roots and logs; default: ~/.cache/stream-matrix; 3 GB per release
ARGUMENT   arguments for tools/run_tests.ts instead, such as tests/server/playback/seeking_test.ts

Needs Linux, root or sudo without a password, debootstrap, unshare, ip and Deno, and a network when
a root is made. Prints a table at the end. Exit status: 0 all passed, 1 a test failed or a root
cannot be made, 2 wrong usage.
TEXT
}

# The tests of --part, in this order: list, image, video in each encoding, packets and descriptions by
# the index of a file, audio, start, seek, live, page, recording, reasons of errors, Python.
PART=(
  tests/server/server_test.ts tests/sources/file/library_formats_test.ts
  tests/server/playback/encodings_test.ts tests/sources/file/copied_test.ts tests/sinks/output/full_range_test.ts
  tests/sources/file/packets/open_test.ts tests/sources/file/quick_probe_test.ts
  tests/containers/mp4/open_test.ts tests/containers/matroska/packets_test.ts
  tests/server/playback/sound_test.ts
  tests/server/playback/media_formats_test.ts
  tests/server/playback/seeking_test.ts
  tests/sources/live/stream_info_test.ts tests/sources/live/inputs_test.ts tests/server/playback/play_live_test.ts
  tests/server/session/published_renditions_test.ts
  tests/client/web_service_test.ts
  tests/sinks/output/file_test.ts
  tests/sources/live/failures_test.ts
  tests/python/arrays_test.ts
)

# Packages that the tests of --part need, besides ffmpeg.
PART_PACKAGES=(python3-numpy python3-opencv xvfb)

fail() {
  printf '%s\n' "$1" >&2
  exit "${2:-1}"
}

say() { printf '%s\n' "$*" >&2; }

project=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/stream-matrix
is_part=
is_make=
releases=()
arguments=()
while (($# > 0)); do
  case $1 in
    --help | -h) usage && exit ;;
    --part) is_part=1 ;;
    --make) is_make=1 ;;
    --cache)
      (($# > 1)) || fail 'Cannot use --cache: no folder is given, expected --cache FOLDER' 2
      cache=$2
      shift
      ;;
    --) shift && arguments=("$@") && break ;;
    bookworm | trixie | sid) releases+=("$1") ;;
    *) fail "Cannot use \"$1\": expected bookworm, trixie, sid or a flag; see --help" 2 ;;
  esac
  shift
done
((${#releases[@]} > 0)) || releases=(bookworm trixie sid)
[[ -z $is_part || ${#arguments[@]} -gt 0 ]] || arguments=("${PART[@]}")

[[ $(uname -s) == Linux ]] || fail 'Cannot make a Debian root: expected Linux'
if ((EUID != 0)); then
  sudo -n true 2>/dev/null || fail 'Cannot make a Debian root: expected root or sudo without a password'
  exec sudo -n --preserve-env=HOME,PATH,XDG_CACHE_HOME,STREAM_STD "$0" \
    ${is_part:+--part} ${is_make:+--make} --cache "$cache" "${releases[@]}" -- "${arguments[@]}"
fi
for program in debootstrap unshare ip deno; do
  PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null ||
    fail "Cannot run the matrix: $program is not installed; run: sh setup.sh && apt-get install debootstrap iproute2"
done
PATH=$PATH:/usr/sbin:/sbin

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
deno=$(deno eval 'console.log(Deno.execPath())')
modules=$(deno info --json | sed -n 's/^ *"denoDir": "\(.*\)",$/\1/p')
standard=$(cd "$project" && deno run -A --quiet tools/std.ts)
# The tests run without a network. `deno bundle` fetches its bundler at its first use.
[[ -n $is_make ]] || (
  cd "$project"
  find lib tests tools bench -name '*.ts' -exec deno cache --quiet ${standard:+"$standard"} {} +
  deno bundle --quiet --platform deno ${standard:+"$standard"} --output /dev/null client.ts
) || fail 'Cannot fetch the packages that the code imports: is there a network?'

if [[ -n $is_part ]]; then
  packages=("${PART_PACKAGES[@]}")
else
  mapfile -t packages < <(grep -v '^#' "$project/.ci/packages" | grep .)
  packages+=(git procps)
fi

# holds ROOT: whether a root is complete and has the required packages.
holds() {
  [[ -f $1/made ]] && chroot "$1" dpkg-query --show --showformat='${db:Status-Abbrev}\n' \
    ffmpeg "${packages[@]}" >"$1.status" 2>/dev/null && ! grep -qv '^ii' "$1.status" &&
    [[ -x $1/usr/bin/ffplay ]]
}

# make_root RELEASE: makes $cache/RELEASE, or adds the packages that it lacks.
make_root() {
  local release=$1 root=$cache/$1
  holds "$root" && return
  if [[ ! -f $root/made ]]; then
    rm -rf --one-file-system "$root"
    debootstrap --variant=minbase "$release" "$root" || return
    # A mirror may be outdated, but packages are signed. Roots need not survive a crash.
    printf 'Acquire::Check-Valid-Until "false";\n' >"$root/etc/apt/apt.conf.d/99-mirror"
    printf 'force-unsafe-io\n' >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
    # Services of packages are not started.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    touch "$root/made"
  fi
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  # Since FFmpeg 9, Debian has ffplay in a separate package.
  # shellcheck disable=SC2016
  inside "$root" --with-network sh -euc '
    apt-get update -qq
    if apt-cache show ffplay >/dev/null 2>&1; then set -- ffplay "$@"; fi
    apt-get install -qq -y --no-install-recommends "$@"' - ffmpeg "${packages[@]}" || return
  inside "$root" --with-network apt-get clean
}

# inside ROOT [--with-network] COMMAND…: runs a command in a root. Children and mounts end with
# it. Without a network it has its own loopback interface.
inside() {
  local root=$1 net=--net
  shift
  if [[ $1 == --with-network ]]; then net= && shift; fi
  mkdir -p "$root/src" "$root/deno-dir"
  touch "$root/usr/local/bin/deno"
  # shellcheck disable=SC2016,SC2086
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LANG=C.UTF-8 TERM=dumb NO_COLOR=1 DEBIAN_FRONTEND=noninteractive DENO_DIR=/deno-dir \
    DENO_NO_UPDATE_CHECK=1 \
    unshare --mount --pid --fork --kill-child --ipc --uts $net sh -euc '
      root=$1 project=$2 deno=$3 modules=$4 net=$5
      shift 5
      mount -t proc proc "$root/proc"
      mount --rbind /dev "$root/dev"
      mount --bind "$project" "$root/src"
      mount --bind "$modules" "$root/deno-dir"
      mount --bind "$deno" "$root/usr/local/bin/deno"
      [ -z "$net" ] || ip link set lo up
      exec chroot "$root" "$@"
    ' - "$root" "$project" "$deno" "$modules" "$net" "$@" </dev/null
}

# run_tests RELEASE: runs the tests in a root; writes a log and a table row to the cache folder.
run_tests() {
  local release=$1 root=$cache/$1 log=$cache/$1.log version summary status=passed
  SECONDS=0
  say "$release: making the root"
  if ! make_root "$release" >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    say "Cannot make a root of $release: see $log"
    printf '| %s | – | no root | | |\n' "$release" >"$root.row"
    return 1
  fi
  if [[ -n $is_make ]]; then
    say "$release: root ready after $SECONDS s"
    return
  fi
  version=$(inside "$root" ffmpeg -version | sed -n '1s/^ffmpeg version \([^ ]*\).*/\1/p')
  say "$release: FFmpeg $version, root ready after $SECONDS s; testing"
  find "$root/tmp" -mindepth 1 -delete
  # The types do not depend on FFmpeg.
  # shellcheck disable=SC2016
  inside "$root" sh -c 'cd /src && exec deno run -A --quiet tools/run_tests.ts --no-check "$@"' - \
    ${standard:+"$standard"} "${arguments[@]}" >"$log" 2>&1 || status=FAILED
  summary=$(sed -nE 's/^(ok|FAILED) \| ([0-9]+) passed \| ([0-9]+) failed \| ([0-9]+) ignored.*/| \2 | \3 | \4 |/p' \
    "$log" | tail -n 1)
  printf '| %s | %s %s\n' "$release" "$version" "${summary:-| – | did not finish | |}" >"$root.row"
  say "$release: $status after $SECONDS s; log: $log"
  if [[ $status != passed ]]; then
    sed -nE '/^ ERRORS/,/^(ok|FAILED) \|/p' "$log" | grep -v '^$' | tail -n 80 >&2 || :
    return 1
  fi
}

# Ctrl-C does not reach background jobs.
trap 'trap "" TERM; kill -TERM 0; exit 130' INT
status=0
if [[ -n $is_part$is_make ]]; then
  running=()
  for release in "${releases[@]}"; do
    run_tests "$release" &
    running+=($!)
  done
  for pid in "${running[@]}"; do wait "$pid" || status=1; done
else
  for release in "${releases[@]}"; do run_tests "$release" || status=1; done
fi

[[ -z $is_make ]] || exit "$status"
printf '| release | FFmpeg | passed | failed | ignored |\n| --- | --- | --- | --- | --- |\n'
for release in "${releases[@]}"; do cat "$cache/$release.row"; done
exit "$status"
