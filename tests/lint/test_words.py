# SPDX-License-Identifier: MIT
"""Nothing of the machine it was written on, no mirror, nothing left for later, plain words."""

import re

import sources

MACHINE_PATH = re.compile(r'(?<![\w.$}~])/(work|tmp|root|home)/\w')
MIRROR = re.compile(r'\b(deb|ftp|security|snapshot)(\.[a-z]{2})?\.debian\.(org|net)\b')
PLANTED = re.compile(r'\bPLANTED_|\bplanted\b', re.IGNORECASE)
LATER = re.compile(r'\b(TODO|FIXME|XXX|HACK)\b')
# What is wrong gets a fix, and what is not is ok.
QUAINT = re.compile(r'\bmend(s|ed|ing|able)?\b|(?<!\bas )\bwell\b(?!-known)', re.IGNORECASE)
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"((?:[^"\\\n]|\\.)*)"', re.DOTALL)


def lines_with(root, pattern, paths):
    return [f'{sources.name(root, path)}:{number}: {line.strip()}'
            for path in paths
            for number, line in enumerate(path.read_text().splitlines(), 1) if pattern.search(line)]


def shipped(root):
    single = [root / name for name in ('README.md', 'meson.build', 'bootstrap')]
    return [path for path in single if path.is_file()] + sources.files(
        root, 'src', 'include', 'man',
        suffixes=('.c', '.h', '.1', '.5', '.7', '.8', '.build', '.sql'))


def strings(path):
    """The string literals of a file of C, each with its line."""
    text = path.read_text()
    for match in COMMENT_OR_STRING.finditer(text):
        if match[1] is not None:
            yield text.count('\n', 0, match.start()) + 1, match[1]


def quaint(root):
    """What users read in words that this project does not use to them."""
    pages = [path for path in shipped(root) if path.suffix in ('.md', '.1', '.5', '.7', '.8')
             or path.name == 'bootstrap']
    pages += sources.files(root, 'src/install', suffixes=(
        '', '.in', '.bash', '.fish', '.conf', '.sysusers', '.tmpfiles'))
    return lines_with(root, QUAINT, pages) + [
        f'{sources.name(root, path)}:{number}: {text}'
        for path in sources.files(root, 'src', 'include')
        for number, text in strings(path) if QUAINT.search(text)]


def test_users_read_fix_and_ok():
    assert quaint(sources.ROOT) == []


def test_a_planted_quaint_word_is_found(tmp_path):
    sources.plant(tmp_path, 'src/x.c', '/* all is well */\nchar a[] = "the mend: %s \\" well";\n')
    sources.plant(tmp_path, 'man/x.1', 'It works as well.\nIt is mended.\n')
    sources.plant(tmp_path, 'README.md', 'a well-known name\nall is well\n')
    assert quaint(tmp_path) == ['README.md:2: all is well', 'man/x.1:2: It is mended.',
                                'src/x.c:2: the mend: %s \\" well']


def test_no_path_of_a_build_machine():
    assert lines_with(sources.ROOT, MACHINE_PATH, shipped(sources.ROOT)) == []


def test_no_mirror_is_named():
    """Where Debian comes from is apt's to know."""
    assert lines_with(sources.ROOT, MIRROR, shipped(sources.ROOT)) == []


def test_a_planted_mirror_is_found(tmp_path):
    sources.plant(tmp_path, 'bootstrap', 'debootstrap trixie x http://deb.' 'debian.org/debian\n')
    assert len(lines_with(tmp_path, MIRROR, shipped(tmp_path))) == 1


def test_nothing_is_left_for_later():
    assert lines_with(sources.ROOT, LATER, sources.files(sources.ROOT, 'src', 'include')) == []


def test_no_defect_is_planted_in_the_program():
    """A canary is a test program's own, so that no flag puts it into a release."""
    assert lines_with(sources.ROOT, PLANTED, sources.files(
        sources.ROOT, 'src', 'include', suffixes=('.c', '.h', '.build'))) == []


def test_a_planted_defect_is_found(tmp_path):
    sources.plant(tmp_path, 'src/x.c', '#ifdef PLANTED_' 'LEAK\n')
    assert lines_with(tmp_path, PLANTED, sources.files(tmp_path, 'src')) != []


def test_a_planted_path_and_a_planted_note_are_found(tmp_path):
    sources.plant(tmp_path, 'src/x.c', '/* see /' 'work/notes */\nint i; /* TO' 'DO: more */\n')
    assert lines_with(tmp_path, MACHINE_PATH, shipped(tmp_path)) == [
        'src/x.c:1: /* see /' 'work/notes */']
    assert lines_with(tmp_path, LATER, shipped(tmp_path)) == [
        'src/x.c:2: int i; /* TO' 'DO: more */']


def test_a_template_of_a_temporary_name_is_no_note():
    assert not LATER.search('char path[] = "cache-XXXXXX";')
