"""Lists the benchmarks: ``python -m tests.benchmarks``."""

import click

BENCHMARKS = {
    "pipeline": "claim to commit by one worker, beside scripts and the least it can cost",
    "claim": "claims and intake with a million finished uploads, beside two other queues",
    "memory": "one worker with a thousand calls in flight: memory and images a second",
    "cold_start": "seconds until `moderation up` is ready, first and second start",
    "flood": "how long a platform waits while another floods the service",
    "soak": "what grows or is lost while parts are killed under load; ten minutes or more",
    "intake": "uploads over HTTP beside bare INSERTs, overload, large bodies",
    "throughput": "as many uploads as one API process takes, beside a bare server",
    "records": "the moderators' queries on many records",
    "client": "CPU of a call of the edits client beside the openai SDK",
    "proof": "what edit proof catches, and what it costs",
    "console": "how long people wait for the console, in Chromium",
    "heartbeat": "how long pictures hold up the event loop",
}


@click.command()
def main() -> None:
    """List the benchmarks; each is a command of its own and tells more with --help."""
    for name, says in BENCHMARKS.items():
        click.echo(f"python -m tests.benchmarks.{name:<11} {says}")


if __name__ == "__main__":
    main()
