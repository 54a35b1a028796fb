"""For every test: hypothesis measures no time, since a busy machine is no fault."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("pipe", deadline=None)
settings.load_profile("pipe")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests elsewhere count the processes below this one: that which acceptance tests fork from isn't kept for them."""
    warm: Any = item.config.pluginmanager.get_plugin("warm")
    if warm is not None and "acceptance" not in item.path.parts:
        warm.end()
