# SPDX-License-Identifier: MIT
"""The project's files, and what the C files among them include."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def files(root, *folders, suffixes=('.c', '.h')):
    """Every file with one of the suffixes below the folders, sorted."""
    return sorted(path for folder in folders for path in (root / folder).rglob('*')
                  if path.suffix in suffixes and path.is_file()
                  and '__pycache__' not in path.parts)


def name(root, path):
    return path.relative_to(root).as_posix()


def includes(path):
    """What the file includes: (is it quoted, what stands between the quotes or brackets)."""
    return [(bracket == '"', target) for bracket, target in INCLUDE.findall(path.read_text())]


def plant(root, path, text):
    """Write a file below a directory made for the purpose, to see a rule fail."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return target
