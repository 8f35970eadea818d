"""The command that prints what watches the service."""

import importlib.resources

import click

_FILES = {"dashboard": "dashboard.json", "alerts": "alerts.yaml"}


@click.command("monitoring")
@click.argument("what", type=click.Choice(tuple(_FILES)))
def monitoring(what: str) -> None:
    """
    Print the dashboard for Grafana or alerts for Prometheus.

    \b
    Examples:
      moderation monitoring dashboard > moderation.json
      moderation monitoring alerts > /etc/prometheus/moderation.yaml
    """
    folder = importlib.resources.files("service.monitoring")
    click.echo((folder / _FILES[what]).read_text("utf-8"), nl=False)
