"""Reads of what a bucket or object could have and, here, truly has not. Their writes answer NotImplemented."""

from __future__ import annotations

from local_emr.s3.errors import S3Error
from local_emr.s3.pages import OWNER
from local_emr.s3.responses import Response, xml_response

_GRANTEE = f'<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">{OWNER}</Grantee>'
_ACL = (
    f"<Owner>{OWNER}</Owner><AccessControlList><Grant>{_GRANTEE}<Permission>FULL_CONTROL</Permission></Grant>"
    "</AccessControlList>"
)
# operation, document and content of what is off, unset, or as every new bucket has it
OF_BUCKET = {
    "accelerate": ("GetBucketAccelerateConfiguration", "AccelerateConfiguration", ""),
    "acl": ("GetBucketAcl", "AccessControlPolicy", _ACL),
    "logging": ("GetBucketLogging", "BucketLoggingStatus", ""),
    "notification": ("GetBucketNotificationConfiguration", "NotificationConfiguration", ""),
    "requestPayment": ("GetBucketRequestPayment", "RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
    "versioning": ("GetBucketVersioning", "VersioningConfiguration", ""),
}
OF_OBJECT = {
    "acl": ("GetObjectAcl", "AccessControlPolicy", _ACL),
    "tagging": ("GetObjectTagging", "Tagging", "<TagSet/>"),
}
# operation and error where AWS answers 404 for what there is none of
MISSING = {
    "cors": ("GetBucketCors", "NoSuchCORSConfiguration"),
    "lifecycle": ("GetBucketLifecycleConfiguration", "NoSuchLifecycleConfiguration"),
    "object-lock": ("GetObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"),
    "policy": ("GetBucketPolicy", "NoSuchBucketPolicy"),
    "replication": ("GetBucketReplication", "ReplicationConfigurationNotFoundError"),
    "tagging": ("GetBucketTagging", "NoSuchTagSet"),
    "website": ("GetBucketWebsite", "NoSuchWebsiteConfiguration"),
}


def of_bucket(name: str, bucket: str) -> Response:
    if name in MISSING:
        raise S3Error(MISSING[name][1], BucketName=bucket)
    _, tag, content = OF_BUCKET[name]
    return xml_response(tag, content)


def of_object(name: str) -> Response:
    _, tag, content = OF_OBJECT[name]
    return xml_response(tag, content)
