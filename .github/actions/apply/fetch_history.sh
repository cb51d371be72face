#!/usr/bin/env bash
# Makes the commit known at which this branch left the base branch: committed baselines are read there. A checkout has
# only the newest commit unless it is told otherwise. Whatever fails here is a warning, since the job can go on.
set -euo pipefail

remedy="Relative gates may find no baseline. Use fetch-depth: 0 in the checkout step"
warn() {
  echo "::warning title=llmload::$1. $remedy"
  exit 0
}
fetch() { # in bounded time; macOS has no program for that unless somebody installed one
  local bound=()
  if command -v timeout >/dev/null; then bound=(timeout 300); fi
  GIT_TERMINAL_PROMPT=0 ${bound[@]+"${bound[@]}"} git fetch --quiet --no-tags "$@"
}
knows_merge_base() { git merge-base HEAD "$tracked" >/dev/null 2>&1; }

[[ -z $BASELINE || $BASELINE == auto ]] || exit 0 # whatever else it names is there, or is an error
head=$(git rev-parse --verify --quiet HEAD 2>/dev/null) || warn "The working directory lies in no git checkout"
[[ -n $BASE_BRANCH ]] || warn "Nobody says which branch this one left"
tracked="refs/remotes/origin/$BASE_BRANCH"
git check-ref-format "$tracked" || warn "The base branch has an impossible name"

if [[ $(git rev-parse --is-shallow-repository) == true ]]; then
  for depth in --deepen=100 --deepen=1000 --unshallow; do
    if knows_merge_base && git rev-parse --verify --quiet "$tracked" >/dev/null; then break; fi
    fetch "$depth" origin "$head" "+refs/heads/$BASE_BRANCH:$tracked" ||
      warn "The history of the base branch could not be fetched"
  done
fi
knows_merge_base || warn "The commit at which this branch left the base branch is not known"
git symbolic-ref refs/remotes/origin/HEAD "$tracked" # what llmload takes for the default branch
