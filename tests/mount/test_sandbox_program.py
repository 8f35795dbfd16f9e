# SPDX-License-Identifier: MIT
"""The server is a program of its own, and a user sees no difference.

`kapturefs`, which holds the token, contains no server. What serves, for `kapturefs sandbox` and for
`kapturefs demo`, is kapturefs-sandbox, beside it.
"""

import os
import shutil
import signal
import socket
import subprocess

import pytest

import harness
from harness import children, ports_of, program_of

PROGRAM = harness.SERVER.name
MISSING = 'the program kapturefs-sandbox is missing; fix: install the package kapturefs-sandbox'


# `kapturefs sandbox`

def test_the_sandbox_is_the_process_that_was_started(sandbox):
    """What a shell starts, signals and waits for is the server itself, and nothing is between."""
    assert program_of(sandbox.process.pid) == PROGRAM
    assert children(sandbox.process.pid) == []
    assert ports_of(sandbox.process.pid) == [int(sandbox.url.rsplit(':', 1)[1])]


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_sandbox_with_success(sandbox, number):
    sandbox.process.send_signal(number)
    assert sandbox.process.wait(harness.END_SECONDS) == 0


def test_a_sandbox_whose_output_nobody_takes_is_exit_5():
    with open('/dev/full', 'w') as full:
        result = subprocess.run([harness.BINARY, 'sandbox', '--port', '0'], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert (result.returncode, result.stderr) == (
        5, 'kapturefs: sandbox: standard output: No space left on device\n')


def test_a_port_that_is_taken_is_exit_5():
    with socket.create_server(('127.0.0.1', 0)) as listener:
        port = listener.getsockname()[1]
        result = harness.command('sandbox', '--port', port)
    assert (result.returncode, result.stdout, result.stderr) == (
        5, '', f'kapturefs: sandbox: port {port}: Address already in use\n')


def test_the_program_has_the_same_command_line_and_its_own_help():
    for words in (['--nonsense'], ['--port', 'x'], ['more'], ['--port']):
        through = harness.command('sandbox', *words)
        itself = subprocess.run([harness.SERVER, *words], capture_output=True, text=True,
                                timeout=30, check=False)
        assert (itself.returncode, itself.stdout, itself.stderr) == (
            through.returncode, through.stdout, through.stderr) and itself.returncode == 2
    own = subprocess.run([harness.SERVER, '--help'], capture_output=True, text=True, check=True)
    assert own.stdout.split() == harness.command('sandbox', '--help').stdout.replace(
        'kapturefs sandbox', PROGRAM).split()


def test_a_file_that_only_the_shell_has_opened_can_be_named():
    """As bash hands over what a command prints."""
    script = '"$0" sandbox --port 0 --faults <(echo \'{"statos": 500}\')'
    result = subprocess.run(['bash', '-c', script, harness.BINARY], capture_output=True, text=True,
                            timeout=30, check=False)
    assert result.returncode == 2
    assert result.stderr.endswith(': statos: there is no such member\n')


def test_a_sandbox_without_an_output_says_so():
    for program in ([harness.BINARY, 'sandbox'], [harness.SERVER]):
        result = subprocess.run(['sh', '-c', 'exec "$@" --port 0 >&-', 'sh', *program], text=True,
                                stderr=subprocess.PIPE, timeout=30, check=False)
        assert (result.returncode, result.stderr) == (
            5, 'kapturefs: sandbox: standard output: Bad file descriptor\n')


# Where it is looked for

@pytest.fixture
def alone(tmp_path):
    """The program without the other, which stands where nobody may look: on the path and here."""
    if any(os.path.exists(f'{place}/{PROGRAM}') for place in ('/usr/bin', '/usr/local/bin')):
        pytest.skip('kapturefs-sandbox is installed')
    for folder in ('bin', 'path', 'mnt'):
        (tmp_path / folder).mkdir()
    program = tmp_path / 'bin/kapturefs'
    shutil.copy(harness.BINARY, program)
    planted = tmp_path / 'path' / PROGRAM
    planted.write_text(f'#!/bin/sh\necho "listening on $0"\necho >"{tmp_path}/taken"\n')
    planted.chmod(0o755)
    shutil.copy(planted, tmp_path / PROGRAM)

    environment = {**os.environ, 'PATH': f'{planted.parent}:{os.environ["PATH"]}'}

    def run(*words):
        result = subprocess.run([program, *words], capture_output=True, text=True, timeout=30,
                                cwd=tmp_path, check=False, env=environment)
        assert not (tmp_path / 'taken').exists()
        return result
    return run


def test_a_missing_program_is_one_line_that_names_the_package(alone):
    for words in (['sandbox', '--port', '0'], ['demo', 'mnt']):
        result = alone(*words)
        assert (result.returncode, result.stdout, result.stderr) == (
            5, '', f'kapturefs: {words[0]}: {MISSING}\n')


def test_help_and_mistakes_need_no_program(alone, tmp_path):
    assert alone('sandbox', '--help').stdout == harness.command('sandbox', '--help').stdout
    for words in (['demo'], ['demo', 'a', 'b'], ['demo', str(tmp_path / 'none')]):
        result, usual = alone(*words), harness.command(*words)
        assert (result.returncode, result.stderr) == (usual.returncode, usual.stderr)
        assert result.returncode == 2


def test_a_program_that_cannot_be_run_is_named(alone, tmp_path):
    beside = tmp_path / 'bin' / PROGRAM
    beside.mkdir()
    for words in (['sandbox'], ['demo', 'mnt']):
        result = alone(*words)
        assert (result.returncode, result.stderr) == (
            5, f'kapturefs: {words[0]}: {beside}: Permission denied\n')
