#!/usr/bin/env bash
# All figures that a card can give, in two commands of at most nine minutes each. Takes the programs in build/ and builds
# only what is missing, so that a machine without a compiler can run what another one built.
#
#   bench/gpu_session.sh ours  [OUT]     instructions, kernels, whole slices: right first, then timed
#   bench/gpu_session.sh peers [OUT]     torch on the same card, our slice in turns (Python with torch and CUDA)
#   bench/gpu_session.sh dry-run         names what would run and what is missing; needs no card
#
# OUT (default build/gpu) gets gpu-<mode>.json, gpu-<mode>.md and one log for each step. Environment: CARD (0), SLICES
# (a folder or files beside examples/, for example real slices as PNG; compared with the CPU path).
# A wrong result ends the session with exit code 12, a check that found no time to end with 75: nothing is timed then.
set -uo pipefail
cd "$(dirname "$0")/.."
mode=${1:-help}
out=${2:-build/gpu}
card=${CARD:-0}
model=models/spine-demo.safetensors
programs=(build/spinert build/gpu_bench build/tests/ptx_on_card build/tests/cuda_card_ops)
begin=$SECONDS
readonly budget=525 # seconds; nine minutes less the time to write the tables

# Libraries of the vendor that came with a Python package are as good as installed ones.
vendor_libraries() {
  python3 - <<'PYTHON' 2>/dev/null
import pathlib, sysconfig
root = pathlib.Path(sysconfig.get_paths()["purelib"]) / "nvidia"
print(":".join(sorted({str(p.parent) for p in root.glob("**/lib*.so*") if any(n in p.name for n in ("cudnn", "cublas", "nvrtc"))})))
PYTHON
}

# step NAME SECONDS COMMAND...: runs it within the budget, keeps its log, notes the result in $out/steps.tsv.
step() {
  local name=$1 limit=$2
  shift 2
  local left=$((budget - (SECONDS - begin)))
  if [ "$left" -lt 5 ]; then
    printf '%s\tskipped\t0\tno time left\n' "$name" >>"$out/steps.tsv"
    return 75
  fi
  [ "$limit" -lt "$left" ] || limit=$left
  local start=$SECONDS
  timeout -k 5 "$limit" "$@" >"$out/$name.log" 2>&1
  local code=$?
  printf '%s\t%s\t%s\t%s\n' "$name" "$code" "$((SECONDS - start))" "$(tail -n 1 "$out/$name.log" | tr '\t' ' ')" >>"$out/steps.tsv"
  printf '%-24s exit %-3s %4d s  %s\n' "$name" "$code" "$((SECONDS - start))" "$(tail -n 1 "$out/$name.log" | cut -c1-100)"
  return "$code"
}

need() {
  local missing=()
  for program in "${programs[@]}"; do [ -x "$program" ] || missing+=("$program"); done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "gpu_session: building ${missing[*]}"
  timeout -k 5 "$budget" script/setup all
}

# verdict CODE: what a step says about our results. A step that ended by itself and failed is wrong; one that was cut off
# (124, 137) or left out (75) proves nothing, and nothing is timed without proof either.
verdict() {
  case $1 in
    0) ;;
    75 | 124 | 137) unproved=1 ;;
    *) wrong=1 ;;
  esac
}

sanitizer() {
  local tool=$1
  command -v compute-sanitizer >/dev/null || return 75
  step "sanitizer-$tool" 60 compute-sanitizer --tool "$tool" --error-exitcode 12 build/tests/cuda_card_ops \
    --gtest_filter='*roi_align*:*nms*:*topk*:*igemm*:*wgmma*' --gtest_brief=1
}

ours() {
  need || exit 1
  mkdir -p "$out" && : >"$out/steps.tsv"
  rm -f "$out"/stage-*.json "$out"/layers-*.json "$out"/layers-*.md # figures of an earlier session
  local found
  found=$(vendor_libraries)
  if [ -n "$found" ]; then export LD_LIBRARY_PATH="$found${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"; fi
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv >"$out/card.txt" 2>&1
  wrong=0 unproved=0
  step ptx 60 build/tests/ptx_on_card
  verdict $?
  step cases 200 build/tests/cuda_card_ops --gtest_brief=1
  verdict $?
  for precision in fp32 mixed; do
    rm -f "$out/examples-$precision/report.json" # of an earlier session
    step "examples-$precision" 60 build/spinert diagnose examples -o "$out/examples-$precision" --device "cuda:$card" \
      --precision "$precision" --model "$model" --overwrite replace
    step "compare-$precision" 20 python3 bench/gpu/compare_reports.py examples/reference.json \
      "$out/examples-$precision/report.json" --precision "$precision"
    verdict $?
  done
  if [ -n "${SLICES:-}" ]; then
    rm -f "$out/slices-cpu/report.json" "$out/slices-mixed/report.json"
    # shellcheck disable=SC2086  # a list of files or folders
    step slices-cpu 120 build/spinert diagnose $SLICES -o "$out/slices-cpu" --device cpu --model "$model" --overwrite replace
    # shellcheck disable=SC2086
    step slices-mixed 60 build/spinert diagnose $SLICES -o "$out/slices-mixed" --device "cuda:$card" --model "$model" --overwrite replace
    step compare-slices 20 python3 bench/gpu/compare_reports.py "$out/slices-cpu/report.json" \
      "$out/slices-mixed/report.json" --precision mixed
    verdict $?
  fi
  if [ "$wrong$unproved" = 00 ]; then
    for stage in detector slice; do
      step "stage-$stage" 60 build/spinert bench --stage "$stage" --device "cuda:$card" --precision mixed --model "$model" \
        --slice examples/slice_001.png --repeats 100 --json "$out/stage-$stage.json"
    done
    for patches in 8 64; do
      step "stage-classifier-$patches" 60 build/spinert bench --stage classifier --patches "$patches" --device "cuda:$card" \
        --precision mixed --model "$model" --repeats 100 --json "$out/stage-classifier-$patches.json"
    done
    for network in detector_cuda classifier; do
      step "layers-$network" 150 build/gpu_bench --shapes "bench/shapes/$network.txt" --card "$card" --json "$out/layers-$network.json" \
        --markdown "$out/layers-$network.md"
    done
  elif [ "$wrong" -ne 0 ]; then
    echo "gpu_session: a result is wrong, so nothing is timed; see $out/*.log"
  else
    echo "gpu_session: a check did not end, so nothing is timed; see $out/*.log"
  fi
  # After the figures: they are slow, and one that runs out of time says nothing against a result.
  local found_wrong=$wrong
  for tool in memcheck racecheck initcheck; do
    sanitizer "$tool"
    case $? in 0 | 75 | 124 | 137) ;; *) found_wrong=1 ;; esac
  done
  python3 bench/gpu/collect.py "$out" --mode ours
  [ "$found_wrong" -eq 0 ] || exit 12
  [ "$unproved" -eq 0 ] || exit 75
}

peers() {
  [ -x build/spinert ] || timeout -k 5 "$budget" script/setup || exit 1
  mkdir -p "$out" && : >"$out/steps.tsv"
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv >"$out/card.txt" 2>&1
  rm -f "$out"/peers.json "$out"/peers.md
  step peers "$budget" python3 bench/peers/gpu_peers.py --model "$model" --spinert build/spinert \
    --slice examples/slice_001.png --device "cuda:$card" --rounds 5 --json "$out/peers.json" --markdown "$out/peers.md"
  local code=$?
  python3 bench/gpu/collect.py "$out" --mode peers
  return "$code"
}

dry_run() {
  local code=0
  for program in "${programs[@]}"; do
    if [ -x "$program" ]; then
      printf '%-32s %s bytes\n' "$program" "$(stat -c %s "$program")"
    else
      printf '%-32s missing: script/setup all builds it where nvcc is\n' "$program" && code=1
    fi
  done
  for file in "$model" examples/reference.json bench/gpu/compare_reports.py bench/gpu/collect.py; do
    [ -r "$file" ] || { echo "$file is missing" && code=1; }
  done
  command -v nvidia-smi >/dev/null && nvidia-smi -L || echo "no card on this machine"
  command -v compute-sanitizer >/dev/null && echo "compute-sanitizer: there" || echo "compute-sanitizer: not there, its steps are left out"
  # The report of the CPU path against the stored reference: the comparison itself works.
  if [ -x build/spinert ]; then
    local scratch
    scratch=$(mktemp -d)
    build/spinert diagnose examples -o "$scratch/cpu" --device cpu --model "$model" >/dev/null 2>&1 &&
      python3 bench/gpu/compare_reports.py examples/reference.json "$scratch/cpu/report.json" --precision fp32 || code=1
    rm -rf "$scratch"
  fi
  exit "$code"
}

case $mode in
  ours) ours ;;
  peers) peers ;;
  dry-run) dry_run ;;
  *) sed -n '2,13s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
