"""The SageMaker Python SDK 2, pointed at a server by the environment alone, as its users do."""

from __future__ import annotations

import pathlib
import time

CONFIG = "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n"


def environment(server, folder: pathlib.Path) -> dict[str, str]:
    """Variables for a process that uses the SDK; its configuration, which lies in `folder`, keeps it from calling AWS."""
    config = folder / "sagemaker-sdk.yaml"
    config.write_text(CONFIG)
    return {**server.client_environment(), "SAGEMAKER_USER_CONFIG_OVERRIDE": str(config),
            "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": str(config), "SAGEMAKER_SUPPRESS_V2_WARNING": "1"}


def point_at(server, folder: pathlib.Path, patch):
    """The SDK's module. While `patch` (pytest's MonkeyPatch) holds, its polls of 30 s and more are short."""
    for name, value in environment(server, folder).items():
        patch.setenv(name, value)
    import sagemaker
    from sagemaker.session import time as sdk_time

    sleep = time.sleep
    patch.setattr(sdk_time, "sleep", lambda seconds: sleep(min(seconds, 0.1)))
    return sagemaker
