"""Settings of the web server, read by gunicorn itself (`--config python:webapp.gunicorn`).

Threads, not processes, carry the waiting: a request decodes no photo in this process and loads no model.
"""

from __future__ import annotations

import os
from typing import Any

from webapp.lifeline import die_with_parent

worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = int(os.environ.get("WEB_THREADS", "8"))
timeout = 60  # seconds without a sign of life from a worker process
graceful_timeout = int(os.environ.get("WEB_GRACEFUL_SECONDS", "20"))  # for requests under way when told to stop
keepalive = 5
worker_tmp_dir = "/dev/shm"  # the heartbeat file must not wait for a disk
control_socket_disable = True  # one socket in the home folder would be shared by all our servers
preload_app = False  # OpenCV must not be imported before a fork
errorlog = "-"
accesslog = None  # addresses of pages hold case ids; the application logs what matters


def post_fork(server: Any, worker: Any) -> None:
    """Let a worker process die with gunicorn's arbiter, even when that gets SIGKILL."""
    die_with_parent(worker.ppid)
