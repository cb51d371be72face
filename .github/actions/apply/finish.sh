#!/usr/bin/env bash
# Ends with the code that was kept, whatever became of publishing. Without one the measuring step died: a defect.
set -euo pipefail

if [[ ! $CODE =~ ^[0-9]{1,3}$ ]]; then
  echo "::error title=llmload::It ended without a verdict, such as for lack of memory: the log of the job says more"
  CODE=70
fi
echo "code=$CODE" >>"$GITHUB_OUTPUT"
exit "$CODE"
