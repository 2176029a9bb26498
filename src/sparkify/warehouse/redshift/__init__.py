"""Amazon Redshift: connection, login, COPY and UNLOAD through S3, and errors."""
