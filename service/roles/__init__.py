"""The roles, each a process: what it opens, and how long it runs."""

# How many connections the pool of each has.
WEB_CONNECTIONS = 10
WORKER_CONNECTIONS = 8
DELIVER_CONNECTIONS = 4
