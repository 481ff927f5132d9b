"""A prepared TensorFlow data set, read without TensorFlow."""

import sys
import warnings

import numpy as np
import pytest

from jaxgan import data
from jaxgan.validation import InputError


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A small set of PNG images, prepared in the array_record format."""
    folder = tmp_path_factory.mktemp("tfds")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import io

        import tensorflow_datasets as tfds
        from PIL import Image

        class Shades(tfds.core.GeneratorBasedBuilder):
            """Images of one shade each."""

            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                features = tfds.features.FeaturesDict(
                    {
                        "image": tfds.features.Image(shape=(4, 6, 1)),
                        "label": tfds.features.ClassLabel(names=["dark", "light"]),
                    }
                )
                return tfds.core.DatasetInfo(builder=self, features=features)

            def _split_generators(self, dl_manager):
                del dl_manager
                return {"train": self._generate_examples(10), "validation": self._generate_examples(4)}

            def _generate_examples(self, count):
                for number in range(count):
                    file = io.BytesIO()
                    Image.fromarray(np.full((4, 6), number * 20, np.uint8)).save(file, "PNG")
                    yield number, {"image": io.BytesIO(file.getvalue()), "label": number % 2}

        Shades(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


def load(name, split, folder, **options):
    return data.load(f"tfds:{name}", split, image_size=(4, 6), channels=1, data_dir=folder, **options)


def test_a_prepared_set_is_read_without_tensorflow(prepared):
    train = load("shades", "train", prepared)
    assert train.classes == ("dark", "light")
    found = train.read(np.arange(10))
    shades = found["image"][:, 0, 0, 0]
    assert sorted(shades) == list(range(0, 200, 20))
    np.testing.assert_array_equal(found["label"], shades // 20 % 2)
    assert len(load("shades", "test", prepared)) == 4  # its validation split
    assert "tensorflow" not in sys.modules


def test_it_feeds_batches(prepared):
    stream = data.batches(load("shades", "train", prepared), batch_size=5, seed=0, value_range=(-1, 1))
    shades = np.concatenate([next(stream)["image"][:, 0, 0, 0] for _ in range(2)])
    np.testing.assert_allclose(np.sort(shades), np.arange(10) * 20 / 127.5 - 1, atol=1e-6)


def test_what_is_not_prepared_is_said_with_the_way_to_prepare_it(tmp_path):
    with pytest.raises(
        InputError, match=r"tfds:mnist is not prepared.*pip install tensorflow.*data_source.*--data-dir"
    ):
        load("mnist", "train", tmp_path)
    with pytest.raises(InputError, match="tfds:NAME or tfds:NAME:CONFIG"):
        load("../../etc", "train", tmp_path)


def test_a_damaged_set_is_named(prepared, tmp_path):
    import shutil

    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.rglob("*array_record*"):
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match="cannot be read"):
        load("shades", "train", tmp_path).read(np.arange(10))
    for path in tmp_path.rglob("dataset_info.json"):
        path.write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        load("shades", "train", tmp_path)
