# SPDX-License-Identifier: MIT
"""What `meson install` puts into place: all of it, at the places where it is looked for."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
import sources

BUILD = pathlib.Path(os.environ['KAPTUREFS']).resolve().parents[1]

EXPECTED = {
    'bin/kapturefs',
    'bin/kapturefs-sandbox',
    'lib/systemd/system/kapturefs@.service',
    'lib/systemd/user/kapturefs@.service',
    'lib/sysusers.d/kapturefs.conf',
    'lib/tmpfiles.d/kapturefs.conf',
    'share/bash-completion/completions/kapturefs',
    'share/fish/vendor_completions.d/kapturefs.fish',
    'share/zsh/site-functions/_kapturefs',
    'share/man/man1/kapturefs.1',
    'share/man/man1/kapturefs-sandbox.1',
    'share/man/man5/kapturefs.conf.5',
    'share/man/man7/kapturefs-security.7',
    'share/man/man8/mount.kapturefs.8',
}

# The helper is not below the prefix, but where mount(8) looks.
HELPER = pathlib.Path('/sbin').resolve() / 'mount.kapturefs'
PLOCATE = 'lib/systemd/system/plocate-updatedb.service.d/kapturefs.conf'
ANNOUNCE = sources.ROOT / 'src/install/announce.sh'


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """The root of an installation for this test."""
    root = tmp_path_factory.mktemp('root')
    subprocess.run(['meson', 'install', '-C', BUILD, '--no-rebuild', '--destdir', root],
                   check=True, capture_output=True, timeout=60)
    return root


@pytest.fixture(scope='module')
def installed(root):
    """The folder that is its prefix."""
    program, = root.glob('**/bin/kapturefs')
    return program.parents[1]


def files(prefix):
    return {path.relative_to(prefix).as_posix() for path in prefix.rglob('*') if not path.is_dir()}


def planned(folder, *options, programs=()):
    """Where a build that is configured so installs its files, with these programs on the path."""
    path = folder / 'bin'
    path.mkdir()
    for name in programs:
        (path / name).write_text('#!/bin/sh\n')
        (path / name).chmod(0o755)
    subprocess.run(['meson', 'setup', folder / 'build', sources.ROOT, '-Dtests=false', *options],
                   check=True, capture_output=True, timeout=120,
                   env={**os.environ, 'PATH': f'{path}:{os.environ["PATH"]}'})
    listing = subprocess.run(['meson', 'introspect', '--installed', folder / 'build'], check=True,
                             capture_output=True, text=True, timeout=60).stdout
    return set(json.loads(listing).values())


def test_what_is_installed_is_what_is_expected(installed):
    assert files(installed) - {PLOCATE} == EXPECTED


def test_the_helper_is_where_mount_looks(root, installed):
    helper = root / HELPER.relative_to('/')
    assert os.readlink(helper) == '/' + (installed / 'bin/kapturefs').relative_to(root).as_posix()
    assert files(root) == {path.relative_to(root).as_posix() for path in (
        helper, *(installed / name for name in files(installed)))}


@pytest.mark.parametrize(('options', 'place'), [
    (['--prefix=/usr'], HELPER), (['--prefix=/opt/k'], '/opt/k/sbin/mount.kapturefs'),
    (['--prefix=/usr', '-Dhelperdir=/usr/lib/mount'], '/usr/lib/mount/mount.kapturefs')])
def test_a_prefix_of_its_own_keeps_the_helper_and_an_option_names_a_place(tmp_path, options, place):
    assert str(place) in planned(tmp_path, *options)


@pytest.mark.parametrize(('options', 'programs', 'is_there'), [
    ([], ['updatedb.plocate'], True), (['-Dplocate=enabled'], [], True),
    (['-Dplocate=disabled'], ['updatedb.plocate'], False)])
def test_plocate_is_told_where_its_program_has_that_name(tmp_path, options, programs, is_there):
    places = planned(tmp_path, '--prefix=/usr', *options, programs=programs)
    assert (f'/usr/{PLOCATE}' in places) == is_there


@pytest.mark.skipif(shutil.which('updatedb.plocate') or
                    os.path.exists('/usr/sbin/updatedb.plocate'), reason='plocate is here')
def test_plocate_is_left_alone_where_its_program_is_not(installed):
    assert PLOCATE not in files(installed)


def announce(folder, programs, **environment):
    """What installing says of the service's user and directories."""
    for name, status in programs.items():
        (folder / name).write_text(f'#!/bin/sh\nexit {status}\n')
        (folder / name).chmod(0o755)
    for name in ('id', 'sh'):
        (folder / name).symlink_to(shutil.which(name))
    return subprocess.run([ANNOUNCE, '/usr/lib'], check=True, capture_output=True, text=True,
                          env={'PATH': str(folder), **environment}).stdout.splitlines()


@pytest.mark.skipif(os.getuid() != 0, reason='only root can add users')
def test_installing_makes_the_user_and_the_directories(tmp_path):
    lines = announce(tmp_path, {'systemd-sysusers': 0, 'systemd-tmpfiles': 0})
    assert [line for line in lines if line.startswith('kapturefs: done')] == [
        'kapturefs: done: systemd-sysusers /usr/lib/sysusers.d/kapturefs.conf',
        'kapturefs: done: systemd-tmpfiles --create /usr/lib/tmpfiles.d/kapturefs.conf']


@pytest.mark.parametrize('programs', [{}, {'systemd-sysusers': 1, 'systemd-tmpfiles': 1}])
def test_what_could_not_be_made_is_named(tmp_path, programs):
    lines = announce(tmp_path, programs)
    named = [line.split(': ')[-1] for line in lines if line.startswith('kapturefs: run as root')]
    assert named == [
        'systemd-sysusers /usr/lib/sysusers.d/kapturefs.conf',
        'systemd-tmpfiles --create /usr/lib/tmpfiles.d/kapturefs.conf']


def test_what_is_staged_for_a_package_runs_nothing(tmp_path):
    assert announce(tmp_path, {'systemd-sysusers': 0}, DESTDIR='/somewhere') == []


def test_every_page_and_file_for_installation_is_installed(installed):
    """A new page that nobody installs is found."""
    pages = {path.name for path in (sources.ROOT / 'man').iterdir()}
    assert {pathlib.PurePath(name).name for name in files(installed) if '/man/' in name} == pages
    kinds = {path.suffix for path in (sources.ROOT / 'src/install').iterdir() if path.is_file()}
    assert kinds == {'.in', '.sysusers', '.tmpfiles', '.conf', '.build', '.sh'}


def test_places_within_the_files_are_those_of_the_installation(installed):
    place = str(installed)[str(installed).rindex('/root') + 1:].split('/', 1)[1]
    for name in ('system', 'user'):
        text = (installed / f'lib/systemd/{name}/kapturefs@.service').read_text()
        assert f'/{place}/bin/kapturefs ' in text and '@bindir@' not in text


def test_only_programs_can_be_run(installed):
    assert {name for name in files(installed) if (installed / name).is_file() and
            (installed / name).stat().st_mode & 0o111} == {
                'bin/kapturefs', 'bin/kapturefs-sandbox'}
