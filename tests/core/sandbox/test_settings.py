"""The job's sandbox settings."""

from concurrent.futures import ThreadPoolExecutor

from netwright.sandbox import Limits, SandboxConfig, current_settings, use_sandbox


def test_settings_hold_inside_the_block_and_in_all_threads() -> None:
    settings = SandboxConfig(require="rlimits", limits=Limits(wall_s=3))
    with use_sandbox(settings), ThreadPoolExecutor() as pool:
        assert pool.submit(current_settings).result() == settings
        with use_sandbox(SandboxConfig()):
            assert current_settings().require is None
        assert current_settings() == settings
    assert current_settings() == SandboxConfig()
