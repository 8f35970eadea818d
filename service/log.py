"""Structured logs on stderr: one event name and facts; ids are bound once with ``bound``."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import structlog

bound = structlog.contextvars.bound_contextvars
get = structlog.get_logger


def configure(style: Literal["console", "json"]) -> None:
    """Send every log line, our own and the libraries', to stderr in one style."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor]
    if style == "json":
        # Local variables hold keys and pictures, so no traceback ever shows them.
        plain = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        last = [structlog.processors.ExceptionRenderer(plain), structlog.processors.JSONRenderer()]
    else:
        last = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # A traceback for each malformed request line would let anybody fill the log; what our own
    # handlers raise is logged by our middleware.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    # While the database is away its pools warn with a traceback each; we say it in a line.
    logging.getLogger("asyncpg").setLevel(logging.ERROR)


@contextmanager
def watched(told: Callable[[str], None]) -> Iterator[None]:
    """Tell meanwhile of every line that our own code writes, by the name of its event."""

    def tell(
        _: structlog.typing.WrappedLogger, __: str, line: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        told(str(line["event"]))
        return line

    before = structlog.get_config()["processors"]
    structlog.configure(processors=[tell, *before])
    try:
        yield
    finally:
        structlog.configure(processors=before)
