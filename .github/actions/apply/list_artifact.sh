#!/usr/bin/env bash
# The paths that go into the artifact, one a line: the action that uploads them knows no working directory.
set -euo pipefail

end="end-$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')" # which no path can know, and so none can end the list
{
  echo "paths<<$end"
  while IFS= read -r path; do
    case $path in
      "") ;;
      /* | [A-Za-z]:*) printf '%s\n' "$path" ;;
      *) printf '%s\n' "$PWD/$path" ;;
    esac
  done <<<"llmload-outcome"$'\n'"$REPORT_DIR"
  echo "$end"
} >>"$GITHUB_OUTPUT"
