# SPDX-License-Identifier: MIT
"""What `meson install` puts into place: all of it, at the places where it is looked for."""

import os
import pathlib
import subprocess

import pytest
import sources

BUILD = pathlib.Path(os.environ['KAPTUREFS']).resolve().parents[1]

EXPECTED = {
    'bin/kapturefs',
    'sbin/mount.kapturefs',
    'lib/systemd/system/kapturefs@.service',
    'lib/systemd/system/plocate-updatedb.service.d/kapturefs.conf',
    'lib/systemd/user/kapturefs@.service',
    'lib/sysusers.d/kapturefs.conf',
    'lib/tmpfiles.d/kapturefs.conf',
    'share/bash-completion/completions/kapturefs',
    'share/fish/vendor_completions.d/kapturefs.fish',
    'share/zsh/site-functions/_kapturefs',
    'share/man/man1/kapturefs.1',
    'share/man/man1/kapturefs-sandbox.1',
    'share/man/man5/kapturefs.conf.5',
    'share/man/man8/mount.kapturefs.8',
}


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """The folder that is the prefix of an installation for this test."""
    root = tmp_path_factory.mktemp('root')
    subprocess.run(['meson', 'install', '-C', BUILD, '--no-rebuild', '--destdir', root],
                   check=True, capture_output=True, timeout=60)
    program, = root.glob('**/bin/kapturefs')
    return program.parents[1]


def files(prefix):
    return {path.relative_to(prefix).as_posix() for path in prefix.rglob('*') if not path.is_dir()}


def test_what_is_installed_is_what_is_expected(installed):
    assert files(installed) == EXPECTED


def test_every_page_and_file_for_installation_is_installed(installed):
    """A new page that nobody installs is found."""
    pages = {path.name for path in (sources.ROOT / 'man').iterdir()}
    assert {pathlib.PurePath(name).name for name in files(installed) if '/man/' in name} == pages
    kinds = {path.suffix for path in (sources.ROOT / 'src/install').iterdir() if path.is_file()}
    assert kinds == {'.in', '.sysusers', '.tmpfiles', '.conf', '.build'}


def test_places_within_the_files_are_those_of_the_installation(installed):
    place = str(installed)[str(installed).rindex('/root') + 1:].split('/', 1)[1]
    for name in ('system', 'user'):
        text = (installed / f'lib/systemd/{name}/kapturefs@.service').read_text()
        assert f'/{place}/bin/kapturefs ' in text and '@bindir@' not in text
    helper = installed / 'sbin/mount.kapturefs'
    assert (helper.parent / os.readlink(helper)).name == 'kapturefs' and helper.is_symlink()


def test_only_programs_can_be_run(installed):
    assert {name for name in files(installed) if (installed / name).is_file() and
            (installed / name).stat().st_mode & 0o111 and name != 'sbin/mount.kapturefs'} == {
                'bin/kapturefs'}
