#!/usr/bin/env bash
# The paths that go into the artifact, one a line: the action that uploads them knows no working directory, takes names
# for patterns, and fails for one with `.` or `..` in it.
set -euo pipefail

end="end-$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')" # which no path can know, and so none can end the list
here=$(pwd -P)
{
  echo "paths<<$end"
  while IFS= read -r path; do
    case $path in
      "") continue ;;
      /* | [A-Za-z]:*) ;;
      *) path="$here/$path" ;;
    esac
    folder=$(cd "$path" 2>/dev/null && pwd -P) || continue # of what was never written there is nothing to keep
    [[ "$here/" != "${folder%/}/"* ]] || continue # never the whole checkout
    folder=${folder//\\/\\\\}
    folder=${folder//\[/[[]}
    folder=${folder//\*/[*]}
    printf '%s\n' "${folder//\?/[?]}"
  done <<<"llmload-outcome"$'\n'"$REPORT_DIR"
  echo "$end"
} >>"$GITHUB_OUTPUT"
