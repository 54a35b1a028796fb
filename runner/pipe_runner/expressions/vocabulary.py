"""The words of the expression language: every filter, test, function and method there is."""

from __future__ import annotations

from typing import Final

_FILTERS = """
    abs b64decode b64encode basename batch bool capitalize center count d default dictsort dirname e escape
    filesizeformat first flatten float format fromjson groupby indent int items join keys last length lines list lower
    map max min reject rejectattr replace reverse round safe select selectattr sha256 slice sort split string striptags
    sum title tojson trim truncate unique upper urlencode values wordcount wordwrap
"""
FILTERS: Final = frozenset(_FILTERS.split())
_TESTS = """
    boolean defined divisibleby empty eq equalto even false float ge greaterthan gt in integer iterable le lessthan
    lower lt mapping ne none null number odd sequence string true undefined upper == != < <= > >=
"""
TESTS: Final = frozenset(_TESTS.split())
FUNCTIONS: Final = frozenset({"range", "dict"})

_METHODS = """
    capitalize casefold center count endswith find get index isalnum isalpha isdecimal isdigit islower isnumeric isspace
    isupper items join keys ljust lower lstrip partition removeprefix removesuffix replace rfind rjust rpartition rsplit
    rstrip split splitlines startswith strip swapcase title upper values zfill
"""
METHODS: Final = frozenset(_METHODS.split())
"""Methods of texts (all), objects (get, items, keys, values) and lists (count, index)."""
