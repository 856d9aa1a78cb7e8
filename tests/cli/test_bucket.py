import asyncio
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from cli.bucket import RULE_IS_NEW, RULE_IS_THERE, RULES_ARE_KEPT
from libs.common.storage.s3 import open_s3_store
from tests.support.polling import PATIENCE_SECONDS
from tests.support.s3 import S3Bucket
from tests.support.stores import use_credentials

ROOT = Path(__file__).parents[2]


def findme_bucket(s3: S3Bucket, folder: Path, **environment: str) -> tuple[int, str]:
    credentials = folder / "credentials"
    credentials.write_text(
        f"[default]\naws_access_key_id = {s3.access_key}\naws_secret_access_key = {s3.secret_key}\n"
    )
    own = {"PYTHONPATH": str(ROOT), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    run = subprocess.run(
        [sys.executable, "-m", "cli", "bucket"],
        env=os.environ | own | {"S3_ENDPOINT_URL": s3.endpoint_url} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    return run.returncode, (run.stdout + run.stderr).strip()


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
async def test_the_bucket_is_made_once(
    region: str, s3: S3Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"findme-test-{uuid.uuid4().hex[:12]}"
    environment = {"PHOTO_BUCKET_NAME": name, "AWS_REGION": region}
    run = [
        await asyncio.to_thread(findme_bucket, s3, tmp_path, **environment)
        for _ in ("first", "again")
    ]
    assert run == [
        (0, f"The bucket {name} is made.\n{RULE_IS_NEW}"),
        (0, f"The bucket {name} is there already.\n{RULE_IS_THERE}"),
    ]
    use_credentials(s3, monkeypatch)
    async with open_s3_store(name, endpoint_url=s3.endpoint_url, region=region) as store:
        await store.check()
        rules = await store._client.get_bucket_lifecycle_configuration(Bucket=name)
        assert [rule["AbortIncompleteMultipartUpload"] for rule in rules["Rules"]] == [
            {"DaysAfterInitiation": 7}
        ]
        off = [rule | {"Status": "Disabled"} for rule in rules["Rules"]]
        await store._client.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": off}
        )
        _, told = await asyncio.to_thread(findme_bucket, s3, tmp_path, **environment)
        assert RULES_ARE_KEPT in told
        await store._client.delete_bucket(Bucket=name)


def test_a_bucket_without_a_name_is_asked_for(s3: S3Bucket, tmp_path: Path) -> None:
    code, text = findme_bucket(s3, tmp_path, PHOTO_BUCKET_NAME="")
    assert (code, "PHOTO_BUCKET_NAME is not set" in text) == (1, True)
    assert "Traceback" not in text
