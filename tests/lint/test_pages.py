# SPDX-License-Identifier: MIT
"""kapturefs(1) has every command with its flags, every control file and every errno, once."""

import os
import re
import subprocess

import pytest
import sources

PAGE = sources.ROOT / 'man' / 'kapturefs.1'
# What scripts may rely on.
ERRORS = {'ENOENT', 'EACCES', 'EINVAL', 'EBUSY', 'EIO', 'EHOSTUNREACH', 'EPROTO', 'EFBIG',
          'ETIMEDOUT', 'EINTR', 'EROFS', 'ESTALE', 'ENETDOWN'}
# What the kernel says of a mount, without asking anybody.
OF_THE_KERNEL = {'ENOTCONN', 'ECONNABORTED', 'EOPNOTSUPP'}
# What a part of the program says to another, and nobody else gets.
INNER = {
    'EAGAIN': 'the kernel has no request now',
    'EDQUOT': 'the disk lets nothing more be kept, and memory does',
    'EEXIST': 'another file is in the place of the cache',
    'EILSEQ': 'a row is damaged, and counts as missing',
    'ENODEV': 'the mount has gone',
    'ENOSYS': 'the kernel answers it by itself from then on',
    'EUCLEAN': 'the file of the cache is damaged, and set aside',
}


def section(title):
    return PAGE.read_text().split(f'\n.Sh {title}\n')[1].split('\n.Sh ')[0]


def help_of(*words):
    return subprocess.run([os.environ['KAPTUREFS'], *words, '--help'], capture_output=True,
                          text=True, check=True, timeout=30).stdout


def flags_of_help(text):
    """The flags of a usage line: `[--jobs N]`."""
    return set(re.findall(r'(?<=\[)--?[a-z][a-z-]*', text))


def flags_of_page(text):
    return {'-' + name for name in re.findall(r'\bFl (-?[a-z][a-z-]*)', text)}


def commands():
    return re.findall(r'^       kapturefs ([a-z]+)(?: |$)', help_of(), re.MULTILINE)


def synopses():
    """The lines below each `.Nm` of the synopsis, by command."""
    blocks = section('SYNOPSIS').split('.Nm\n')
    return {match[1]: block for block in blocks
            if (match := re.match(r'(?:\.Op )?\.?Cm (\w+)\n', block))}


def test_synopsis_has_every_command_with_its_flags():
    found = synopses()
    assert found.keys() == {'mount', *commands()}
    for name in found:
        # The sandbox has so many that they have a page of their own.
        if name != 'sandbox':
            usage = help_of(name).split('\n\n')[0]
            assert flags_of_page(found[name]) == flags_of_help(usage), name


def test_every_command_is_explained_with_its_own_flags():
    parts = re.split(r'^\.Ss kapturefs ', section('COMMANDS'), flags=re.MULTILINE)[1:]
    explained = {part.split('\n')[0]: part for part in parts}
    assert explained.keys() == set(commands())
    for name, text in explained.items():
        if name != 'sandbox':
            own = flags_of_help(help_of(name).split('\n\n')[0]) - {'-o'}
            items = flags_of_page('\n'.join(re.findall(r'^\.It Fl.*', text, re.MULTILINE)))
            assert items - {'-o'} == own, name


def test_every_control_file_is_explained():
    table = (sources.ROOT / 'src/command/control_files.c').read_text()
    names = set(re.findall(r'\{ "([\w.]+)", print_', table))
    assert len(names) >= 6
    assert set(re.findall(r'Pa \.kapturefs/([\w.]+)', PAGE.read_text())) == names


def errors_in_sources():
    """What the layers below the commands give as an errno."""
    text = '\n'.join(path.read_text() for layer in ('fs', 'store', 'model', 'io')
                     for path in (sources.ROOT / 'src' / layer).rglob('*.c'))
    return set(re.findall(r'-(E[A-Z0-9]{2,})\b', text)) | \
        set(re.findall(r'fuse_reply_err\(\w+, (E\w+)\)', text))


def test_every_error_that_a_mount_can_give_is_explained_once():
    found = re.findall(r'^\.It Er (\w+)$', section('ERRORS'), re.MULTILINE)
    given = errors_in_sources()
    assert ERRORS <= given
    assert INNER.keys() <= given
    assert sorted(found) == sorted((given - INNER.keys()) | OF_THE_KERNEL)


def test_every_exit_status_is_explained():
    assert re.findall(r'^\.It (\d)$', section('EXIT STATUS'), re.MULTILINE) == list('012345')


@pytest.mark.parametrize('title', ['OPTIONS', 'FILES', 'ENVIRONMENT'])
def test_nothing_is_explained_twice(title):
    items = re.findall(r'^\.It .*', section(title), re.MULTILINE)
    assert items and len(items) == len(set(items))


def test_what_only_a_shell_sees_is_read_from_both():
    assert flags_of_help('usage: x [-f] [-o OPTION[=VALUE]] [--max-age SECONDS] a-b') == {
        '-f', '-o', '--max-age'}
    assert flags_of_page('.Op Fl f\n.Op Fl -max-age Ar seconds\n') == {'-f', '--max-age'}
