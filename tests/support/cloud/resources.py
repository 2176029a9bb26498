"""How a resource of each type is created, changed and deleted: by the calls of AWS, in moto or the fake."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.cloud.refused import Refused

if TYPE_CHECKING:
    from tests.support.cloud.server import Cloud

Tags = list[dict[str, str]]
Properties = dict[str, Any]


class Made(NamedTuple):
    """A created resource: its id, and the attributes that a template may read."""

    physical: str
    attributes: dict[str, Any]
    arn: str = ""  # empty for a resource that cannot be tagged


class Maker(NamedTuple):
    """What a type of resource needs."""

    create: Callable[[Cloud, Properties, Tags], Made]
    delete: Callable[[Cloud, str, Properties], Any]
    update: Callable[[Cloud, str, Properties, Properties], Any] = lambda *_: None
    replaced_by: frozenset[str] = frozenset()  # the properties whose change replaces the resource


def _ec2(call: str, key: str, kind: str, *names: str) -> Callable[[Cloud, Properties, Tags], Made]:
    """Return how EC2 makes a thing that is names for by some of its properties, and can be tagged at once."""

    def create(cloud: Cloud, properties: Properties, tags: Tags) -> Made:
        chosen = {name: properties[name] for name in names}
        made = getattr(cloud.client("ec2"), call)(**chosen, TagSpecifications=[{"ResourceType": kind, "Tags": tags}])
        physical = (made.get(key, made))[_id_of(kind)]
        arn = f"arn:aws:ec2:us-east-1:{cloud.account}:{kind}/{physical}"
        return Made(physical, {"GroupId": physical}, arn)

    return create


def _id_of(kind: str) -> str:
    names = {"vpc": "VpcId", "subnet": "SubnetId", "security-group": "GroupId", "route-table": "RouteTableId"}
    return names.get(kind, "InternetGatewayId")


def _attach(cloud: Cloud, properties: Properties, _: Tags) -> Made:
    cloud.client("ec2").attach_internet_gateway(**properties)
    return Made(f"IGW|{properties['VpcId']}", {})


def _detach(cloud: Cloud, _: str, properties: Properties) -> None:
    cloud.client("ec2").detach_internet_gateway(**properties)


def _ingress(cloud: Cloud, properties: Properties, _: Tags) -> Made:
    rule = {key: properties[key] for key in ("GroupId", "IpProtocol", "CidrIp")}
    ports = {key: int(properties[key]) for key in ("FromPort", "ToPort")}
    made = cloud.client("ec2").authorize_security_group_ingress(**rule, **ports)
    return Made(made["SecurityGroupRules"][0]["SecurityGroupRuleId"], {})


def _no_ingress(cloud: Cloud, physical: str, properties: Properties) -> None:
    cloud.client("ec2").revoke_security_group_ingress(GroupId=properties["GroupId"], SecurityGroupRuleIds=[physical])


def _route(cloud: Cloud, properties: Properties, _: Tags) -> Made:
    cloud.client("ec2").create_route(**properties)
    return Made(f"{properties['RouteTableId']}|{properties['DestinationCidrBlock']}", {})


def _no_route(cloud: Cloud, _: str, properties: Properties) -> None:
    chosen = {key: properties[key] for key in ("RouteTableId", "DestinationCidrBlock")}
    cloud.client("ec2").delete_route(**chosen)


def _associate(cloud: Cloud, properties: Properties, _: Tags) -> Made:
    return Made(cloud.client("ec2").associate_route_table(**properties)["AssociationId"], {})


def _role(cloud: Cloud, properties: Properties, tags: Tags) -> Made:
    name = properties.get("RoleName") or f"Role-{uuid.uuid4().hex[:12]}"
    iam = cloud.client("iam")
    made = iam.create_role(
        RoleName=name,
        Path=properties["Path"],
        AssumeRolePolicyDocument=json.dumps(properties["AssumeRolePolicyDocument"]),
        Tags=tags,
    )["Role"]
    _put_policies(cloud, name, {}, properties)
    return Made(name, {"Arn": made["Arn"]})


def _put_policies(cloud: Cloud, name: str, before: Properties, after: Properties) -> None:
    iam = cloud.client("iam")
    chosen = {policy["PolicyName"]: policy["PolicyDocument"] for policy in after["Policies"]}
    for policy in before.get("Policies", ()):
        if policy["PolicyName"] not in chosen:
            iam.delete_role_policy(RoleName=name, PolicyName=policy["PolicyName"])
    for policy, document in chosen.items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))


def _no_role(cloud: Cloud, name: str, properties: Properties) -> None:
    _put_policies(cloud, name, properties, {"Policies": []})
    cloud.client("iam").delete_role(RoleName=name)


def _bucket(cloud: Cloud, properties: Properties, tags: Tags) -> Made:
    name = f"sparkify-stage-{uuid.uuid4().hex[:12]}"
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    cloud.permit("s3:TagResource")  # The stack's tags reach the bucket (AWS::S3::Bucket, "tagging" of its schema).
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=properties["PublicAccessBlockConfiguration"])
    arn = f"arn:aws:s3:::{name}"
    return Made(name, {"Arn": arn}, arn)


def _bucket_policy(_: Cloud, properties: Properties, __: Tags) -> Made:
    """Create no policy: moto ignores a policy's conditions, and would deny every access."""
    return Made(properties["Bucket"], {})


def _need_service_linked_role(cloud: Cloud) -> None:
    """Refuse a warehouse in an account without Redshift's role, which AWS creates late for the first one."""
    roles = cloud.client("iam").list_roles(PathPrefix="/aws-service-role/redshift.amazonaws.com/")["Roles"]
    if not roles:
        raise Refused("InvalidParameterValue", "The service-linked role of Redshift does not exist yet.")


def _namespace(cloud: Cloud, properties: Properties, tags: Tags) -> Made:
    _need_service_linked_role(cloud)
    made = cloud.serverless.make_namespace(properties, tags)
    return Made(made["namespaceName"], {}, made["namespaceArn"])


def _workgroup(cloud: Cloud, properties: Properties, tags: Tags) -> Made:
    made = cloud.serverless.make_workgroup(properties, tags)
    endpoint = made["endpoint"]
    attributes = {"Workgroup.Endpoint.Address": endpoint["address"], "Workgroup.Endpoint.Port": endpoint["port"]}
    return Made(made["workgroupName"], attributes, made["workgroupArn"])


def _change_workgroup(cloud: Cloud, physical: str, before: Properties, after: Properties) -> None:
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    if len(changed) > 1:  # UpdateWorkgroup: "You can't update multiple parameters in one request."
        text = f"Can't update multiple configurations at the same time for workgroup {physical}."
        raise Refused("ValidationException", text)
    cloud.serverless.workgroups[physical].update(
        baseCapacity=int(after["BaseCapacity"]), publiclyAccessible=after["PubliclyAccessible"]
    )


def _subnet_group(cloud: Cloud, properties: Properties, tags: Tags) -> Made:
    _need_service_linked_role(cloud)
    name = f"subnets-{uuid.uuid4().hex[:12]}"
    cloud.client("redshift").create_cluster_subnet_group(ClusterSubnetGroupName=name, **properties, Tags=tags)
    return Made(name, {}, f"arn:aws:redshift:us-east-1:{cloud.account}:subnetgroup:{name}")


def _parameter_group(cloud: Cloud, properties: Properties, tags: Tags) -> Made:
    name = f"parameters-{uuid.uuid4().hex[:12]}"
    chosen = {key: properties[key] for key in ("Description", "ParameterGroupFamily")}
    cloud.client("redshift").create_cluster_parameter_group(ParameterGroupName=name, **chosen, Tags=tags)
    return Made(name, {}, f"arn:aws:redshift:us-east-1:{cloud.account}:parametergroup:{name}")


def _cluster(cloud: Cloud, properties: Properties, tags: Tags) -> Made:
    chosen = {key: value for key, value in properties.items() if key != "NumberOfNodes"}
    many = {"NumberOfNodes": int(properties["NumberOfNodes"])} if "NumberOfNodes" in properties else {}
    redshift = cloud.client("redshift")
    if snapshot := chosen.pop("SnapshotIdentifier", ""):
        redshift.describe_cluster_snapshots(SnapshotIdentifier=snapshot)
        cloud.restored[properties["ClusterIdentifier"]] = snapshot
    redshift.create_cluster(**chosen | many | {"Port": int(properties["Port"])}, Tags=tags)
    name = properties["ClusterIdentifier"]
    secret = cloud.make_password(name, properties["MasterUsername"])
    host = f"{name}.c1a2b3c4d5e6.us-east-1.redshift.amazonaws.com"
    attributes = {"Endpoint.Address": host, "Endpoint.Port": properties["Port"], "MasterPasswordSecretArn": secret}
    return Made(name, attributes, f"arn:aws:redshift:us-east-1:{cloud.account}:cluster:{name}")


def _change_cluster(cloud: Cloud, physical: str, before: Properties, after: Properties) -> None:
    chosen = {key: after[key] for key in ("NodeType", "ClusterType")}
    nodes = int(after.get("NumberOfNodes", 1))
    if nodes != int(before.get("NumberOfNodes", 1)):
        cloud.permit("redshift:ResizeCluster")
        if "single-node" in (before["ClusterType"], after["ClusterType"]):  # "Elastic resize", Management Guide
            raise Refused("InvalidParameterValue", "Elastic resize does not support single-node clusters.")
    cloud.client("redshift").modify_cluster(ClusterIdentifier=physical, **chosen, NumberOfNodes=nodes)


def _no_cluster(cloud: Cloud, physical: str, _: Properties) -> None:
    cloud.client("redshift").delete_cluster(ClusterIdentifier=physical, SkipFinalClusterSnapshot=True)
    secrets = cloud.client("secretsmanager")
    for secret in secrets.list_secrets()["SecretList"]:
        if secret["Name"] == f"redshift!{physical}-admin" and secret["ARN"] not in cloud.formation.kept_secrets:
            secrets.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)


def _deleted_by(service: str, call: str, key: str) -> Callable[[Cloud, str, Properties], Any]:
    return lambda cloud, physical, _: getattr(cloud.client(service), call)(**{key: physical})


MAKERS: dict[str, Maker] = {
    "AWS::EC2::VPC": Maker(_ec2("create_vpc", "Vpc", "vpc", "CidrBlock"), _deleted_by("ec2", "delete_vpc", "VpcId")),
    "AWS::EC2::Subnet": Maker(
        _ec2("create_subnet", "Subnet", "subnet", "VpcId", "CidrBlock", "AvailabilityZone"),
        _deleted_by("ec2", "delete_subnet", "SubnetId"),
        replaced_by=frozenset({"AvailabilityZone", "CidrBlock", "VpcId"}),
    ),
    "AWS::EC2::SecurityGroup": Maker(
        lambda cloud, properties, tags: _ec2(
            "create_security_group", "", "security-group", "VpcId", "GroupName", "Description"
        )(
            cloud,
            {
                "VpcId": properties["VpcId"],
                "GroupName": f"firewall-{uuid.uuid4().hex[:8]}",
                "Description": properties["GroupDescription"],
            },
            tags,
        ),
        _deleted_by("ec2", "delete_security_group", "GroupId"),
    ),
    "AWS::EC2::SecurityGroupIngress": Maker(
        _ingress, _no_ingress, replaced_by=frozenset({"CidrIp", "FromPort", "ToPort", "GroupId"})
    ),
    "AWS::EC2::InternetGateway": Maker(
        _ec2("create_internet_gateway", "InternetGateway", "internet-gateway"),
        _deleted_by("ec2", "delete_internet_gateway", "InternetGatewayId"),
    ),
    "AWS::EC2::VPCGatewayAttachment": Maker(_attach, _detach),
    "AWS::EC2::RouteTable": Maker(
        _ec2("create_route_table", "RouteTable", "route-table", "VpcId"),
        _deleted_by("ec2", "delete_route_table", "RouteTableId"),
    ),
    "AWS::EC2::Route": Maker(_route, _no_route),
    "AWS::EC2::SubnetRouteTableAssociation": Maker(
        _associate, _deleted_by("ec2", "disassociate_route_table", "AssociationId")
    ),
    "AWS::IAM::Role": Maker(_role, _no_role, _put_policies, frozenset({"RoleName", "Path"})),
    "AWS::S3::Bucket": Maker(_bucket, _deleted_by("s3", "delete_bucket", "Bucket")),
    "AWS::S3::BucketPolicy": Maker(_bucket_policy, lambda *_: None),
    "AWS::RedshiftServerless::Namespace": Maker(
        _namespace,
        lambda cloud, physical, _: cloud.serverless.delete_namespace(physical),
        replaced_by=frozenset({"NamespaceName"}),
    ),
    "AWS::RedshiftServerless::Workgroup": Maker(
        _workgroup,
        lambda cloud, physical, _: cloud.serverless.delete_workgroup(physical),
        _change_workgroup,
        frozenset({"WorkgroupName", "NamespaceName"}),
    ),
    "AWS::Redshift::ClusterSubnetGroup": Maker(
        _subnet_group, _deleted_by("redshift", "delete_cluster_subnet_group", "ClusterSubnetGroupName")
    ),
    "AWS::Redshift::ClusterParameterGroup": Maker(
        _parameter_group, _deleted_by("redshift", "delete_cluster_parameter_group", "ParameterGroupName")
    ),
    "AWS::Redshift::Cluster": Maker(
        _cluster,
        _no_cluster,
        _change_cluster,
        frozenset({"ClusterIdentifier", "DBName", "MasterUsername", "ClusterSubnetGroupName"}),
    ),
}
