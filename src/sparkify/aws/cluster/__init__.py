"""The cluster: one CloudFormation stack that is set up, watched, and torn down without leftovers.

    plan        dwh.cfg → the resources to create; with validation, templates, prices and addresses
    setup       creates or changes the stack to match the plan, and limits its spending
    outputs     where the warehouse is, from the stack's outputs
    status      what runs, and what it may have cost; pause and resume
    teardown    deletes everything; remains lists what is left

A plan needs neither an account nor a network: only `aws.account` loads boto3, when it is first asked.
"""
