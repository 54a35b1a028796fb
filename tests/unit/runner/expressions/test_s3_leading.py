"""S3: what a value begins with counts for options and settings, also where the value stands in a variable."""

from __future__ import annotations

import pytest

from pipe_runner.expressions import compile_shell
from pipe_runner.expressions.shell_environment import follow_environment

HOLE = "{{ inputs.v }}"
FORMS = {
    "a variable": 'k=X; {} "$k"',
    "in braces": 'k=X; {} "${{k}}"',
    "a copy": 'j=X; k=$j; {} "$k"',
    "an argument": 'f() {{ {} "$1"; }}; f X',
    "a loop": 'for k in a X; do {} "$k"; done',
    "an output": '{} "$(echo X)"',
    "read": 'echo X | while read -r k; do {} "$k"; done',
}
CODE = [
    "git -c @ status",
    "make @",
    "make -j4 @",
    "make -j @",
    "make -k -l @ all",
    "ed -s @",
    "vim -es @",
    "emacs @",
    "git clone -c @ u",
    "git clone -u @ u",
    "git ls-remote --upload-pack @ u",
]
OPTIONS = [
    "ssh @ ls",
    "git fetch @ .",
    "git clone @",
    "sqlite3 @ 'select 1'",
    "rsync -a @ b",
    "tar cf x.tar @",
    "scp a @",
    "git grep @ hello",
    "git difftool -y @",
    "git rebase -q @ HEAD~1",
    "find @ -name q",
    "find sub @",
    "find . -name q -print @",
    "wget @",
    "zip a.zip @",
    "gcc @ -o a",
    "tcpdump @",
    "man @",
]


def within(form: str, text: str) -> str:
    """A text in which `@` comes by way of a form."""
    before, _, after = text.partition("@")
    way = FORMS[form]
    head, _, word = way.partition("{} ")
    word, end = word.split('"', 2)[1], word.split('"', 2)[2]
    return (
        head.replace("{{", "{").replace("}}", "}")
        + before
        + f'"{word}"'.replace("{{", "{").replace("}}", "}")
        + after
        + end.replace("}}", "}")
    ).replace("X", HOLE)


def codes(text: str) -> set[str]:
    return {fault.code for fault in compile_shell(text)[1]} - {"W403"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", CODE)
def test_s3_a_value_that_could_be_a_setting_or_an_assignment_is_refused_in_every_form(form: str, text: str) -> None:
    assert codes(text.replace("@", HOLE)) == {"E420"}
    assert codes(within(form, text)) == {"E420"}
    assert codes(within(form, text).replace(" }}", " | trust }}")) == {"W401"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", OPTIONS)
def test_s3_a_value_that_could_be_an_option_is_a_warning_in_every_form(form: str, text: str) -> None:
    assert codes(text.replace("@", HOLE)) == {"W406"}
    assert codes(within(form, text)) == {"W406"}
    protected = set() if not text.startswith("find ") else {"W406"}  # `find -- -delete` deletes all the same
    assert codes(within(form, text.replace("@", "-- @"))) == protected


def test_values_of_env_are_followed_to_options_and_settings() -> None:
    assert [fault.code for fault in follow_environment('make "$K"', ["K"])[0].values()] == ["E420"]
    assert [fault.code for fault in follow_environment('git -c "$K" status', ["K"])[0].values()] == ["E420"]
    assert [fault.code for fault in follow_environment('ssh "$K" ls', ["K"])[0].values()] == ["W406"]
    assert follow_environment('ssh -- "$K" ls; git -c user.name="$K" status', ["K"])[0] == {}


@pytest.mark.parametrize(
    "text",
    [
        'k=user.name=X; git -c "$k" status', 'k=X; git -c user.name="$k" status', 'k=build-X; make "$k"',
        'k=https://X; git clone "$k"', 'f() { git clone "$@"; }; f -- X', 'k=X; j=a/$k; tar cf x.tar "$j"',
        'k=X; make -C "$k" all', "git config user.name X", "git config remote.origin.url X",
        'git -c http.proxy=X fetch', 'k=X; git commit -m "$k"',
    ],
)  # fmt: skip
def test_a_value_behind_text_of_the_file_passes(text: str) -> None:
    assert codes(text.replace("X", HOLE)) == set()


def test_what_begins_with_a_value_names_its_variable() -> None:
    (fault,) = compile_shell('k={{ inputs.v }}; make "$k"')[1]
    assert fault.message.startswith("$k takes the value")
