#!/usr/bin/env bash
# Puts the stand-ins for model services where tests/contracts/test_stand_ins.py finds them: `install.sh [DIR]`.
# DIR is $PIPE_TEST_SERVERS, or a folder of the user's cache. What is there already is left as it is.
set -euo pipefail

dir=${1:-${PIPE_TEST_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/pipe-runner/servers}}
aimock=1.43.0
ministack=1.5.33
mkdir -p "$dir"

of_node() {
  [ -e "$dir/aimock-$aimock.there" ] && return
  command -v npm >/dev/null || { echo "no npm: no stand-in for OpenAI and Ollama"; return; }
  npm install --prefix "$dir" --no-save --no-fund --no-audit --silent --fetch-retries 1 "@copilotkit/aimock@$aimock" >/dev/null
  touch "$dir/aimock-$aimock.there"
}

of_python() {
  [ -e "$dir/ministack-$ministack.there" ] && return
  python3 -m venv "$dir/python"
  "$dir/python/bin/pip" install -q --disable-pip-version-check "ministack==$ministack" >/dev/null 2>&1
  touch "$dir/ministack-$ministack.there"
}

of_node & one=$!
of_python & other=$!
status=0
wait $one || status=1
wait $other || status=1
exit $status
