"""The lab live: facts as they change (follow), verify's word on them (judge), shown on a page or in a terminal."""
