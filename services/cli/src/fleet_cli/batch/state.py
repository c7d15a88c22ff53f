"""Pure: how every line of a batch stands, in one byte for each, and what it has cost."""

from dataclasses import dataclass, field

from fleet_cli.batch.record import Begun, Entry, Input, Record, Standing, Whole

MOST_RETRIES = 63
_STANDINGS = (None, Standing.DONE, Standing.FAILED, Standing.AGAIN)
_KIND_BITS = 2
_KIND = 0b11


@dataclass(slots=True)
class State:
    """What the records so far say.

    Attributes:
        begun: the batch; None where nothing was recorded yet.
        input: the input file as the last run found it.
        done: lines with an answer.
        failed: lines that failed.
        end: bytes of answers in the results file.
        whole: bytes of the results file where nothing has come since a run ended; None else.
        prompt_tokens, completion_tokens, cost_nano: of all answers so far.
    """

    begun: Begun | None = None
    input: Input | None = None
    done: int = 0
    failed: int = 0
    end: int = 0
    whole: int | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nano: int = 0
    _lines: bytearray = field(default_factory=bytearray, repr=False)

    def standing(self, number: int) -> Standing | None:
        """How a line stands; None where it is open."""
        return _STANDINGS[self._byte(number) & _KIND]

    def retry(self, number: int) -> int:
        """Which asking of a line is the last one, or the next."""
        return self._byte(number) >> _KIND_BITS

    def is_settled(self, number: int) -> bool:
        """Whether a line is not to be asked."""
        return self.standing(number) in {Standing.DONE, Standing.FAILED}

    def take(self, record: Record) -> None:
        """Take one more record in."""
        match record:
            case Begun():
                self.begun = record
            case Input():
                self.input = record
                self.whole = None
            case Whole(size=size):
                self.whole = size
            case Entry():
                self._take_entry(record)

    def _take_entry(self, entry: Entry) -> None:
        before = self.standing(entry.number)
        self.done += (entry.standing is Standing.DONE) - (before is Standing.DONE)
        self.failed += (entry.standing is Standing.FAILED) - (before is Standing.FAILED)
        self.end = entry.end
        self.whole = None
        self.prompt_tokens += entry.prompt_tokens
        self.completion_tokens += entry.completion_tokens
        self.cost_nano += entry.cost_nano
        self._set(entry.number, _STANDINGS.index(entry.standing) | (entry.retry << _KIND_BITS))

    def _byte(self, number: int) -> int:
        return self._lines[number] if number < len(self._lines) else 0

    def _set(self, number: int, byte: int) -> None:
        if number >= len(self._lines):
            # A tenth more, so that a line after another does not grow it each time.
            self._lines.extend(bytes(number + number // 10 + 64 - len(self._lines)))
        self._lines[number] = byte
