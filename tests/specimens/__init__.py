"""Specimens: passports and faces of nobody, drawn and photographed for the tests and the demo. See README.md here."""
