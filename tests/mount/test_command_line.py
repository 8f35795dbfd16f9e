# SPDX-License-Identifier: MIT
"""The command line: mistakes are one line that names cause and fix, and leave nothing behind."""

import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile

import pytest

import harness
from harness import TOKEN, command, join_options

URL = 'http://127.0.0.1:9'


def paths(directory):
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob('*'))


def processes_of(directory):
    """Processes of the program that were given something below the directory."""
    found = []
    for path in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            words = (path / 'cmdline').read_bytes().split(b'\0')
        except OSError:
            continue
        if b'kapturefs' in words[0] and any(str(directory).encode() in word for word in words):
            found.append(int(path.name))
    return found


def mount(scratch, source=URL, mountpoint=None, environment=None, **options):
    """Try to mount, in the background, with a good token unless another is given."""
    options = {'token_file': scratch / 'token', 'cache': scratch / 'cache.db', **options}
    if options['token_file'] == scratch / 'token' and not (scratch / 'token').exists():
        harness.write_token(scratch)
    return command('-o', join_options(options), source, mountpoint or scratch / 'mnt',
                   environment=environment)


def refused(result, status, *words):
    """The one line on standard error of a command that was refused."""
    assert result.returncode in status, result
    assert result.stdout == ''
    line, = result.stderr.splitlines()
    assert TOKEN not in line
    for word in words:
        assert str(word).lower() in line.lower(), line
    return line


@pytest.fixture
def unchanged(scratch):
    """Nothing new at the end: no file, no mount, no process."""
    harness.write_token(scratch)
    before = paths(scratch)
    yield scratch
    assert paths(scratch) == before
    assert processes_of(scratch) == []


@pytest.fixture
def mounted(scratch, api):
    """A mount in the background, as a user makes one; ended by unmounting it."""
    result = mount(scratch, api.url)
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')
    yield scratch / 'mnt'
    if harness.mount_entry(scratch / 'mnt'):
        subprocess.run(['fusermount3', '-u', str(scratch / 'mnt')], check=True, timeout=30)
    harness.wait_until(lambda: processes_of(scratch) == [], 'the daemon ends')


# Files and places

def test_token_file_that_is_missing(unchanged):
    refused(mount(unchanged, token_file=unchanged / 'none'), (1, 2), unchanged / 'none',
            'No such')


def test_no_token_file_at_all(unchanged):
    refused(mount(unchanged, token_file=None), (1, 2), 'token_file')


@pytest.mark.parametrize('mode', [0o644, 0o640, 0o604, 0o620, 0o601])
def test_token_file_that_others_may_use(unchanged, mode):
    path = unchanged / 'token'
    path.chmod(mode)
    refused(mount(unchanged), (1, 2), path, 'chmod 600')


@pytest.mark.parametrize('name', ['header_file', 'body_file'])
def test_other_secret_files_have_the_same_rule(scratch, name):
    path = scratch / 'secret'
    path.write_text('{}')
    path.chmod(0o644)
    refused(mount(scratch, **{name: path}), (1, 2), name, 'chmod 600')


@pytest.mark.parametrize('content', ['', '\n', 'one\ntwo\n', 'a\x01b\n'])
def test_token_file_that_holds_no_token(unchanged, content):
    path = unchanged / 'token'
    path.write_text(content)
    assert 'two' not in refused(mount(unchanged), (1, 2), path)


def test_token_file_that_is_a_directory_or_a_pipe(scratch):
    (scratch / 'directory').mkdir(mode=0o700)
    os.mkfifo(scratch / 'pipe', 0o600)
    for name in ('directory', 'pipe'):
        refused(mount(scratch, token_file=scratch / name), (1, 2), scratch / name)


def test_mountpoint_that_is_missing(unchanged):
    refused(mount(unchanged, mountpoint=unchanged / 'none'), (1, 2), unchanged / 'none',
            'no such')


def test_mountpoint_that_is_a_file(scratch):
    (scratch / 'file').write_text('')
    refused(mount(scratch, mountpoint=scratch / 'file'), (1, 2), scratch / 'file', 'directory')
    assert 'cache.db' not in paths(scratch)


def test_mountpoint_that_is_mounted_already(mounted, scratch, api):
    api.add_numbers([7])
    refused(mount(scratch, api.url, cache=scratch / 'other.db'), (1, 2), mounted, 'already')
    assert (mounted / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert 'other.db' not in paths(scratch)


def test_mountpoint_that_is_dead(mounted, scratch, api):
    daemon, = processes_of(scratch)
    os.kill(daemon, signal.SIGKILL)
    harness.wait_until(lambda: harness.process_state(daemon) in (None, 'Z'), 'the daemon is dead')
    refused(mount(scratch, api.url), (1, 2), mounted, 'Transport endpoint is not connected',
            'fusermount3 -u')
    subprocess.run(['fusermount3', '-u', str(mounted)], check=True, timeout=30)
    assert mount(scratch, api.url).returncode == 0


def test_cache_that_is_no_database(scratch):
    path = scratch / 'notes.txt'
    path.write_text('not a database, and somebody may want it\n' * 100)
    refused(mount(scratch, cache=path), (1, 2), path)
    assert path.read_text().startswith('not a database')
    assert paths(scratch) == ['mnt', 'notes.txt', 'token']


def test_cache_of_another_program(scratch):
    import sqlite3
    path = scratch / 'other.db'
    with sqlite3.connect(path) as database:
        database.execute('CREATE TABLE mine (x)')
    database.close()
    before = path.read_bytes()
    refused(mount(scratch, cache=path), (1, 2), path)
    assert path.read_bytes() == before


def test_cache_that_is_in_use(mounted, scratch, api):
    (scratch / 'second').mkdir()
    refused(mount(scratch, api.url, mountpoint=scratch / 'second'), (1, 2),
            scratch / 'cache.db', 'in use')
    assert harness.mount_entry(scratch / 'second') is None
    assert os.listdir(mounted / 'by-id') == []


def test_cache_in_a_directory_that_is_missing_or_closed(unchanged):
    refused(mount(unchanged, cache='/proc/none/cache.db'), (1, 2), '/proc/none/cache.db')


# Words

OPTIONS = {
    'nonsense': ['nonsense'],
    'nonsense=1': ['nonsense'],
    'TTL=5': ['TTL'],
    'ttll=5': ['ttll', 'ttl?'],
    'max-stale=5': ['max-stale', 'max_stale?'],
    'ttl': ['ttl'],
    'ttl=': ['ttl'],
    'ttl=-1': ['ttl'],
    'ttl=x': ['ttl'],
    'ttl=5x': ['ttl'],
    'ttl=1.5': ['ttl'],
    'ttl=99999999999999999999': ['ttl'],
    'timeout=0': ['timeout'],
    'retries=-1': ['retries'],
    'retries=1000000': ['retries'],
    'max_connections=0': ['max_connections'],
    'umask=999': ['umask'],
    'uid=nobody-like-this': ['uid'],
    'offline=maybe': ['offline'],
    f'token={TOKEN}': ['token_file'],
    'token': ['token_file'],
}


@pytest.mark.parametrize('option', OPTIONS)
def test_option_that_is_unknown_or_out_of_range_is_named(unchanged, option):
    result = command('-o', f'token_file={unchanged}/token,cache={unchanged}/cache.db,{option}',
                     URL, unchanged / 'mnt')
    refused(result, (2,), *OPTIONS[option])


SOURCES = ['', 'ac me', 'ftp://x', 'https://', 'http://', 'file:///etc/passwd', 'https://a b',
           'https://user:secret@host', 'https://host?x=1', 'https://host#x',
           'https://host:99999999', 'https://host:x', '../x', 'a/b']


@pytest.mark.parametrize('source', SOURCES)
def test_source_that_is_none_is_refused(unchanged, source):
    assert 'secret' not in refused(mount(unchanged, source), (2,)).replace(str(unchanged), '')


@pytest.mark.parametrize('source', [
    'http://acme.kapturecrm.com', 'http://192.0.2.1', 'http://127.0.0.1.example.com',
    'http://localhost.example.com', 'http://128.0.0.1', 'HTTP://example.com'])
def test_token_is_not_sent_in_clear_to_another_host(unchanged, source):
    refused(mount(unchanged, source), (2,), 'https')


@pytest.mark.parametrize('arguments', [
    [], ['acme'], ['-o'], ['-Z', 'acme', '/mnt'], ['--nonsense'], ['acme', '/mnt', 'more'],
    ['sandbox', '--port'], ['sandbox', '--port', 'x'], ['sandbox', '--port', '65536'],
    ['sandbox', '--nonsense'], ['sandbox', 'more'], ['demo'], ['demo', 'a', 'b']])
def test_command_line_that_makes_no_sense_is_exit_2(arguments):
    result = command(*arguments)
    assert result.returncode == 2
    assert result.stdout == ''
    assert 1 <= len(result.stderr.splitlines()) <= 3


# Of the commands: the words behind `kapturefs`, then what the line names. MNT is an empty
# directory that nothing is mounted on, KEYS a file of keys.
MISTAKES = {
    'get': ['SOURCE'],
    'get acme': ['KEY'],
    'get --field': ['--field'],
    'get --nonsense acme id:1': ['--nonsense'],
    'get -o nonsense acme id:1': ['nonsense'],
    'get -o ttl=x acme id:1': ['ttl'],
    'get ftp://x id:1': ['ftp://x'],
    'refresh': ['PATH'],
    'refresh MNT': ['MNT', 'not in a mount'],
    'refresh MNT/none': ['MNT/none', 'No such file'],
    'refresh --nonsense MNT': ['--nonsense'],
    'forget': ['PATH'],
    'forget MNT': ['MNT', 'not in a mount'],
    'forget /dev/null': ['/dev/null', 'not in a mount'],
    'forget --nonsense MNT': ['--nonsense'],
    'warm': ['MOUNTPOINT'],
    'warm MNT KEYS': ['MNT', 'not a mount'],
    'warm MNT/none': ['MNT/none'],
    'warm --jobs 0 MNT': ['--jobs'],
    'warm --jobs x MNT': ['--jobs'],
    'warm --max-age -1 MNT': ['--max-age'],
    'warm --nonsense MNT': ['--nonsense'],
    'warm MNT KEYS more': ['FILE'],
    'status MNT': ['MNT', 'no kapturefs'],
    'status MNT/none': ['MNT/none'],
    'status --nonsense MNT': ['--nonsense'],
    'status MNT MNT': ['MOUNTPOINT'],
    'top': ['MOUNTPOINT'],
    'top --nonsense MNT': ['--nonsense'],
    'top MNT': ['terminal'],
    'doctor acme other': ['SOURCE'],
    'doctor --nonsense': ['--nonsense'],
    'attach acme': ['MOUNTPOINT'],
    'attach -o nonsense acme MNT': ['nonsense'],
    '--check-config MNT/none': ['MNT/none'],
    '--check-config a b': ['FILE'],
    'demo MNT/none': ['MNT/none', 'mkdir'],
    'demo KEYS': ['KEYS', 'not a directory'],
    'sandbox --port 65536': ['65536'],
    'sandbox --faults MNT/none': ['MNT/none'],
    'sandbox --faults KEYS': ['KEYS'],
}


@pytest.mark.parametrize('line', MISTAKES)
def test_mistake_at_a_command_is_one_line_and_leaves_nothing_behind(unchanged, line):
    def place(text):
        for name, path in {'MNT': unchanged / 'mnt', 'KEYS': unchanged / 'token'}.items():
            text = text.replace(name, str(path)) if name in text.split('/')[0].split() else text
        return text
    # The cache that get would use is at no place that outlives the test.
    result = command(*map(place, line.split()),
                     environment={'XDG_CACHE_HOME': str(unchanged / 'cache')})
    refused(result, (1, 2, 5), *map(place, MISTAKES[line]))


def test_help_and_version_are_on_standard_output():
    for word in ('--help', '--version'):
        result = command(word)
        assert (result.returncode, result.stderr) == (0, ''), word
        assert 'kapturefs' in result.stdout


# Whatever prints something, with a mount as MNT.
PRINTING = ['--help', '--version', 'get --help', '--check-config CONFIG', 'status MNT',
            'status --json MNT', 'export MNT', 'export --format csv MNT', 'warm MNT',
            'warm --json MNT', 'warm --dry-run MNT', 'doctor --json', 'get -o OPTIONS URL id:7']


@pytest.mark.parametrize('line', PRINTING)
def test_output_that_nobody_takes_is_status_5(mounted, scratch, api, line):
    """A device without room, a pipe without a reader, and nothing at all."""
    api.add_numbers([7])
    os.listdir(mounted / 'by-id/7')
    (scratch / 'config').write_text('')
    places = {'MNT': mounted, 'CONFIG': scratch / 'config', 'URL': api.url,
              'OPTIONS': f'token_file={scratch}/token,cache=:memory:'}
    words = [harness.BINARY, *(str(places.get(word, word)) for word in line.split())]
    before = paths(scratch)
    with open('/dev/full', 'w', encoding='utf-8') as full:
        result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert result.returncode == 5
    assert 'standard output: No space left on device' in result.stderr.splitlines()[-1]
    result = subprocess.run(['sh', '-c', 'exec "$@" >&-', 'sh', *words], stdin=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert (result.returncode, 'standard output: ' in result.stderr) == (5, True)
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=write_end,
                            stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    os.close(write_end)
    assert (result.returncode, 'standard output' in result.stderr) == (5, False)
    assert paths(scratch) == before


# What works

def test_mount_is_usable_when_the_command_returns(mounted, api):
    api.add_numbers([7])
    assert (mounted / 'by-id/7/name').read_text() == 'Customer 7\n'


def test_daemon_ends_when_it_is_unmounted(mounted, scratch):
    daemon, = processes_of(scratch)
    subprocess.run(['fusermount3', '-u', str(mounted)], check=True, timeout=30)
    harness.wait_until(lambda: harness.process_state(daemon) in (None, 'Z'), 'the daemon ends')
    assert paths(scratch) == ['cache.db', 'mnt', 'token']


@pytest.mark.skipif(os.getuid() != 0, reason='umount is for root')
def test_umount_ends_the_daemon(mounted, scratch):
    daemon, = processes_of(scratch)
    subprocess.run(['umount', str(mounted)], check=True, timeout=30)
    harness.wait_until(lambda: harness.process_state(daemon) in (None, 'Z'), 'the daemon ends')


def test_sigterm_ends_the_daemon_in_the_background(mounted, scratch):
    daemon, = processes_of(scratch)
    os.kill(daemon, signal.SIGTERM)
    harness.wait_until(lambda: harness.process_state(daemon) in (None, 'Z'), 'the daemon ends')
    assert harness.mount_entry(mounted) is None


def test_daemon_keeps_nothing_of_its_caller(mounted, scratch):
    daemon, = processes_of(scratch)
    process = pathlib.Path(f'/proc/{daemon}')
    assert os.readlink(process / 'cwd') == '/'
    for number in ('0', '1', '2'):
        assert os.readlink(process / 'fd' / number) == '/dev/null'
    # A session of its own: the terminal's hang-up is not its business.
    assert os.getsid(daemon) != os.getsid(0)


def test_relative_paths_are_meant_from_here(scratch, api):
    harness.write_token(scratch)
    result = command('-o', 'token_file=token,cache=cache.db', api.url, 'mnt', cwd=scratch)
    try:
        assert (result.returncode, result.stderr) == (0, '')
        assert harness.mount_entry(scratch / 'mnt') is not None
        assert (scratch / 'cache.db').exists()
    finally:
        subprocess.run(['fusermount3', '-u', str(scratch / 'mnt')], check=False, timeout=30)
        harness.wait_until(lambda: (scratch / 'cache.db-wal').exists() is False, 'it ends')


def test_mountpoint_with_blanks_and_other_letters(scratch, api):
    harness.write_token(scratch)
    api.add_numbers([7])
    place = scratch / 'zwei Wörter, ein Ort'
    place.mkdir()
    assert mount(scratch, api.url, mountpoint=place).returncode == 0
    assert (place / 'by-id/7/name').read_text() == 'Customer 7\n'
    subprocess.run(['fusermount3', '-u', str(place)], check=True, timeout=30)
    harness.wait_until(lambda: processes_of(scratch) == [], 'the daemon ends')


@pytest.mark.skipif(os.getuid() != 0, reason='mount is for root')
def test_mount_helper_mounts(scratch, api):
    """mount(8) looks in the system's folders only: the program is put there, for this test."""
    harness.write_token(scratch)
    api.add_numbers([7])
    options = f'noatime,x-systemd.automount,token_file={scratch}/token,cache={scratch}/cache.db'
    script = ('mount --bind "$1" /usr/local/bin && mount -t fuse.kapturefs "$2" "$3" -o "$4" && '
              'cat "$3/by-id/7/name" && grep "$3" /proc/self/mounts && umount "$3"')
    result = subprocess.run(
        [harness.APART, 'sh', '-c', script, 'sh',
         os.path.dirname(os.path.abspath(harness.BINARY)), api.url, str(scratch / 'mnt'), options],
        capture_output=True, text=True, timeout=30, check=False)
    assert (result.returncode, result.stderr) == (0, '')
    value, entry = result.stdout.splitlines()
    assert value == 'Customer 7'
    assert entry.split()[0] == api.url and entry.split()[2] == 'fuse.kapturefs'
    harness.wait_until(lambda: processes_of(scratch) == [], 'the daemon ends')


def test_default_cache_is_in_the_users_cache_directory_for_its_owner_only(scratch, api):
    if os.getuid() == 0:
        pytest.skip('root keeps its caches below /var')
    result = mount(scratch, api.url, cache=None, environment={'XDG_CACHE_HOME': str(scratch / 'c')})
    assert (result.returncode, result.stderr) == (0, '')
    directory = scratch / 'c' / 'kapturefs'
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert len(list(directory.glob('*.db'))) == 1
    subprocess.run(['fusermount3', '-u', str(scratch / 'mnt')], check=True, timeout=30)


def test_sandbox_port_that_is_taken_is_named():
    with socket.create_server(('127.0.0.1', 0)) as listener:
        port = listener.getsockname()[1]
        refused(command('sandbox', '--port', port), (5,), port, 'in use')


def test_dev_fuse_that_is_missing_is_said_in_one_line():
    if os.getuid() != 0:
        pytest.skip('hides /dev/fuse in a mount namespace, which only root can')
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / 'mnt').mkdir()
        token = harness.write_token(directory)
        result = subprocess.run(
            [harness.APART, 'sh', '-c', 'mount -t tmpfs none /dev && exec "$@"', 'sh',
             harness.BINARY, '-o', f'token_file={token},cache={directory}/cache.db', URL,
             str(directory / 'mnt')], capture_output=True, text=True, timeout=30, check=False)
        refused(result, (1,), '/dev/fuse', 'modprobe fuse')
        assert sorted(path.name for path in directory.iterdir()) == ['mnt', 'token']
