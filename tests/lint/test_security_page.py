# SPDX-License-Identifier: MIT
"""kapturefs-security(7) names tests that there are, below each promise; SECURITY.md leads to it."""

import re

import pytest
import sources

PAGE = sources.ROOT / 'man' / 'kapturefs-security.7'
POLICY = sources.ROOT / '.github' / 'SECURITY.md'
# Whom the program is defended against, each with promises of its own.
AGAINST = ['other users', 'root', 'same user', 'network', 'CRM', 'web pages', 'disk', 'itself']


def section(text, title):
    return text.split(f'\n.Sh {title}\n')[1].split('\n.Sh ')[0]


def named(text):
    """The names below each promise: (promise, [name])."""
    promises = re.split(r'^\.It ', section(text, 'PROMISES'), flags=re.MULTILINE)[1:]
    return [(promise.split('\n')[0], [
        'test_' + name for block in re.findall(r'^\.Bd -literal -compact\n(.*?)^\.Ed$', promise,
                                               re.MULTILINE | re.DOTALL)
        for name in block.split()]) for promise in promises]


def names(root):
    """Every test that there is, by its name."""
    pattern = re.compile(r'^(?:def|static void) (test_\w+)\(', re.MULTILINE)
    return {name for path in sources.files(root, 'tests', suffixes=('.c', '.py'))
            for name in pattern.findall(path.read_text())}


def missing(text, root):
    there = names(root)
    return [f'{promise} {name}' for promise, below in named(text)
            for name in below or ['no test'] if name not in there]


def test_every_promise_is_held_by_tests_that_there_are():
    text = PAGE.read_text()
    assert len(named(text)) >= 15
    assert missing(text, sources.ROOT) == []


@pytest.mark.parametrize('whom', AGAINST)
def test_page_says_what_is_promised_against_each(whom):
    titles = re.findall(r'^\.Ss Against (.*)$', PAGE.read_text(), re.MULTILINE)
    assert len([title for title in titles if whom in title]) == 1


@pytest.mark.parametrize('what', ['root', 'swap', 'shared mount'])
def test_page_says_what_is_not_promised(what):
    assert what in section(PAGE.read_text(), 'WHAT IS NOT PROMISED')


def test_a_promise_without_a_test_and_a_test_that_is_not_there_are_found(tmp_path):
    sources.plant(tmp_path, 'tests/mount/test_a.py', 'def test_this_is_there():\n    pass\n')
    text = ('x\n.Sh PROMISES\n.It One.\n.Bd -literal -compact\nthis_is_there\nthis_is_not\n.Ed\n'
            '.It Two.\nSurely.\n.Sh END\n')
    assert missing(text, tmp_path) == ['One. test_this_is_not', 'Two. no test']


def test_reporting_is_private_and_gives_nobodys_address():
    text = POLICY.read_text()
    assert 'Report a\nvulnerability' in text and 'man kapturefs-security' in text
    assert '@' not in text
