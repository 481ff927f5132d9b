"""Pictures of what the networks of a run see: the run opened, its images chosen, the result drawn."""

from jaxgan.explain.players import Player, open_players
from jaxgan.explain.request import ATTRIBUTIONS, METHODS, Request
from jaxgan.explain.views import explain, list_layers

__all__ = ["ATTRIBUTIONS", "METHODS", "Player", "Request", "explain", "list_layers", "open_players"]
