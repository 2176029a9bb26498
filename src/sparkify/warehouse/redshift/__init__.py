"""Amazon Redshift: connection, login, COPY through S3, and errors."""
