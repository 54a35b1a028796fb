"""Words that stand where names do, and are none: states, numbers, parts, what something does."""

from __future__ import annotations

import re
from typing import Final

from pipe_runner.routing.words import GENERAL_STEMS, SILENT, stem

_WORDS: Final = (
    # how it is
    "unhealthy alive dead ready available unavailable busy idle good fine flaky unstable stable degraded offline "
    "online reachable unreachable responsive unresponsive full empty hung gone missing present active inactive enabled "
    "disabled masked pending evicted terminating terminated completed succeeded unknown waiting exited created paused "
    "removing dying crashloopbackoff imagepullbackoff errimagepull oomkilled containercreating podinitializing error "
    "phase condition mode shape limbo loop danger progress total parallel general detail order time "
    # how many, and which
    "both two three four five six seven eight nine ten several few single whole entire first second third next other "
    "same different certain various multiple old big small large important critical local remote named called "
    # what it does
    "crash restart stop start die hang exit respond answer leak flap break timeout recover boot load reload come eat "
    "consume spike listen accept refuse connect reach grow shrink stall freeze "
    # of what kind it is
    "systemd docker podman system linux which failed failing every web_server aws kubernetes k8s cloud "
    # what it has
    "memory cpu disk network log image limit health name port volume registry runtime engine account level mesh count "
    "list usage space output configuration config file quota"
)
_NO_NAMES: Final = frozenset(stem(word) for word in _WORDS.split())
_SOFTWARE: Final = re.compile(
    r"(?:node|next|vue|nuxt|express|three|d3|react|ember|backbone|discord|moment|deno)\.js|asp\.net|vb\.net|socket\.io",
    re.I,
)
_NEVER: Final = re.compile(
    r"(?:ipv|http|tls|ssl|md|sha|aes|rsa|crc|utf|iso|rfc|base|ext|raid|top|cpu|core|gpu|numa|eth|ens|enp|eno|wlan|wlp|bond|br|"
    r"veth|vlan|docker|tun|tap|wg|lo|dm-|loop|tty|mmcblk|sr|x|h|p|v|q|i|amd|arm|int|uint|float|oauth|utc|gmt|mp|fd|pid|port|"
    r"error|status|code|level|rc|cve-|kb|nvme)\d+(?:n\d+)?|(?:sd|vd|xvd|hd)[a-z]\d+|s3|ec2|k8s|k3s|route53|log4j|"
    r"(?:python|py|php|java|jdk|jre|ruby|perl|gcc|go|debian|ubuntu|rhel|centos|el|fedora|alpine|win|windows|openssl)[1-9]\d*",
    re.I,
)
_VERSION: Final = re.compile(
    r"(?:\b(?:version|release|build|firmware|revision|rev|ver)[\s:=]*|(?<![\w.])v|\b[a-z]+/)\Z", re.I
)


def is_name(word: str) -> bool:
    """Whether a word beside `service`, `container` or `pods in` can be what it is called."""
    plain = word.lower()
    return not (plain in SILENT or stem(plain) in _NO_NAMES or stem(plain) in GENERAL_STEMS)


def is_software(text: str) -> bool:
    """`node.js`: neither a file nor a host."""
    return _SOFTWARE.fullmatch(text) is not None


def is_a_host(name: str, *, after: bool) -> bool:
    """Whether a word with a number can be a host: `web01`; `after`: it follows `on`, `of`, `reach`."""
    if _NEVER.fullmatch(name):
        return False
    return after or re.fullmatch(r"[a-z][a-z0-9-]*-\d{1,3}|[A-Za-z][A-Za-z0-9-]*[A-Za-z]\d{2,3}", name) is not None


def is_a_version(text: str, start: int) -> bool:
    """Whether what begins there is the number of a version."""
    return _VERSION.search(text[max(0, start - 24) : start]) is not None
