# SPDX-License-Identifier: MIT
"""Where the log of a mount in the background goes."""

import os
import pathlib
import signal
import subprocess

import pytest

import harness
from api import Reply

pytestmark = pytest.mark.skipif(pathlib.Path('/dev/log').exists(), reason='there is a syslog')


@pytest.fixture
def background(scratch, api):
    """start(stderr, **options): a mount in the background whose look-ups fail; its path."""
    api.respond = lambda request: Reply(b'{}', 400)
    path = scratch / 'mnt'

    def start(stderr, **options):
        options = {'token_file': harness.write_token(scratch), 'cache': ':memory:', **options}
        subprocess.run([harness.BINARY, '-o', harness.join_options(options), api.url, str(path)],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                       check=True, timeout=30)
        assert harness.errno_of(os.stat, path / 'by-id/7') == 22
        return path
    yield start
    subprocess.run(['fusermount3', '-u', str(path)], check=True, timeout=30)


def daemon(path):
    text = (path / '.kapturefs/status.json').read_text()
    return int(text.split('"pid": ')[1].split(',')[0])


def test_without_syslog_lines_go_on_to_a_standard_error_that_is_a_file(background, scratch):
    with open(scratch / 'errors', 'w', encoding='utf-8') as file:
        path = background(file)
    assert 'kapturefs: warning: kapture: lookup failed' in (scratch / 'errors').read_text()
    assert ' lost' not in (path / '.kapturefs/status').read_text()


def test_without_syslog_a_pipe_is_let_go_of_and_nothing_counts_as_lost(background):
    read_end, write_end = os.pipe()
    path = background(write_end)
    os.close(write_end)
    assert os.read(read_end, 4096) == b''
    os.close(read_end)
    page = (path / '.kapturefs/status').read_text()
    assert ' lost' not in page
    assert 'kept here only, for there is no /dev/log; see log_file=PATH' in page
    assert 'lookup failed' in (path / '.kapturefs/errors').read_text()


def test_log_file_gets_the_lines_and_is_opened_anew_at_sighup(background, scratch):
    log = scratch / 'log'
    path = background(subprocess.DEVNULL, log_file=log)
    assert log.stat().st_mode & 0o777 == 0o600
    assert 'warning: kapture: lookup failed' in log.read_text()
    page = (path / '.kapturefs/status').read_text()
    assert ' lost' not in page and '/dev/log' not in page
    log.rename(scratch / 'old')
    os.kill(daemon(path), signal.SIGHUP)
    harness.wait_until(lambda: log.exists() and 'token' in log.read_text(), 'a new file')


@pytest.mark.parametrize('level, words, but', [
    ('error', (), ('warning:', 'session: mounted', 'debug:')),
    ('warning', ('warning: kapture: lookup failed',), ('session: mounted', 'debug:')),
    ('info', ('warning: kapture: lookup failed', 'session: mounted'), ('debug:',)),
    ('debug', ('warning: kapture: lookup failed', 'session: mounted', 'debug: kapture: request'),
     ()),
])
def test_log_level_is_the_least_that_is_written(background, scratch, level, words, but):
    log = scratch / 'log'
    path = background(subprocess.DEVNULL, log_file=log, log_level=level)
    text = log.read_text()
    assert [word for word in words if word not in text] == []
    assert [word for word in but if word in text] == []
    # What is kept for .kapturefs/errors does not depend on it.
    assert 'lookup failed' in (path / '.kapturefs/errors').read_text()


def test_log_file_that_cannot_be_is_refused(scratch):
    harness.write_token(scratch)
    for place, words in ((scratch / 'none/log', 'No such file'), ('/dev/null', 'no regular file'),
                         (scratch / 'mnt/log', 'below the mountpoint')):
        result = harness.command(
            '-o', f'token_file={scratch}/token,cache=:memory:,log_file={place}',
            'http://127.0.0.1:9', scratch / 'mnt')
        assert result.returncode in (1, 2) and words in result.stderr, result
        assert harness.mount_entry(scratch / 'mnt') is None
