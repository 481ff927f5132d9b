"""The classifiers, one file for each network."""
