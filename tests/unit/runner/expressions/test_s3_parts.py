"""S3: options and operands of listed programs that take code, a script, or the place where those are found."""

from __future__ import annotations

import pytest

from pipe_runner.expressions import compile_shell

HOLE = "{{ inputs.v }}"
PLACES = [
    "git config core.fsmonitor @", "git config --global core.fsmonitor @", "git -c core.fsmonitor=@ status",
    "git config @ @", "git config set @ @", "git config gpg.program @", "git --exec-path=@ zork", "ssh -F @ host ls",
    "ssh -I @ host ls", "scp -F @ a b", "sftp -b @ host", "perl -I@ -MJSON::PP -e 1", "perl -I @ s.pl",
    "ruby -I @ s.rb",
    "psql -f @", "psql --file=@", "redis-cli --eval @", "at -f @ now", "crontab @", "crontab < @", "nix run @",
    "docker run --entrypoint @ image", "docker run --entrypoint=@ image", "parallel ::: @", "exec 3<@; sh <&3",
    "ln -s @ s.sh; sh s.sh", 'while read -r l; do eval "$l"; done < @', 'read -r l < @; sh -c "$l"',
    "sqlite3 -init @ a.db", "ssh -o proxycommand=@ host",
    'ssh -o "PROXYCOMMAND @" host', "scp -oknownhostscommand=@ a b:c",
    "ssh -o PKCS11Provider=@ host", "ssh -o securitykeyprovider=@ host", "ssh -o XAuthLocation=@ host",
    "ssh -J @ host ls", "ssh -o ProxyJump=@ host", "scp -J @ a b:c", "sftp -J bob@@ host",
]  # fmt: skip
WAYS = ["echo @ | parallel", "printf %s @ | dd of=s.sh; sh s.sh", "echo @ > a; dd if=a of=s.sh; sh s.sh"]
PASSING = [
    "git config user.name @", "git config --get @", "git config @ true", "ssh -i @ host ls", "ls | parallel echo ::: @",
    "ls | parallel gzip", "ln -s @ latest", "ln -s @ s.sh; sh other.sh", 'while read -r l; do echo "$l"; done < @',
    "crontab -l", "psql -v x=@ -f q.sql", "redis-cli --eval s.lua key , @", "docker run --entrypoint sh image s.sh @",
    "nix run nixpkgs#hello -- @", "dd if=/dev/zero of=@ bs=1", "exec 3< @; cat <&3", "clickhouse-client -f @",
    "sftp -i @ host", "ssh -o LocalForward=@ host", "ssh -o userknownhostsfile=@ host",
    "ssh -o port=@ host", "perl -I lib s.pl @", "git config http.proxy @",
]  # fmt: skip


def test_files_of_statements_may_stand_in_a_directory_that_a_value_names() -> None:
    assert codes(f'd={HOLE}; for f in "$d"/*.sql; do psql -f "$f"; done') == set()
    assert codes(f'd={HOLE}; psql -f "$d/schema.sql"; f=$d/q.sql; psql -f "$f"') == set()
    assert codes(f'd={HOLE}; f=sql/$d.sql; psql -f "$f"') == {"E421"}


def codes(text: str) -> set[str]:
    return {fault.code for fault in compile_shell(text)[1]} - {"W403"}


@pytest.mark.parametrize("text", PLACES + WAYS)
def test_s3_a_value_there_is_refused_and_trust_accepts_it(text: str) -> None:
    for form in (text.replace("@", HOLE), f"k={HOLE}; " + text.replace("@", '"$k"')):
        assert codes(form) in ({"E420"}, {"E421"}, {"E420", "E421"})
        assert codes(form.replace(" }}", " | trust }}")) == {"W401"}


@pytest.mark.parametrize("text", PASSING)
def test_what_runs_no_value_there_passes(text: str) -> None:
    for form in (text.replace("@", HOLE), f"k={HOLE}; " + text.replace("@", '"$k"')):
        assert codes(form) == set()
