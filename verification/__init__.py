"""Look at two photos and a claim; say what they show. Pure: photos in, evidence out, decision.

Nothing here knows Flask, a database, Redis, RQ, the environment or the clock.
"""
