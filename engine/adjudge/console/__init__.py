"""The pages in a browser: assets, and what `make console` builds of them into `static/`."""
