"""Print a parameter of Parameter Store, decrypted, with the credentials of this EC2 instance's role.

Needs Python 3.6 and nothing else, for hosts that have neither the AWS CLI nor boto3.
"""

# ruff: noqa: S310 - where it connects to is this host's own metadata and AWS
import datetime
import hashlib
import hmac
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

METADATA = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")


class ReadError(Exception):
    """The parameter cannot be read; the text says why and what to do."""


def metadata(path, method="GET", **headers):
    request = urllib.request.Request(METADATA + "/latest/" + path, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode("utf-8")


def of_this_host():
    """Give the host's Region and the credentials of its role."""
    try:
        token = {
            "X-aws-ec2-metadata-token": metadata("api/token", "PUT", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        }
        region = metadata("meta-data/placement/region", **token)
        role = metadata("meta-data/iam/security-credentials/", **token).split()[0]
        return region, json.loads(metadata("meta-data/iam/security-credentials/" + role, **token))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise ReadError("this host has no role; give its instance an instance profile") from None
        raise ReadError(f"the instance metadata answered {error.code}") from None
    except OSError as error:
        raise ReadError(f"there is no instance metadata here ({error})") from None


def sign(key, text):
    return hmac.new(key, text.encode("utf-8"), hashlib.sha256).digest()


def signed(url, body, target, region, credentials):
    """Give the request, signed as the Signature Version 4 of AWS wants it."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": urllib.parse.urlsplit(url).netloc,
        "x-amz-date": now,
        "x-amz-security-token": credentials["Token"],
        "x-amz-target": target,
    }
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    digest = hashlib.sha256(body).hexdigest()
    canonical = "\n".join(["POST", "/", "", *lines, "", names, digest])
    scope = f"{now[:8]}/{region}/ssm/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode("utf-8")).hexdigest()])
    key = ("AWS4" + credentials["SecretAccessKey"]).encode("utf-8")
    for part in (now[:8], region, "ssm", "aws4_request"):
        key = sign(key, part)
    signature = hmac.new(key, to_sign.encode("utf-8"), hashlib.sha256).hexdigest()
    who = f"{credentials['AccessKeyId']}/{scope}"
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={who}, SignedHeaders={names}, Signature={signature}"
    return urllib.request.Request(url, data=body, headers=headers, method="POST")


def read_parameter(name):
    """Give the value of a parameter.

    Raises
    ------
    ReadError
    """
    region, credentials = of_this_host()
    given = os.environ.get("AWS_ENDPOINT_URL_SSM") or os.environ.get("AWS_ENDPOINT_URL")
    url = (given or f"https://ssm.{region}.amazonaws.com").rstrip("/") + "/"
    body = json.dumps({"Name": name, "WithDecryption": True}).encode("utf-8")
    try:
        with urllib.request.urlopen(
            signed(url, body, "AmazonSSM.GetParameter", region, credentials), timeout=10
        ) as answer:
            return json.loads(answer.read().decode("utf-8"))["Parameter"]["Value"]
    except urllib.error.HTTPError as error:
        told = json.loads(error.read().decode("utf-8", "replace") or "{}")
        kind = str(told.get("__type", error.code)).rpartition("#")[2]
        why = told.get("message") or told.get("Message") or ""
        remedy = ""
        if kind == "AccessDeniedException":
            remedy = " Allow the role of this host ssm:GetParameter on exactly this parameter."
        raise ReadError(f"{kind}: {why.rstrip('.')}.{remedy}") from None
    except OSError as error:
        raise ReadError(f"Parameter Store cannot be reached: {error}") from None


if __name__ == "__main__":
    try:
        sys.stdout.write(read_parameter(sys.argv[1]) + "\n")
    except ReadError as error:
        sys.exit(f"The parameter {sys.argv[1]} cannot be read: {error}")
