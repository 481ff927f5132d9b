"""What every test shares: double precision where asked for, and strict promotion of ranks."""

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")

collect_ignore = ["agreement.py"]  # a program that test_parallel starts


@pytest.fixture
def x64():
    """Runs a test in double precision."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)
