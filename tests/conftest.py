"""What every test shares: strict promotion of ranks, double precision where asked for, compiled programs."""

import os
import tempfile

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")

collect_ignore = ["agreement.py", "references"]
"""Programs: the one that test_parallel starts, and those that ask other libraries what is right."""


QUICKLY = "--xla_backend_optimization_level=0"
"""The fast tests run most of their programs a few times: to optimise them takes longer than it saves."""


def pytest_configure(config):
    """Lets all tests of a session, and the programs they start, compile each program only once.

    The fast suite compiles without optimising; the smoke subset and the slow tests run what users run.
    """
    if "JAXGAN_TEST_CACHE" not in os.environ:  # in the first process; the others inherit it
        if config.option.markexpr == "not slow" and "XLA_FLAGS" not in os.environ:
            os.environ["XLA_FLAGS"] = QUICKLY
        folder = tempfile.TemporaryDirectory(prefix="jaxgan-tests-", ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        os.environ["JAXGAN_TEST_CACHE"] = os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
    jax.config.update("jax_compilation_cache_dir", os.environ["JAXGAN_TEST_CACHE"])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@pytest.fixture
def host():
    """The machine that the reports of benchmarks name, where nothing is measured."""
    from benchmarks.records import Machine, Roof

    return Machine(
        platform="cpu",
        device_kind="cpu",
        device_count=1,
        process_count=1,
        processor="a processor",
        cores=2,
        memory=None,
        system="Linux",
        python="3.12",
        versions={},
        flags="",
        commit=None,
        roof=Roof(),
    )


@pytest.fixture
def x64():
    """Runs a test in double precision."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)
