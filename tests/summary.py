# SPDX-License-Identifier: MIT
"""Sum the test cases of meson build directories: `N passed, N failed`.

A meson test is one program; what counts is the cases inside it. They are taken from the JUnit file
that pytest was told to write, or else from meson's own, which lists the cases of TAP programs. A
program that failed although none of its cases did (a sanitizer's exit status, a crash after the
last case, a time limit) counts as one failure more.
"""

import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

GOOD = {'OK', 'EXPECTEDFAIL', 'SKIP'}
PYTEST_OPTION = '--junit-xml='


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add(self, case, name):
        if case.find('failure') is not None or case.find('error') is not None:
            self.failed.append(name)
        elif case.find('skipped') is not None:
            reason = case.find('skipped').get('message') or ''
            self.skipped.append(f'{name}: {reason}' if reason else name)
        else:
            self.passed += 1


def pytest_file(command):
    """Where the program, if it was pytest, was told to write its cases."""
    paths = [word[len(PYTEST_OPTION):] for word in command if word.startswith(PYTEST_OPTION)]
    return pathlib.Path(paths[-1]) if paths else None


def meson_cases(directory):
    """The cases of each program in meson's own file, by the program's name."""
    path = directory / 'meson-logs' / 'testlog.junit.xml'
    cases = {}
    if not path.exists():
        return cases
    for suite in ElementTree.parse(path).getroot().iter('testsuite'):
        for case in suite.iter('testcase'):
            # A TAP program is a suite of its own, `project.name`; any other is one case in the
            # project's suite.
            is_whole = '.' not in suite.get('name').split(' / ')[0].split(':')[0]
            program = case.get('name') if is_whole else suite.get('name').split('.', 1)[1]
            cases.setdefault(program, []).append(case)
    return cases


def count_program(tally, directory, entry, cases):
    name = f"{directory.name}: {entry['name']}"
    path = pytest_file(entry['command'])
    failed_before = len(tally.failed)
    counted = False

    if path:
        if path.exists():
            for case in ElementTree.parse(path).getroot().iter('testcase'):
                tally.add(case, f"{name}: {case.get('classname')}.{case.get('name')}")
                counted = True
    else:
        for case in cases.get(entry['name'], []):
            tally.add(case, f"{name}: {case.get('name')}")
            counted = True

    if entry['result'] not in GOOD:
        if len(tally.failed) == failed_before:
            tally.failed.append(f"{name}: the program itself, {entry['result']}, "
                                f"exit status {entry['returncode']}")
    elif not counted:
        if entry['result'] == 'SKIP':
            tally.skipped.append(name)
        else:
            tally.failed.append(f'{name}: succeeded without a single case')


def summarise(directories):
    tally = Tally()
    for directory in directories:
        log = directory / 'meson-logs' / 'testlog.json'
        lines = log.read_text().splitlines() if log.exists() else []
        entries = [json.loads(line) for line in lines]
        if not entries:
            tally.failed.append(f'{directory.name}: no test ran')
        cases = meson_cases(directory)
        for entry in entries:
            count_program(tally, directory, entry, cases)
    return tally


def main(arguments):
    tally = summarise([pathlib.Path(argument) for argument in arguments])
    for name in tally.skipped:
        print(f'skipped: {name}')
    for name in tally.failed:
        print(f'failed: {name}')
    print(f'{tally.passed} passed, {len(tally.failed)} failed')
    return 0 if tally.passed and not tally.failed else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
