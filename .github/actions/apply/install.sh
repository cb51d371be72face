#!/usr/bin/env bash
# Finds llmload, or installs it into an environment of its own, which a later use in the same job finds again.
# check_inputs.sh has checked VERSION. `python -I` imports nothing of the working directory, which is the checkout.
set -euo pipefail

give_up() {
  echo "code=5" >>"$GITHUB_OUTPUT" # nothing can be measured
  echo "::error title=llmload::$1"
  exit 5
}

environment() { # where it is, and in it the folder of programs
  venv="$RUNNER_TEMP/llmload-environment-${VERSION:-own}"
  scripts="$venv/bin"
  [[ ! -d $venv/Scripts ]] || scripts="$venv/Scripts" # on Windows
}

install() { # from the package index, or from the checkout that this action lies in
  local root wanted
  root=$(cd "$GITHUB_ACTION_PATH/../../.." && pwd -P)
  if [[ -n $VERSION ]]; then wanted=("llmload==$VERSION"); else wanted=(--constraint "$root/constraints.txt" "$root"); fi
  environment
  if [[ -f $venv/installed && $(<"$venv/installed") == "${wanted[*]}" ]]; then return; fi
  "$PYTHON" -I -m venv --clear "$venv" || give_up "No environment could be made for llmload"
  environment
  "$scripts/python" -I -m pip install --quiet --no-input --disable-pip-version-check "${wanted[@]}" ||
    give_up "llmload could not be installed: the log says why"
  echo "${wanted[*]}" >"$venv/installed"
}

if [[ $VERSION == installed ]]; then
  llmload=$(command -v llmload) ||
    give_up "No llmload is on the PATH of this job: install one first, or leave the input version empty"
else
  install
  llmload="$scripts/llmload"
fi
echo "llmload=$llmload" >>"$GITHUB_OUTPUT"
"$llmload" --version || give_up "The llmload of this job does not start: the log says why"
"$llmload" info || true # for the log: libraries, and the machine that measures
