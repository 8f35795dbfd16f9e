# SPDX-License-Identifier: MIT
"""Let libFuzzer look for an input that breaks a target, beginning with the committed corpus.

What it has found on the way is kept below the build directory, so that a later run goes on from
there. An input that breaks the target is left in the build directory, too, and its name printed.
"""

import os
import pathlib
import re
import subprocess

TARGET = pathlib.Path(os.environ['FUZZ_TARGET'])
CORPUS = pathlib.Path(os.environ['FUZZ_CORPUS'])
SECONDS = int(os.environ.get('FUZZ_SECONDS', '60'))
# The sanitizer's habit of filling and keeping memory costs more than all the rest.
ENVIRONMENT = {'ASAN_OPTIONS': 'quarantine_size_mb=4:max_malloc_fill_size=0',
               'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1'}
HANG_SECONDS = 20   # for one input; on a busy machine one of a millisecond may take long


def run(target, grown, seconds):
    """What the engine says, and how it ended."""
    grown.mkdir(exist_ok=True)
    arguments = [f'-max_total_time={seconds}', f'-timeout={HANG_SECONDS}', '-rss_limit_mb=2048',
                 f'-artifact_prefix={target}-broken-by-', '-print_final_stats=1', '-max_len=8192',
                 grown]
    if CORPUS.is_dir():
        arguments.append(CORPUS)
    return subprocess.run([target, *arguments], capture_output=True, text=True, check=False,
                          errors='backslashreplace', timeout=seconds + 600,
                          env={**os.environ, **ENVIRONMENT})


def test_no_input_breaks_the_target():
    result = run(TARGET, TARGET.with_name(TARGET.name + '-corpus'), SECONDS)
    print(result.stderr[-2000:])
    assert result.returncode == 0, result.stderr[-20000:]
    executed = int(re.search(r'number_of_executed_units: (\d+)', result.stderr)[1])
    edges = [int(count) for count in re.findall(r' cov: (\d+) ', result.stderr)]
    print(f'{TARGET.name}: {executed} inputs, {edges[-1]} edges')
    assert executed > SECONDS
    # An engine that sees nothing of the target tries blindly.
    assert edges[-1] > 20


def test_target_has_a_corpus():
    assert any(CORPUS.iterdir())
