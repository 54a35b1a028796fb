"""Images and files of a message, in the forms that services take."""

from __future__ import annotations

import base64
import binascii

from pipe_runner.models import Media, ModelFault, Reason

TEXTS = frozenset({"application/json", "application/xml", "application/yaml", "application/x-yaml"})


def is_image(media: Media) -> bool:
    return media.media_type.startswith("image/")


def is_text(media: Media) -> bool:
    kind = media.media_type.partition(";")[0]
    return kind.startswith("text/") or kind in TEXTS or kind.endswith(("+json", "+xml"))


def data_url(media: Media) -> str:
    return f"data:{media.media_type};base64,{media.data}"


def content(media: Media) -> bytes:
    """The bytes; raises ModelFault where they aren't base64."""
    try:
        return base64.b64decode(media.data, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise ModelFault(Reason.REFUSED, f"the file {media.name or media.media_type} is not base64", sent=False)


def as_text(media: Media) -> str:
    """A file of text, as a part of the message."""
    text = content(media).decode("utf-8", "replace")
    return f"{media.name}:\n{text}" if media.name else text


def extension(media: Media) -> str:
    """`pdf` of `application/pdf`."""
    return media.media_type.partition(";")[0].rpartition("/")[2].removeprefix("x-")


def file_name(media: Media) -> str:
    return media.name or f"file.{extension(media)}"
