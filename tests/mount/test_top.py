# SPDX-License-Identifier: MIT
"""`kapturefs top`, on a terminal of tmux that is read as a user would read it."""

import os
import re
import shlex
import subprocess
import uuid

import pytest

import harness


class Terminal:
    """A terminal of so many columns and lines in which one program runs."""

    def __init__(self, arguments, columns=80, lines=24, **environment):
        self.socket = f'kapturefs-test-{uuid.uuid4().hex}'
        variables = ' '.join(f'{name}={shlex.quote(value)}' for name, value in environment.items())
        program = ' '.join(shlex.quote(str(argument)) for argument in arguments)
        self.tmux('-f', '/dev/null', 'new-session', '-d', '-x', str(columns), '-y', str(lines),
                  f'env {variables} {program}; echo "ended with $?"; read nothing')

    def tmux(self, *arguments):
        return subprocess.run(['tmux', '-u', '-L', self.socket, *arguments], check=True,
                              capture_output=True, text=True, timeout=20,
                              env={**os.environ, 'TERM': 'screen-256color'}).stdout

    def screen(self, *options):
        return self.tmux('capture-pane', '-p', *options)

    def wait_for(self, text):
        harness.wait_until(lambda: text in self.screen(), f'{text} on {self.screen()}')
        return self.screen()

    def press(self, *keys):
        self.tmux('send-keys', *keys)

    def resize(self, columns, lines):
        self.tmux('resize-window', '-x', str(columns), '-y', str(lines))

    def close(self):
        subprocess.run(['tmux', '-L', self.socket, 'kill-server'], capture_output=True, check=False)


@pytest.fixture
def watch(mounts):
    """Starts top on a mount; depends on mounts so that it ends before them."""
    terminals = []

    def start(mount, **options):
        terminal = Terminal([harness.BINARY, 'top', mount.path],
                            **{'LC_ALL': 'C.UTF-8', 'NO_COLOR': '', **options})
        terminals.append(terminal)
        return terminal
    yield start
    for terminal in terminals:
        terminal.close()


def row(screen, label):
    """The numbers behind a label."""
    line = next(line for line in screen.splitlines() if line.strip().startswith(label))
    return re.findall(r'\d+\.\d', line.split(label)[1])


@pytest.mark.parametrize('columns, lines', [(80, 24), (120, 40), (60, 22)])
def test_everything_is_on_the_screen(mounts, api, watch, columns, lines):
    api.add_numbers([7])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/7')
    terminal = watch(mount, columns=columns, lines=lines)
    screen = terminal.wait_for('q quit')
    for text in ('kapturefs top', api.url, '● good', 'token accepted', 'Kernel', 'look-ups',
                 'attributes', 'listings', 'reads', 'API', 'found', 'absent', 'failed',
                 'from cache', 'Latency', 'Waiting', '0 look-ups'):
        assert text in screen, text
    assert max(map(len, screen.splitlines())) <= columns


def test_rates_are_those_of_what_happens(mounts, api, watch):
    api.add_numbers(range(100, 140))
    mount = mounts(api.url, rate='1000', burst='1000')
    terminal = watch(mount)
    terminal.wait_for('q quit')
    for number in range(100, 140):
        os.stat(mount / 'by-id' / str(number))
    # All 40 in the ten seconds behind, whether in one sample or two.
    harness.wait_until(lambda: float(row(terminal.screen(), 'found')[1]) > 0, 'a rate')
    screen = terminal.screen()
    assert any(block in screen for block in '▁▂▃▄▅▆▇█')


def test_waiting_lookups_are_listed(mounts, api, watch):
    api.add_numbers([7])
    gate = api.hold(('id', '7'))
    mount = mounts(api.url)
    waiting = harness.start('cat', mount / 'by-id/7/name')
    api.wait_for(1)
    terminal = watch(mount)
    assert re.search(r's\s+lookup\s+by-id\s+[0-9a-f]{16}', terminal.wait_for('1 look-up'))
    gate.set()
    harness.finish(waiting)
    terminal.wait_for('0 look-ups')


def test_what_is_wrong_stands_below_the_health(mounts, api, watch):
    terminal = watch(mounts(api.url, offline=True))
    screen = terminal.wait_for('● limited')
    assert screen.splitlines()[2].strip() == 'offline: only what is cached is served'


def test_keys_pause_and_end_it(mounts, api, watch):
    terminal = watch(mounts(api.url))
    terminal.wait_for('q quit')
    terminal.press('Space')
    terminal.wait_for('paused')
    terminal.press('Space')
    harness.wait_until(lambda: 'paused' not in terminal.screen(), 'no pause')
    terminal.press('q')
    terminal.wait_for('ended with 0')


def test_control_c_ends_it(mounts, api, watch):
    terminal = watch(mounts(api.url))
    terminal.wait_for('q quit')
    terminal.press('C-c')
    terminal.wait_for('ended with 0')


def test_window_may_change_its_size(mounts, api, watch):
    terminal = watch(mounts(api.url))
    terminal.wait_for('q quit')
    terminal.resize(40, 10)
    terminal.wait_for('The window is too small')
    terminal.resize(132, 43)
    terminal.wait_for('a column is a second')


@pytest.mark.parametrize('columns, lines, words', [
    (43, 40, 'The window is too small; q ends.'), (120, 1, 'The window is too small; q ends.'),
    (20, 5, 'too small; q ends'), (20, 1, 'too small; q ends'), (6, 2, 'q ends'), (2, 1, 'q')])
def test_a_small_window_says_so_in_as_many_words_as_it_has_room_for(mounts, api, watch, columns,
                                                                    lines, words):
    mount = mounts(api.url)
    terminal = watch(mount, columns=columns, lines=lines)
    harness.wait_until(lambda: terminal.screen().strip() == words, words)
    terminal.resize(80, 24)
    terminal.wait_for('a column is a second')
    terminal.resize(columns, lines)
    harness.wait_until(lambda: terminal.screen().strip() == words, words)
    terminal.press('q')
    terminal.resize(80, 24)
    terminal.wait_for('ended with 0')


def test_without_unicode_it_is_ascii(mounts, api, watch):
    api.add_numbers([7])
    mount = mounts(api.url)
    os.stat(mount / 'by-id/7')
    screen = watch(mount, LC_ALL='C').wait_for('* good')
    assert screen.isascii()


def test_colours_can_be_refused(mounts, api, watch):
    mount = mounts(api.url)
    coloured = watch(mount, NO_COLOR='')
    coloured.wait_for('q quit')
    assert '\033[32m' in coloured.screen('-e')
    plain = watch(mount, NO_COLOR='1')
    plain.wait_for('q quit')
    assert not re.search(r'\033\[[0-9;]*3[0-7]m', plain.screen('-e'))


def test_end_of_the_mount_ends_it_with_the_reason(mounts, api, watch):
    mount = mounts(api.url)
    terminal = watch(mount)
    terminal.wait_for('q quit')
    mount.close()
    screen = terminal.wait_for('ended with 1')
    assert 'no kapturefs is mounted there' in screen


def test_without_a_terminal_it_says_what_to_use(mounts, api):
    result = harness.command('top', mounts(api.url).path)
    assert result.returncode == 2
    assert 'kapturefs status' in result.stderr


def test_help_is_printed():
    result = harness.command('top', '--help')
    assert result.returncode == 0 and result.stdout.startswith('usage: kapturefs top MOUNTPOINT')
