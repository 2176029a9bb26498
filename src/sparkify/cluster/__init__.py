"""The cluster: one CloudFormation stack that is set up, looked after, and torn down with nothing left behind.

    plan       dwh.cfg → what is to be there; the templates, the prices and the addresses belong to it
    setup      makes the stack what the plan says, and the limit of its spend
    endpoint   where the warehouse is, from the stack's outputs
    status     what runs, and what it may have cost; pause and resume
    teardown   deletes it all, and lists what is left

Only `account` knows boto3, and loads it when it is first asked: a plan needs neither an account nor a network.
"""

from sparkify.cluster.endpoint import Outputs, outputs

__all__ = ["Outputs", "outputs"]
