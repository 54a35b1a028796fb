"""Forms are found the same way whatever was searched before (S4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.secret_forms import forms
from pipe_runner.secret_needles import Needles

SECRETS = ("not-a-key", "pässwörd-1", "x" * 40)
NEEDLES = sorted({needle for secret in SECRETS for many in forms(secret, "strict").by_core.values() for needle in many})


def searched(times: int) -> Needles:
    needles = Needles(forms(secret, "strict") for secret in SECRETS[:2])
    for _ in range(times):
        needles.spans(b"short")
    return needles


USED = searched(500)
PARTS = st.lists(st.one_of(st.sampled_from(NEEDLES), st.binary(max_size=40)), max_size=12)


@given(PARTS)
def test_s4_short_texts_that_were_searched_before_change_nothing(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert USED.may_hold(data) == searched(0).may_hold(data)
    assert sorted(USED.spans(data)) == sorted(searched(0).spans(data))


def test_s4_every_form_is_found_by_itself_after_many_short_texts() -> None:
    assert [needle for needle in NEEDLES if USED.spans(needle) != searched(0).spans(needle)] == []
    assert any(USED.spans(needle) for needle in NEEDLES)
