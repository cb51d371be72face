#!/usr/bin/env bash
# Runs the command; `llmload ci run` keeps its code as an output. Nothing that a server or a scenario prints meanwhile is
# read by the log as a command. A job that is cancelled tells this shell alone, which tells llmload: what it measured
# until then is kept.
set -euo pipefail
set -m # or else a child in the background would be deaf to an interrupt

rm -rf llmload-outcome # of an earlier use in this job: nobody may take it for this one's
token=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
echo "::stop-commands::$token"
"$LLMLOAD" ci run --command="$COMMAND" --scenario="$SCENARIO" --set="$SET" --env-file="$ENV_FILE" \
  --baseline="$BASELINE" --args="$ARGS" --shard="$SHARD" --fail-on="$FAIL_ON" --outcome=llmload-outcome &
child=$!
trap 'kill -INT "$child"' INT
trap 'kill -TERM "$child"' TERM
wait "$child" && code=0 || code=$?
while kill -0 "$child" 2>/dev/null; do # a signal has ended the waiting, and not yet the child
  wait "$child" && code=0 || code=$?
done
echo
echo "::$token::"
echo "llmload ended with code $code"
