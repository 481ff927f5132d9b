"""The compiler's settings: what is set, what is left alone, and that only flags that exist are set."""

import os
import subprocess
import sys

import jax
import pytest

from jaxgan import xla


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(xla, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(xla.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_use_onednn=false")
    return tmp_path


def test_flags_that_jaxlib_does_not_know_are_left_out(cache, monkeypatch):
    monkeypatch.setattr(xla, "CPU_FLAGS", ("--xla_cpu_use_onednn=true", "--xla_cpu_no_such_flag=1"))
    assert xla.known_flags() == ("--xla_cpu_use_onednn=true",)
    monkeypatch.setattr(xla, "_accepts", lambda _: pytest.fail("asked twice"))
    assert xla.known_flags() == ("--xla_cpu_use_onednn=true",)
    (cache / "flags.json").write_text("not JSON")
    monkeypatch.setattr(xla, "_accepts", lambda _: True)
    assert len(xla.known_flags()) == 2


def test_what_the_user_set_stays(cache, monkeypatch):
    monkeypatch.setattr(xla, "CPU_FLAGS", ("--xla_cpu_use_onednn=true", "--xla_cpu_enable_fast_math=true"))
    monkeypatch.setattr(xla, "_accepts", lambda _: True)
    expected = "--xla_cpu_use_onednn=false --xla_cpu_enable_fast_math=true"
    assert xla.configure() == xla.configure() == os.environ["XLA_FLAGS"] == expected
    assert (cache / "flags.json").is_file()


def test_other_processors_get_no_flags(cache, monkeypatch):
    monkeypatch.setattr(xla.platform, "machine", lambda: "arm64")
    assert xla.configure() == "--xla_cpu_use_onednn=false"
    assert list(cache.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_no_error(cache, monkeypatch):
    (cache / "file").write_text("")
    monkeypatch.setattr(xla, "cache_folder", lambda: cache / "file" / "folder")
    monkeypatch.setattr(xla, "_accepts", lambda _: True)
    assert xla.known_flags() == xla.CPU_FLAGS


def test_a_cache_that_is_set_stays():
    assert (
        str(xla.cache_programs()) == jax.config.jax_compilation_cache_dir == os.environ["JAXGAN_TEST_CACHE"]
    )


def run(program, **environment):
    kept = {name: value for name, value in os.environ.items() if "CACHE" not in name}
    subprocess.run([sys.executable, "-c", program], env={**kept, **environment}, check=True)


def test_a_program_is_compiled_once(tmp_path):
    program = (
        "import jax; from jaxgan import xla; xla.cache_programs(); "
        "jax.jit(lambda x: x @ x)(jax.numpy.ones((9, 9)))"
    )
    run(program, XDG_CACHE_HOME=str(tmp_path))
    first = sorted((tmp_path / "jaxgan" / "programs").glob("*-cache"))
    assert first
    run(program, XDG_CACHE_HOME=str(tmp_path))
    assert sorted((tmp_path / "jaxgan" / "programs").glob("*-cache")) == first


def test_importing_sets_nothing():
    run(
        "import os; before = dict(os.environ); import jaxgan.xla, jaxgan.gans.dcgan; "
        "assert before == dict(os.environ)"
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the C library of GNU")
def test_memory_that_was_freed_is_kept():
    program = (
        "import resource, numpy as np; from jaxgan import xla; kept = xla.keep_memory()\n"
        "for _ in range(20): np.ones(2**22)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(20): np.ones(2**22)\n"
        "faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "assert not kept or faults < 2**22 * 8 / 4096, faults"
    )
    run(program)


def test_programs_can_be_kept_under_the_flags(tmp_path):
    """Some of XLA's libraries cannot write down what they compiled; then every start would compile again."""
    program = """
import jax, pathlib, sys
from jaxgan import ops, xla
xla.configure()
jax.config.update("jax_compilation_cache_dir", sys.argv[1])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
shapes = (64, 7, 7, 256), (4, 4, 256, 128), (3, 3, 128, 64)
def kept(x, small, large):
    return ops.conv2d(ops.conv2d(x, small), large, stride=2).sum()
shaped = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
jax.jit(jax.grad(kept, (0, 1, 2))).lower(*shaped).compile()
assert list(pathlib.Path(sys.argv[1]).glob("jit_kept-*-cache")), "the program was not kept"
"""
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path)]
    subprocess.run(command, env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "user")}, check=True)
