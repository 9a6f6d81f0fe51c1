#!/usr/bin/env bash
# Installs into a temporary folder, moves it, builds the C and the C++ example against it, compares what they say with
# the program, and the names that the library shows with symbols.txt.
#   run.sh CMAKE BUILD SOURCE MAKE_MODEL EXTRA_FLAGS
set -euo pipefail
cmake=$1 build=$2 source=$3 make_model=$4 flags=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "embed: FAIL $*"; exit 1; }
# What is the same on every run.
stable() { sed '/^  "volatile"/,$d' "$1"; }

for component in program library development; do
  "$cmake" --install "$build" --prefix "$work/first" --component "$component" >/dev/null
done
mv "$work/first" "$work/prefix"
prefix=$work/prefix
for path in bin/spinert include/spinert.h include/spinert/diagnosis/pipeline.h share/man/man1/spinert.1 \
            share/spinert/report.schema.json; do
  [ -e "$prefix/$path" ] || fail "$path is not installed"
done
library=$(find "$prefix" -name libspinert.so)
[ -n "$library" ] || fail "no libspinert.so"
libdir=$(dirname "$library")
export LD_LIBRARY_PATH=$libdir

nm -D --defined-only "$library" | awk '$2 != "A" {print $3}' | sed 's/@.*//' | LC_ALL=C sort >"$work/symbols"
diff -u "$source/tests/embed/symbols.txt" "$work/symbols" ||
  fail "the library shows other names than tests/embed/symbols.txt: an interface is never taken away, and a new one is a new SPINERT_ABI"

mkdir "$work/model"
model=$("$make_model" "$work/model")
picture=$work/model/slice.png
want=0
"$prefix/bin/spinert" diagnose "$picture" --model "$model" -o "$work/want" >/dev/null 2>&1 || want=$?
[ -e "$work/want/report.json" ] || fail "the program wrote no report (exit code $want)"

# C, shared and static, by pkg-config.
command -v pkg-config >/dev/null || { echo "skipped: no pkg-config here"; exit 77; }
export PKG_CONFIG_PATH=$libdir/pkgconfig
strict="-std=c99 -Wall -Wextra -Wpedantic -Werror $flags"
cc $strict "$source/examples/embed.c" $(pkg-config --cflags --libs spinert) -o "$work/embed_c"
cc $strict "$source/examples/embed.c" $(pkg-config --cflags spinert) "$libdir/libspinert.a" \
  $(pkg-config --static --libs spinert | sed 's/-lspinert\b//') -o "$work/embed_c_static"
# The line of the README, with this installation and these flags.
line=$(sed -n 's|^\(cc examples/embed.c .*\) -o embed$|\1|p' "$source/README.md")
[ -n "$line" ] || fail "README.md has no line that builds examples/embed.c"
(cd "$source" && eval "${line//"/opt/spinert/lib"/"$libdir"} $flags -o '$work/embed_readme'") || fail "README.md: $line"
for program in embed_c embed_c_static embed_readme; do
  code=0
  "$work/$program" "$model" "$picture" "$work/$program.json" >"$work/out" 2>&1 || code=$?
  [ "$code" -eq "$want" ] || fail "$program ended with $code, the program with $want: $(cat "$work/out")"
  diff <(stable "$work/want/report.json") <(stable "$work/$program.json") || fail "$program has another report"
  grep -q "Research use only" "$work/out" || fail "$program shows no label"
done

# C++, shared and static, by find_package.
"$cmake" -S "$source/tests/embed" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" -DEXAMPLES="$source/examples" \
  -DCMAKE_CXX_FLAGS="$flags" >/dev/null
"$cmake" --build "$work/build" >"$work/log" 2>&1 || { cat "$work/log"; fail "examples/embed.cpp does not build"; }
for kind in spinert static; do
  code=0
  "$work/build/embed_$kind" "$model" "$work/out_$kind" "$picture" >"$work/out" 2>&1 || code=$?
  [ "$code" -eq "$want" ] || fail "embed_$kind ended with $code, the program with $want: $(cat "$work/out")"
  diff <(stable "$work/want/report.json") <(stable "$work/out_$kind/report.json") || fail "embed_$kind: other report"
  cmp "$work/want/report.html" "$work/out_$kind/report.html" || fail "embed_$kind: another page"
done

# An error crosses with the program's id and code.
code=0
"$work/embed_c" "$work/none.safetensors" "$picture" "$work/x.json" >"$work/out" 2>&1 || code=$?
program_code=0
"$prefix/bin/spinert" diagnose "$picture" --model "$work/none.safetensors" -o "$work/y" >"$work/out2" 2>&1 || program_code=$?
[ "$code" -eq "$program_code" ] || fail "a missing model is $code from C, $program_code from the program"
grep -qF "$(sed -n 's/^spinert: error //p' "$work/out2" | head -1)" "$work/out" || fail "another text: $(cat "$work/out")"

# The library finds the decoder of its own installation, wherever the program is that embeds it.
if [ -x "$prefix/libexec/spinert/spinert-dicom" ]; then
  mkdir "$work/dicom"
  { head -c 128 /dev/zero; printf DICM; } >"$work/dicom/broken.dcm"
  "$work/build/embed_spinert" "$model" "$work/out_dicom" "$work/dicom/broken.dcm" >"$work/out" 2>&1 || true
  grep -q E_NO_DICOM "$work/out" && fail "spinert-dicom was not found: $(cat "$work/out")"
  grep -q "E_DICOM" "$work/out" || fail "a broken DICOM file gave: $(cat "$work/out")"
else
  echo "skipped: the DICOM decoder (not in this build)"
fi
echo "embed: C and C++, shared and static, say what the program says"
