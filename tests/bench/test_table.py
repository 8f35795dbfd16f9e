# SPDX-License-Identifier: MIT
"""What is said of measurements: judged, shown and drawn as they were."""

import contextlib
import os
import pathlib
import sqlite3
import sys
import xml.etree.ElementTree

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import bench  # noqa: E402
import judges  # noqa: E402
import measure  # noqa: E402
import picture  # noqa: E402
import rows  # noqa: E402
import scale  # noqa: E402
import table  # noqa: E402

SVG = '{http://www.w3.org/2000/svg}'


def result(*seconds, label='someone', units=1, **costs):
    return measure.Result(label, units, 'file', [measure.Sample(value, **costs)
                                                 for value in seconds])


def one_row(judge, *counts):
    return {'P0': rows.Benchmark(1, None, (rows.Row('P0', 'work', 'us', 'them', judge, counts),))}


def line(ours, theirs, judge, *counts):
    return table.lines({'P0': {'us': ours, 'them': theirs}}, one_row(judge, *counts))[0]


def test_build_file_runs_every_benchmark():
    assert os.environ['BENCHMARKS'].split() == list(rows.BENCHMARKS)


@pytest.mark.parametrize('judge, ours, theirs, holds', [
    (judges.AtMostTimes(1.25), 5, 4, True), (judges.AtMostTimes(1.25), 5.01, 4, False),
    (judges.TimesFaster(20), 1, 20, True), (judges.TimesFaster(20), 1, 19.9, False),
    (judges.AtMostAbove(1), 0.0209, 0.02, True), (judges.AtMostAbove(1), 0.0211, 0.02, False),
    (judges.Shown(), 5, 4, None)])
def test_target_holds_up_to_its_limit(judge, ours, theirs, holds):
    assert judge.holds(ours, theirs) is holds


def test_medians_are_judged_and_the_range_is_shown():
    found = line(result(1, 9, 2), result(2, 2, 30), judges.AtMostTimes(1))
    assert found.holds is True
    assert '2 s (1 s .. 9 s)' in found.cells
    assert 'someone: 2 s (2 s .. 30 s)' in found.cells


def test_missed_time_says_no_and_is_no_failure():
    found = line(result(3), result(2), judges.AtMostTimes(1.25))
    assert 'NO' in found.cells
    assert bench.judge([found]) == 0


def test_one_wrong_count_in_any_run_says_no_and_is_a_failure():
    ours = measure.Result('us', 1, 'file', [measure.Sample(1, api_requests=count)
                                            for count in (1, 1, 2)])
    found = line(ours, result(1), judges.Shown(), judges.Exactly(1, 'api_requests', 'request'))
    assert 'NO' in found.cells
    assert bench.judge([found]) == 1


def test_fewer_than_leaves_its_number_out_and_needs_one_run():
    count = judges.FewerThan(100, 'kernel_requests', 'requests')
    few, many = (measure.Sample(1, kernel_requests=number) for number in (99, 100))
    assert count.holds([many, few])
    assert not count.holds([many, many])
    assert count.holds([measure.Sample(1, kernel_requests=160, reclaimed=61)])


@pytest.mark.parametrize('results, said', [({}, 'not run'),
                                           ({'P0': {'us': result(1)}}, 'not installed')])
def test_missing_yardstick_claims_nothing(results, said):
    found = table.lines(results, one_row(judges.AtMostTimes(1)))[0]
    assert said in found.cells
    assert (found.holds, found.cells[table.HEADINGS.index('holds')]) == (None, '-')


def test_ratio_is_told_with_its_range_over_the_rounds():
    found = line(result(2, 9, 3), result(1, 3, 2), judges.AtMostTimes(1.4))
    assert '1.50x (1.50x .. 3.00x)' in found.cells
    assert line(result(2), result(1), judges.AtMostTimes(1)).cells[4] == '2.00x'


def test_size_is_told_beside_the_time():
    count = judges.AtMost(1.25, 'index_ratio', 'bytes')
    found = line(result(2, 2, index_ratio=1.204), result(1, 1), judges.Shown(), count)
    assert found.cells[4:7] == ('2.00x, 1.2 bytes', 'at most 1.25 bytes', 'yes')
    found = line(result(2, 2), result(1, 1), judges.Shown(), count)
    assert (found.cells[4], found.counts_hold) == ('2.00x', False)


def test_index_is_sized_by_what_the_file_is_without_it(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / 'cache.db')) as database, database:
        database.execute('CREATE TABLE word (text TEXT)')
    assert scale.index_ratio(tmp_path / 'cache.db', tmp_path / 'copy.db') is None
    with contextlib.closing(sqlite3.connect(tmp_path / 'cache.db')) as database, database:
        database.execute("CREATE VIRTUAL TABLE anything USING fts5(text, content='word', "
                         "detail=none, columnsize=0, tokenize='trigram')")
        database.executemany('INSERT INTO word VALUES (?)',
                             ((f'{number * 7919 % 100003:x} osaka',) for number in range(20000)))
        database.execute("INSERT INTO anything(anything) VALUES ('rebuild')")
    with contextlib.closing(sqlite3.connect(tmp_path / 'cache.db')) as database:
        index, = database.execute('SELECT sum(length(block)) FROM anything_data').fetchone()
        words, = database.execute('SELECT sum(length(text)) FROM word').fetchone()
    before = (tmp_path / 'cache.db').read_bytes()
    found = scale.index_ratio(tmp_path / 'cache.db', tmp_path / 'copy.db')
    assert 1 < index / words < found < index / words * 1.2
    assert (tmp_path / 'cache.db').read_bytes() == before


def test_what_is_slow_beyond_doubt_takes_part_in_few_rounds():
    slow = measure.Contestant('slow', lambda: 'slow', rounds_max=1)
    fast = measure.Contestant('fast', lambda: 'fast')
    found = measure.alternate({'slow': slow, 'fast': fast}, 3)
    assert {name: len(samples) for name, samples in found.items()} == {'slow': 1, 'fast': 3}


def test_contestants_take_turns_and_none_always_begins():
    order = []

    def contestant(name):
        return measure.Contestant(name, lambda: order.append(name.upper()),
                                  lambda: order.append(name))
    samples = measure.alternate({name: contestant(name) for name in 'abc'}, 3)
    assert ''.join(order) == 'aAbBcC' 'bBcCaA' 'cCaAbB'
    assert {name: len(found) for name, found in samples.items()} == {'a': 3, 'b': 3, 'c': 3}


def test_run_during_which_caches_were_dropped_does_not_count(monkeypatch):
    dropped = iter([1, 2, 2, 2])
    monkeypatch.setattr(measure, 'caches_dropped', lambda: next(dropped))
    times = iter([5.0, 1.0])
    found = measure.undisturbed(measure.Contestant('us', lambda: measure.Sample(next(times))))
    assert found.seconds == 1


def all_results():
    return {name: {contestant: result(position + 1.0, label=contestant, kernel_requests=1,
                                        api_requests=1)
                   for row in benchmark.rows
                   for position, contestant in enumerate((row.ours, row.yardstick))}
            for name, benchmark in rows.BENCHMARKS.items()}


def test_bars_are_as_long_as_the_logarithms_of_their_times():
    results = {'P1-P2': {'warm': result(1e-5, label='warm'), 'plain': result(1e-3, label='plain')}}
    document = xml.etree.ElementTree.fromstring(picture.svg(results, 'a < b'))
    widths = [float(bar.get('width')) for bar in document.iter(f'{SVG}rect')]
    assert widths == [0, picture.Axis([1e-5, 1e-3]).width]
    assert 'a < b' in [text.text for text in document.iter(f'{SVG}text')]


def test_every_result_that_is_about_time_has_a_bar_or_a_picture_of_its_own():
    results = all_results()
    document = xml.etree.ElementTree.fromstring(picture.svg(results, ''))
    assert len(list(document.iter(f'{SVG}rect'))) == sum(
        len(found) for name, found in results.items() if name not in ('P5', 'P7-P10'))


def test_markdown_keeps_its_columns():
    found = table.markdown(table.lines(all_results())).splitlines()
    assert len({text.replace('\\|', '').count('|') for text in found}) == 1
    assert len(found) == 2 + sum(len(benchmark.rows) for benchmark in rows.BENCHMARKS.values())


@pytest.fixture
def program(tmp_path, monkeypatch):
    path = tmp_path / 'program'
    path.write_text('')
    path.chmod(0o700)
    monkeypatch.setattr(bench.harness, 'BINARY', str(path))
    return path


class Setting:
    units, UNIT = 1, 'file'

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def contestants(self):
        return {name: measure.Contestant(name, lambda: measure.Sample(1.0, kernel_requests=3))
                for name in ('warm', 'plain', 'unwanted')}


def test_results_of_another_build_are_not_shown(tmp_path, program, monkeypatch):
    monkeypatch.setitem(rows.BENCHMARKS, 'P1-P2',
                        rows.Benchmark(2, Setting, rows.BENCHMARKS['P1-P2'].rows))
    measured = bench.run('P1-P2', tmp_path)
    assert list(measured) == ['warm', 'plain']
    kept, place = bench.load(tmp_path)
    assert kept == {'P1-P2': measured}
    assert place
    program.write_text('built again')
    assert bench.load(tmp_path) == ({}, '')


def test_readme_keeps_what_is_around_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, 'PROJECT', tmp_path)
    monkeypatch.setattr(bench, 'PUBLISHED', tmp_path / 'results')
    readme = tmp_path / 'README.md'
    readme.write_text(f'before\n{bench.BEGIN}former\n{bench.END}after\n')
    bench.publish(all_results(), 'somewhere')
    text = readme.read_text()
    assert text.startswith('before\n') and text.endswith('after\n') and 'former' not in text
    assert table.markdown(table.lines(all_results())) in text
    assert (tmp_path / 'results/benchmarks.svg').exists()


def test_half_a_measurement_is_not_published(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, 'PUBLISHED', pathlib.Path(tmp_path / 'results'))
    with pytest.raises(SystemExit):
        bench.publish({'P1-P2': all_results()['P1-P2']}, 'somewhere')
    assert not (tmp_path / 'results').exists()
