"""The cluster: one CloudFormation stack that is set up, monitored, and torn down without leftovers.

    plan        dwh.cfg → the resources to create; with validation, template, prices and addresses
    setup       creates the stack, or changes it to match the plan, and limits its spending
    outputs     the warehouse's address and role, from the stack's outputs
    status      what runs, and an estimate of its cost; pause and resume
    teardown    deletes everything; leftovers lists what remains

A plan needs neither an account nor a network: `aws.account` loads boto3 when it is first used.
"""
