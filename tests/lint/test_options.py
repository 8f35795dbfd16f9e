# SPDX-License-Identifier: MIT
"""One table of options: --help, the man pages and what the program takes agree; pages render."""

import json
import os
import re
import subprocess

import pytest
import sources

MAN_PAGE = sources.ROOT / 'man' / 'kapturefs.1'
CONF_PAGE = sources.ROOT / 'man' / 'kapturefs.conf.5'
SANDBOX_PAGE = sources.ROOT / 'man' / 'kapturefs-sandbox.1'
PAGES = sorted((sources.ROOT / 'man').iterdir())

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


# What an option takes, as --help shows it and as the page of the configuration does.
VALUES = {'': 'flag', 'PATH': 'path', 'TEXT': 'text', 'URL': 'URL', 'SIZE': 'size',
          'SECONDS': 'seconds', 'DAYS': 'days', 'MICROSECONDS': 'microseconds', 'N': 'number',
          'N/s': 'requests a second', 'CC': 'country code', 'MODE': 'octal number',
          'LEVEL': 'level'}
OPTION = re.compile(r'^  ([a-z_]+)(?:=(\S+))?\s+.*?(?: \(default: (.*)\))?$')


def unfold(text):
    """The text with each entry in a line of its own."""
    return re.sub(r'\n {19,}', ' ', text)


def help_options(text):
    """The options of -o by name: (what they take, default), '' for none."""
    lines = unfold(text).split('\noptions of -o:\n')[1].splitlines()
    return {match[1]: (match[2] or '', match[3] or '') for match in map(OPTION.match, lines)}


def conf_options(text):
    """The same from the rows of the configuration's page: `.It Cm ttl Ta seconds Ta 300`."""
    rows = re.findall(r'^\.It Cm (\S+) Ta (.*?) Ta ?(.*)$', text, re.MULTILINE)
    return {name: (value, initial) for name, value, initial in rows}


def man_items(text):
    """The text below each list item of the page, by every name that the item has."""
    items = {}
    for item in re.split(r'^\.It ', text, flags=re.MULTILINE)[1:]:
        head, _, body = item.partition('\n')
        for name in re.findall(r'\bCm (\w+)', head):
            items[name] = re.split(r'^\.(?:El|Sh)', body, flags=re.MULTILINE)[0]
    return items


def check_config(path):
    return subprocess.run([os.environ['KAPTUREFS'], '--check-config', str(path)],
                          capture_output=True, text=True, timeout=10, check=False)


def render(path):
    """What groff has against the page."""
    return subprocess.run(['groff', '-ww', '-z', '-Tutf8', '-mandoc', str(path)],
                          capture_output=True, text=True).stderr


@pytest.fixture(scope='module')
def help_text():
    return subprocess.run([os.environ['KAPTUREFS'], '--help'], capture_output=True, text=True,
                          check=True, timeout=10).stdout


def test_what_help_lists_is_in_the_man_pages(help_text):
    assert help_names(help_text) - man_names(MAN_PAGE.read_text()) \
        == man_names(SANDBOX_PAGE.read_text())


def test_what_the_man_pages_list_is_in_help(help_text):
    pages = MAN_PAGE.read_text() + SANDBOX_PAGE.read_text()
    assert man_names(pages) - help_names(help_text) == set()


def test_the_page_of_the_sandbox_lists_the_options_that_its_help_lists():
    text = subprocess.run([os.environ['KAPTUREFS'], 'sandbox', '--help'], capture_output=True,
                          text=True, check=True, timeout=10).stdout
    assert set(FLAG.findall(text)) == man_names(SANDBOX_PAGE.read_text())


def plan_complaint(tmp_path, rule):
    """What the sandbox has against a fault plan with one rule, its --faults FILE: aside."""
    path = sources.plant(tmp_path, 'plan.json', json.dumps([rule]))
    result = subprocess.run([os.environ['KAPTUREFS'], 'sandbox', '--tls', '--faults', str(path)],
                            capture_output=True, text=True, timeout=10, check=False)
    assert result.returncode == 2, rule
    return result.stderr.removeprefix(f'kapturefs: sandbox: {path}: rule 1: ').strip()


def plan_members():
    """The members of a rule, from the page: `.It Va status`."""
    return re.findall(r'^\.It Va (\w+)$', SANDBOX_PAGE.read_text(), re.MULTILINE)


def test_the_page_of_the_sandbox_lists_the_members_that_fault_plans_have(tmp_path):
    table = (sources.ROOT / 'src/sandbox/plan_members.c').read_text().split('plan_rows[] = {')[1]
    known = re.findall(r'^\t\{ "(\w+)",', table, re.MULTILINE)
    assert sorted(plan_members()) == sorted(known)
    for name in known:
        assert plan_complaint(tmp_path, {name: {'': 0}}).startswith(f'{name}: must be')
    assert plan_complaint(tmp_path, {'statos': 500}) == 'statos: there is no such member'


@pytest.mark.parametrize('member', ['answer', 'framing', 'connection'])
def test_the_page_of_the_sandbox_lists_the_names_that_a_member_takes(tmp_path, member):
    text = plan_complaint(tmp_path, {member: ''}).removeprefix(f'{member}: must be one of ')
    item = re.search(rf'^\.It Va {member}\n.*?^\.Bl -tag.*?\n(.*?)^\.El', SANDBOX_PAGE.read_text(),
                     re.MULTILINE | re.DOTALL)[1]
    assert sorted(re.findall(r'^\.It Li (\S+)$', item, re.MULTILINE)) == sorted(text.split())


def help_of(command):
    return subprocess.run([os.environ['KAPTUREFS'], *command, '--help'], capture_output=True,
                          text=True, check=True, timeout=10).stdout


def test_help_fits_a_terminal(help_text):
    commands = re.findall(r'^       kapturefs ([a-z]+)', help_text, re.MULTILINE)
    assert 'warm' in commands
    for command in ([], ['mount'], *([name] for name in commands)):
        lines = help_of(command).splitlines()
        assert [line for line in lines if len(line) > 79 or line != line.rstrip()] == [], command


def test_help_of_a_command_lists_only_the_options_that_it_has(help_text):
    of_mounts = {'log_file', 'log_level', 'strict', 'xattr', 'uid', 'gid', 'umask', 'busy_poll',
                 'allow_other', 'allow_root', 'auto_unmount'}
    all_of_them = help_options(help_text)
    assert help_options(help_of(['mount'])) == all_of_them
    assert help_options(help_of(['get'])).keys() == all_of_them.keys() - of_mounts
    for command in ('status', 'warm', 'umount', 'version'):
        assert 'options of -o' not in help_of([command])


def test_help_lists_what_a_user_needs_first(help_text):
    assert {'-f', '-o', '--help', '--version', 'token_file', 'cache', 'ttl', 'sandbox',
            'demo'} <= help_names(help_text)


def test_the_configurations_page_lists_the_options_that_help_lists(help_text):
    listed = help_options(help_text)
    listed.pop('config')
    page = conf_options(CONF_PAGE.read_text())
    assert page.keys() == listed.keys()
    for name, (argument, initial) in listed.items():
        value, shown = page[name]
        assert value.split(' or Li ')[0] == VALUES[argument], name
        assert shown == initial, name


def test_the_man_page_says_the_defaults_that_help_says(help_text):
    items = man_items(MAN_PAGE.read_text())
    wrong = [name for name, (_, initial) in help_options(help_text).items()
             if initial[:1].isdigit() and not re.search(rf'(?<!\w){initial}(?!\w)', items[name])]
    assert wrong == []


def test_the_program_takes_what_help_lists(help_text, tmp_path):
    samples = {'': 'yes', 'PATH': 'x', 'TEXT': 'no such customer', 'URL': 'http://127.0.0.1:9',
               'N': '1', 'CC': '91', 'LEVEL': 'info'}
    for name, (argument, initial) in help_options(help_text).items():
        value = initial if initial[:1].isdigit() else samples[argument]
        sources.plant(tmp_path, 'config', f'{name} = {value}\n').chmod(0o600)
        content = 'abc' if name == 'token_file' else '{"a": 1}'
        sources.plant(tmp_path, 'x', content).chmod(0o600)
        result = check_config(tmp_path / 'config')
        if name == 'config':
            assert 'names no other' in result.stderr
        elif name == 'header_file':
            assert result.stderr.endswith('/x: line 1 is no `Name: value`\n')
        else:
            assert (result.returncode, result.stderr) == (0, ''), name


def test_the_program_takes_nothing_that_help_does_not_list(tmp_path):
    path = sources.plant(tmp_path, 'config', 'ttl = 1\nttl_of_nothing = 1\n')
    path.chmod(0o600)
    result = check_config(path)
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr == (f'kapturefs: {path}:2: unknown option ttl_of_nothing; '
                             'kapturefs --help lists them\n')


def test_the_example_of_the_configurations_page_is_right(tmp_path):
    example = next(block for block in re.findall(
        r'^\.Bd -literal.*?\n(.*?)^\.Ed', CONF_PAGE.read_text(), re.MULTILINE | re.DOTALL)
        if '[acme]' in block and 'token_file' in block)
    path = sources.plant(tmp_path, 'config', example)
    path.chmod(0o644)
    for name in re.findall(r'_file = (\S+)', example):
        sources.plant(tmp_path, name, 'a:b').chmod(0o600)
    result = check_config(path)
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout == (f'{path}: [acme] ok\n'
                             f'{path}: [https://crm.example.com/kapture] ok\n')


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_man_page_renders_without_a_warning(page):
    assert render(page) == ''


def test_man_pages_are_of_this_program():
    assert '\n.Nm kapturefs\n' in MAN_PAGE.read_text()
    assert '\n.Nm kapturefs.conf\n' in CONF_PAGE.read_text()
    assert '\n.Nm kapturefs sandbox\n' in SANDBOX_PAGE.read_text()


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_apropos_finds_the_page_by_its_name(page):
    result = subprocess.run(['lexgrog', str(page)], capture_output=True, text=True, check=False)
    assert result.stdout.startswith(f'{page}: "{page.stem} - '), result.stdout


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


def test_options_are_read_from_help_and_pages():
    text = ('  -f                 first\n\noptions of -o:\n'
            '  token_file=PATH    file with the token\n'
            '  ttl=SECONDS        how long\n                           (or so) (default:\n'
            '                           300)\n'
            '  offline            never (default: off)\n')
    assert help_options(text) == {'token_file': ('PATH', ''), 'ttl': ('SECONDS', '300'),
                                  'offline': ('', 'off')}
    assert conf_options('.It Cm ttl Ta seconds Ta 300\n.It Cm cache Ta path or Li x Ta by host\n'
                        '.It Cm token_file Ta path Ta\n') == {
        'ttl': ('seconds', '300'), 'cache': ('path or Li x', 'by host'), 'token_file': ('path', '')}
    assert man_items('.It Cm uid Ns = Ns Ar n , Cm gid\nThe owner; 5.\n.It Cm b\nc\n.El\nd\n') == {
        'uid': 'The owner; 5.\n', 'gid': 'The owner; 5.\n', 'b': 'c\n'}


def test_a_page_that_does_not_render_is_found(tmp_path):
    page = sources.plant(tmp_path, 'x.1', '.Dd January 1, 2025\n.Dt X 1\n.Os\n.Sh NAME\n'
                         '.Nm x\n.Nd an example\n.Bl -tag\n.It\n.Zz \\*[undefined]\n')
    assert render(page) != ''
