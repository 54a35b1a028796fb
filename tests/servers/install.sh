#!/usr/bin/env bash
# Puts the stand-ins for model services where tests/contracts/test_stand_ins.py finds them, and the MCP servers that
# tests/integration/test_tool_servers.py talks with: `install.sh [DIR]`.
# DIR is $PIPE_TEST_SERVERS, or a folder of the user's cache. What is there already is left as it is.
set -euo pipefail

dir=${1:-${PIPE_TEST_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/pipe-runner/servers}}
aimock=1.43.0
ministack=1.5.33
mcp_python=2026.10.19
mcp_node=2026.8.31
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

mcp_of_node() {
  [ -e "$dir/mcp-node-$mcp_node.there" ] && return
  command -v npm >/dev/null || { echo "no npm: no MCP servers of Node"; return; }
  npm install --prefix "$dir/mcp_node" --no-save --no-fund --no-audit --silent \
    "@modelcontextprotocol/server-everything@$mcp_node" "@modelcontextprotocol/server-filesystem@$mcp_node" >/dev/null
  touch "$dir/mcp-node-$mcp_node.there"
}

mcp_of_python() {
  [ -e "$dir/mcp-python-$mcp_python.there" ] && return
  python3 -m venv "$dir/mcp"
  "$dir/mcp/bin/pip" install -q --no-compile --disable-pip-version-check \
    "mcp-server-time==$mcp_python" "mcp-server-git==$mcp_python" >/dev/null 2>&1
  touch "$dir/mcp-python-$mcp_python.there"
}

jobs=()
for install in of_node of_python mcp_of_node mcp_of_python; do
  $install & jobs+=($!)
done
status=0
for job in "${jobs[@]}"; do
  wait "$job" || status=1
done
exit $status
