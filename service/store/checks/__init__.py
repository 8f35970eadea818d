"""Statements that find what must never be: each gives the violations of one rule, bounded."""

from dataclasses import dataclass

# Whoever has more violations of one rule than this learns nothing from the rest.
MOST = 100


@dataclass(frozen=True, slots=True)
class Check:
    """
    One rule that the database alone can show.

    Attributes:
        name: What the rule is called on the command line.
        invariant: I0 to I9 are the promises under faults; D2 to D9 those of the design (one
            transaction, fence, fail closed, provenance, history, tenants); L is the ledger of
            money, C what is counted beside the uploads, S what stands still or lies about.
        says: The rule, in words.
        sql: A SELECT of ``subject`` and ``detail`` without parameters, true of one snapshot.
    """

    name: str
    invariant: str
    says: str
    sql: str

    @property
    def bounded(self) -> str:
        """The statement with its limit."""
        return f"SELECT subject, detail FROM ({self.sql}) AS found LIMIT {MOST}"  # noqa: S608  # a constant of ours
