"""The one place that makes clients: local never reaches AWS, AWS never reaches local."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.aws import PARALLEL, Clients, connect
from scripts.config import Settings
from scripts.errors import AwsError

ALL = ("emr", "s3", "ec2", "iam", "sts")
LOCAL_URL = "http://127.0.0.1:50123"
Make = Callable[..., Settings]


@pytest.fixture
def somebody_elses_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Real-looking keys, a profile that does not exist, an endpoint and a proxy left over from something else."""
    (tmp_path / "config").write_text(
        "[default]\nendpoint_url = http://127.0.0.1:9\n[profile work]\nregion = us-east-1\n"
    )
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "geheim",
        "AWS_SESSION_TOKEN": "geheim",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "us-east-1",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)


def credentials(client: Any) -> tuple[str, str, str | None]:
    found = client._request_signer._credentials.get_frozen_credentials()
    return found.access_key, found.secret_key, found.token


@pytest.mark.parametrize("name", ALL)
def test_local_has_dummy_credentials_and_only_the_local_endpoint(
    somebody_elses_shell: None, monkeypatch: pytest.MonkeyPatch, make_settings: Make, name: str
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")

    client = getattr(connect(make_settings(target="local", endpoint_url=LOCAL_URL, aws_profile="gone")), name)

    assert client.meta.endpoint_url == LOCAL_URL
    assert credentials(client) == ("local", "local", None)
    assert client.meta.config.proxies == {}
    assert client.meta.region_name == "eu-west-1"


@pytest.mark.parametrize("name", ALL)
def test_aws_ignores_an_endpoint_left_in_the_shell_or_the_configuration(
    somebody_elses_shell: None, make_settings: Make, name: str
) -> None:
    client = getattr(connect(make_settings()), name)

    assert client.meta.endpoint_url.startswith("https://")
    assert ".amazonaws.com" in client.meta.endpoint_url
    assert credentials(client) == ("AKIAREAL", "geheim", "geheim")


def test_region_is_the_settings_and_not_the_profiles(somebody_elses_shell: None, make_settings: Make) -> None:
    connected = connect(make_settings(aws_profile="work", aws_region="eu-west-3"))

    assert connected.s3.meta.region_name == connected.emr.meta.region_name == "eu-west-3"


def test_an_unknown_profile_is_an_error_that_says_what_to_do(make_settings: Make) -> None:
    with pytest.raises(AwsError) as caught:
        connect(make_settings(aws_profile="nowhere"))

    assert "nowhere" in caught.value.problem
    assert "AWS_PROFILE" in caught.value.remedy


@pytest.mark.parametrize("content", ["[default\naws_secret_access_key = geheim", "aws_secret_access_key geheim"])
def test_a_broken_configuration_file_is_an_error_without_its_content(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_settings: Make, content: str
) -> None:
    (tmp_path / "credentials").write_text(content)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))

    with pytest.raises(AwsError, match="reading the AWS profile") as caught:
        connect(make_settings(aws_profile="work"))

    assert str(tmp_path / "credentials") in caught.value.problem
    assert "geheim" not in str(caught.value)


def test_clients_retry_give_up_in_time_and_hold_a_connection_for_each_thread(clients: Clients) -> None:
    for name in ALL:
        config = getattr(clients, name).meta.config
        assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (10, 60, PARALLEL)
        assert config.retries == {"mode": "adaptive", "total_max_attempts": 6}


def test_local_does_not_read_a_persons_files_however_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_settings: Make
) -> None:
    (tmp_path / "broken").write_text("[default\naws_secret_access_key = geheim")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "broken"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "broken"))

    connected = connect(make_settings(target="local", endpoint_url=LOCAL_URL))

    assert credentials(connected.emr) == ("local", "local", None)


def test_a_client_is_made_once(clients: Clients) -> None:
    assert clients.s3 is clients.s3


def test_the_two_calls_that_cost_are_never_repeated_by_botocore(clients: Clients) -> None:
    assert clients.emr_once.meta.config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert clients.emr_once.meta.config.read_timeout == 60


@pytest.mark.parametrize("name", [*ALL, "emr_once"])
def test_renewing_picks_up_credentials_that_were_renewed_meanwhile(
    monkeypatch: pytest.MonkeyPatch, make_settings: Make, name: str
) -> None:
    connected = connect(make_settings())
    assert credentials(getattr(connected, name)) == ("testing", "testing", None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANEW")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "renewed")
    assert credentials(getattr(connected, name)) == ("testing", "testing", None)

    connected.renew()

    assert credentials(getattr(connected, name)) == ("AKIANEW", "testing", "renewed")


def test_renewing_reads_the_profile_afresh(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_settings: Make
) -> None:
    file = tmp_path / "credentials"
    file.write_text("[work]\naws_access_key_id = OLD\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    connected = connect(make_settings(aws_profile="work"))
    assert credentials(connected.emr)[0] == "OLD"

    file.write_text("[work]\naws_access_key_id = NEW\naws_secret_access_key = x\n")
    connected.renew()
    assert credentials(connected.emr)[0] == "NEW"

    file.unlink()
    with pytest.raises(AwsError, match="reading the AWS profile"):
        connected.renew()


def test_renewing_keeps_local_local(somebody_elses_shell: None, make_settings: Make) -> None:
    connected = connect(make_settings(target="local", endpoint_url=LOCAL_URL))

    connected.renew()

    assert connected.emr.meta.endpoint_url == connected.emr_once.meta.endpoint_url == LOCAL_URL
    assert credentials(connected.emr) == ("local", "local", None)
