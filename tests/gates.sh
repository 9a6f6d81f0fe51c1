#!/usr/bin/env bash
# Rules on the sources that a compiler does not check. A gate against a bug fails; a gate on a number of taste warns.
set -uo pipefail
cd "$(dirname "$0")/.."
failures=0
warnings=0
fail() { echo "gates: FAIL $*"; failures=$((failures + 1)); }
warn() { echo "gates: warn $*"; warnings=$((warnings + 1)); }

mapfile -t sources < <(git ls-files -co --exclude-standard '*.cpp' '*.h' '*.inl' '*.cu' '*.cuh')
mapfile -t library < <(printf '%s\n' "${sources[@]}" | grep -E '^(kernels|config|weights|graph|runtime|converter|diagnosis|api)/' | grep -v '^kernels/base/emulation/')  # the emulation is a test's

# 1. The layer rule: what each folder may include.
declare -A may=(
  [kernels]="kernels" [config]="kernels config" [weights]="kernels config weights" [graph]="kernels config graph"
  [runtime]="kernels config weights graph runtime" [converter]="kernels config weights graph converter"
  [diagnosis]="kernels config weights graph runtime diagnosis"
  [api]="kernels config weights graph runtime diagnosis api"
)
for file in "${library[@]}"; do
  layer=${file%%/*}
  while read -r target; do
    [[ " ${may[$layer]} " == *" $target "* ]] || fail "$file includes $target/, which lies above $layer"
  done < <(grep -ohE '^#include "[a-z]+/' "$file" | sed -E 's/.*"([a-z]+)\//\1/' | sort -u)
  if [[ $file == kernels/base/* ]]; then
    grep -nE '^#include "kernels/[a-z0-9_]+/' "$file" | grep -v '"kernels/base/' && fail "$file: kernels/base includes an operator"
  fi
done

# 2. No way out of the library but a Status.
grep -nE '\b(exit|abort|_exit|quick_exit|terminate)\(|\bthrow\b' "${library[@]}" | grep -vE ':[0-9]+: *(//|\*)|// ' &&
  fail "exit, abort or throw inside the library"

# 3. Intrinsics only behind the overloads, or in a file whose header says why.
for file in $(grep -lE '\b_mm(256|512)?_' "${library[@]}"); do
  [ "$file" = kernels/base/simd.h ] || head -n 25 "$file" | grep -qi 'intrinsic' ||
    fail "$file uses intrinsics and its first 25 lines do not say why"
done

# 4. Every kernel file for an instruction set opens with the eight words.
for file in $(printf '%s\n' "${sources[@]}" | grep -E '^kernels/.*_((avx|amx_)[a-z0-9_]*\.cpp|sm[0-9]+a?\.cu)$'); do
  for word in Layout Tile Work Bound Measured Rejects Numerics Tried; do
    head -n 25 "$file" | grep -qE "^// $word\b" || fail "$file: its header lacks \"$word\""
  done
done

# 5. The registry: names follow the grammar, every operator has a scalar row and ends with its reference.
registry=$(awk -F'[(,) ]+' '
  /^OP\(/ { if (op && last != "reference") print op " does not end with its reference row"
            if (op && !scalar) print op " has no scalar row"
            op = $2; last = ""; scalar = 0 }
  /^KERNEL\(/ { if ($2 != op) print $5 " stands under " op
                if (index($5, $2) != 1) print $5 " does not begin with its operator"
                if ($3 == "reference" ? $5 != $2 "_ref" : $5 !~ "_" $4 "$") print $5 " does not end with its level"
                last = $3; if ($4 == "scalar") scalar = 1 }
  END { if (last != "reference") print op " does not end with its reference row" }' kernels/registry.def)
[ -z "$registry" ] || fail "registry: $registry"

# 6. Objects for an instruction set give no inline function to the linker.
if [ -d build/CMakeFiles/spinert_kernels.dir ]; then
  while read -r object; do
    nm "$object" | grep -E ' [WVu] ' && fail "$object defines a weak symbol"
  done < <(find build/CMakeFiles/spinert_kernels.dir \( -name '*_avx*.cpp.o' -o -name '*_amx*.cpp.o' \))
fi

# 7. Numbers from a file are multiplied and added by checked.h only: no strtol family, no locale.
grep -nE '\b(strto[a-z]+|ato[ifl]+|stoi|stol|stoul|stoll|stoull|stof|stod|sscanf|setlocale)\(' "${library[@]}" &&
  fail "locale-dependent or unchecked number parsing in the library"

# 8. No network, nothing executed.
grep -nE '\b(socket|connect|bind|popen|system|execv[a-z]*|dlopen)\(' "${library[@]}" apps/*.cpp | grep -vE '::bind\(|->bind\(| bind\(\)|Status (bind|connect)\(|::connect\(|TRY\(connect\(' &&
  fail "a call that opens a socket or runs a program"
grep -nE '\b(posix_spawnp?|v?fork|clone)\(' "${library[@]}" apps/*.cpp | grep -v '^diagnosis/studies/child_process.cpp:' &&
  fail "a program is started elsewhere than in child_process.cpp"
grep -lE '^#include <(dcmtk/|openjpeg)' "${sources[@]}" | grep -v '^apps/dicom/' &&
  fail "DCMTK or OpenJPEG outside spinert-dicom"

# 9. Every path of our tree named in a document exists, and every link works.
for document in $(git ls-files -co --exclude-standard '*.md'); do
  while read -r path; do
    [ -e "$path" ] || [ -e "$(dirname "$document")/$path" ] || git check-ignore -q "$path" ||
      fail "$document names $path, which does not exist"
  done < <(grep -ohE '`(api|apps|bench|config|converter|diagnosis|docs|examples|graph|kernels|models|packaging|python|runtime|script|tests|weights)/[A-Za-z0-9_./-]+`' "$document" | tr -d '`' | sort -u)
  while read -r link; do
    [ -e "$(dirname "$document")/${link%%#*}" ] || fail "$document links to $link, which does not exist"
  done < <(grep -ohE '\]\([A-Za-z0-9_./#-]+\)' "$document" | sed -E 's/^\]\(//; s/\)$//' | grep -v '^#' | sort -u)
done

# 10. Leftovers.
grep -nE '\b(TODO|FIXME|XXX)\b' "${sources[@]}" && fail "unfinished work in the sources"

# 11. Format, where the tool is there.
if command -v clang-format >/dev/null; then
  clang-format --dry-run --Werror "${sources[@]/%/}" 2>&1 | grep -E 'error:' | cut -d: -f1 | sort | uniq -c | sort -rn | head -5 |
    while read -r count file; do echo "gates: warn $file: $count places differ from .clang-format"; done
fi

# Numbers of taste.
for file in "${sources[@]}"; do
  lines=$(wc -l <"$file")
  [ "$lines" -le 500 ] || warn "$file has $lines lines"
  awk -v f="$file" 'length($0) > 120 { n++ } END { if (n) print "gates: warn " f ": " n " lines over 120 columns" }' "$file"
done
[ "$(wc -l <AGENTS.md)" -le 200 ] || warn "AGENTS.md is longer than 200 lines"

echo "gates: $failures failures, $warnings warnings"
[ "$failures" -eq 0 ]
