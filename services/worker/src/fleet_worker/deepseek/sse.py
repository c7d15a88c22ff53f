"""Pure: bytes of an event stream in, the data of its events out.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html, but gives bytes, never text, so that a
multi-byte character cut in two between reads is nobody's concern.
"""

MAX_LINE_BYTES = 16 * 1024 * 1024

_PER_LINE_BYTES = 40
_BOM = b"\xef\xbb\xbf"


class EventTooLargeError(ValueError):
    """A line, or the data of one event, is longer than the reader holds."""


class EventReader:
    """Reads one stream, cut anywhere.

    Each byte is looked at a fixed number of times, whatever the length of a line.

    Args:
        max_bytes: The longest line, and the most data of one event, in bytes.
    """

    __slots__ = ("_after_return", "_at_start", "_data", "_data_bytes", "_max_bytes", "_rest")

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._after_return = False
        self._at_start = True

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of each event that this piece completes, in order.

        Comments, blank lines and the fields `event`, `id` and `retry` give nothing.

        Raises:
            EventTooLargeError: the stream can't be read on.
        """
        lines = self._lines(piece)
        return self._events(lines) if lines else []

    @property
    def between_events(self) -> bool:
        """Whether nothing of an event, or of what separates it from the next one, is held."""
        return not (self._rest or self._data or self._after_return or self._at_start)

    def _lines(self, piece: bytes) -> list[bytes]:
        if self._after_return or b"\r" in piece:
            piece = self._with_line_feeds(piece)
        if b"\n" not in piece:
            self._keep(piece)
            return []
        lines = piece.split(b"\n")
        if self._rest:
            self._keep(lines[0])
            lines[0] = bytes(self._rest)
            self._rest.clear()
        if last := lines.pop():
            self._keep(last)
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        return lines

    def _with_line_feeds(self, piece: bytes) -> bytes:
        # A line feed that opens this piece belongs to the carriage return that closed the last one.
        if self._after_return and piece:
            piece = piece.removeprefix(b"\n")
            self._after_return = False
        if piece:
            self._after_return = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _keep(self, piece: bytes) -> None:
        self._rest += piece
        self._check(len(self._rest))

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._take(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line and self._data:
                events.append(self._complete())
            elif line == b"data":
                self._take(b"")
        return events

    def _take(self, data: bytes) -> None:
        # A further line costs memory even where it holds nothing.
        self._data_bytes += len(data) + (_PER_LINE_BYTES if self._data else 0)
        self._data.append(data)
        self._check(self._data_bytes)

    def _complete(self) -> bytes:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data.clear()
        self._data_bytes = 0
        return data

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise EventTooLargeError(f"a line or event of the stream is longer than {self._max_bytes} bytes")
