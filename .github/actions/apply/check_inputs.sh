#!/usr/bin/env bash
# Refuses inputs that no later step would refuse before the load, and finds the working directory.
# An input is never repeated in a message: the log would read a line of it as a command.
set -euo pipefail

refuse() {
  echo "code=2" >>"$GITHUB_OUTPUT"
  echo "::error title=llmload::$1"
  exit 2
}

pep440='^([0-9]+!)?[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?(\+[a-z0-9]+(\.[a-z0-9]+)*)?$'
[[ -z $VERSION || $VERSION == installed || $VERSION =~ $pep440 ]] ||
  refuse "The input version must be empty, a version such as 1.2.3, or installed"
[[ $SUMMARY == true || $SUMMARY == false ]] || refuse "The input summary must be true or false"
[[ $COMMENT == never || $COMMENT == on-change || $COMMENT == always ]] ||
  refuse "The input comment must be never, on-change or always"

[[ $WORKING_DIRECTORY != *[[:cntrl:]]* ]] || refuse "The input working-directory holds a line break"
case $WORKING_DIRECTORY in
  /* | [A-Za-z]:*) ;;
  *) WORKING_DIRECTORY="./$WORKING_DIRECTORY" ;; # so that nothing of it reads as an option, nor is sought in CDPATH
esac
cd "$WORKING_DIRECTORY" 2>/dev/null || refuse "The input working-directory names no folder of the checkout"
echo "directory=$(pwd -P)" >>"$GITHUB_OUTPUT"
