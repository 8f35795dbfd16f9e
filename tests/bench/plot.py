# SPDX-License-Identifier: MIT
"""Time and memory against the number of customers, in SVG, both axes logarithmic."""

import math
import xml.sax.saxutils

from picture import STYLE
from table import duration

PANEL_WIDTH, PANEL_HEIGHT = 250, 180
LEFT, TOP, GAP, BOTTOM = 60, 70, 70, 50


def mebibytes(value):
    return f'{value:.3g} MiB'


def decades(values):
    least = math.floor(math.log10(min(values)))
    return least, max(math.ceil(math.log10(max(values))), least + 1)


def text(x, y, content, style, anchor='middle'):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">'
            f'{xml.sax.saxutils.escape(content)}</text>')


def panel(left, title, shown, points):
    """One curve; `points`: (customers, value), by customers."""
    lowest, highest = decades([value for _, value in points])
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])

    def across(customers):
        return left + (math.log10(customers) - first) / (last - first) * PANEL_WIDTH

    def up(value):
        return TOP + PANEL_HEIGHT * (1 - (math.log10(value) - lowest) / (highest - lowest))

    parts = [text(left + PANEL_WIDTH / 2, TOP - 14, title, 'head')]
    for power in range(lowest, highest + 1):
        y = up(10.0 ** power)
        parts += [f'<line x1="{left}" y1="{y:.1f}" x2="{left + PANEL_WIDTH}" y2="{y:.1f}" '
                  'class="line"/>', text(left - 6, y + 4, shown(10.0 ** power), 'axis', 'end')]
    curve = ' '.join(f'{across(customers):.1f},{up(value):.1f}' for customers, value in points)
    parts.append(f'<polyline points="{curve}" fill="none" stroke="#0969da" stroke-width="2"/>')
    for customers, value in points:
        x, y = across(customers), up(value)
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="ours"/>',
                  text(x, y - 9, shown(value), 'axis'),
                  text(x, TOP + PANEL_HEIGHT + 18, f'{customers:,}', 'axis')]
    return parts


def points_of(results, name, value):
    """(customers, value) of the contestants `name-<customers>` that have the value."""
    found = [(int(contestant.rsplit('-', 1)[1]), value(result))
             for contestant, result in results.items() if contestant.startswith(f'{name}-')]
    return sorted(point for point in found if point[1])


def svg(results, place):
    """`results`: {contestant: Result} of the benchmark of scale."""
    panels = [
        ('one random look-up, median', duration,
         points_of(results, 'lookup', lambda result: result.seconds)),
        ('ls -f by-id', duration, points_of(results, 'list', lambda result: result.seconds)),
        ('most memory meanwhile', mebibytes,
         points_of(results, 'list', lambda result: result.median('memory_mib'))),
    ]
    width = LEFT + len(panels) * (PANEL_WIDTH + GAP)
    parts = [text(LEFT - 40, 26, 'A cache of a thousand to a million customers', 'title', 'start'),
             text(LEFT - 40, TOP + PANEL_HEIGHT + BOTTOM - 6, place, 'axis', 'start')]
    # A curve has two ends.
    panels = [drawn for drawn in panels if len(drawn[2]) > 1]
    for number, (title, shown, points) in enumerate(panels):
        parts += panel(LEFT + number * (PANEL_WIDTH + GAP), title, shown, points)
    height = TOP + PANEL_HEIGHT + BOTTOM + 8
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">\n<style>{STYLE}</style>\n'
            + '\n'.join(parts) + '\n</svg>\n')
