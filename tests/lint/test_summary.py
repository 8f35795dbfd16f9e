# SPDX-License-Identifier: MIT
"""The last line of a test run counts every case, and cannot be right by accident."""

import json
import sys

import sources

sys.path.insert(0, str(sources.ROOT / 'tests'))

import summary  # noqa: E402

PASSED = '<testcase name="passes" classname="c"/>'
FAILED = '<testcase name="fails" classname="c"><failure message="no"/></testcase>'
SKIPPED = '<testcase name="skips" classname="c"><skipped message="no device"/></testcase>'


def build(tmp_path, *programs, meson_suites=''):
    logs = tmp_path / 'meson-logs'
    logs.mkdir()
    (logs / 'testlog.json').write_text('\n'.join(json.dumps(program) for program in programs))
    (logs / 'testlog.junit.xml').write_text(f'<testsuites>{meson_suites}</testsuites>')
    return tmp_path


def program(name, result, command=()):
    return {'name': f'p:unit / {name}', 'result': result, 'returncode': 99 if result != 'OK' else 0,
            'command': list(command)}


def pytest_program(tmp_path, result, cases):
    path = tmp_path / 'cases.xml'
    if cases is not None:
        path.write_text(f'<testsuites><testsuite>{cases}</testsuite></testsuites>')
    return program('mount', result, ['python3', f'--junit-xml={path}'])


def tap_suite(name, cases):
    return f'<testsuite name="p.p:unit / {name}">{cases}</testsuite>'


def test_cases_of_tap_and_pytest_programs_are_added_up(tmp_path):
    directory = build(tmp_path, program('key', 'OK'),
                      pytest_program(tmp_path, 'FAIL', PASSED + FAILED + SKIPPED),
                      meson_suites=tap_suite('key', PASSED * 3))
    tally = summary.summarise([directory])
    assert tally.passed == 4
    assert [name.split('.')[-1] for name in tally.failed] == ['fails']
    assert tally.skipped == [f'{tmp_path.name}: p:unit / mount: c.skips: no device']


def test_sanitizer_exit_status_after_good_cases_is_a_failure(tmp_path):
    directory = build(tmp_path, program('key', 'ERROR'),
                      meson_suites=tap_suite('key', PASSED))
    tally = summary.summarise([directory])
    assert (tally.passed, len(tally.failed)) == (1, 1)


def test_pytest_that_died_before_it_wrote_is_a_failure(tmp_path):
    tally = summary.summarise([build(tmp_path, pytest_program(tmp_path, 'TIMEOUT', None))])
    assert (tally.passed, len(tally.failed)) == (0, 1)


def test_program_without_a_case_is_a_failure(tmp_path):
    tally = summary.summarise([build(tmp_path, pytest_program(tmp_path, 'OK', ''))])
    assert (tally.passed, len(tally.failed)) == (0, 1)


def test_directory_in_which_nothing_ran_is_a_failure(tmp_path):
    assert len(summary.summarise([tmp_path]).failed) == 1


def test_last_line_and_exit_status(tmp_path, capsys):
    directory = build(tmp_path, program('key', 'OK'), meson_suites=tap_suite('key', PASSED * 2))
    assert summary.main([str(directory)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == '2 passed, 0 failed'
    assert summary.main([]) == 1
