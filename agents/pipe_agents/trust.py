"""Whom agents trust under TLS: the same with every Python."""

from __future__ import annotations

import ssl
from typing import Any


def trusting(**authorities: Any) -> ssl.SSLContext:
    """Checks chains and names. `cafile`, `capath`, `cadata`: whom to trust in the place of the system's authorities.

    Raises OSError where they can't be read.
    """
    return alike(ssl.create_default_context(**authorities))


def alike(context: ssl.SSLContext) -> ssl.SSLContext:
    """The context, which takes what browsers, curl and kubectl take. Python from 3.13 on refuses certificates that lack
    what RFC 5280 asks for beside a signature, as those of many own authorities do; older ones take no certificate of a
    server as trusted that stands among the authorities itself."""
    flags = int(context.verify_flags) & ~ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags = ssl.VerifyFlags(flags)
    return context
