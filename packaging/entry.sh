#!/bin/sh
# First process of the container: spinert diagnose from the input folder to the output folder that the host names, as
# mercure and MONAI Deploy do (docs/deploying.md). With arguments: spinert with these arguments.
set -u

# One value for all names that are set; two that differ are a mistake of the host.
folder() {
  default=$1 value=
  shift
  for name; do
    eval "next=\${$name:-}"
    if [ -n "$next" ] && [ -n "$value" ] && [ "${next%/}" != "${value%/}" ]; then
      echo "entry: error E_USAGE: $name is $next, but $from is $value. Set one of them." >&2
      return 2
    fi
    [ -z "$next" ] || { value=$next; from=$name; }
  done
  echo "${value:-$default}"
}

[ $# -eq 0 ] || exec spinert "$@"
in=$(folder /var/monai/input MERCURE_IN_DIR HOLOSCAN_INPUT_PATH MONAI_INPUTPATH) || exit
out=$(folder /var/monai/output MERCURE_OUT_DIR HOLOSCAN_OUTPUT_PATH MONAI_OUTPUTPATH) || exit

# A host of either kind sends DICOM and stores what comes back; for pictures set SPINERT_OPTIONS, which may be empty.
set -f
# shellcheck disable=SC2086  # options, cut at blanks
set -- diagnose "$in" -o "$out" ${SPINERT_OPTIONS---dicom-output}
set +f
[ "${MONAI_TIMEOUT:-0}" = 0 ] || set -- "$@" --timeout "$MONAI_TIMEOUT"
[ -n "${SPINERT_DELIVER:-}" ] || exec spinert "$@"

# A host takes any code but 0 for a crash and drops the results. Of 11 (some failed) and 13 (must not be read as negative)
# the results say so themselves, so whoever sets SPINERT_DELIVER="11 13" has them delivered.
spinert "$@" &
child=$!
trap 'kill -TERM "$child"' TERM INT
while :; do
  wait "$child"
  code=$?
  kill -0 "$child" 2>/dev/null || break  # else a signal ended the wait alone
done
case $code in
  11 | 13) case " $SPINERT_DELIVER " in
    *" $code "*)
      echo "entry: exit code $code is delivered" >&2
      exit 0 ;;
  esac ;;
esac
exit "$code"
