"""Links: 128 bits, the same when they are printed again, and in four formats."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path

from cryptography import x509

from labctl.web.certificate import ensure_certificate
from labctl.web.links import as_cards, as_csv, as_json, as_text, make_links, make_tokens
from labctl.web.store import TEACHER

SEATS = ("seat01", "seat02")


def test_tokens_have_128_bits_and_stay_until_new_ones_are_made(tmp_path: Path):
    tokens = make_tokens(tmp_path, SEATS)
    assert list(tokens) == [*SEATS, TEACHER]
    assert len(set(tokens.values())) == 3
    assert {len(base64.urlsafe_b64decode(token + "==")) for token in tokens.values()} == {16}
    assert make_tokens(tmp_path, [*SEATS, "seat03"]).items() >= tokens.items()
    assert not set(make_tokens(tmp_path, SEATS, new=True).values()) & set(tokens.values())
    key = tmp_path / "links.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert not [token for token in tokens.values() if token.encode() in key.read_bytes()]


def test_the_token_stands_where_no_server_sees_it(tmp_path: Path):
    tokens = make_tokens(tmp_path, SEATS)
    links = make_links("https://class.test/", tokens)
    assert links[0].link == f"https://class.test/enter#{tokens['seat01']}"
    assert as_text(links).splitlines()[2] == f"teacher  https://class.test/enter#{tokens[TEACHER]}"
    assert list(csv.DictReader(as_csv(links).splitlines()))[1] == {"person": "seat02", "link": links[1].link}
    assert [row["person"] for row in json.loads(as_json(links))["links"]] == [*SEATS, TEACHER]


def test_cards_have_a_code_for_each_student_and_none_for_the_teacher(tmp_path: Path):
    tokens = make_tokens(tmp_path, SEATS)
    page = as_cards("bgp <script>", make_links("https://class.test", tokens))
    assert page.count("<svg") == 2 and tokens[TEACHER] not in page
    assert "bgp &lt;script&gt;" in page and "<script" not in page
    assert "http" not in page.replace("https://class.test", "").replace("http://www.w3.org/2000/svg", "")


def test_the_certificate_is_for_the_name_in_the_link_and_renewed_for_another(tmp_path: Path):
    names = []
    for host in ("class.test", "class.test", "192.168.1.10"):
        certificate, key = ensure_certificate(tmp_path, host)
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        authority = x509.load_pem_x509_certificate((tmp_path / "authority.crt").read_bytes())
        found.verify_directly_issued_by(authority)
        alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names.append((found.serial_number, [str(name.value) for name in alternatives]))
        assert key.stat().st_mode & 0o777 == 0o600
    assert names[0] == names[1] and names[0][1] == ["class.test"] and names[2][1] == ["192.168.1.10"]
