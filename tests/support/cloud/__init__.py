"""An AWS account on the loopback, for unchanged boto3.

This package implements CloudFormation, Redshift Serverless and the Tagging API, since no free stand-in is complete
enough to judge a teardown. The fake CloudFormation creates resources of other services in moto, by the calls that AWS
would make.

    server         receives the requests, and passes each to its service
    formation      CloudFormation: stacks that advance a few events with every look, and fail on request
    stacks         the state of a stack, and functions of a template
    intrinsics     Ref, Fn::Sub and the other functions of a template
    resources      how a resource of each type is created, changed and deleted
    serverless     Redshift Serverless: namespaces, workgroups, usage limits, snapshots
"""

from tests.support.cloud.server import Cloud, read_once

__all__ = ["Cloud", "read_once"]
