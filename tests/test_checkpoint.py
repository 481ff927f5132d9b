"""Checkpoints: exact, unharmed by what comes after the save, and never silently damaged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import parallel
from jaxgan.checkpoint import Checkpoints, all_finite
from jaxgan.validation import InputError

pytestmark = pytest.mark.smoke


def make_state(value):
    return {"w": jnp.full((64, 64), value, jnp.float32), "step": jnp.int32(value), "empty": {}}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "checkpoints"
    path.mkdir()
    return path


@pytest.fixture
def template():
    return parallel.layout().abstract_state(make_state(0))


def save(folder, *steps, keep=3):
    checkpoints = Checkpoints(folder, keep=keep)
    for step in steps:
        checkpoints.save(step, make_state(step), {"step": step})
    checkpoints.close()


def damage(folder, step, how):
    largest = max((folder / str(step)).rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
    data = largest.read_bytes()
    if how == "truncated":
        largest.write_bytes(data[: len(data) // 2])
    elif how == "changed":
        largest.write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    else:
        largest.unlink()


def test_a_checkpoint_gives_back_what_it_was_given(folder, template):
    save(folder, 1, 2, 3, 4, 5)
    checkpoints = Checkpoints(folder)
    assert checkpoints.steps() == [3, 4, 5]
    step, state, position = checkpoints.restore(template, say=pytest.fail)
    assert (step, position) == (5, {"step": 5})
    jax.tree.map(np.testing.assert_array_equal, state, make_state(5))
    assert jax.tree.structure(state) == jax.tree.structure(make_state(5))


def test_a_state_may_be_donated_while_it_is_being_saved(folder, template):
    """The step reuses the memory of the state it is given: what was saved must not change with it."""

    def step(state, batch, key):
        del batch, key
        return jax.tree.map(lambda leaf: leaf + 1, state), {}

    layout = parallel.layout()
    compiled = layout.compile(step)
    state = layout.put_state(make_state(0))
    batch, key = layout.put_batch({}), layout.put_state(jax.random.key(0))
    checkpoints = Checkpoints(folder, keep=20)
    for number in range(1, 13):
        state, _ = compiled(state, batch, key)
        checkpoints.save(number, state, {})
    checkpoints.close()
    for number in range(12, 0, -1):
        found = Checkpoints(folder).restore(template, say=pytest.fail)
        np.testing.assert_array_equal(found.state["w"], make_state(found.step)["w"])
        assert found.step == number
        (folder / str(number)).rename(folder.parent / str(number))


@pytest.mark.parametrize("how", ["truncated", "changed", "missing"])
def test_a_damaged_checkpoint_is_said_and_the_one_before_taken(folder, template, how):
    save(folder, 1, 2)
    damage(folder, 2, how)
    said = []
    assert Checkpoints(folder).restore(template, say=said.append).step == 1
    assert len(said) == 1
    assert "checkpoint of step 2 cannot be read" in said[0]
    assert Checkpoints(folder).steps() == [1, 2]  # reading alone changes nothing

    checkpoints = Checkpoints(folder, keep=3)
    aside = folder.parent / "broken"
    assert checkpoints.restore(template, say=said.append, set_aside=aside).step == 1
    assert (aside / "2" / "state").is_dir()
    checkpoints.save(2, make_state(7), {})
    checkpoints.close()
    np.testing.assert_array_equal(Checkpoints(folder).restore(template, say=pytest.fail).state["step"], 7)


def test_nothing_to_restore_is_one_clear_error(folder, template):
    with pytest.raises(InputError, match="there is no checkpoint in"):
        Checkpoints(folder).restore(template, say=pytest.fail)
    save(folder, 1)
    damage(folder, 1, "truncated")
    with pytest.raises(InputError, match="none of the checkpoints"):
        Checkpoints(folder).restore(template, say=[].append)


def test_all_finite_sees_every_array():
    assert all_finite(make_state(1))
    assert not all_finite({**make_state(1), "bias": jnp.array([0.0, jnp.inf])})
    assert all_finite({})
