"""Amazon Web Services: credentials, S3 and the cluster. The only package that loads boto3 and obstore."""
