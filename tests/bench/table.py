# SPDX-License-Identifier: MIT
"""Results as one table: for a terminal, and in Markdown."""

import dataclasses

from judges import AtMostTimes
from rows import BENCHMARKS

HEADINGS = ('', 'work', 'kapturefs', 'yardstick', 'is', 'target', 'holds', 'kernel requests',
            'API requests', 'daemon CPU')
RIGHT_ALIGNED = {'kernel requests', 'API requests', 'daemon CPU'}


@dataclasses.dataclass
class Line:
    cells: tuple
    holds: bool | None          # the times; None: no target or nothing measured
    counts_hold: bool


def duration(seconds):
    """Three digits in the unit that suits."""
    for unit, size in (('s', 1), ('ms', 1e-3), ('us', 1e-6)):
        if seconds >= size:
            break
    return f'{seconds / size:.3g} {unit}' if seconds < 1000 else f'{seconds:.0f} s'


def spread(result):
    """Median and, where there is any, the range."""
    text = duration(result.seconds)
    if result.fastest != result.slowest:
        text += f' ({duration(result.fastest)} .. {duration(result.slowest)})'
    return text


def number(value):
    return '' if value is None else f'{value:,.0f}'


def kernel_requests(result):
    requests, reclaimed = result.median('kernel_requests'), result.median('reclaimed')
    # A few are of no account; where there are many, they explain what would look wrong.
    return number(requests) + (f' ({number(reclaimed)} reclaimed)'
                               if requests and reclaimed and reclaimed > requests / 10 else '')


def comparison(row, ours, yardstick):
    """The medians, and where that is a ratio, its range over the rounds; then the sizes."""
    text = row.judge.shown(ours.seconds, yardstick.seconds)
    ratios = [mine.seconds / other.seconds
              for mine, other in zip(ours.samples, yardstick.samples)]
    if isinstance(row.judge, AtMostTimes) and len(ratios) > 1:
        text += f' ({min(ratios):.2f}x .. {max(ratios):.2f}x)'
    return ', '.join(filter(None, (text, *(count.shown(ours.samples) for count in row.counts))))


def line(row, results):
    """The Line of a row; `results` is None where the benchmark was not run."""
    target = ', '.join(filter(None, (row.judge.text(), *(count.text() for count in row.counts))))
    ours, yardstick = (results or {}).get(row.ours), (results or {}).get(row.yardstick)
    if not ours or not yardstick:
        missing = 'not run' if results is None else row.without
        return Line((row.number, row.work, spread(ours) if ours else '', missing, '', target, '-',
                     '', '', ''), None, True)
    holds = row.judge.holds(ours.seconds, yardstick.seconds)
    counts_hold = all(count.holds(ours.samples) for count in row.counts)
    verdict = '' if holds is None and not row.counts else \
        'yes' if holds is not False and counts_hold else 'NO'
    used = ours.median('processor_seconds')
    return Line((row.number, row.work, spread(ours), f'{yardstick.label}: {spread(yardstick)}',
                 comparison(row, ours, yardstick), target, verdict,
                 kernel_requests(ours), number(ours.median('api_requests')),
                 '' if used is None else f'{used:.2f} s'), holds, counts_hold)


def lines(results, benchmarks=BENCHMARKS):
    """`results`: {benchmark: {contestant: Result}}."""
    return [line(row, results.get(name))
            for name, benchmark in benchmarks.items() for row in benchmark.rows]


def text(table):
    rows = [HEADINGS, *(line.cells for line in table)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]

    def aligned(row):
        cells = (cell.rjust(width) if heading in RIGHT_ALIGNED else cell.ljust(width)
                 for heading, cell, width in zip(HEADINGS, row, widths))
        return '  '.join(cells).rstrip()
    return '\n'.join([aligned(rows[0]), '  '.join('-' * width for width in widths),
                      *map(aligned, rows[1:])])


def markdown(table):
    def joined(cells):
        return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |'
    rule = '| ' + ' | '.join('---:' if heading in RIGHT_ALIGNED else '---'
                             for heading in HEADINGS) + ' |'
    return '\n'.join([joined(HEADINGS), rule, *(joined(line.cells) for line in table)])
