#!/bin/sh
# Finds or installs FFmpeg and Deno, which the project needs. Prints one line with both versions, and
# on standard error what it is doing. Afterwards `deno` is found on PATH, so that `sh setup.sh && deno task test` works in one line.
# If there is a screen, it also tries to install mpv, which shows windows; ffplay does without.
set -u

FFMPEG_VERSION=5.1
DENO_VERSION=2.9

cd "$(dirname "$0")" || exit 1

ffmpeg_by=
deno_by=
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# fail TEXT: prints the problem and its solution, and exits.
fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

# doing TEXT: tells what takes a while.
doing() {
  printf '%s …\n' "$1" >&2
}

# quietly COMMAND…: runs a command, and prints its output only if it fails.
quietly() {
  "$@" >"$log" 2>&1 </dev/null && return
  cat "$log" >&2
  return 1
}

# at_least HAVE WANT: whether version HAVE ("5.1.9") is WANT ("5.1") or later. Builds without a
# version number count as recent.
at_least() {
  [ -n "$1" ] || return 0
  minor=${1#*.}
  [ "${1%%.*}" -gt "${2%%.*}" ] ||
    { [ "${1%%.*}" -eq "${2%%.*}" ] && [ "${minor%%.*}" -ge "${2#*.}" ]; }
}

has() { command -v "$1" >/dev/null 2>&1; }

ffmpeg_version() {
  ffmpeg -version 2>/dev/null |
    sed -n '1s/^ffmpeg version n\{0,1\}\([0-9]\{1,3\}\.[0-9][0-9.]*\).*/\1/p'
}

# ffmpeg_name: the version number, or the version text of a build without one.
ffmpeg_name() {
  name=$(ffmpeg_version)
  [ -n "$name" ] || name=$(ffmpeg -version 2>/dev/null | sed -n '1s/^ffmpeg version \([^ ]*\).*/\1/p')
  printf '%s' "${name:-of an unknown version}"
}

deno_version() {
  deno --version 2>/dev/null | sed -n '1s/^deno \([0-9]\{1,\}\.[0-9][0-9.]*\).*/\1/p'
}

has_ffmpeg() {
  has ffmpeg && has ffprobe && at_least "$(ffmpeg_version)" "$FFMPEG_VERSION"
}

has_deno() {
  has deno && found=$(deno_version) && [ -n "$found" ] && at_least "$found" "$DENO_VERSION"
}

# Sets $root to the command prefix that runs as root: empty, or sudo if it needs no password.
find_root() {
  if [ "$(id -u)" -eq 0 ]; then
    root=
  elif has sudo && sudo -n true 2>/dev/null; then
    root='sudo -n'
  else
    return 1
  fi
}

find_manager() {
  for manager in apt-get dnf apk pacman brew; do
    if has "$manager"; then return; fi
  done
  manager=
  return 1
}

# add_packages NAME…: installs packages with the system's package manager, or prints how to.
add_packages() {
  find_manager || fail "Cannot install $*: found no apt-get, dnf, apk, pacman or brew; install ffmpeg $FFMPEG_VERSION or later manually"
  update=
  case $manager in
    apt-get) update='apt-get update' install='apt-get install -y' ;;
    dnf) install='dnf install -y' ;;
    apk) install='apk add' ;;
    pacman) install='pacman -S --noconfirm --needed' ;;
    brew) install='brew install' ;;
  esac
  # Homebrew refuses to run as root.
  if [ "$manager" = brew ]; then
    root=
  elif ! find_root; then
    fail "Cannot install $*: permission denied. Run: ${update:+sudo $update && }sudo $install $*"
  fi
  doing "Installing $* with $manager"
  # The commands above are lists of plain words, split on purpose.
  # shellcheck disable=SC2086
  {
    [ -z "$update" ] || quietly $root $update || fail "Cannot update the package list: $update failed"
    quietly $root env DEBIAN_FRONTEND=noninteractive $install "$@" ||
      fail "Cannot install $*: $install failed"
  }
}

install_ffmpeg() {
  find_manager || :
  # Fedora's repositories have it under another name.
  if [ "$manager" = dnf ]; then name=ffmpeg-free; else name=ffmpeg; fi
  add_packages "$name"
  has_ffmpeg || fail "Cannot use FFmpeg $(ffmpeg_name): expected $FFMPEG_VERSION or later with ffprobe; see https://ffmpeg.org/download.html"
  ffmpeg_by=" ($manager)"
}

# Failures do not matter: ffplay shows windows, too.
install_mpv() {
  find_manager || return 0
  [ -n "${DISPLAY-}${WAYLAND_DISPLAY-}" ] || [ "$manager" = brew ] || return 0
  [ "$manager" = brew ] || find_root || return 0
  doing "Installing mpv with $manager"
  case $manager in
    apt-get) set -- --no-install-recommends mpv ;;
    *) set -- mpv ;;
  esac
  (add_packages "$@") 2>/dev/null || return 0
}

is_on_path() {
  case :$PATH: in *:"$1":*) ;; *) return 1 ;; esac
}

# Sets $prefix to where Deno is installed: a folder with bin on PATH, writable, as root if needed.
find_prefix() {
  root=
  : "${HOME:=/root}"
  if is_on_path "$HOME/.local/bin"; then mkdir -p "$HOME/.local/bin"; fi
  for prefix in "$(npm prefix --global 2>/dev/null)" /usr/local "$HOME/.local" "$HOME/.deno"; do
    if [ -w "$prefix/bin" ] && [ -w "$prefix" ] && is_on_path "$prefix/bin"; then return; fi
  done
  prefix=/usr/local
  if is_on_path /usr/local/bin && find_root; then return; fi
  root=
  prefix=$HOME/.local
}

# $root is a list of plain words, split on purpose.
# shellcheck disable=SC2086
install_deno() {
  find_prefix
  # Deno's own builds need glibc, which Alpine lacks; Homebrew's folder is already on PATH.
  if find_manager && { [ "$manager" = apk ] || { [ "$manager" = brew ] && ! has npm; }; }; then
    add_packages deno
    by=$manager
  elif has npm; then
    doing 'Installing Deno with npm'
    quietly $root npm install --global --prefix "$prefix" deno ||
      fail "Cannot install Deno: npm failed; see https://docs.deno.com/runtime/getting_started/installation/"
    by=npm
  else
    has curl || add_packages curl ca-certificates
    has unzip || add_packages unzip
    installer=$(mktemp) || exit 1
    doing 'Installing Deno with its installer'
    quietly curl -fsSL --retry 3 -o "$installer" https://deno.land/install.sh &&
      quietly $root env "DENO_INSTALL=$prefix" sh "$installer" -y --no-modify-path
    status=$?
    rm -f "$installer"
    [ "$status" -eq 0 ] ||
      fail "Cannot install Deno: its installer failed; see https://docs.deno.com/runtime/getting_started/installation/"
    by=installer
  fi
  if ! has_deno; then
    [ -x "$prefix/bin/deno" ] ||
      fail "Cannot use Deno: expected $DENO_VERSION or later on PATH; see https://docs.deno.com/runtime/getting_started/installation/"
    problem='that folder is not on PATH'
    [ -z "$found" ] || problem="PATH finds deno $found first"
    fail "Deno is now in $prefix/bin, but $problem. Run: export PATH=\"$prefix/bin:\$PATH\""
  fi
  deno_by=" ($by)"
}

found=
has_ffmpeg || install_ffmpeg
has_deno || install_deno
has mpv || install_mpv

# So that later commands need no network.
doing 'Fetching the packages that the code imports'
standard=$(deno run -A --quiet tools/std.ts) || fail 'Cannot check for the standard library: deno run failed'
# shellcheck disable=SC2086
quietly deno cache --quiet $standard lib/base/*.ts lib/server/metrics/*.ts ||
  fail 'Cannot fetch the packages that the code imports: is there a network?'

# A name in parentheses is that of the program that has just installed it.
printf 'Found FFmpeg %s%s, Deno %s%s\n' "$(ffmpeg_name)" "$ffmpeg_by" "$found" "$deno_by"
