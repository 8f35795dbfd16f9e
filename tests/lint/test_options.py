# SPDX-License-Identifier: MIT
"""What --help lists is what the man page lists, and the man page renders without a warning."""

import os
import re
import subprocess

import pytest
import sources

MAN_PAGE = sources.ROOT / 'man' / 'kapturefs.1'

FLAG = re.compile(r'(?<![\w-])--?[a-z][a-z-]*')
# An entry of --help that is no flag: indented, the name, what it takes, two blanks, the meaning.
ENTRY = re.compile(r'^  ([a-z][a-z_-]*)(?:=\S+)?(?:\s{2,}|$| [A-Z-])')


def help_names(text):
    """The names that --help lists: `--port`, `-f`, `token_file`, `sandbox`."""
    entries = (ENTRY.match(line) for line in text.splitlines())
    return set(FLAG.findall(text)) | {entry.group(1) for entry in entries if entry}


def man_names(text):
    """The names of the page's synopsis and of its list items: `.It Fl -port Ar n`."""
    names = set()
    synopsis = False
    for line in text.splitlines():
        if line.startswith('.Sh '):
            synopsis = line == '.Sh SYNOPSIS'
        words = line.lstrip('.').split()
        if not line.startswith('.') or not (synopsis or words[0] == 'It'):
            continue
        if words[0] == 'Fl':
            # `.Fl -help | -version` names two.
            names.update('-' + word for word in words[1:] if word.startswith('-'))
        for macro, word in zip(words, words[1:]):
            if macro in ('Fl', 'Cm'):
                names.add('-' + word if macro == 'Fl' else word)
    return names


def render(path):
    """What groff has against the page."""
    return subprocess.run(['groff', '-ww', '-z', '-Tutf8', '-mandoc', str(path)],
                          capture_output=True, text=True).stderr


@pytest.fixture(scope='module')
def help_text():
    return subprocess.run([os.environ['KAPTUREFS'], '--help'], capture_output=True, text=True,
                          check=True, timeout=10).stdout


def test_what_help_lists_is_in_the_man_page(help_text):
    assert help_names(help_text) - man_names(MAN_PAGE.read_text()) == set()


def test_what_the_man_page_lists_is_in_help(help_text):
    assert man_names(MAN_PAGE.read_text()) - help_names(help_text) == set()


def test_help_lists_what_a_user_needs_first(help_text):
    assert {'-f', '-o', '--help', '--version', 'token_file', 'cache', 'ttl', 'sandbox',
            'demo'} <= help_names(help_text)


def test_man_page_renders_without_a_warning():
    assert render(MAN_PAGE) == ''


def test_man_page_is_of_this_program():
    assert '\n.Nm kapturefs\n' in MAN_PAGE.read_text()


def test_names_are_read_from_both():
    text = ('usage: kapturefs sandbox [--port N]\n'
            '  sandbox            serve some-thing\n  -f                 in the foreground\n'
            '  token_file=PATH    file with the token\n  offline            never ask\n'
            'not indented: ttl=1\n')
    assert help_names(text) == {'-f', '--port', 'token_file', 'offline', 'sandbox'}
    page = ('.Sh SYNOPSIS\n.Cm sandbox\n.Op Fl -port Ar n\n.Fl -help | -version\n'
            '.Sh OPTIONS\n.It Fl f\n.It Cm token_file Ns = Ns Ar path\n.It Cm a , Cm b\n'
            '.Cm ttl\n')
    assert man_names(page) == {'sandbox', '--port', '--help', '--version', '-f', 'token_file',
                               'a', 'b'}


def test_a_page_that_does_not_render_is_found(tmp_path):
    page = sources.plant(tmp_path, 'x.1', '.Dd January 1, 2025\n.Dt X 1\n.Os\n.Sh NAME\n'
                         '.Nm x\n.Nd an example\n.Bl -tag\n.It\n.Zz \\*[undefined]\n')
    assert render(page) != ''
