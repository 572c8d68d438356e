"""An environment that wants Ray to run elsewhere, trust others, or keep its work in the open."""

from __future__ import annotations

HOSTILE = {
    "RAY_ADDRESS": "http://10.1.2.3:8265",
    "RAY_TMPDIR": "/tmp/of-another-user",
    "RAY_AUTH_MODE": "disabled",
    "RAY_AUTH_TOKEN": "known to everybody",
    "RAY_AUTH_TOKEN_PATH": "/tmp/token",
    "RAY_JOB_CONFIG_JSON_ENV_VAR": '{"runtime_env": {"working_dir": "/tmp"}}',
    "RAY_RUNTIME_ENV_HOOK": "os.system",
    "RAY_NAMESPACE": "theirs",
    "RAY_OVERRIDE_RESOURCES": '{"CPU": 64}',
    "RAY_USE_TLS": "1",
    "RAY_raylet_start_wait_time_s": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "1",
    "TUNE_RESULT_DIR": "/tmp/results",
    "TUNE_MAX_PENDING_TRIALS_PG": "1",
}
