# SPDX-License-Identifier: MIT
"""Small files, small functions, lines that fit, one formatting."""

import re
import shutil
import subprocess

import sources

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 80
COLUMNS_MAX = 100


def c_files(root):
    return sources.files(root, 'src', 'include', 'tests')


def long_files(root):
    return [f'{sources.name(root, path)}: {count} lines'
            for path in sources.files(root, 'src', 'include', 'tests', suffixes=('.c', '.h', '.py'))
            if (count := len(path.read_text().splitlines())) > FILE_LINES_MAX]


def long_functions(root):
    """A function's braces are the only ones that stand alone in the first column."""
    found = []
    for path in c_files(root):
        start = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line == '{':
                start = number
            elif line == '}' and start is not None:
                if number - start - 1 > FUNCTION_LINES_MAX:
                    found.append(f'{sources.name(root, path)}:{start}: '
                                 f'a function of {number - start - 1} lines')
                start = None
    return found


def long_lines(root):
    return [f'{sources.name(root, path)}:{number}: {len(line.expandtabs(8))} columns'
            for path in sources.files(root, 'src', 'include', 'tests', suffixes=('.c', '.h', '.py'))
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if len(line.expandtabs(8)) > COLUMNS_MAX]


def unformatted(root):
    result = subprocess.run(['clang-format', '--dry-run', '-Werror', *map(str, c_files(root))],
                            capture_output=True, text=True, cwd=root)
    assert result.returncode == 0 or 'clang-format-violations' in result.stderr, result.stderr
    return sorted({line.split(':')[0].removeprefix(f'{root}/')
                   for line in result.stderr.splitlines() if 'clang-format-violations' in line})


def raw_complaints(root):
    """What commands write to standard error by another way than terminal_complain()."""
    allowed = {'terminal.c', 'warm_progress.c'}
    return [f'{sources.name(root, path)}:{number}'
            for path in sources.files(root, 'src', suffixes=('.c',))
            if (path.parent.name == 'command' or path == root / 'src/main.c')
            and path.name not in allowed
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if re.search(r'printf\(stderr|put[cs]\(.*, stderr\)|\bperror\(', line)]


def test_commands_complain_by_the_one_function_that_no_terminal_obeys():
    assert raw_complaints(sources.ROOT) == []


def test_a_raw_complaint_is_found(tmp_path):
    command = tmp_path / 'src/command'
    command.mkdir(parents=True)
    (command.parent / 'main.c').write_text('\tperror(path);\n')
    (command / 'x.c').write_text('\tfprintf(stderr, "%s", path);\n\tfputs(path, stderr);\n')
    assert raw_complaints(tmp_path) == ['src/command/x.c:1', 'src/command/x.c:2', 'src/main.c:1']


def test_files_are_short():
    assert long_files(sources.ROOT) == []


def test_functions_are_short():
    assert long_functions(sources.ROOT) == []


def test_lines_fit_into_the_columns():
    assert long_lines(sources.ROOT) == []


def test_clang_format_has_nothing_to_change():
    assert unformatted(sources.ROOT) == []


def test_what_is_too_long_is_found(tmp_path):
    body = '\tint i;\n' * (FUNCTION_LINES_MAX + 1)
    sources.plant(tmp_path, 'src/function.c', f'void f(void)\n{{\n{body}}}\n')
    sources.plant(tmp_path, 'src/file.c', '\n' * (FILE_LINES_MAX + 1))
    sources.plant(tmp_path, 'src/line.c', '\t' + '/' * (COLUMNS_MAX - 7) + '\n')
    assert long_functions(tmp_path) == [f'src/function.c:2: a function of '
                                        f'{FUNCTION_LINES_MAX + 1} lines']
    assert long_files(tmp_path) == [f'src/file.c: {FILE_LINES_MAX + 1} lines']
    assert long_lines(tmp_path) == [f'src/line.c:1: {COLUMNS_MAX + 1} columns']


def test_what_is_not_formatted_is_found(tmp_path):
    shutil.copy(sources.ROOT / '.clang-format', tmp_path)
    sources.plant(tmp_path, 'src/line.c', 'int  f( void ) {return 0;}\n')
    sources.plant(tmp_path, 'src/good.c', 'int i;\n')
    assert unformatted(tmp_path) == ['src/line.c']
