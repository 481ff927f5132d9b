"""Web pages: a person judges images. The command line imports these modules when it needs them."""
