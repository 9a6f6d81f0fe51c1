#!/bin/sh
# Prints the manual page: the prose of PAGE, with version, options and examples as the program itself gives them.
#   manual.sh SPINERT PAGE
set -eu
program=$1 page=$2

# Help of CLI11 to man. An entry is "  NAME" and what it does from column 31, or on the next line after a long name.
# shellcheck disable=SC2016
to_man='
function plain(text) {
  gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); gsub(/"/, "\\(dq", text)
  return text ~ /^[.\047]/ ? "\\&" text : text
}
function flush(    name, help, note, at) {
  if (line == "") return
  name = more == "" ? substr(line, 1, 30) : line
  help = more == "" ? substr(line, 31) : more
  if ((at = index(name, " Excludes: "))) { note = ". Not with " substr(name, at + 11); name = substr(name, 1, at - 1) }
  if ((at = index(name, " Needs: "))) { note = ". Only with " substr(name, at + 8); name = substr(name, 1, at - 1) }
  gsub(/^ +| +$/, "", name)
  sub(/,--/, ", --", name)
  name = plain(name)
  gsub(/,/, ",\\:", name)  # where a long list of choices may break
  printf ".TP\n.B \"%s\"\n%s\n", name, plain(help note)
  line = more = ""
}
/^Usage: / { printf ".PP\n.B \"%s\"\n", plain(substr($0, 8)) }
/^(Options|Positionals):$/ { part = "entries"; next }
/^Subcommands:$/ { part = "skip"; next }
part == "entries" && /^  [^ ]/ { flush(); line = $0; next }
part == "entries" && /^ +[^ ]/ { sub(/^ +/, ""); more = more $0; next }
/^$/ { flush(); if (part != "footer") { part = part == "" ? "" : "between"; next } }
part == "between" { part = "footer"; print ".PP\n.nf" }
part == "footer" { print plain($0) }
END { flush(); if (part == "footer") print ".fi" }
'
# The first word of each line under "Subcommands:".
subcommands() { "$program" --help | awk '/^Subcommands:$/ { inside = 1; next } /^$/ { inside = 0 } inside { print $1 }'; }

version=$("$program" --version | awk 'NR == 1 { print $2 }')
[ -n "$version" ] || { echo "manual.sh: $program names no version" >&2; exit 1; }
while IFS= read -r text; do
  if [ "$text" != '.\" OPTIONS' ]; then
    printf '%s\n' "$text" | sed "s/@VERSION@/$version/"
    continue
  fi
  "$program" --help | awk "$to_man"
  for name in $(subcommands); do
    echo ".SS $name"
    "$program" "$name" --help | awk "$to_man"
  done
done <"$page"
