"""Look at two photos and a claim; say what they show. Pure: photos in, evidence out, decision.

Nothing here knows Flask, a database, Redis, RQ, the environment or the clock.
"""

import os

# The one exception: ONNX Runtime would start a thread at import, keep a device id in the home folder and report home.
# Nothing of this system reports anywhere, and no thread may run when a worker forks.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
