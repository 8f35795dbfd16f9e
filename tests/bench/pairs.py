# SPDX-License-Identifier: MIT
"""What a change costs: two builds of the program take turns at P1, P2 and P6.

    KAPTUREFS=AFTER pairs.py BEFORE AFTER [--pairs N]

The sandbox beside the program that KAPTUREFS names serves both.

Of each pair the ratio of the two times is taken; what is shown is the median of these ratios, and
between which of them the middle half lies. A change that costs nothing has a range around 1.
"""

import argparse
import contextlib
import pathlib
import statistics
import sys

sys.path[:0] = [str(pathlib.Path(__file__).parent),
                str(pathlib.Path(__file__).resolve().parents[1] / 'mount')]

import harness  # noqa: E402
import lookups  # noqa: E402
import measure  # noqa: E402
import passes  # noqa: E402

CUSTOMERS = 2000
LOOKUPS_OF_A_TURN = 5


class Turns:
    """A setting in which each of two programs has a mount while it has its turn."""

    def __init__(self, setting):
        self.setting = setting

    def seconds(self, program):
        raise NotImplementedError

    def ratios(self, programs, pairs):
        """Those of AFTER to BEFORE. Who goes first goes second the next time."""
        found = []
        for number in range(pairs):
            order = programs if number % 2 == 0 else programs[::-1]
            seconds = {program: self.seconds(program) for program in order}
            found.append(seconds[programs[1]] / seconds[programs[0]])
        return found


class Cold(Turns):
    """P2."""

    def seconds(self, program):
        harness.BINARY = program
        self.setting.remount()
        return self.setting.run().seconds


class Warm(Turns):
    """P1."""

    def seconds(self, program):
        harness.BINARY = program
        self.setting.remount()
        self.setting.warm()
        return self.setting.run().seconds


class Single(Turns):
    """P6, the median of a few look-ups."""

    def seconds(self, program):
        harness.BINARY = program
        self.setting.mount_anew()
        return statistics.median(self.look_up() for _ in range(LOOKUPS_OF_A_TURN))

    def look_up(self):
        contestant = self.setting.contestants()['read']
        contestant.prepare()
        return contestant.run().seconds


def shown(work, ratios):
    least, median, most = statistics.quantiles(ratios, n=4)
    return f'{work}: {median:.3f}x ({least:.3f} .. {most:.3f}), {len(ratios)} pairs'


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('programs', nargs=2, metavar='PROGRAM', help='before and after')
    parser.add_argument('--pairs', type=int, default=15)
    given = parser.parse_args(arguments)
    harness.BINARY = given.programs[0]
    with contextlib.ExitStack() as stack:
        read = stack.enter_context(passes.Passes(CUSTOMERS))
        for work, turns in (('P1, kernel-warm', Warm(read)), ('P2, kernel-cold', Cold(read))):
            print(shown(work, turns.ratios(given.programs, given.pairs)), flush=True)
    with lookups.One() as one:
        print(shown('P6, one cold customer', Single(one).ratios(given.programs, given.pairs)))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
