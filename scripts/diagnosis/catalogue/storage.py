"""What S3 refuses, and inputs and outputs that are not as the job expects; in the words of EMRFS, S3A, boto3 and Spark."""

from scripts.diagnosis.model import Rule

_PATH = r"(?P<path>[^\s;,'\"]+?)[.;,'\"]*(?:\s|$)"

RULES = (
    Rule(
        "aws-credentials",
        (
            r"NoCredentialsError|PartialCredentialsError|CredentialRetrievalError",
            r"[Uu]nable to locate credentials",
            r"NoAuthWithAWSException|No AWS Credentials provided",
            r"Unable to load (?:AWS )?credentials from any (?:of the )?provider",
            r"Unable to load credentials from|Failed to load credentials from (?:the )?IMDS",
            r"\b(?:ExpiredToken(?:Exception)?|InvalidAccessKeyId|InvalidClientTokenId|SignatureDoesNotMatch|RequestExpired)\b",
            r"The security token included in the request is (?:invalid|expired)",
            r"The (?:provided token|AWS Access Key Id) .*(?:expired|does not exist in our records)",
        ),
        "The job called AWS without valid credentials.",
        "Let the job use the nodes' role: no keys in its code or configuration, and IAM_INSTANCE_PROFILE names a profile"
        " whose role is there.",
    ),
    Rule(
        "s3-region",
        (
            r"PermanentRedirect|AWSRedirectException|AuthorizationHeaderMalformed|IllegalLocationConstraint",
            r"(?:S3Exception|AWSS3IOException|AWSBadRequestException|AmazonS3Exception)\b.*Status Code: (?:301|307)",
            r"must be addressed using the specified endpoint",
            r"the region '(?P<got>[\w-]+)' is wrong; expecting '(?P<region>[\w-]+)'",
            r"bucket is in this region: (?P<region>[\w-]+)",
            r"(?:head_bucket|HeadBucket|Bucket).*Moved Permanently|\b301\b.*Moved Permanently",
        ),
        "The bucket is in another region than the one that was asked.",
        "Set AWS_REGION to the bucket's region, or use a bucket of this one (S3_BUCKET): `inv verify` compares them.",
    ),
    Rule(
        "s3-access-denied",
        (
            r"AccessDenied(?:Exception)?: (?P<path>s3[an]?://[^\s:,]+)",
            r"AccessControlException: .*(?P<path>s3[an]?://[^\s:,]+)",
            r"(?:S3Exception|AmazonS3Exception|S3ServiceException|SdkClientException)\b.*(?:Access ?Denied|Forbidden|Status Code: 403)",
            r"Access ?Denied.*\(Service: (?:Amazon )?S3",
            r"\(Service: (?:Amazon )?(?:S3|KMS|AWSKMS|Kms)[;,] Status Code: (?:403|400)[^)]*AccessDenied",
            r"\(Service: (?:Amazon )?S3[;,] Status Code: 403",
            r"An error occurred \((?:AccessDenied(?:Exception)?|403|Forbidden|AllAccessDisabled)\) when calling the (?P<action>\w+) operation",
            r"not authorized to perform:? (?P<action>(?:s3|kms):\w+)",
            r"PermissionError: (?:\[Errno 13\] )?(?:Access Denied|Forbidden)\s*$",
            r"^(?:upload|download|copy|fatal error|delete)\b.*\(403\)",
        ),
        "S3 refused: the nodes' role may not do this there.",
        "Allow it to the role of IAM_INSTANCE_PROFILE (s3:GetObject, s3:PutObject, s3:DeleteObject on the objects,"
        " s3:ListBucket on the bucket, and the KMS key if it is encrypted with one); a bucket policy may refuse it too.",
    ),
    Rule(
        "s3-bucket-missing",
        (
            r"NoSuchBucket|UnknownStoreException",
            r"The specified bucket does not exist",
            r"[Bb]ucket ['\"]?(?P<bucket>[\w.-]+)['\"]? does not exist",
            r"Empty Mount table in config for viewfs://(?P<bucket>[^/\s]+)",
        ),
        "The bucket does not exist.",
        "Check the bucket's name in S3_BUCKET and in JOB_ARGS; `inv upload` offers to create S3_BUCKET.",
    ),
    Rule(
        "s3-throttled",
        (
            r"\bSlowDown\b|Please reduce your request rate|AWSServiceThrottledException",
            r"\(Service: (?:Amazon )?S3[;,] Status Code: 503",
            r"ThrottlingException|ThrottledException|Rate exceeded",
        ),
        "AWS was asked more often in a second than it answers.",
        "Spread the keys over more prefixes, or run fewer tasks at once (CORE_INSTANCE_COUNT); then run it again.",
    ),
    Rule(
        "application-missing",
        (
            r"can't open file '(?P<path>[^']+\.py)'",
            r"(?:FileNotFoundException|NoSuchFileException|NoSuchKey|does not exist|No such file).*?(?P<path>s3[an]?://\S+\.(?:py|zip|egg|sh)\b)",
            r"(?:FileNotFoundException|NoSuchFileException): (?:File )?(?P<path>(?:file:)?/\S+\.(?:py|zip|egg))\b.*(?:does not exist|No such file)",
            r"File (?P<path>\S+\.py) does not exist",
        ),
        "The job's own file {path} is not where the step says.",
        "`inv submit` and `inv pipeline` upload spark/ themselves; check SCRIPTS_PREFIX and the name.",
    ),
    Rule(
        "s3-key-missing",
        (
            r"\bNoSuchKey\b|The specified key does not exist",
            r"An error occurred \((?:404|NoSuchKey)\) when calling the (?P<action>HeadObject|GetObject|CopyObject) operation",
            r"Key \"(?P<path>[^\"]+)\" does not exist",
            r"FileNotFoundError: (?:\[Errno 2\] )?(?P<path>[\w.-]+/\S+|s3[an]?://\S+)\s*$",
        ),
        "The object that was asked for is not in the bucket.",
        "Check the key, letter by letter (a leading `/`, a missing prefix), and DATA_PREFIX: `inv verify` looks there.",
    ),
    Rule(
        "input-missing",
        (
            rf"\[PATH_NOT_FOUND\] Path does not exist: {_PATH}",
            rf"[Pp]ath does not exist:? {_PATH}",
            rf"Input path does not exist: {_PATH}",
            rf"Input Pattern {_PATH}.*matches 0 files",
            r"No such file or directory(?: ':? ?|: ?)'?(?P<path>(?:s3[an]?|hdfs|viewfs|file)://?[^\s'\"]+)",
            r"FileNotFoundError: .*'(?P<path>s3[an]?:/[^']+)'",
            r"FileNotFoundException:? .*?(?P<path>(?:s3[an]?|hdfs|viewfs)://[^\s'\"]+)",
            r"FileNotFoundException: File (?P<path>\S+) does not exist",
            r"It is possible the underlying files have been updated",
            r"no \.jpg or \.jpeg image under (?P<path>\S+)|no image under (?P<path2>\S+) is in Training",
        ),
        "The input is not there: {path}",
        "Check S3_BUCKET, DATA_PREFIX and JOB_ARGS; `inv data --from DIR` uploads images, `inv verify` looks for them.",
    ),
    Rule(
        "output-exists",
        (
            rf"\[PATH_ALREADY_EXISTS\] Path {_PATH}",
            rf"\bpath {_PATH}already exists",
            r"FileAlreadyExistsException: (?:Output directory )?(?P<path>\S+?)(?: already exists)?$",
            r"Output directory (?P<path>\S+) already exists",
            r"Output directory already exists",
        ),
        "The output is there already: {path}",
        "Write to a new folder (OUTPUT_PREFIX), or delete the old one (`inv cleanup`), or write with mode('overwrite').",
    ),
    Rule(
        "input-unreadable",
        (
            r"(?P<path>\S+) is not a Parquet file|expected magic number at tail",
            r"UNABLE_TO_INFER_SCHEMA|Unable to infer schema",
            r"\[?(?:CANNOT_READ_FILE_FOOTER|FAILED_READ_FILE|MALFORMED_RECORD_IN_PARSING|CANNOT_MERGE_SCHEMA)",
            r"Malformed records are detected in record parsing|Could not read footer for file",
            r"Parquet column cannot be converted|SchemaColumnConvertNotSupportedException",
            r"(?:ORC|Avro) file|Not an Avro data file|Malformed ORC file",
            r"(?:ZipException: (?:not in gzip format|invalid)|not a gzip file|incorrect header check|Unexpected end of (?:ZLIB )?input stream)",
            r"UnidentifiedImageError: cannot identify image file|image file is truncated",
        ),
        "An input file is not in the format that the job reads, or is damaged.",
        "Look at the file that the lines name; read with another format or schema, or leave it out.",
    ),
)
