"""What in settings is a credential by its place in an address."""

from __future__ import annotations

import pytest

from pipe_schemas.credentials import credentials


@pytest.mark.parametrize(
    ("password", "found"),
    [("plain-one", ["plain-one"]), ("a%2Fb%40c", ["a%2Fb%40c", "a/b@c"]), ("%41%42", ["%41%42"])],
)
def test_a_password_is_one_as_written_and_as_sent_but_no_two_letters(password: str, found: list[str]) -> None:
    assert list(credentials(f"http://me:{password}@proxy:1/"))[1:] == found
