"""The template's managed policies: what each lets its bearer do, judged by the door as API Gateway would."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from tests.sessions import session_with

from tidegate.api import service_models
from tidegate.api.addresses import Scope, address_of, path_of
from tidegate.api.client_model import write_client_models

pytestmark = pytest.mark.local
REVISION = {"revisionType": "S3", "s3Location": {"bucket": "revisions", "key": "none.zip", "bundleType": "zip"}}
ROLE = "arn:aws:iam::123456789012:role/service"


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Scope | None], Path]:
    made: dict[Scope | None, Path] = {}

    def of(scope: Scope | None) -> Path:
        if scope not in made:
            made[scope] = tmp_path_factory.mktemp("models")
            write_client_models(made[scope], scope)
        return made[scope]

    return of


@pytest.fixture
def connect(cloud: Any, folders: Callable[[Scope | None], Path]) -> Callable[..., Any]:
    """A client with someone's keys: ``connect(keys, "codedeploy", Scope("shop"))``."""

    def client(keys: dict[str, str], service: str = "codedeploy", scope: Scope | None = None) -> Any:
        session = session_with(folders(scope), keys["AccessKeyId"], keys["SecretAccessKey"], keys.get("SessionToken"))
        url = cloud.env["AWS_ENDPOINT_URL_CODEDEPLOY"]
        return session.client(service, endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))

    return client


@pytest.fixture
def user(cloud: Any, request: pytest.FixtureRequest) -> Callable[..., dict[str, str]]:
    """A user with one of the template's policies: the keys."""
    iam, made = cloud.client("iam"), []

    def make(policy: str, application: str = "") -> dict[str, str]:
        name = f"{request.node.name[:40]}-{len(made)}"
        made.append(name)
        tags = [{"Key": "tidegate-application", "Value": application}] if application else []
        iam.create_user(UserName=name, Tags=tags)
        iam.attach_user_policy(UserName=name, PolicyArn=policy_arn(cloud, policy))
        keys: dict[str, str] = iam.create_access_key(UserName=name)["AccessKey"]
        return {**keys, "Arn": f"arn:aws:iam::123456789012:user/{name}"}

    return make


def policy_arn(cloud: Any, policy: str) -> str:
    found = cloud.client("iam").list_policies(Scope="Local")["Policies"]
    (arn,) = [each["Arn"] for each in found if f"-{policy}-" in each["PolicyName"]]
    return str(arn)


@pytest.fixture
def shops(cloud: Any, request: pytest.FixtureRequest) -> dict[str, str]:
    """Two applications with two groups each, one deployment to each group; ids by ``application/group``.

    The groups have no hosts, and the revision does not exist: the deployments fail soon, which matters to nobody here.
    """
    codedeploy, ids = cloud.client("codedeploy"), {}
    prefix = re.sub(r"\W", "", request.node.name)[-30:]
    for application in (f"{prefix}-a", f"{prefix}-b"):
        codedeploy.create_application(applicationName=application)
        for group in ("prod", "test"):
            names = {"applicationName": application, "deploymentGroupName": group}
            codedeploy.create_deployment_group(**names, serviceRoleArn=ROLE)
            made = codedeploy.create_deployment(**names, revision=REVISION)
            ids[f"{application[-1]}/{group}"] = made["deploymentId"]
    return {**ids, "a": f"{prefix}-a", "b": f"{prefix}-b"}


def json_door(cloud: Any, keys: dict[str, str], operation: str, given: dict[str, Any]) -> tuple[int, Any]:
    """A call by JSON 1.1 at ``POST /``, signed for API Gateway: status and answer."""
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"CodeDeploy_20141006.{operation}"}
    url, body = f"{cloud.env['AWS_ENDPOINT_URL_CODEDEPLOY']}/", json.dumps(given).encode()
    request = AWSRequest("POST", url, headers=headers, data=body)
    SigV4Auth(Credentials(keys["AccessKeyId"], keys["SecretAccessKey"]), "execute-api", "us-east-1").add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    return answer.status_code, json.loads(answer.content)


def refused(call: Callable[..., Any], **given: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return str(caught.value.response["Error"]["Code"])


def test_a_deployer_works_on_the_own_application_alone(
    cloud: Any, user: Callable[..., Any], connect: Callable[..., Any], shops: dict[str, str]
) -> None:
    keys = user("DeployerPolicy", shops["a"])
    mine, own = (connect(keys, service, Scope(shops["a"])) for service in ("codedeploy", "tidegate"))
    prod = {"applicationName": shops["a"], "deploymentGroupName": "prod"}

    assert mine.get_deployment(deploymentId=shops["a/prod"])["deploymentInfo"]["deploymentId"] == shops["a/prod"]
    assert shops["a/prod"] in mine.list_deployments(**prod)["deployments"]
    mine.register_application_revision(applicationName=shops["a"], revision=REVISION)
    own.list_decisions(deploymentId=shops["a/test"])
    found = mine.batch_get_deployments(deploymentIds=[shops["a/prod"], shops["b/prod"]])["deploymentsInfo"]
    assert [each["deploymentId"] for each in found] == [shops["a/prod"]]
    # The first one may still run: who may not deploy would be told so instead.
    with contextlib.suppress(mine.exceptions.DeploymentLimitExceededException):
        mine.create_deployment(**prod, revision=REVISION)
    assert own.list_changes(applicationName=shops["a"])["changes"][0]["operation"]

    # The other application's, by name, is refused by IAM; by id, it does not exist for this caller.
    theirs = {"applicationName": shops["b"], "deploymentGroupName": "prod"}
    assert refused(mine.create_deployment, **theirs, revision=REVISION) == "AccessDeniedException"
    assert refused(mine.get_application, applicationName=shops["b"]) == "AccessDeniedException"
    for call in (mine.stop_deployment, mine.get_deployment, mine.list_deployment_targets, own.list_decisions):
        assert refused(call, deploymentId=shops["b/prod"]) == "DeploymentDoesNotExistException"
    # What changes the application itself is an administrator's.
    assert refused(mine.delete_application, applicationName=shops["a"]) == "AccessDeniedException"
    assert refused(mine.update_deployment_group, applicationName=shops["a"], currentDeploymentGroupName="prod") == (
        "AccessDeniedException"
    )
    assert refused(mine.list_on_premises_instances) == "AccessDeniedException"


def test_a_deployer_cannot_leave_the_scope_by_another_path(
    cloud: Any, user: Callable[..., Any], connect: Callable[..., Any], shops: dict[str, str]
) -> None:
    keys = user("DeployerPolicy", shops["a"])
    stop = {"deploymentId": shops["b/prod"]}
    for scope in (None, Scope(shops["b"]), Scope(shops["b"], "prod"), Scope(f"{shops['a']}2")):
        assert refused(connect(keys, scope=scope).stop_deployment, **stop) == "AccessDeniedException"
    within = connect(keys, scope=Scope(shops["a"], "../../" + shops["b"]))
    assert refused(within.stop_deployment, **stop) in ("AccessDeniedException", "DeploymentDoesNotExistException")
    # JSON 1.1 at POST / has no names in its path: it is granted to administrators alone.
    status, answer = json_door(cloud, keys, "StopDeployment", stop)
    assert (status, "not authorized to perform: execute-api:Invoke" in answer["message"]) == (403, True)
    found = cloud.client("codedeploy").get_deployment(**stop)["deploymentInfo"]
    assert found.get("errorInformation", {}).get("code") != "MANUAL_STOP"


@pytest.mark.parametrize("path", ["/", "/ListApplications", "/GetApplication/shop"])
def test_nothing_is_answered_to_whoever_does_not_sign(cloud: Any, path: str) -> None:
    headers = {"X-Amz-Target": "CodeDeploy_20141006.ListApplications"} if path == "/" else {}
    request = AWSRequest("POST", cloud.env["AWS_ENDPOINT_URL_CODEDEPLOY"] + path, headers=headers, data=b"{}")
    answer = URLLib3Session().send(request.prepare())
    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (403, "MissingAuthenticationTokenException")


def test_a_tag_may_name_one_group(user: Callable[..., Any], connect: Callable[..., Any], shops: dict[str, str]) -> None:
    client = connect(user("DeployerPolicy", f"{shops['a']}/prod"), scope=Scope(shops["a"], "prod"))
    client.get_deployment(deploymentId=shops["a/prod"])
    client.get_deployment_group(applicationName=shops["a"], deploymentGroupName="prod")
    assert refused(client.get_deployment, deploymentId=shops["a/test"]) == "DeploymentDoesNotExistException"
    names = {"applicationName": shops["a"], "deploymentGroupName": "test"}
    assert refused(client.create_deployment, **names, revision=REVISION) == "AccessDeniedException"
    assert refused(client.get_deployment_group, **names) == "AccessDeniedException"


def test_without_a_tag_a_deployer_may_nothing_of_an_application(
    user: Callable[..., Any], connect: Callable[..., Any], shops: dict[str, str]
) -> None:
    client = connect(user("DeployerPolicy"), scope=Scope(shops["a"]))
    assert refused(client.get_application, applicationName=shops["a"]) == "AccessDeniedException"
    assert refused(client.stop_deployment, deploymentId=shops["a/prod"]) == "AccessDeniedException"
    assert client.list_deployment_configs()["deploymentConfigsList"]


def test_a_roles_session_deploys_by_the_roles_tag_and_may_be_narrowed(
    cloud: Any, connect: Callable[..., Any], shops: dict[str, str]
) -> None:
    iam, name = cloud.client("iam"), f"deployer-{shops['a']}"[:60]
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*"}]}
    tags = [{"Key": "tidegate-application", "Value": shops["a"]}]
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), Tags=tags)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=policy_arn(cloud, "DeployerPolicy"))
    sts = cloud.client("sts")
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="ci")["Credentials"]
    client = connect(keys, scope=Scope(shops["a"]))
    client.register_application_revision(applicationName=shops["a"], revision=REVISION)
    assert refused(client.stop_deployment, deploymentId=shops["b/prod"]) == "DeploymentDoesNotExistException"
    change = connect(keys, "tidegate", Scope(shops["a"])).list_changes(applicationName=shops["a"])["changes"][0]
    assert change["operation"] == "RegisterApplicationRevision"
    assert change["caller"] == f"arn:aws:sts::123456789012:assumed-role/{name}/ci"

    narrow = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:*/v1/POST/Get*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [narrow]})
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="look", Policy=policy)["Credentials"]
    client = connect(keys, scope=Scope(shops["a"]))
    client.get_application(applicationName=shops["a"])
    assert refused(client.stop_deployment, deploymentId=shops["a/prod"]) == "AccessDeniedException"


def test_who_looks_on_reads_everything_and_changes_nothing(
    user: Callable[..., Any], connect: Callable[..., Any], shops: dict[str, str]
) -> None:
    keys = user("ReadOnlyPolicy")
    client, own = connect(keys), connect(keys, "tidegate")
    for key in ("a/prod", "b/test"):
        client.get_deployment(deploymentId=shops[key])
    client.list_deployments()
    client.batch_get_applications(applicationNames=[shops["a"], shops["b"]])
    assert own.list_changes()["changes"]
    given = {
        "applicationName": shops["a"],
        "deploymentGroupName": "prod",
        "currentDeploymentGroupName": "prod",
        "deploymentId": shops["a/prod"],
    }
    asked = 0
    for service, model in (("codedeploy", service_models.codedeploy()), ("tidegate", service_models.tidegate())):
        for name in model.operation_names:
            if name.startswith(("Get", "List", "BatchGet")):
                continue
            asked += 1
            caller = client if service == "codedeploy" else own
            method = next(m for m, operation in caller.meta.method_to_api_mapping.items() if operation == name)
            shape = model.operation_model(name).input_shape
            needed = {member: given.get(member) or example(shape.members[member]) for member in shape.required_members}
            needed |= {member: given[member] for member in given if member in shape.members}
            assert refused(getattr(caller, method), **needed) == "AccessDeniedException", name
    assert asked >= 20


def example(shape: Any) -> Any:
    if shape.type_name == "list":
        return [example(shape.member)]
    if shape.type_name == "structure":
        return {name: example(shape.members[name]) for name in shape.required_members}
    return "text"


def test_an_administrator_may_call_everything_in_every_spelling(
    cloud: Any, user: Callable[..., Any], connect: Callable[..., Any], shops: dict[str, str]
) -> None:
    keys = user("AdministratorPolicy")
    client = connect(keys)
    client.create_application(applicationName=f"{shops['a']}-new")
    client.delete_application(applicationName=f"{shops['a']}-new")
    assert json_door(cloud, keys, "GetApplication", {"applicationName": shops["a"]})[0] == 200
    with contextlib.suppress(client.exceptions.DeploymentAlreadyCompletedException):
        client.stop_deployment(deploymentId=shops["b/test"])


def test_the_policies_name_paths_that_exist_and_fit_into_iam(cloud: Any) -> None:
    iam = cloud.client("iam")
    for policy in ("ReadOnlyPolicy", "DeployerPolicy", "AdministratorPolicy"):
        arn = policy_arn(cloud, policy)
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        size = len(re.sub(r"\s", "", json.dumps(document)))
        assert size <= 6144, f"IAM takes 6,144 characters without white space; {policy} has {size}"
        (statement,) = document["Statement"]
        assert statement["Effect"] == "Allow"
    resources = {each.split("/POST/")[1] for each in deployer_resources(cloud)}
    tag = "${aws:PrincipalTag/tidegate-application}"
    for resource in resources:
        name = resource.split("/")[0]
        prefix, service = service_models.by_operation(name) or pytest.fail(f"{name} is no operation")
        address = address_of(service.operation_model(name))
        assert ("*" in resource) is resource.endswith(f"/{tag}/*")
        assert (tag in resource) is (address.most > 0), resource
        names = {"applicationName": "A", "deploymentGroupName": "G", "currentDeploymentGroupName": "G"}
        longest = path_of(address, names, Scope("A", "G"))
        forms = {each.replace(tag, "A").replace("*", "G") for each in resources if each.split("/")[0] == name}
        assert longest.lstrip("/") in forms or address.required, f"{prefix}: {longest} is not granted"


def deployer_resources(cloud: Any) -> list[str]:
    iam, arn = cloud.client("iam"), policy_arn(cloud, "DeployerPolicy")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return list(document["Statement"][0]["Resource"])


def test_overriding_alarms_is_a_right_of_its_own(
    cloud: Any, user: Callable[..., Any], shops: dict[str, str], tmp_path: Path
) -> None:
    """A deployer may deploy, and neither path lets an override through; an administrator's prepared client does."""
    write_client_models(tmp_path / "usual")
    write_client_models(tmp_path / "overriding", override_alarms=True)
    deployer, administrator = user("DeployerPolicy", shops["a"]), user("AdministratorPolicy")
    prod = {"applicationName": shops["a"], "deploymentGroupName": "prod", "revision": REVISION}
    override = {"overrideAlarmConfiguration": {"enabled": False}}

    def create(keys: dict[str, str], folder: str) -> Callable[..., Any]:
        session = session_with(tmp_path / folder, keys["AccessKeyId"], keys["SecretAccessKey"])
        url = cloud.env["AWS_ENDPOINT_URL_CODEDEPLOY"]
        client = session.client("codedeploy", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))
        made: Callable[..., Any] = client.create_deployment
        return made

    # Said by Tidegate on the usual path, and by IAM on the other.
    assert refused(create(deployer, "usual"), **prod, **override) == "AccessDeniedException"
    with pytest.raises(ClientError, match=r"execute-api:Invoke|not authorized"):
        create(deployer, "overriding")(**prod)
    assert refused(create(administrator, "usual"), **prod, **override) == "AccessDeniedException"
    # The first deployment may still run; who may not override would be told so instead.
    by_administrator = create(administrator, "overriding")
    with contextlib.suppress(cloud.client("codedeploy").exceptions.DeploymentLimitExceededException):
        by_administrator(**prod, **override)
