"""Rules and records: what a case is, what may happen to it, and what is remembered. No Flask, no RQ."""
