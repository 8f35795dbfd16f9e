# SPDX-License-Identifier: MIT
"""SIGHUP: the configuration is read again, and a running mount goes on by it."""

import errno
import os
import signal

import pytest

import harness
from api import Reply


@pytest.fixture
def configured(scratch, mounts, api):
    """mount(text): a mount by the configuration `text`; write(text): another, and SIGHUP."""
    class Configured:
        path = scratch / 'config'

        def write(self, text):
            self.path.write_text(f'[{api.url}]\n{text}\n')
            self.path.chmod(0o600)

        def mount(self, text, **options):
            self.write(text)
            self.mounted = mounts(api.url, config=self.path, **options)
            return self.mounted

        def reload(self, text, words):
            """Change the file, say so, and wait for the line of the log with the words."""
            self.write(text)
            self.mounted.process.send_signal(signal.SIGHUP)
            line = self.mounted.log.wait_for(words)
            assert line, self.mounted.log.text()
            return line
    return Configured()


def test_an_option_that_changed_counts_from_then_on(configured, api):
    api.add_numbers([7])
    mount = configured.mount('offline = yes')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENETDOWN
    configured.reload('offline = no', 'config: read again')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'


def test_an_option_of_the_command_line_stays(configured, api):
    api.add_numbers([7])
    mount = configured.mount('offline = no', offline='yes')
    configured.reload('offline = no\nttl = 5', 'config: read again')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENETDOWN


def test_a_level_of_the_log_that_changed_counts_from_then_on(configured, api):
    api.respond = lambda request: Reply(b'{}', 400)
    mount = configured.mount('log_level = debug')
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EINVAL
    assert mount.log.wait_for('debug: kapture: request')
    configured.reload('log_level = info', 'config: read again')
    lines = mount.log.text().count('debug: ')
    assert harness.errno_of(os.stat, mount / 'by-id/8') == errno.EINVAL
    assert mount.log.text().count('lookup failed') >= 2
    assert mount.log.text().count('debug: ') == lines


def test_debug_output_of_the_command_line_stays(configured, api):
    mount = configured.mount('log_level = error', arguments=['-d'])
    configured.reload('log_level = warning', 'config: read again')
    assert harness.errno_of(os.stat, mount / 'by-id/8') == errno.ENOENT
    assert mount.log.wait_for('debug: kapture: request')


def test_what_needs_a_remount_is_named_and_the_rest_taken(configured, api):
    api.add_numbers([7])
    mount = configured.mount('offline = yes')
    line = configured.reload('umask = 0\nmemory = 1M', 'wait for a remount')
    assert line.endswith('these wait for a remount: memory, umask')
    assert os.stat(mount / 'by-id').st_mode & 0o777 == 0o500
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'


def test_a_mistake_keeps_the_old_and_is_told_with_its_place(configured, api):
    mount = configured.mount('offline = yes')
    line = configured.reload('offline = no\nttl = x', 'the old one is kept')
    assert f'{configured.path}:3: option ttl=x' in line
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.ENETDOWN
    # And the next time it is right.
    api.add_numbers([7])
    configured.reload('', 'config: read again')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'


def test_a_shorter_timeout_is_not_held_up_by_those_who_wait_longer(configured, api):
    api.add_numbers([7])
    gate = api.hold(('id', '1'), ('id', '2'))
    mount = configured.mount('timeout = 25', timeout=None)
    patient = harness.start('cat', mount / 'by-id/1/name')
    api.wait_for(1)
    configured.reload('timeout = 1', 'config: read again')
    assert harness.errno_of(os.stat, mount / 'by-id/2') == errno.ETIMEDOUT
    assert patient.poll() is None
    gate.set()
    assert harness.finish(patient)[0] == 1


def test_another_token_file_is_taken_up(configured, scratch, api):
    api.add_numbers([7])
    (scratch / 'a').mkdir()
    (scratch / 'b').mkdir()
    bad = harness.write_token(scratch / 'a', 'bm90LXRoZS10b2tlbg==')
    good = harness.write_token(scratch / 'b')
    api.token = harness.TOKEN
    mount = configured.mount(f'token_file = {bad}', token_file=None)
    assert harness.errno_of(os.stat, mount / 'by-id/7') == errno.EACCES
    configured.reload(f'token_file = {good}', 'token: taken up from its file')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
