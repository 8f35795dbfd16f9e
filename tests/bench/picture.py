# SPDX-License-Identifier: MIT
"""Results as bars on a logarithmic axis, in SVG that follows the reader's light or dark theme."""

import math
import xml.sax.saxutils

from rows import BENCHMARKS
from table import duration

WIDTH = 860
LABEL_WIDTH = 270
VALUE_WIDTH = 90
BAR_HEIGHT = 16
BAR_STEP = 21
HEAD_HEIGHT = 26
GROUP_GAP = 12
TOP = 46
BOTTOM = 30
STYLE = '''
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 15px; }
.head { font-weight: 600; }
.axis { font-size: 11px; fill: #57606a; }
.line { stroke: #d0d7de; stroke-width: 1; }
.ours { fill: #0969da; }
.other { fill: #8c959f; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .axis { fill: #8b949e; } .line { stroke: #30363d; }
.ours { fill: #4493f8; } .other { fill: #6e7681; } }
'''


def bars(name, results):
    """(result, is it this program's) of one benchmark, the fastest first."""
    ours = {row.ours for row in BENCHMARKS[name].rows}
    found = [(result, contestant in ours) for contestant, result in results.items()]
    return sorted(found, key=lambda bar: bar[0].seconds_per_unit)


def heading(name, results):
    result = next(iter(results.values()))
    work = BENCHMARKS[name].rows[0].work.removesuffix(', kernel-warm').removesuffix(', kernel-cold')
    return f'{name}  {work}: time per {result.unit}'


def groups(results):
    """(heading, bars) of the benchmarks that are about time, and have no other picture."""
    return [(heading(name, results[name]), bars(name, results[name]))
            for name, benchmark in BENCHMARKS.items()
            if results.get(name) and not benchmark.shown
            and any(row.judge.text() for row in benchmark.rows)]


class Axis:
    """Whole powers of ten around all the values."""

    def __init__(self, values):
        self.least = math.floor(math.log10(min(values)))
        self.most = max(math.ceil(math.log10(max(values))), self.least + 1)
        self.width = WIDTH - LABEL_WIDTH - VALUE_WIDTH

    def length(self, value):
        return (math.log10(value) - self.least) / (self.most - self.least) * self.width

    def ticks(self):
        return [10.0 ** power for power in range(self.least, self.most + 1)]


def write(x, y, text, kind='', anchor='start'):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f'{xml.sax.saxutils.escape(text)}</text>')


def grid(axis, height):
    parts = []
    for tick in axis.ticks():
        x = LABEL_WIDTH + axis.length(tick)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{height - BOTTOM}" '
                     'class="line"/>')
        parts.append(write(x, height - BOTTOM + 16, duration(tick), 'axis', 'middle'))
    return parts


def bar(axis, y, result, is_ours):
    length = axis.length(result.seconds_per_unit)
    middle = y + BAR_HEIGHT - 4
    return [write(LABEL_WIDTH - 8, middle, result.label, anchor='end'),
            f'<rect x="{LABEL_WIDTH}" y="{y}" width="{length:.1f}" height="{BAR_HEIGHT}" '
            f'rx="2" class="{"ours" if is_ours else "other"}"/>',
            write(LABEL_WIDTH + length + 6, middle, duration(result.seconds_per_unit))]


def svg(results, caption):
    drawn = groups(results)
    axis = Axis([result.seconds_per_unit for _, found in drawn for result, _ in found])
    height = TOP + BOTTOM + sum(HEAD_HEIGHT + len(found) * BAR_STEP + GROUP_GAP
                                for _, found in drawn)
    parts = [write(8, 20, 'kapturefs: shorter is better, logarithmic axis', 'title'),
             write(8, 37, caption, 'axis'), *grid(axis, height)]
    y = TOP
    for head, found in drawn:
        parts.append(write(8, y + HEAD_HEIGHT - 8, head, 'head'))
        y += HEAD_HEIGHT
        for result, is_ours in found:
            parts += bar(axis, y, result, is_ours)
            y += BAR_STEP
        y += GROUP_GAP
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img">\n<title>Benchmarks of kapturefs'
            f'</title>\n<style>{STYLE}</style>\n' + '\n'.join(parts) + '\n</svg>\n')
