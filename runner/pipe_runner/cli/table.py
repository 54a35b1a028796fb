"""Every command of `pipe`, as data: the one definition that parsing, help and documentation share."""

from __future__ import annotations

from typing import Final

from pipe_runner.cli.table_agents import AGENTS, ASK, PROVIDERS, TOOLS
from pipe_runner.cli.table_bus import BUS
from pipe_runner.cli.words import RECORD, REPLAY, STATE_DIR, TABLE_OUTPUT, Argument, Command, Flag

_OUTPUT = Flag("--output", "What stdout gets (default: text).", "FORMAT", choices=("text", "json", "jsonl"))
_QUIET = Flag("--quiet", "Say nothing on stderr but errors.", short="-q")
_VERBOSE = Flag("--verbose", "Also show each line that the nodes print, and each message.", short="-v")
_CONCURRENCY = Flag("--concurrency", "At most N attempts at the same time. [PIPE_CONCURRENCY]", "N")
_DURABILITY = Flag(
    "--durability",
    "`full`: the log survives a power cut (default); `os`: it survives the process. [PIPE_DURABILITY]",
    "LEVEL",
    choices=("full", "os"),
)
_GRACE = Flag("--grace", "How long a node may take to end after TERM (default: 10s). [PIPE_GRACE]", "DURATION")
_CACHE_DOMAIN = Flag("--cache-domain", "Read and keep cached results of this domain only. [PIPE_CACHE_DOMAIN]", "NAME")
_JUNIT = Flag("--junit", "Also write the nodes' results as JUnit XML.", "FILE")
_FROZEN = Flag(
    "--frozen", "Refuse to start where models, prompts, schemas or tools aren't as pipe.lock has them. [PIPE_FROZEN]"
)
_RUN = Argument("RUN")
_NODE = Argument("NODE")
_BY = Flag("--by", "Who decides (default: the user that calls the command).", "NAME")
_REASON = Flag("--reason", "Why; kept in the run's log.", "TEXT")
_FILE = Argument("FILE")

RUN: Final = Command(
    "run",
    "Run a pipeline file.",
    "pipe_runner.cli.running:run",
    (_FILE,),
    (
        Flag("--input", "Give an input; parsed by the input's type. Repeatable.", "NAME=VALUE", short="-i", many=True),
        Flag("--inputs", "Read inputs from a JSON or YAML file; -i stands over it.", "FILE"),
        Flag("--only", "Run this node and what it needs. Repeatable.", "NODE", many=True),
        _CONCURRENCY,
        Flag("--executor", "Where attempts are performed; this version has `local`. [PIPE_EXECUTOR]", "NAME"),
        RECORD,
        REPLAY,
        _FROZEN,
        Flag("--run-id", "Name the run (default: a new id).", "ID"),
        _DURABILITY,
        _GRACE,
        _OUTPUT,
        _JUNIT,
        _CACHE_DOMAIN,
        Flag("--explain", "Say for every node with a cache that runs what changed since its result was kept."),
        Flag("--dry-run", "Show what would run, in order, and start nothing."),
        _QUIET,
        _VERBOSE,
        STATE_DIR,
    ),
    "Results go to stdout, progress to stderr: live on a terminal, one line per change elsewhere. The run's log is "
    "kept in .pipe/runs/ID/log.jsonl; a run that failed or was interrupted goes on with `pipe resume`.",
    (
        "pipe run pipelines/quickstart.yml",
        "pipe run deploy.yml -i target=staging -i ports='[80, 443]'",
        "pipe run deploy.yml --only build --dry-run    # what would run, and how",
        "pipe run deploy.yml --output json | jq .outputs",
    ),
)

CHECK: Final = Command(
    "check",
    "Find every fault of pipeline files without running anything.",
    "pipe_runner.cli.reading:check",
    (Argument("PATH", many=True),),
    (
        Flag(
            "--format",
            "How to tell the faults (default: text).",
            "FORMAT",
            choices=("text", "json", "github", "gitlab", "sarif"),
        ),
        _QUIET,
    ),
    "Each PATH is a file or a directory; of a directory, every *.yml and *.yaml in it that is a pipeline, a file "
    "of tests (*.test.yml), an evaluation (*.eval.yml), a pipe.yml or a pipe.lock. Loads no code of yours, runs "
    "nothing, connects nowhere. The faults go to stdout, a summary to stderr; exit code 1 means that errors were "
    "found, warnings alone give 0.",
    (
        "pipe check pipelines/",
        "pipe check deploy.yml --format github    # annotations in a GitHub workflow",
    ),
    everywhere=True,
)

COMMANDS: Final[tuple[Command, ...]] = (
    RUN,
    CHECK,
    Command(
        "test",
        "Run the tests of pipelines, with something standing in for their nodes.",
        "pipe_runner.cli.cases:test",
        (Argument("PATH", required=False, many=True),),
        (
            Flag("--choose", "Only cases whose name has this in it; `*` and `?` are wildcards.", "PATTERN", short="-k"),
            Flag("--output", "What stdout gets (default: text).", "FORMAT", choices=("text", "json")),
            Flag("--junit", "Also write the cases' results as JUnit XML.", "FILE"),
            Flag("--min-coverage", "Fail where less than N percent of the branches were taken.", "N"),
            Flag("--quiet", "Only say what failed, and the summary.", short="-q"),
        ),
        "Each PATH is a file of tests (*.test.yml), a pipeline that has one beside it, or a directory (default: .). "
        "Exit code 0: every case passed; 1: one failed, or too few branches were taken; 2: wrong usage, or a file with "
        "faults, and nothing ran.",
        ("pipe test", "pipe test pipelines/ -k 'greets*' --junit tests.xml", "pipe test deploy.yml --min-coverage 90"),
        everywhere=True,
    ),
    Command(
        "eval",
        "Measure how often a pipeline's answers are good.",
        "pipe_runner.cli.evals:evaluate",
        (_FILE,),
        (
            RECORD,
            REPLAY,
            Flag("--output", "What stdout gets (default: text).", "FORMAT", choices=("text", "json")),
            Flag("--junit", "Also write the cases' results as JUnit XML.", "FILE"),
            _GRACE,
            Flag("--quiet", "Only say the result.", short="-q"),
            STATE_DIR,
        ),
        "FILE is an evaluation (*.eval.yml), or a pipeline that has one beside it. Runs the pipeline for each case as "
        "often as the file says, and grades what it gives. Exit code 0: enough samples passed; 1: too few did; 4: not "
        "decided, since samples could not be graded.",
        ("pipe eval triage.eval.yml", "pipe eval triage.eval.yml --replay recordings/triage --junit eval.xml"),
    ),
    Command(
        "graph",
        "Draw the graph of a pipeline file.",
        "pipe_runner.cli.reading:graph",
        (_FILE,),
        (
            Flag(
                "--format",
                "The drawing's form (default: text).",
                "FORMAT",
                choices=("text", "mermaid", "dot", "svg"),
            ),
            Flag("--out", "Write to a file instead of stdout.", "FILE", short="-o"),
        ),
        "",
        ("pipe graph deploy.yml", "pipe graph deploy.yml --format svg -o deploy.svg"),
        everywhere=True,
    ),
    Command(
        "plan",
        "Show what a run would do, in which order, and about how long it would take.",
        "pipe_runner.cli.planning:plan",
        (_FILE,),
        (
            Flag(
                "--input", "Give an input; parsed by the input's type. Repeatable.", "NAME=VALUE", short="-i", many=True
            ),
            Flag("--inputs", "Read inputs from a JSON or YAML file; -i stands over it.", "FILE"),
            Flag("--only", "Plan this node and what it needs. Repeatable.", "NODE", many=True),
            Flag("--cache-domain", "Look for cached results of this domain only. [PIPE_CACHE_DOMAIN]", "NAME"),
            _CONCURRENCY,
            TABLE_OUTPUT,
            STATE_DIR,
        ),
        "Order, waves, the longest path, an estimate from the times of earlier runs, what the cache holds, what is "
        "decided already and what only the run can decide, and which secrets it takes. Runs nothing, connects nowhere.",
        ("pipe plan deploy.yml", "pipe plan deploy.yml -i target=staging --output json | jq .estimate"),
    ),
    Command(
        "lock",
        "Write down which models, prompts, schemas and tools pipelines use, or say what differs.",
        "pipe_runner.cli.locking:lock",
        (Argument("FILE", required=False, many=True),),
        (
            Flag("--check", "Write nothing; say what isn't as pipe.lock has it, and exit with 1 where anything is."),
            Flag("--tools", "Ask the MCP servers that are used for their tools, and pin each of these."),
        ),
        "Without FILE all pipelines of the project are locked; with some, only these, and what pipe.lock says of "
        "others stays. It is written to the project's root, and says which models are only aliases. Only `--tools` "
        "starts or connects to anything. "
        "`pipe run --frozen` then refuses what isn't as it was.",
        (
            "pipe lock",
            "pipe lock triage.yml --tools",
            "pipe lock --check    # in CI",
            "pipe run triage.yml --frozen",
        ),
    ),
    Command(
        "schema",
        "Print a JSON Schema of the files that pipe reads and writes.",
        "pipe_runner.cli.reading:schema",
        (Argument("NAME", required=False),),
        (),
        "NAME is `pipeline` (the default), `test` for *.test.yml, `eval` for *.eval.yml, `project` for pipe.yml, "
        "`lock` for pipe.lock, or `event` for a line of a run's log. Editors with yaml-language-server complete and "
        "check a file as you type when they know its schema.",
        ("pipe schema > pipeline.schema.json", "pipe schema event"),
        everywhere=True,
    ),
    Command(
        "resume",
        "Go on with a run: whatever is not done, or has changed.",
        "pipe_runner.cli.running:resume",
        (_RUN,),
        (
            Flag("--explain", "Say for every node that runs again why it does, and why cached results were not used."),
            _CACHE_DOMAIN,
            _CONCURRENCY,
            RECORD,
            REPLAY,
            _FROZEN,
            _DURABILITY,
            _GRACE,
            _OUTPUT,
            _JUNIT,
            _QUIET,
            _VERBOSE,
            STATE_DIR,
        ),
        "Runs the nodes that were interrupted, failed, blocked or cancelled, those that changed in the file since, and "
        "what depends on them. What has succeeded keeps its output and never runs again; only handlers (`on_failure`, "
        "`finally`) do when any node does, since they depend on how the run goes. RUN is an id, the start of one, or "
        "`latest`.",
        ("pipe resume latest", "pipe resume latest --explain    # which nodes run again, and why"),
    ),
    Command(
        "runs",
        "List the runs of this project, newest first, or remove some.",
        "pipe_runner.cli.history:runs",
        (Argument("ACTION", required=False),),
        (
            Flag("--limit", "Show at most N runs (default: 20; 0: all).", "N"),
            Flag("--older-than", "With `prune`: remove the runs that ended longer ago than this.", "DURATION"),
            Flag("--keep", "With `prune`: the newest N stay, whatever their age.", "N"),
            Flag("--dry-run", "With `prune`: only say which runs would be removed."),
            TABLE_OUTPUT,
            STATE_DIR,
        ),
        "ACTION is `ls` (the default) or `prune`. A run that goes on or waits for a person is never removed. With a "
        "run go its log, outputs and artifacts; cached results stay.",
        ("pipe runs", "pipe runs --limit 0 --output json", "pipe runs prune --older-than 30d --keep 100"),
    ),
    Command(
        "show",
        "Show a run: its nodes with state, attempts, time and error, and its outputs.",
        "pipe_runner.cli.show:show",
        (_RUN,),
        (TABLE_OUTPUT, _JUNIT, STATE_DIR),
        "With `--output json` it prints the object that `pipe run --output json` printed. RUN is an id, the start of "
        "one, or `latest`. It only reads.",
        ("pipe show latest", "pipe show latest --output json | jq '.nodes.build.output'"),
    ),
    Command(
        "logs",
        "Print what the nodes of a run printed.",
        "pipe_runner.cli.history:logs",
        (_RUN, Argument("NODE", required=False)),
        (
            Flag("--follow", "Go on until the run has ended.", short="-f"),
            Flag("--output", "text, or jsonl: the log's own lines.", "FORMAT", choices=("text", "jsonl")),
            STATE_DIR,
        ),
        "RUN is an id, the start of one, or `latest`. It only reads.",
        ("pipe logs latest", "pipe logs latest build -f", "pipe logs latest --output jsonl | jq .event"),
    ),
    *BUS,
    Command(
        "report",
        "Write a run's report as one HTML file.",
        "pipe_runner.cli.report:report",
        (_RUN,),
        (
            Flag("--out", "The file to write (default: report-RUN.html); `-` is stdout.", "FILE", short="-o"),
            STATE_DIR,
        ),
        "Totals, graph, timeline, and a section for each node with attempts, errors, output and what it printed. The "
        "file runs no script and requests nothing. RUN is an id, the start of one, or `latest`. It only reads.",
        ("pipe report latest", "pipe report latest -o -  > report.html"),
    ),
    Command(
        "cancel",
        "Cancel a run that another process is working on, or one that waits for a person.",
        "pipe_runner.cli.history:cancel",
        (_RUN,),
        (STATE_DIR,),
        "No new node starts, running ones get TERM and their grace, `finally` runs. Waits until the run has ended. "
        "In a run that waits for a person nothing runs any more.",
        ("pipe cancel latest",),
    ),
    Command(
        "settle",
        "Decide a node with `effect: once` that failed or was interrupted.",
        "pipe_runner.cli.deciding:settle",
        (_RUN, _NODE),
        (
            Flag("--done", "It took effect: it counts as succeeded and is not run again."),
            Flag("--with", "With --done: what the node gives (default: null).", "JSON"),
            Flag("--again", "It did not take effect: the next resume may run it again."),
            _BY,
            _REASON,
            STATE_DIR,
        ),
        "A node that acts once is never run again by itself. Look whether it acted, say so, and go on with `pipe "
        "resume`. NODE may be an item, as `notify[a]`.",
        (
            "pipe settle latest publish --done --with '\"v1.2\"'",
            "pipe settle latest publish --again --reason 'not there'",
        ),
    ),
    Command(
        "approve",
        "Approve a node that waits for a person.",
        "pipe_runner.cli.deciding:approve",
        (_RUN, _NODE),
        (_BY, _REASON, STATE_DIR),
        "The node has then succeeded, with `{approved, by, at, reason}`; `pipe resume` goes on. A rejection can be "
        "changed into an approval, unless the run, or what the node is a part of, has succeeded without it.",
        ("pipe approve latest release --reason 'tests are green'",),
    ),
    Command(
        "reject",
        "Reject a node that waits for a person.",
        "pipe_runner.cli.deciding:reject",
        (_RUN, _NODE),
        (_BY, _REASON, STATE_DIR),
        "The node has then failed with the error `refused`; `pipe resume` ends the run accordingly, handlers included.",
        ("pipe reject latest release --reason 'not on a Friday'",),
    ),
    Command(
        "cache",
        "List the cached results of nodes, or remove some.",
        "pipe_runner.cli.cached:cache",
        (Argument("ACTION"),),
        (
            Flag("--older-than", "With `prune`: remove the results that are older than this.", "DURATION"),
            Flag("--max-size", "With `prune`: remove what was used least recently until it takes no more.", "SIZE"),
            Flag("--all", "With `prune`: remove every result."),
            TABLE_OUTPUT,
            STATE_DIR,
        ),
        "ACTION is `ls` or `prune`. Results are kept in .pipe/cache until they are pruned, or take more room than "
        "limits.cache in pipe.yml allows (1 GiB). Pruning removes damaged ones too, and no run: a run's log has its "
        "outputs itself.",
        ("pipe cache ls", "pipe cache prune --older-than 30d", "pipe cache prune --max-size 500MiB"),
    ),
    AGENTS,
    PROVIDERS,
    TOOLS,
    Command(
        "init",
        "Write a first pipeline and pipe.yml.",
        "pipe_runner.cli.init:init",
        (Argument("DIR", required=False),),
        (),
        "Writes hello.yml and pipe.yml into DIR (default: here) and never overwrites a file.",
        ("pipe init", "pipe init my-project"),
    ),
    Command(
        "doctor",
        "Say what is missing on this machine, why it matters, and what to do.",
        "pipe_runner.cli.doctor:doctor",
        (),
        (TABLE_OUTPUT, STATE_DIR),
        "Exit code 1 when something that runs need is missing.",
        ("pipe doctor",),
    ),
    ASK,
    Command("serve", "Serve the API and the web pages."),
)

BY_NAME: Final = {command.name: command for command in COMMANDS}
