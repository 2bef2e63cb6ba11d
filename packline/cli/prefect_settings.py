"""How Packline sets Prefect up: offline, silent, and with a database that keeps pace.

Only environment variables, so that they can be set before Prefect is imported (it reads them on import) and
handed to children.
"""

from __future__ import annotations

import os
from pathlib import Path

# our own modules' log lines reach the Prefect UI
LOGGERS = "packline,tasks,flows,scoring"

_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_LOGGING_EXTRA_LOGGERS": LOGGERS,
}

# one insert a task run is what makes SQLite the bottleneck; in batches it records five times as many
_BATCHED = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "200",
}

# a server that lives as long as one run has nothing to schedule, to be late with or to trigger
_NOTHING_TO_SCHEDULE = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
}


def for_one_run(home: Path) -> dict[str, str]:
    """Environment for a run without a server of its own: Prefect starts one for as long as the run lasts.

    Parameters
    ----------
    home
        Folder for Prefect's database.
    """
    return {
        **_QUIET,
        **_BATCHED,
        **_NOTHING_TO_SCHEDULE,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        # the command line shows the run itself; its log is a file
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        # it complains when it is stopped in the middle of its housekeeping; nothing is lost by that
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    }


def for_server(home: Path, api: str) -> dict[str, str]:
    """Environment for a server on this machine, its worker and its deployments.

    Parameters
    ----------
    home
        Folder for the server's database.
    api
        The server's address with ``/api``.
    """
    return {
        **_QUIET,
        **_BATCHED,
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_CLI_PROMPT": "false",
    }


def without_profile() -> dict[str, str]:
    """This process's environment without a person's own Prefect settings, which would lead elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
