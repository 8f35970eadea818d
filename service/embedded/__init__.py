"""An embedded Postgres for `up` and the tests, over the programs of a PyPI wheel."""
