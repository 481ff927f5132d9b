"""Random changes of images on the device: pure, differentiable functions `(key, images) -> images`.

Each file has an `apply`: `diffaugment` and `ada` for the images that a discriminator sees (both the real and
the generated, under keys of their own), `affine` for the training images of a classifier. Each image is
changed by numbers of its own, drawn from the key and the image's place in the whole batch, so that what
comes out does not depend on the number of devices. `controller` adapts the strength of `ada` in a step.
"""
