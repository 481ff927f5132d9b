"""Style transfer by networks that see: the content of one picture in the style of another."""

MODELS = ("adain",)
"""The modules here that are models of the zoo."""
