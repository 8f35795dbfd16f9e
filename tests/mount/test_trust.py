# SPDX-License-Identifier: MIT
"""Files are taken from and put into places where nobody else can make or exchange them."""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

import foreign
import harness
import users

needs_root = pytest.mark.skipif(os.getuid() != 0, reason='plays two users, which takes root')

ATTACKER = 65533

# Makes files, keeps them open, and tells at each line on its input how often the name is in them.
SQUATTER = '''
import os, sys
os.umask(0)
files = [os.open(sys.argv[1] + suffix, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
         for suffix in sys.argv[2:]]
print('made', flush=True)
for line in sys.stdin:
    print(sum(os.pread(file, 1 << 24, 0).lower().count(b'customer 7') for file in files),
          flush=True)
'''


@contextlib.contextmanager
def squatter(path, *suffixes):
    """Another user who has made files beside the cache first; call it for what he reads there."""
    process = subprocess.Popen(
        ['setpriv', f'--reuid={ATTACKER}', f'--regid={users.GID}', '--clear-groups', '--',
         sys.executable, '-c', SQUATTER, str(path), *suffixes],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd='/')

    def read():
        process.stdin.write('\n')
        process.stdin.flush()
        return int(process.stdout.readline())
    try:
        assert process.stdout.readline() == 'made\n'
        yield read
    finally:
        process.kill()
        process.communicate()


def make(path, owner=0, group=0, mode=0o700):
    path.mkdir()
    os.chown(path, owner, group)
    path.chmod(mode)
    return path


@pytest.fixture
def public():
    """A directory through which every user can go."""
    with tempfile.TemporaryDirectory(prefix='kapturefs-public-') as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


def mount_and_look(command, mountpoint, run=subprocess.run):
    """(exit status, line on standard error) of mounting, having read a customer if it mounted."""
    result = run(command, capture_output=True, text=True, timeout=30, check=False,
                 stdin=subprocess.DEVNULL)
    if result.returncode == 0:
        run(['cat', str(mountpoint / 'by-id/7/name')], capture_output=True, check=False, timeout=30)
    return result.returncode, result.stderr


# The log of the cache, made first by another. Beside a new cache SQLite takes it away; so there is
# one already, from when the directory was closed.

def fill(cache, directory, url, owner=0):
    result = harness.command('get', '-o', f'token_file={harness.write_token(directory)},'
                                          f'cache={cache}', url, 'id:8')
    assert result.returncode == 0, result.stderr
    os.chown(cache, owner, owner)


@needs_root
@pytest.mark.parametrize('suffix', ['-wal', '-journal'])
def test_root_puts_no_cache_into_the_directory_of_a_user(public, api, suffix):
    api.add_numbers([7, 8])
    theirs = make(public / 'theirs')
    own = make(public / 'own')
    (own / 'mnt').mkdir()
    cache = theirs / 'cache.db'
    token = harness.write_token(own)
    fill(cache, own, api.url)
    os.chown(theirs, ATTACKER, ATTACKER)
    try:
        with squatter(cache, suffix) as read:
            said = mount_and_look([harness.BINARY, '-o', f'token_file={token},cache={cache}',
                                   api.url, str(own / 'mnt')], own / 'mnt')
            assert read() == 0
    finally:
        harness.unmount_whatever_it_takes(own / 'mnt')
    assert said == (2, f'kapturefs: cache={cache}: {theirs} belongs to another user, who may put '
                       'something else there; give a path in a directory of your own\n')


@needs_root
@pytest.mark.parametrize('mode, why', [
    (0o1777, 'others may make files in {0}; make a directory of your own there (mkdir -m 700), and '
             'give a path in it'),
    (0o777, 'others may write to {0}; run chmod go-w {0}'),
    (0o775, 'others may write to {0}; run chmod go-w {0}')], ids=['sticky', 'all', 'group'])
def test_a_user_puts_no_cache_where_others_make_files(public, api, mode, why):
    api.add_numbers([7, 8])
    shared = make(public / 'shared')
    cache = shared / 'cache.db'
    fill(cache, shared, api.url, users.UID)
    os.chown(shared, users.UID if mode == 0o775 else 0, users.GID)
    shared.chmod(mode)
    with users.fuse_for_all(), users.home() as home:
        def run(command, **more):
            return subprocess.run(users.as_user(*command), cwd='/', env={
                'HOME': str(home), 'PATH': os.environ['PATH']}, **more)
        with squatter(cache, '-wal', '-journal') as read:
            said = mount_and_look(
                [home / 'kapturefs', '-o', f'token_file={home}/token,cache={cache}', api.url,
                 home / 'mnt'], home / 'mnt', run)
            assert read() == 0
    assert said == (2, f'kapturefs: cache={cache}: {why.format(shared)}\n')


@needs_root
def test_a_log_that_another_made_while_he_could_is_not_written_to(public, api):
    """The directory has been closed since."""
    api.add_numbers([7, 8])
    own = make(public / 'own')
    (own / 'mnt').mkdir()
    cache = own / 'cache.db'
    token = harness.write_token(own)
    fill(cache, own, api.url)
    os.chown(own, ATTACKER, ATTACKER)
    try:
        with squatter(cache, '-wal') as read:
            os.chown(own, 0, 0)
            said = mount_and_look([harness.BINARY, '-o', f'token_file={token},cache={cache}',
                                   api.url, str(own / 'mnt')], own / 'mnt')
            assert read() == 0
    finally:
        harness.unmount_whatever_it_takes(own / 'mnt')
    assert said == (2, f'kapturefs: cache={cache}: {cache}-wal belongs to another user, who may '
                       'read what is written to it; move it away\n')


@pytest.mark.parametrize('spoil, why', [
    (lambda log: log.symlink_to('elsewhere'), 'is no regular file; move it away'),
    (lambda log: log.mkdir(), 'is no regular file; move it away'),
    (lambda log: (log.touch(), log.chmod(0o640)),
     'is open to others; run chmod 600 on it, and consider known what it holds'),
    (lambda log: (log.touch(0o600), os.link(log, f'{log}.2')),
     'has a second name, in which it may be read; move it away')],
    ids=['link', 'directory', 'mode', 'names'])
@pytest.mark.parametrize('suffix', ['-wal', '-journal', '-shm'])
def test_a_log_that_is_not_ours_alone_is_not_written_to(scratch, api, suffix, spoil, why):
    spoil(scratch / f'cache.db{suffix}')
    result = harness.command('-o', f'token_file={harness.write_token(scratch)},'
                                   f'cache={scratch}/cache.db', api.url, scratch / 'mnt')
    assert (result.returncode, result.stderr) == (
        2, f'kapturefs: cache={scratch}/cache.db: {scratch}/cache.db{suffix} {why}\n')


# The way to every file that is named

@pytest.fixture
def exposed(scratch, certificate):
    """Calls the program with all files in a good place, but for the option that is given."""
    bad = scratch / 'bad'
    bad.mkdir()
    files = {'token_file': harness.TOKEN, 'header_file': 'x-key: secret', 'body_file': '{"a": 1}',
             'cafile': certificate[0].read_text(), 'log_file': ''}
    good = {}
    for place in (scratch, bad):
        for name, text in files.items():
            (place / name).write_text(text)
            (place / name).chmod(0o600)
    good = {name: scratch / name for name in files}
    good['cache'] = scratch / 'cache'

    def call(option, *words):
        options = {**good, **({option: bad / option} if option else {})}
        return harness.command(*words[:1], '-o', harness.join_options(options), *words[1:])
    call.bad = bad
    call.options = good
    yield call


OPTIONS = ['token_file', 'header_file', 'body_file', 'cafile', 'cache', 'log_file']


def said_of(exposed, option):
    return f'{option}={exposed.bad}/{option}: others may write to {exposed.bad}; run chmod go-w ' \
           f'{exposed.bad}'


@pytest.mark.parametrize('option', OPTIONS)
def test_no_file_is_taken_from_where_others_may_write(exposed, scratch, api, option):
    exposed.bad.chmod(0o777)
    for words in (('mount', api.url, scratch / 'mnt'), ('get', api.url, 'id:7')):
        if words[0] == 'get' and option == 'log_file':
            continue
        result = exposed(option, *words)
        prefix = 'kapturefs: get: ' if words[0] == 'get' else 'kapturefs: '
        assert (result.returncode, result.stdout, result.stderr) == (
            2, '', f'{prefix}{said_of(exposed, option)}\n')
    assert api.requests == []
    assert not (exposed.bad / 'cache').exists()


@pytest.mark.parametrize('option', OPTIONS)
def test_doctor_finds_what_others_may_write_to(exposed, api, option):
    exposed.bad.chmod(0o775)
    result = exposed(option, 'doctor', api.url)
    assert result.returncode == 1
    assert f'others may write to {exposed.bad}; run chmod go-w {exposed.bad}' in result.stdout


@pytest.mark.parametrize('option', OPTIONS)
def test_check_config_finds_what_others_may_write_to(exposed, scratch, option):
    exposed.bad.chmod(0o777)
    path = scratch / 'config'
    path.write_text(f'[acme]\n{option} = {exposed.bad}/{option}\n')
    result = harness.command('--check-config', path)
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr == f'kapturefs: {path}:2: [acme]: {said_of(exposed, option)}\n'


def test_no_configuration_is_taken_from_where_others_may_write(exposed, scratch):
    exposed.bad.chmod(0o777)
    path = exposed.bad / 'config'
    path.write_text('[acme]\n')
    words = f'kapturefs: {path}: others may write to {exposed.bad}; run chmod go-w {exposed.bad}\n'
    result = harness.command('--check-config', path)
    assert (result.returncode, result.stderr) == (2, words)
    result = harness.command('-o', f'config={path}', 'acme', scratch / 'mnt')
    assert (result.returncode, result.stderr) == (2, words)
    result = harness.command('doctor', '-o', f'config={path}', 'acme')
    assert result.returncode == 1 and 'run chmod go-w' in result.stdout


def test_a_rotated_token_is_not_taken_from_a_directory_that_was_opened(mounts, api):
    mount = mounts(api.url)
    token = pathlib.Path(mount.options['token_file'])
    token.parent.chmod(0o777)
    try:
        token.write_text('another')
        mount.process.send_signal(1)
        assert mount.log.wait_for('token: the old one is kept')
        assert 'run chmod go-w' in mount.log.text()
    finally:
        token.parent.chmod(0o700)


# What is well

@needs_root
def test_a_private_directory_below_tmp_is_good_enough(public, api):
    api.add_numbers([7])
    public.chmod(0o1777)
    with users.fuse_for_all(), users.home() as home:
        own = make(public / 'own', users.UID, users.GID)
        result = users.run(home / 'kapturefs', 'get', '-o',
                           f'token_file={home}/token,cache={own}/cache.db', api.url, 'id:7',
                           cwd='/', env={'HOME': str(home), 'PATH': os.environ['PATH']})
        assert (result.returncode, result.stderr) == (0, '')
        assert (own / 'cache.db').exists()


@needs_root
def test_directories_that_are_made_on_the_way_to_the_default_cache_are_private(api):
    api.add_numbers([7])
    with users.home() as home:
        environment = {'HOME': str(home), 'PATH': os.environ['PATH']}
        result = users.run(home / 'kapturefs', 'get', '-o', f'token_file={home}/token', api.url,
                           'id:7', cwd='/', env=environment)
        assert (result.returncode, result.stderr) == (0, '')
        assert (home / '.cache/kapturefs').stat().st_mode & 0o777 == 0o700
        (home / '.cache').chmod(0o775)
        result = users.run(home / 'kapturefs', 'get', '-o', f'token_file={home}/token', api.url,
                           'id:7', cwd='/', env=environment)
        assert result.returncode == 2
        assert result.stderr.endswith(f'run chmod go-w {home}/.cache\n')


def test_a_configuration_may_be_a_descriptor(scratch, api):
    with open(scratch / 'config', 'w+', encoding='utf-8') as file:
        file.write('timeout = 7\n')
        file.flush()
        result = harness.command('--check-config', f'/dev/fd/{file.fileno()}',
                                 pass_fds=[file.fileno()])
    assert (result.returncode, result.stderr) == (0, '')


# A file system whose owner tells root that all in it is root's.
LIAR = '''
import stat, sys
sys.path.insert(0, sys.argv[1])
import tinyfuse

class Liar(tinyfuse.TinyFuse):
    def attributes(self, number):
        node = self.nodes[number]
        mode = node.kind | (0o700 if node.kind == stat.S_IFDIR else 0o600)
        return tinyfuse.ATTRIBUTES.pack(number, len(node.content), 1, 1, 1, 1, 0, 0, 0, mode, 1, 0,
                                        0, 0, 4096, 0)

liar = Liar(sys.argv[2], 'allow_other,fsname=lies')
liar.add('token', 5, tinyfuse.Node(sys.argv[3].encode() + b'\\\\n'))
print('ready', flush=True)
sys.stdin.read()
'''.replace('\\\\n', '\\n')


@needs_root
@pytest.mark.parametrize('option', ['token_file={lies}/token', 'cache={lies}/cache.db',
                                    'header_file={lies}/token', 'log_file={lies}/log'])
def test_what_is_in_anothers_file_system_is_not_roots_because_it_says_so(api, option):
    with foreign.world(api.url) as world:
        lies, own = world.place('lies', foreign.MALLORY), world.place('own', 0)
        (world.home / 'liar.py').write_text(LIAR)
        world.start_with(
            world.words(foreign.MALLORY, [sys.executable, world.home / 'liar.py', world.home, lies,
                                          harness.TOKEN]),
            env={**os.environ, 'KAPTUREFS': str(world.home / 'kapturefs')})
        world.stack.callback(world.run, 0, 'umount', '--lazy', lies)
        token = world.run(0, 'stat', '--format=%u %a', lies / 'token')
        assert token.stdout == '0 600\n', token.stderr
        options = [f'token_file={harness.write_token(own)}', 'cache=:memory:',
                   option.format(lies=lies)]
        result = world.run(0, 'kapturefs', 'get', '-o', ','.join(options), api.url, 'id:7')
        assert result.returncode == 2, result.stdout
        assert f'{lies} belongs to another user' in result.stderr
