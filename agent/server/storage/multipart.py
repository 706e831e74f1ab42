"""The one file of a form (multipart/form-data) as a stream: nothing of it is kept in memory or in a temporary file."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from agent.server.types import refused

_LONGEST_HEADER: Final = 8192
_LONGEST_BOUNDARY: Final = 70
"""RFC 2046, 5.1.1."""


class FileOfForm:
    """The form's first part that is a file.

    Args:
        body: the request's.
        content_type: its header, with the boundary.

    Raises:
        Refused: 400, no form.
    """

    def __init__(self, body: AsyncIterable[bytes], content_type: str) -> None:
        self.name: str | None = None
        """As the client calls it; known when the first byte is."""
        self.content_type: str | None = None
        self.found = False
        self._body = body
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value = b"", b""
        self._taking = False
        self._out: list[bytes] = []
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise _no_form("it names no boundary")
        if len(boundary) > _LONGEST_BOUNDARY:
            raise _no_form(f"its boundary is over {_LONGEST_BOUNDARY} characters long")
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._end,
            },
        )

    async def stream(self) -> AsyncIterator[bytes]:
        """The file's bytes, as they come.

        Raises:
            Refused: 400 (not a form, cut off), 422 (no file in it).
        """
        try:
            async for chunk in self._body:
                self._parser.write(chunk)
                for data in self._out:
                    yield data
                self._out.clear()
            self._parser.finalize()
        except MultipartParseError as error:
            raise _no_form("it is damaged or cut off") from error
        if not self.found:
            raise refused(422, "missing", "file: the form holds no file", loc=("file",))

    def _begin(self) -> None:
        self._headers.clear()

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field = self._grown(self._field, data[start:end])

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value = self._grown(self._value, data[start:end])

    def _on_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _on_headers(self) -> None:
        options = parse_options_header(self._headers.get(b"content-disposition", b""))[1]
        self._taking = b"filename" in options and not self.found
        if self._taking:
            self.found = True
            self.name = options[b"filename"].decode("utf-8", "replace")
            self.content_type = self._headers.get(b"content-type", b"").decode("latin-1") or None

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._taking:
            self._out.append(data[start:end])

    def _end(self) -> None:
        self._taking = False

    @staticmethod
    def _grown(held: bytes, more: bytes) -> bytes:
        if len(held) + len(more) > _LONGEST_HEADER:
            raise _no_form("a part's header is too long")
        return held + more


def _no_form(why: str) -> Exception:
    return refused(400, "bad_request", f"the body is no multipart form: {why}")
