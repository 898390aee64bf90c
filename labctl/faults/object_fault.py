"""A fault in an object of the cluster, whichever layer it belongs to."""

from __future__ import annotations

from labctl.checks.check import Layer
from labctl.faults.fault import Fault, Place


def object_fault(  # noqa: PLR0917 - the catalogue is a table, a row per fault
    layer: Layer, name: str, level: int, root: str, cause: str, answer: str, lesson: str, apply: str
) -> Fault:
    """A fault that changes an object through the API; undo puts the object back as it was."""
    return Fault(
        name=name,
        layer=layer,
        level=level,
        lesson=lesson,
        answer=answer,
        place=Place.CONTROLPLANE,
        root_causes=(root,),
        cause=cause,
        apply=apply,
        undo="restore_objects",
    )
