"""PEOPLE. HTTP in, HTML out: the portal for customers, desk and ops for staff. Decides nothing."""
