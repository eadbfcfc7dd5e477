#!/bin/sh
# A self-extracting program. This script is followed by the program and the Deno that runs it, both
# compressed with gzip. The first start unpacks them to a cache folder; every start runs them there.

self=$0
case $self in -*) self=./$self ;; esac
folder=

refuse() {
  printf 'Cannot unpack "%s": %s; %s\n' "${folder:-$self}" "$1" "$2" >&2
  exit 1
}
elsewhere='set XDG_CACHE_HOME to a folder of your own with 150 MB free'

case ${XDG_CACHE_HOME-} in
  /*) folder=$XDG_CACHE_HOME/stream-tools ;;
  *)
    case ${HOME-} in
      /*) folder=$HOME/.cache/stream-tools ;;
      *) refuse 'HOME is not set, expected a folder for the unpacked files' "$elsewhere" ;;
    esac
    ;;
esac

# is_whole FILE SIZE: whether a file belongs to the user and has the right size. Partial files never
# get the final name, but a crash of the machine may leave an empty one.
is_whole() {
  [ -f "$1" ] && [ -O "$1" ] && [ "$(wc -c <"$1")" -eq "$2" ]
}

# check_folder FOLDER MODE OWNER: refuses a folder in which another user could have put code. Folders
# must belong to root or to this user; others may not write to them, or only add files (the sticky
# bit, as of /tmp).
check_folder() {
  case $2 in d*) ;; *) refuse "\"$1\" cannot be checked as a folder" "$elsewhere" ;; esac
  [ "$3" = 0 ] || [ -O "$1" ] || refuse "\"$1\" belongs to another user" "$elsewhere"
  case $2 in
    d????-??-*) return ;;
    d????????[tT]*) [ "$1" = "$folder" ] || return 0 ;;
  esac
  [ "$1" = "$folder" ] || refuse "other users can write to \"$1\"" "$elsewhere"
  # A link may lead to a folder with files of other programs.
  [ "$folder" = "$asked" ] || refuse 'other users can write to the folder' "$elsewhere"
  quoted=$(printf '%s' "$1" | sed "s/'/'\\\\''/g")
  refuse 'other users can write to the folder, and may have put files there' "run: rm -r '$quoted'"
}

# check_line MODE LINKS OWNER GROUP SIZE …: takes a line of ls about a folder, or about a file.
check_line() {
  case $path in
    "$program") [ ! -O "$program" ] || program_is=${1%"${1#?}"}$5 ;;
    "$runtime") [ ! -O "$runtime" ] || runtime_is=${1%"${1#?}"}$5 ;;
    *) check_folder "$path" "$1" "$3" && checked=$checked$newline$path ;;
  esac
}

# unpack FILE SIZE OFFSET LENGTH: atomically writes a compressed part of this file to FILE.
unpack() {
  [ ! -d "$1" ] || refuse 'a folder has the name of a file in it' "$elsewhere"
  part=$(mktemp "$folder/unpack.XXXXXX" 2>/dev/null) ||
    refuse 'the folder cannot be written to' "$elsewhere"
  trap 'rm -f "$part"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if ! reason=$({ tail -c +"$3" "$self" | head -c "$4" | gzip -dc >"$part"; } 2>&1) ||
    ! is_whole "$part" "$2"; then
    reason=$(printf '%s' "${reason:-writing stopped early}" | tr '\n' ' ')
    refuse "${reason# }" "free some space there, copy this program anew if it is damaged, or $elsewhere"
  fi
  chmod 700 "$part" && mv -f "$part" "$1" || refuse 'moving a file there failed' "$elsewhere"
  trap - EXIT HUP INT TERM
}

if [ ! -d "$folder" ]; then
  (umask 077 && mkdir -p "$folder" && chmod 700 "$folder") 2>/dev/null ||
    refuse 'the folder cannot be made' "$elsewhere"
fi
# A link that belongs to the user is allowed; its target is checked and used.
place=$(CDPATH='' cd -P "$folder" 2>/dev/null && pwd -P && echo .) ||
  refuse 'the folder cannot be entered' "$elsewhere"
asked=$folder
folder=${place%?.}
[ -O "$folder" ] || refuse 'the folder belongs to another user' "$elsewhere"
runtime=$folder/deno-@RUNTIME_HASH@
program=$folder/@NAME@-@PROGRAM_HASH@.mjs

# Each process takes 2 ms, so one ls looks at the files, and at all folders from the root down, so
# that nobody else can move a checked one. It sorts by name, which is that order.
newline='
'
case $folder in *"$newline"*) refuse 'its path has a line break' "$elsewhere" ;; esac
set -f
folders=$newline/ above=
IFS=/
for name in ${folder#/}; do
  above=$above/$name
  folders=$folders$newline$above
done
IFS=$newline
# shellcheck disable=SC2086
listing=$(LC_ALL=C TIME_STYLE=locale ls -ldn $folders "$runtime" "$program" 2>/dev/null)
checked='' program_is='' runtime_is=''
for line in $listing; do
  path=/${line#* /}
  IFS=' '
  # shellcheck disable=SC2086
  check_line $line
done
[ "$checked" = "$folders" ] || refuse 'the folders above it cannot be checked' "$elsewhere"
if [ "$program_is $runtime_is" != '-@PROGRAM_SIZE@ -@RUNTIME_SIZE@' ]; then
  [ -r "$self" ] || refuse 'the program cannot read itself' 'run: chmod +r on it'
  # Removes files that a killed start left behind a day ago or earlier.
  find "$folder/." ! -name . -prune -type f -name 'unpack.??????' -mtime +0 -exec rm -f {} +
  is_whole "$program" @PROGRAM_SIZE@ ||
    unpack "$program" @PROGRAM_SIZE@ @PROGRAM_OFFSET@ @PROGRAM_LENGTH@
  is_whole "$runtime" @RUNTIME_SIZE@ ||
    unpack "$runtime" @RUNTIME_SIZE@ @RUNTIME_OFFSET@ @RUNTIME_LENGTH@
fi
[ -x "$runtime" ] || refuse 'programs cannot be run from there (noexec)' "$elsewhere"

# Unsets variables that only Deno and Node.js read: code to load, permissions, reports, completions.
# Those that other programs also read are kept, such as SSL_CERT_FILE.
unset -v COMPLETE
IFS=$newline
for line in $(export -p); do
  name=${line%%=*}
  name=${name##* }
  case $name in
    *[!A-Za-z0-9_]*) ;;
    DENO_* | JSR_* | NODE_* | NPM_* | OTEL_* | RUST_* | npm_*) unset -v "$name" ;;
  esac
done
DENO_DIR=$folder/deno DENO_NO_PACKAGE_JSON=1 DENO_NO_UPDATE_CHECK=1
export DENO_DIR DENO_NO_PACKAGE_JSON DENO_NO_UPDATE_CHECK
exec "$runtime" run --quiet --no-prompt --no-config --no-lock --no-remote --no-npm --cached-only \
  --node-modules-dir=none @FLAGS@ "$program" "$@"
exit 126
