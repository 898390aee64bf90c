from __future__ import annotations

import pytest


@pytest.fixture
def document():
    """Makes the document on a lab of hand-made facts, edited before they are judged."""
    from dataclasses import replace

    from support.made_facts import make_facts, make_lab

    from labctl.checks.facts import MachineFacts
    from labctl.checks.verify import judge_facts
    from labctl.graph.live import picture_of_facts
    from labctl.report.document import Document
    from labctl.report.versions import Version

    def maker(*, ingress_answers: bool = True, error: str = "no route to host"):
        lab = make_lab()
        facts = make_facts(lab)
        if not ingress_answers:
            facts = replace(facts, machines={**facts.machines, "ingress": MachineFacts("ingress", error)})
        versions = (Version("BIRD", "2.17.6"), Version("etcd", ""))
        return Document(judge_facts(lab, facts), picture_of_facts(lab, facts), versions, "2026-01-02 03:04:05 UTC")

    return maker
