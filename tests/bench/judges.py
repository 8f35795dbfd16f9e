# SPDX-License-Identifier: MIT
"""What a time must be beside its yardstick, and what a count must be."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class AtMostTimes:
    """No slower than the yardstick by more than a factor; shown with the range of the rounds."""

    factor: float
    stretch: float | None = None

    def text(self):
        return f'at most {self.factor:g}x' + (f' (stretch {self.stretch:g}x)' if self.stretch
                                              else '')

    def shown(self, ours, yardstick):
        return f'{ours / yardstick:.2f}x'

    def holds(self, ours, yardstick):
        return ours / yardstick <= self.factor


def times_faster(ours, yardstick):
    """Three digits, without an exponent."""
    return f'{float(f"{yardstick / ours:.3g}"):,.10g}x faster'


@dataclasses.dataclass(frozen=True)
class TimesFaster:
    """Faster than the yardstick by a factor."""

    factor: float

    def text(self):
        return 'faster' if self.factor == 1 else f'{self.factor:g}x faster'

    def shown(self, ours, yardstick):
        return times_faster(ours, yardstick)

    def holds(self, ours, yardstick):
        return yardstick / ours >= self.factor


@dataclasses.dataclass(frozen=True)
class AtMostAbove:
    """No slower than the yardstick by more than so many milliseconds."""

    milliseconds: float

    def text(self):
        return f'at most {self.milliseconds:g} ms above'

    def shown(self, ours, yardstick):
        return f'{(ours - yardstick) * 1000:+.2f} ms'

    def holds(self, ours, yardstick):
        return (ours - yardstick) * 1000 <= self.milliseconds


@dataclasses.dataclass(frozen=True)
class Within:
    """A time, whatever the yardstick, which is there to be looked at."""

    seconds: float

    def text(self):
        return (f'within {self.seconds:.3g} s' if self.seconds >= 1
                else f'within {self.seconds * 1000:.3g} ms')

    def shown(self, ours, yardstick):
        return times_faster(ours, yardstick) if ours < yardstick else f'{ours / yardstick:.3g}x'

    def holds(self, ours, yardstick):
        return ours <= self.seconds


@dataclasses.dataclass(frozen=True)
class Shown:
    """A comparison without a target."""

    def text(self):
        return ''

    def shown(self, ours, yardstick):
        return f'{ours / yardstick:.2f}x'

    def holds(self, ours, yardstick):
        return None


@dataclasses.dataclass(frozen=True)
class Exactly:
    """A number of requests that is right or wrong, on any machine, at any speed, in every run."""

    number: int
    cost: str           # the member of Sample
    what: str

    def text(self):
        return f'exactly {self.number:,} {self.what}'

    def shown(self, samples):
        """What is to be told of it beside the times."""
        return ''

    def holds(self, samples):
        return all(getattr(sample, self.cost) == self.number for sample in samples)


@dataclasses.dataclass(frozen=True)
class FewerThan(Exactly):
    """In one run at least, and without those that a kernel short of memory makes a second time for
    pages that it had: they say something of the machine."""

    def text(self):
        return f'fewer than {self.number:,} {self.what}'

    def holds(self, samples):
        return any(getattr(sample, self.cost) - (sample.reclaimed or 0) < self.number
                   for sample in samples)


@dataclasses.dataclass(frozen=True)
class AtMost(Exactly):
    """A size, in the median run; `number` in the unit of `what`."""

    number: float

    def text(self):
        return f'at most {self.number:,} {self.what}'

    def shown(self, samples):
        values = [getattr(sample, self.cost) for sample in samples]
        return '' if None in values else f'{statistics.median(values):,.3g} {self.what}'

    def holds(self, samples):
        values = [getattr(sample, self.cost) for sample in samples]
        return None not in values and statistics.median(values) <= self.number
