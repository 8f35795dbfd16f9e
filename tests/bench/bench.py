# SPDX-License-Identifier: MIT
"""The benchmarks: measure them, print their table, publish it.

    bench.py run P4 ...      measure; the results go into the directory of results
    bench.py table           print what was measured of this very program
    bench.py publish         write it where the README shows it

A target of time that is missed is reported and is no failure: it may be the machine's. A count of
requests that is wrong, or work that was not done, is one.
"""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import sys

sys.path[:0] = [str(pathlib.Path(__file__).parent),
                str(pathlib.Path(__file__).resolve().parents[1] / 'mount')]

import harness  # noqa: E402
import measure  # noqa: E402
import picture  # noqa: E402
import plot  # noqa: E402
import table  # noqa: E402
from rows import BENCHMARKS  # noqa: E402

PROJECT = pathlib.Path(__file__).resolve().parents[2]
PUBLISHED = PROJECT / 'tests/bench/results'
BEGIN, END = '<!-- benchmarks: begin -->\n', '<!-- benchmarks: end -->\n'
NOTE = ('Kernel requests are those of the median run. Where the kernel reclaims cached pages\n'
        'in the meantime, it asks for them again; the least disturbed run is judged.\n')
README_SECTION = re.compile(re.escape(BEGIN) + '.*?' + re.escape(END), re.DOTALL)


def program():
    """What tells this build from another one."""
    status = os.stat(shutil.which(harness.BINARY))
    return f'{status.st_size}:{status.st_mtime_ns}'


def machine():
    cpuinfo = pathlib.Path('/proc/cpuinfo').read_text()
    model = re.search(r'^model name\s*: (.*)$', cpuinfo, re.MULTILINE)
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30)
    return (f'{model[1] if model else platform.machine()}, {os.cpu_count()} processors, '
            f'{memory:.0f} GiB, Linux {platform.release().split("-")[0]}')


def run(name, directory):
    """Measure one benchmark and keep what came of it."""
    benchmark = BENCHMARKS[name]
    wanted = {contestant for row in benchmark.rows for contestant in (row.ours, row.yardstick)}
    wanted.update(benchmark.shown)
    measure.say(f'{name}: preparing')
    with benchmark.setting() as setting:
        contestants = {contestant: value for contestant, value in setting.contestants().items()
                       if contestant in wanted}
        measure.say(f'{name}: {benchmark.rounds} rounds of {", ".join(contestants)}')
        samples = measure.alternate(contestants, benchmark.rounds)
        results = {contestant: measure.Result(contestants[contestant].label, setting.units,
                                              setting.UNIT, found)
                   for contestant, found in samples.items()}
        keep(name, results, directory)
        measure.say(f'{name}: clearing away')
    return results


def keep(name, results, directory):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f'{name}.json').write_text(json.dumps({
        'program': program(), 'machine': machine(), 'date': datetime.date.today().isoformat(),
        'results': {contestant: dataclasses.asdict(result)
                    for contestant, result in results.items()}}, indent='\t') + '\n')


def load(directory):
    """(results, where and when) of what is kept of this very program."""
    results, places = {}, set()
    for name in BENCHMARKS:
        path = directory / f'{name}.json'
        kept = json.loads(path.read_text()) if path.exists() else {}
        if kept.get('program') != program():
            continue
        places.add(f'{kept["machine"]}, {kept["date"]}')
        results[name] = {
            contestant: measure.Result(**{**result, 'samples': [
                measure.Sample(**sample) for sample in result['samples']]})
            for contestant, result in kept['results'].items()}
    return results, '; '.join(sorted(places))


def judge(lines):
    """The exit status of lines of the table."""
    return 0 if all(line.counts_hold for line in lines) else 1


def missed(lines):
    numbers = dict.fromkeys(line.cells[0] or line.cells[1] for line in lines
                            if line.holds is False or not line.counts_hold)
    return f'Missed: {", ".join(numbers) or "nothing"}.'


def show(results, place):
    lines = table.lines(results)
    print(f'{place}\nmedian (fastest .. slowest) of runs in turns\n')
    print(table.text(lines))
    print('\n' + missed(lines))
    return judge(lines)


def publish(results, place):
    """The table and the picture for the README, from one measurement of all."""
    if missing := [name for name in BENCHMARKS if name not in results]:
        raise SystemExit(f'bench: not measured of this program: {", ".join(missing)}')
    lines = table.lines(results)
    section = (f'{BEGIN}![The benchmarks as bars](tests/bench/results/benchmarks.svg)\n\n'
               '![Time and memory as the cache grows](tests/bench/results/scale.svg)\n\n'
               f'{place}; median (fastest .. slowest).\n\n{table.markdown(lines)}\n\n'
               f'{NOTE}{missed(lines)}\n{END}')
    PUBLISHED.mkdir(exist_ok=True)
    (PUBLISHED / 'benchmarks.svg').write_text(picture.svg(results, place))
    (PUBLISHED / 'scale.svg').write_text(plot.svg(results['P7-P10'], place))
    readme = PROJECT / 'README.md'
    text, places = README_SECTION.subn(lambda _: section, readme.read_text())
    if places != 1:
        raise SystemExit(f'bench: {readme} has {places} places for the table')
    readme.write_text(text)
    return judge(lines)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('command', choices=('run', 'table', 'publish'))
    parser.add_argument('names', nargs='*', help='of benchmarks; all by default')
    parser.add_argument('--results', type=pathlib.Path, default=pathlib.Path('bench-results'),
                        help='directory of results (default: bench-results)')
    given = parser.parse_args(arguments)
    # What is mounted and what is running ends with us, however we end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if unknown := set(given.names) - set(BENCHMARKS):
        parser.error(f'no such benchmark: {", ".join(sorted(unknown))}')
    if given.command != 'run':
        act = show if given.command == 'table' else publish
        return act(*load(given.results))
    status = 0
    for name in given.names or BENCHMARKS:
        lines = table.lines({name: run(name, given.results)}, {name: BENCHMARKS[name]})
        print(table.text(lines))
        status |= judge(lines)
    return status


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
