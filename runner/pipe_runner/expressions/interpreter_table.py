"""The closed list of programs whose arguments, or whose standard input, are programs themselves.

`docs/shell-text.md` shows this list; a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BY_ARGUMENT: Final = "give the value as an argument: "
NO_WAY: Final = "; or accept the place with `| trust` if the value can't hold anything that means something there"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A program, the options whose value is code, and what its operands are."""

    what: str
    """What it reads, for messages: shell, Python, SQL."""
    hint: str
    code: frozenset[str] = frozenset()
    """Options whose value is code."""
    modules: frozenset[str] = frozenset()
    """Those of them that only load something, beside the program itself."""
    short: str = ""
    """Letters of options that take a value."""
    long: frozenset[str] = frozenset()
    """Long options that take a value."""
    first: str = "script"
    """What the first operand is where no option gave code: `script`, `code` or `data`."""
    rest: str = "data"
    """What the other operands are: `code` or `data`."""
    stdin: bool = True
    """Reads its program from standard input where neither code nor a script is given."""
    permute: bool = False
    """Options may stand behind operands."""
    goes_on: bool = False
    """Looks for options also behind its code, until `--` or an operand."""
    glued: str = ""
    """Letters of options whose value, if they have one, is the rest of their word."""
    numbered: str = ""
    """Letters of options with digits behind them, or none, and perhaps other letters."""
    single_dash: bool = False
    """`-name` is one option, not several letters."""
    files: frozenset[str] = frozenset()
    """Options whose value is a file of code."""
    scripts: frozenset[str] = frozenset()
    """Options whose value is a file that stands for the program among the operands; `-f` and its long names if none."""
    piped: frozenset[str] = frozenset()
    """Options whose value is a command if it begins with `|`."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SQL = "write the text to a file with a placeholder of the client, or read it in Python with parameters"

SHELLS: Final = _set("sh bash dash ash ksh ksh93 mksh pdksh zsh yash rbash posh fish csh tcsh")

_PYTHON = Interpreter(
    "Python",
    BY_ARGUMENT + "python3 -c 'import sys; … sys.argv[1] …' {{ x }}",
    code=_set("-c"),
    short="cmWXQ",
    first="script",
)
_PERL = Interpreter(
    "Perl",
    BY_ARGUMENT + "perl -e '… $ARGV[0] …' {{ x }}",
    code=_set("-e -E -M -m"),
    modules=_set("-M -m"),
    short="eEMmI",
    glued="xiFCDV",
    numbered="0l",
    goes_on=True,
)
_NODE = Interpreter(
    "JavaScript",
    BY_ARGUMENT + "node -e '… process.argv[1] …' {{ x }}",
    code=_set("-e --eval -p --print -pe -r --require --import --loader --experimental-loader"),
    modules=_set("-r --require --import --loader --experimental-loader"),
    short="epr",
    long=_set("--eval --print --require --import --loader --experimental-loader"),
    goes_on=True,
)
_AWK = Interpreter(
    "awk",
    "give the value by the environment: X={{ x }} awk '… ENVIRON[\"X\"] …'",
    code=_set("-e --source"),
    short="FvfeilEoDj",
    long=_set("--field-separator --assign --file --source --include --load --exec"),
    scripts=_set("-f --file -E --exec"),
    files=_set("-i --include -l --load"),
    first="code",
    stdin=False,
)
_SED = Interpreter(
    "sed",
    "sed takes no values: use awk with ENVIRON, or Python" + NO_WAY,
    code=_set("-e --expression"),
    short="efl",
    long=_set("--expression --file --line-length"),
    glued="i",
    first="code",
    stdin=False,
    permute=True,
)
_JQ = Interpreter(
    "jq",
    "give the value as an argument: jq --arg x {{ x }} '… $x …'",
    short="LfC",
    long=_set("--indent --from-file"),
    first="code",
    stdin=False,
    permute=True,
)
_YQ = Interpreter(
    "yq",
    "give the value by the environment: X={{ x }} yq '… strenv(X) …'",
    code=_set("--expression"),
    short="IopLs",
    long=_set("--indent --output-format --input-format --expression --from-file"),
    first="code",
    rest="data",
    stdin=False,
    permute=True,
)
_PSQL = Interpreter(
    "SQL",
    "give the value as a variable: psql -v x={{ x }} <<'SQL' … :'x' … SQL",
    code=_set("-c --command"),
    short="cdfvoLhpUFPRTVn",
    long=_set(
        "--command --dbname --file --set --variable --output --log-file --host --port --username --pset "
        "--field-separator --record-separator --table-attr"
    ),
    first="data",
    permute=True,
    piped=_set("-o --output"),
)
_MYSQL = Interpreter(
    "SQL",
    _SQL,
    code=_set("-e --execute --init-command --pager"),
    short="ehuPDS",
    long=_set("--execute --host --user --port --database --socket --init-command"),
    glued="p",
    first="data",
    permute=True,
)
_SQLITE = Interpreter(
    "SQL",
    "read it in Python, with parameters: sqlite3.connect(…).execute('… ?', [value])",
    code=_set("-cmd"),
    long=_set("-cmd -init -separator -newline -nullvalue -mmap -maxsize -heap -vfs -lookaside -pagecache"),
    first="data",
    rest="code",
    single_dash=True,
    permute=True,
)
_DUCKDB = Interpreter(
    "SQL",
    _SQL,
    code=_set("-c -s -cmd"),
    long=_set("-c -s -cmd -init -separator -newline -nullvalue"),
    first="data",
    rest="code",
    single_dash=True,
    permute=True,
)

_MONGO = Interpreter(
    "JavaScript",
    "read it in a script that takes process.env",
    code=_set("--eval"),
    short="upf",
    long=_set("--eval --file --host --port --username --password"),
    first="data",
    permute=True,
)
_QUERY = Interpreter(
    "SQL",
    _SQL,
    code=_set("-e -q --execute --query -execute"),
    short="eqfupkd",
    long=_set("--execute --query --file --user --username --password --host --port --keyspace --server -execute"),
    first="data",
    permute=True,
)


def _simple(what: str, argument: str, code: str, short: str = "", long: str = "", modules: str = "") -> Interpreter:
    return Interpreter(what, BY_ARGUMENT + argument, _set(code), _set(modules), short, _set(long), goes_on=True)


_VIM = Interpreter(
    "vim",
    "use awk with ENVIRON, or Python",
    code=_set("-c --cmd"),
    files=_set("-S -u"),
    short="cSu",
    first="data",
)

PROGRAMS: Final[dict[str, Interpreter]] = {
    **dict.fromkeys(("python", "python2", "python3", "pypy", "pypy3", "ipython", "ipython3"), _PYTHON),
    "perl": _PERL,
    "perl5": _PERL,
    "raku": _PERL,
    **dict.fromkeys(("node", "nodejs"), _NODE),
    "bun": _NODE,
    "tsx": _NODE,
    "ts-node": _NODE,
    "ruby": _simple("Ruby", "ruby -e '… ARGV[0] …' {{ x }}", "-e -r", "erICEFKTW0", modules="-r"),
    "irb": _simple("Ruby", "ruby -e '… ARGV[0] …' {{ x }}", "-e -r", "er", modules="-r"),
    "php": _simple("PHP", "php -r '… $argv[1] …' {{ x }}", "-r -B -R -E -d", "rBREdfFcSt", modules="-d"),
    "lua": _simple("Lua", "lua script.lua {{ x }}", "-e -l", "el", modules="-l"),
    "luajit": _simple("Lua", "luajit script.lua {{ x }}", "-e -l -j", "elj", modules="-l -j"),
    "Rscript": _simple("R", "Rscript -e '… commandArgs(TRUE)[1] …' {{ x }}", "-e", "e"),
    "R": Interpreter("R", "Rscript script.R {{ x }}", code=_set("-e"), short="efgd", first="data", permute=True),
    "osascript": _simple("AppleScript", "osascript script.scpt {{ x }}", "-e", "els"),
    "tclsh": _simple("Tcl", "tclsh script.tcl {{ x }}", ""),
    "expect": _simple("Tcl", "expect script.exp {{ x }}", "-c", "cf"),
    "groovy": _simple("Groovy", "groovy -e '… args[0] …' {{ x }}", "-e", "ec"),
    "scala": _simple("Scala", "scala script.scala {{ x }}", "-e", "e"),
    "julia": _simple("Julia", "julia -e '… ARGS[1] …' {{ x }}", "-e --eval -E --print", "eEL", "--eval --print --load"),
    "elixir": _simple("Elixir", "elixir script.exs {{ x }}", "-e --eval", "er", "--eval"),
    "octave": _simple("Octave", "octave script.m {{ x }}", "--eval", "", "--eval"),
    "guile": _simple("Scheme", "guile script.scm {{ x }}", "-c", "cels"),
    "pwsh": _simple("PowerShell", "pwsh -File script.ps1 {{ x }}", "-c -Command -command", "c"),
    "powershell": _simple("PowerShell", "pwsh -File script.ps1 {{ x }}", "-c -Command -command", "c"),
    "gdb": _simple("gdb", "gdb --args program {{ x }}", "-ex -iex --eval-command", "", "-ex -iex --eval-command"),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk", "original-awk"), _AWK),
    **dict.fromkeys(("sed", "gsed", "ssed"), _SED),
    **dict.fromkeys(("jq", "jaq", "gojq"), _JQ),
    "yq": _YQ,
    "psql": _PSQL,
    "pgcli": _PSQL,
    **dict.fromkeys(("mysql", "mariadb", "mycli"), _MYSQL),
    **dict.fromkeys(("sqlite3", "sqlite"), _SQLITE),
    "duckdb": _DUCKDB,
    "clickhouse-client": Interpreter(
        "SQL",
        "give the value as a parameter: clickhouse-client --param_x={{ x }} -q '… {x:String} …'",
        code=_set("-q --query"),
        short="qhudf",
        long=_set("--query --host --user --database --port --password --format"),
        first="data",
    ),
    **dict.fromkeys(("mongosh", "mongo"), _MONGO),
    **dict.fromkeys(("cqlsh", "hive", "beeline", "spark-sql", "snowsql", "mysqlsh", "trino", "influx"), _QUERY),
    "sqlcmd": Interpreter(
        "SQL",
        "read it in Python, with parameters",
        code=_set("-Q -q"),
        files=_set("-i"),
        short="QqSUPdiov",
    ),
    "redis-cli": Interpreter("Lua", "give values as arguments behind the number of keys", first="data"),
    "dc": Interpreter("dc", "give numbers on standard input", code=_set("-e --expression"), short="ef", first="script"),
    "ed": Interpreter("ed", "use awk with ENVIRON, or Python", first="data"),
    "ex": Interpreter(
        "ex", "use awk with ENVIRON, or Python", code=_set("-c"), files=_set("-S"), short="cSut", first="data"
    ),
    **dict.fromkeys(("vim", "vi", "nvim"), _VIM),
    "emacs": Interpreter(
        "Lisp",
        "read it in a script",
        code=_set("--eval -eval"),
        files=_set("-l -load --load -script --script"),
        short="l",
        long=_set("--eval -eval -load --load -script --script"),
        first="data",
        stdin=False,
    ),
    "m4": Interpreter(
        "m4",
        "write the file with awk and ENVIRON",
        code=_set("-D --define"),
        modules=_set("-D --define"),
        short="DUIBSLlotF",
        long=_set("--define --undefine --include --freeze-state --reload-state"),
    ),
    "gnuplot": Interpreter("gnuplot", "gnuplot -c script.gp {{ x }}, with ARG1 in it", code=_set("-e"), short="ec"),
    "at": Interpreter("shell", "write a script that reads a file", first="data", short="qfmt", permute=True),
    "batch": Interpreter("shell", "write a script that reads a file", first="data", short="f"),
    "crontab": Interpreter("cron", "write the table to a file that you check", short="u"),
}


_RUN_INPUT: Final = _set(". source eval at batch parallel ed ex")


def runs_files(name: str) -> bool:
    """Whether a program is one that runs the file it is given, as shells and Python do, and SQL clients don't."""
    return name in SHELLS or name in _RUN_INPUT or (name in PROGRAMS and PROGRAMS[name].first == "script")


WRAPPERS: Final[dict[str, tuple[str, str, int]]] = {
    # name: letters of options with a value, long options with a value, operands before the command
    **dict.fromkeys(
        _set(
            "nohup setsid builtin command busybox toybox prlimit unbuffer firejail torsocks catchsegv chronic ts "
            "eatmydata valgrind bwrap"
        ),
        ("", "", 0),
    ),
    **dict.fromkeys(_set("taskset gosu su-exec setuidgid pipenv poetry pdm rye bundle mise asdf setarch"), ("", "", 1)),
    "direnv": ("", "", 2),
    "hatch": ("e", "--env", 1),
    "aws-vault": ("dn", "--duration --region --mfa-token --backend", 2),
    "sudo": (
        "ugpCDhrtTUR",
        "--user --group --prompt --close-from --chdir --host --role --type --other-user --chroot",
        0,
    ),
    "doas": ("uCa", "", 0),
    "nice": ("n", "--adjustment", 0),
    "ionice": ("cnpPu", "--class --classdata", 0),
    "chrt": ("pTPD", "--pid", 1),
    "timeout": ("ks", "--kill-after --signal", 1),
    "gtimeout": ("ks", "--kill-after --signal", 1),
    "stdbuf": ("ioe", "--input --output --error", 0),
    "exec": ("a", "", 0),
    "chroot": ("", "--userspec --groups", 1),
    "strace": ("eopsEuPaIOSXb", "", 0),
    "ltrace": ("eopsuaAnlxF", "", 0),
    "setpriv": ("", "--reuid --regid --groups --securebits --pdeathsig --bounding-set --inh-caps", 0),
    "unshare": ("SGRw", "--root --wd --setuid --setgid", 0),
    "lxc-attach": ("nPsvuglo", "--name --lxcpath --set-var --uid --gid --logfile --logpriority", 0),
    "nsenter": ("tSGW", "--target --setuid --setgid --wdns", 0),
    "systemd-run": (
        "pHMuEC",
        "--property --unit --slice --setenv --description --host --machine --uid --gid --nice --service-type "
        "--working-directory --path-property --socket-property --timer-property --on-active --on-boot --on-startup "
        "--on-unit-active --on-unit-inactive --on-calendar --capsule",
        0,
    ),
    "systemd-inhibit": ("", "--what --who --why --mode", 0),
    "systemd-cat": ("tp", "--identifier --priority --stderr-priority --level-prefix --namespace", 0),
    "caffeinate": ("tw", "", 0),
    "tini": ("ep", "", 0),
    "dumb-init": ("r", "--rewrite", 0),
    "xvfb-run": ("efnpsw", "--server-args --error-file --server-num", 0),
    "faketime": ("", "", 1),
    **dict.fromkeys(("proxychains", "proxychains4"), ("f", "", 0)),
    "chpst": ("uUbe/nlLmdofpcrts", "", 0),
    "softlimit": ("acdfmoprst", "", 0),
    "uv": (
        "p",
        "--with --python --project --directory --extra --group --only-group --package --env-file --with-requirements "
        "--with-editable --index --default-index --extra-index-url --find-links",
        1,
    ),
    "uvx": ("", "--from --with --python", 0),
    "npx": ("pc", "--package", 0),
    **dict.fromkeys(("conda", "micromamba"), ("npr", "--name --prefix --cwd --root-prefix", 1)),
    "op": ("", "--env-file", 1),
    "doppler": ("pc", "--project --config", 1),
    "dotenv": ("fe", "--file", 1),
    "time": ("fo", "--format --output", 0),
    "sshpass": ("pfdP", "", 0),
    "pkexec": ("", "--user", 0),
    "fakeroot": ("lfsib", "--lib --faked", 0),
    "numactl": ("NmCpi", "--cpunodebind --membind --physcpubind --preferred --interleave", 0),
    "cgexec": ("g", "", 0),
    "perf": (
        "eopCFGtuDrmxjk",
        "--event --output --pid --call-graph --freq --count --cpu --repeat --delay --tid --uid",
        1,
    ),
    "ssh-agent": ("aEtP", "", 0),
    "cpulimit": ("lpe", "--limit --pid --exe", 0),
    "pipx": ("", "--spec --python --pip-args", 1),
}

CONTAINERS: Final = _set(
    "docker podman nerdctl crictl kubectl oc microk8s k3s lxc incus docker-compose podman-compose vagrant multipass "
    "gcloud fly flyctl az aws nomad machinectl distrobox toolbox singularity apptainer limactl colima minikube"
)
"""Programs that run a command elsewhere, with options too many to list: every word may begin a command."""
