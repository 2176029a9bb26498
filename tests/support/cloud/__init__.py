"""An AWS account of the tests' own, on the loopback: unchanged boto3 talks to it.

CloudFormation, Redshift Serverless and the Tagging API are played here, since no free stand-in plays them well enough
to judge a teardown by; whatever the fake CloudFormation makes of the other services, it really makes in moto, by the
same calls that AWS would see.

    server         takes the requests, and hands each to whom it is for
    formation      CloudFormation: stacks that advance one event with every look, and fail where they are told to
    stacks         what it keeps of a stack, and reads out of a template
    intrinsics     Ref, Fn::Sub and the other functions of a template
    resources      how a resource of each type is made, changed and deleted
    serverless     Redshift Serverless: namespaces, workgroups, usage limits, snapshots
"""

from tests.support.cloud.server import Cloud, read_once

__all__ = ["Cloud", "read_once"]
